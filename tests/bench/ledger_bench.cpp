// How fast the ledger takes new records, durable, and how much disk each needs. One JSON line per figure.
// Usage: ledger_bench [RECORDS] [FOLDER]; FOLDER should lie on the disk that is meant, not in memory.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <rocksdb/db.h>

#include <unistd.h>

#include "figure.hpp"
#include "messages/records.hpp"
#include "storage/ledger.hpp"

namespace {

using namespace keyportal;
using clock_type = std::chrono::steady_clock;

constexpr std::uint64_t batch = 1000;

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}

void must(const caf::error& error) {
  if (error)
    throw std::runtime_error(render(error));
}

std::uintmax_t bytes_of_tables(const std::filesystem::path& folder) {
  std::uintmax_t out = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".sst")
      out += entry.file_size();
  return out;
}

using bench::figure;

// Opened and closed once more, so that files that merging has replaced are gone.
std::uintmax_t settled_bytes(const storage::settings& how) {
  if (const auto opened = storage::ledger::open(how); !opened)
    must(opened.error());
  return bytes_of_tables(how.folder);
}

// Traffic as a busy node has it: 30 keys, 10 models, 4 accounts, 8 credentials; `apart_ms` from one record to the next
// on average, so that the number of roll-ups for a number of records can be chosen.
class traffic {
public:
  explicit traffic(std::int64_t apart_ms) : apart_ms_(apart_ms) {}

  std::vector<record_group> next(std::uint64_t count) {
    std::vector<record_group> groups;
    std::vector<std::size_t> place(300, SIZE_MAX);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto key = static_cast<std::size_t>(random_() % 30);
      const auto model = static_cast<std::size_t>(random_() % 10);
      auto& at = place[key * 10 + model];
      if (at == SIZE_MAX) {
        at = groups.size();
        groups.push_back({secret{fmt::format("sk-portal-{:032}", key)}, fmt::format("claude-model-{}", model), {}});
      }
      detail d;
      now_ns_ += static_cast<std::int64_t>(random_() % (2 * static_cast<std::uint64_t>(apart_ms_) * 1'000'000));
      d.at = {now_ns_, 480};
      d.latency_ms = static_cast<std::int64_t>(random_() % 20'000);
      d.source = fmt::format("account{}@example.com", random_() % 4);
      d.auth_index = fmt::format("{:016x}", random_() % 8);
      d.tokens.input = static_cast<std::int64_t>(random_() % 50'000);
      d.tokens.output = static_cast<std::int64_t>(random_() % 4'000);
      d.tokens.reasoning = static_cast<std::int64_t>(random_() % 1'000);
      d.tokens.cached = static_cast<std::int64_t>(random_() % 30'000);
      d.tokens.total = d.tokens.input + d.tokens.output + d.tokens.reasoning;
      d.failed = random_() % 50 == 0;
      for (auto& byte : d.id.bytes) // as uniform as the hash it stands for, which is the poller's cost, not ours
        byte = static_cast<std::uint8_t>(random_());
      groups[at].details.push_back(std::move(d));
    }
    return groups;
  }

private:
  std::int64_t apart_ms_;
  std::mt19937_64 random_{42};
  std::int64_t now_ns_ = 1'767'225'600'000'000'000;
};

double run_ledger(const std::filesystem::path& folder, std::uint64_t records) {
  storage::settings how;
  how.folder = folder / "ledger";
  auto opened = storage::ledger::open(how);
  if (!opened)
    must(opened.error());
  auto& books = **opened;
  traffic source{10};
  double spent = 0;
  double spent_before = 0;
  std::uint64_t counted_before = 0;
  for (std::uint64_t done = 0; done < records;) {
    collection poll;
    poll.node = "node-1";
    poll.groups = std::make_shared<const std::vector<record_group>>(source.next(batch));
    const auto start = clock_type::now();
    const auto result = books.commit({poll}, moment{});
    spent += seconds_since(start);
    if (!result)
      must(result.error());
    done += batch;
    if (done == 100'000 || done == 1'000'000 || done == records) {
      figure("ledger.insert.at", static_cast<double>(done - counted_before) / (spent - spent_before), "records/s",
             done);
      counted_before = done;
      spent_before = spent;
    }
  }
  const auto rate = static_cast<double>(records) / spent;

  // Old ones again: nothing changes, and it costs less than new ones.
  traffic again{10};
  collection poll;
  poll.node = "node-1";
  poll.groups =
    std::make_shared<const std::vector<record_group>>(again.next(std::min<std::uint64_t>(records, 100'000)));
  const auto start = clock_type::now();
  const auto result = books.commit({poll}, moment{});
  if (!result)
    must(result.error());
  if (!result->front().records->empty())
    throw std::runtime_error("known records were taken for new ones");
  figure("ledger.insert.known", static_cast<double>(result->front().duplicates) / seconds_since(start), "records/s",
         result->front().duplicates);

  const auto scan_start = clock_type::now();
  auto walk = books.records("node-1", nullptr);
  std::uint64_t walked = 0;
  for (;;) {
    const auto part = walk->next(10'000);
    if (!part)
      must(part.error());
    if (part->empty())
      break;
    for (const auto& group : *part)
      walked += group.details.size();
  }
  walk.reset();
  figure("ledger.scan", static_cast<double>(walked) / seconds_since(scan_start), "records/s", walked);

  const auto ship_start = clock_type::now();
  for (sequence after = 0;;) {
    const auto page = books.read_outbox(after, 1000);
    if (!page)
      must(page.error());
    if (page->items.empty())
      break;
    std::vector<sequence> shipped;
    for (const auto& item : page->items)
      shipped.push_back(item.seq);
    after = shipped.back();
    must(books.forget_outbox(shipped));
  }
  figure("ledger.outbox", static_cast<double>(records) / seconds_since(ship_start), "records/s", records);
  must(books.verify());
  must(books.compact());
  opened->reset();
  figure("ledger.bytes_per_record", static_cast<double>(settled_bytes(how)) / static_cast<double>(records), "bytes",
         records);
  return rate;
}

// The same with few records an hour: nearly every record has roll-ups of its own, the most that they can cost.
void run_sparse(const std::filesystem::path& folder, std::uint64_t records) {
  storage::settings how;
  how.folder = folder / "sparse";
  auto opened = storage::ledger::open(how);
  if (!opened)
    must(opened.error());
  auto& books = **opened;
  traffic source{60'000};
  for (std::uint64_t done = 0; done < records; done += batch) {
    collection poll;
    poll.node = "node-1";
    poll.groups = std::make_shared<const std::vector<record_group>>(source.next(batch));
    const auto result = books.commit({poll}, moment{});
    if (!result)
      must(result.error());
    std::vector<sequence> shipped;
    for (const auto& record : *result->front().records)
      shipped.push_back(record.seq);
    must(books.forget_outbox(shipped));
  }
  must(books.compact());
  opened->reset();
  figure("ledger.bytes_per_record.sparse", static_cast<double>(settled_bytes(how)) / static_cast<double>(records),
         "bytes", records);
}

// The plain way: a JSON text per record under its id, an index by time, sums read, added to and written per record.
double run_plain(const std::filesystem::path& folder, std::uint64_t records) {
  rocksdb::Options options;
  options.create_if_missing = true;
  rocksdb::DB* raw = nullptr;
  const auto path = (folder / "plain").string();
  if (const auto status = rocksdb::DB::Open(options, path, &raw); !status.ok())
    throw std::runtime_error(status.ToString());
  std::unique_ptr<rocksdb::DB> db{raw};
  traffic source{10};
  double spent = 0;
  rocksdb::WriteOptions synced;
  synced.sync = true;
  for (std::uint64_t done = 0; done < records; done += batch) {
    const auto groups = source.next(batch);
    const auto start = clock_type::now();
    rocksdb::WriteBatch rows;
    std::unordered_map<std::string, nlohmann::json> sums;
    for (const auto& group : groups)
      for (const auto& d : group.details) {
        const auto id = "record:node-1:" + to_string(d.id);
        std::string found;
        if (db->Get({}, id, &found).ok())
          continue;
        const auto at = to_rfc3339(d.at);
        const nlohmann::json row{{"node", "node-1"},
                                 {"api_key", group.client_key.reveal()},
                                 {"model", group.model},
                                 {"timestamp", at},
                                 {"latency_ms", d.latency_ms},
                                 {"source", d.source},
                                 {"auth_index", d.auth_index},
                                 {"failed", d.failed},
                                 {"tokens",
                                  {{"input_tokens", d.tokens.input},
                                   {"output_tokens", d.tokens.output},
                                   {"reasoning_tokens", d.tokens.reasoning},
                                   {"cached_tokens", d.tokens.cached},
                                   {"total_tokens", d.tokens.total}}}};
        rows.Put(id, row.dump());
        rows.Put("time:node-1:" + at + ":" + to_string(d.id), "");
        for (const auto& period : {at.substr(0, 13), at.substr(0, 10)}) {
          const auto cell = "sum:node-1:" + period + ":" + group.client_key.reveal() + ":" + group.model;
          auto& sum = sums[cell];
          if (sum.is_null())
            sum = db->Get({}, cell, &found).ok() ? nlohmann::json::parse(found)
                                                 : nlohmann::json{{"requests", 0}, {"failed", 0}, {"tokens", 0}};
          sum["requests"] = sum["requests"].get<std::int64_t>() + 1;
          sum["failed"] = sum["failed"].get<std::int64_t>() + (d.failed ? 1 : 0);
          sum["tokens"] = sum["tokens"].get<std::int64_t>() + d.tokens.total;
        }
      }
    for (const auto& [cell, sum] : sums)
      rows.Put(cell, sum.dump());
    if (const auto status = db->Write(synced, &rows); !status.ok())
      throw std::runtime_error(status.ToString());
    spent += seconds_since(start);
  }
  db->Flush({});
  db->CompactRange({}, nullptr, nullptr);
  db.reset();
  if (rocksdb::DB::Open(options, path, &raw).ok()) // again, so that files that merging has replaced are gone
    db.reset(raw);
  db.reset();
  figure("ledger.plain.bytes_per_record", static_cast<double>(bytes_of_tables(path)) / static_cast<double>(records),
         "bytes", records);
  return static_cast<double>(records) / spent;
}

} // namespace

int main(int count, char** arguments) {
  const auto records = count > 1 ? std::strtoull(arguments[1], nullptr, 10) / batch * batch : 1'000'000;
  const std::filesystem::path parent = count > 2 ? arguments[2] : ".";
  const auto folder = parent / fmt::format("ledger_bench.{}", ::getpid());
  int outcome = 0;
  try {
    if (records == 0)
      throw std::runtime_error("usage: ledger_bench [RECORDS] [FOLDER]");
    std::filesystem::create_directories(folder);
    const auto rate = run_ledger(folder, records);
    const auto plain_records = std::min<std::uint64_t>(records, 300'000);
    const auto plain = run_plain(folder, plain_records);
    figure("ledger.plain.insert", plain, "records/s", plain_records);
    figure("ledger.insert", rate, "records/s", records, "JSON rows, index and sums in RocksDB, same sync",
           rate / plain);
    run_sparse(folder, std::min<std::uint64_t>(records, 200'000));
  } catch (const std::exception& problem) {
    fmt::print(stderr, "ledger_bench: {}\n", problem.what());
    outcome = 1;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return outcome;
}
