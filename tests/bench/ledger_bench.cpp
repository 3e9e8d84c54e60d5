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
#include "messages/token_rules.hpp"
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

// What the queue of a busy node brings: the payloads as they come, and the same decoded, with all that they say.
class queue_traffic {
public:
  struct piece {
    std::shared_ptr<payload_batch> payloads = std::make_shared<payload_batch>();
    std::vector<record_group> groups;
  };

  piece next(std::uint64_t count) {
    piece out;
    out.groups = records_.next(count);
    for (auto& group : out.groups)
      for (auto& d : group.details) {
        const auto credential = random_() % 8;
        auto facts = std::make_shared<attempt_facts>();
        facts->provider = credential < 5 ? "codex" : "claude";
        facts->alias = "team/" + group.model + (random_() % 3 == 0 ? "(high)" : "");
        facts->endpoint = random_() % 2 == 0 ? "POST /v1/responses" : "POST /v1/chat/completions";
        facts->ttft_ms = static_cast<std::int64_t>(random_() % 2'000);
        facts->status_code = d.failed ? 429 : 200;
        facts->extra = extra(credential, d.failed);
        d.parts = parts_by_model(group.model, d.tokens);
        out.payloads->add(payload(group, d, *facts));
        d.facts = std::move(facts);
      }
    return out;
  }

private:
  std::string extra(std::uint64_t credential, bool failed) {
    const auto more = random_();
    return fmt::format(
      R"~({{"accounting_version":2,"access_token_sha256":"{0:016x}{1:016x}{0:016x}{1:016x}","auth_type":"oauth",)~"
      R"~("client_ip":"172.18.0.{2}","executor_type":"CodexExecutor","fail":{{"status_code":{3},"body":"{4}"}},)~"
      R"~("generate":true,"reasoning_effort":"{5}","request_id":"{6:08x}","response_headers":{{"Date":["Sat, 22 Aug)~"
      R"~( 2026 {7:02}:{8:02}:{9:02} GMT"],"X-Codex-Primary-Used-Percent":["{10}"],)~"
      R"~("X-Codex-Primary-Reset-After-Seconds":["{11}"],"X-Request-Id":["{12:016x}-{13:016x}"]}},)~"
      R"~("response_service_tier":"default","service_tier":"auto","token_breakdown":{{"quality":"complete",)~"
      R"~("schema_version":2}},"user_agent":"codex_cli_rs/0.{14} (Mac OS 15.1)","x_forwarded_for":"203.0.113.{15}"}})~",
      credential * 0x9e3779b97f4a7c15u, credential * 0xbf58476d1ce4e5b9u, more % 5, failed ? 429 : 200,
      failed ? "usage limit reached" : "", more % 3 == 0 ? "high" : "medium", random_() & 0xffffffffu, more % 24,
      (more >> 8) % 60, (more >> 16) % 60, (more >> 24) % 100, (more >> 32) % 18'000, random_(), random_(),
      (more >> 40) % 4, (more >> 48) % 200);
  }

  static std::string payload(const record_group& group, const keyportal::detail& d, const attempt_facts& facts) {
    return fmt::format(
      R"({{"timestamp":"{}","latency_ms":{},"ttft_ms":{},"source":"{}","auth_index":"{}","tokens":{{"input_tokens":{},)"
      R"("output_tokens":{},"reasoning_tokens":{},"cached_tokens":{},"cache_read_tokens":{},)"
      R"("cache_read_tokens_present":true,"cache_creation_tokens":0,"total_tokens":{}}},"failed":{},"provider":"{}",)"
      R"("model":"{}","alias":"{}","endpoint":"{}","api_key":"{}",{})",
      to_rfc3339(d.at), d.latency_ms, facts.ttft_ms, d.source, d.auth_index, d.tokens.input, d.tokens.output,
      d.tokens.reasoning, d.tokens.cached, d.tokens.cached, d.tokens.total, d.failed, facts.provider, group.model,
      facts.alias, facts.endpoint, group.client_key.reveal(), std::string_view{facts.extra}.substr(1));
  }

  traffic records_{10};
  std::mt19937_64 random_{43};
};

// Received, synced; then decoded records, cleared from the inbox in the same commit. As it is live: one after the other,
// `at_once` records each.
void run_queue(const std::filesystem::path& folder, std::uint64_t records, std::uint64_t at_once) {
  storage::settings how;
  how.folder = folder / fmt::format("queue{}", at_once);
  auto opened = storage::ledger::open(how);
  if (!opened)
    must(opened.error());
  auto& books = **opened;
  queue_traffic source;
  double receiving = 0;
  double collecting = 0;
  double payload_bytes = 0;
  double extra_bytes = 0;
  for (std::uint64_t done = 0; done < records; done += at_once) {
    auto piece = source.next(at_once);
    payload_bytes += static_cast<double>(piece.payloads->bytes.size());
    for (const auto& group : piece.groups)
      for (const auto& d : group.details)
        extra_bytes += static_cast<double>(d.facts->extra.size());
    collection decoded;
    decoded.node = "node-1";
    decoded.from_poll = false;
    decoded.groups = std::make_shared<const std::vector<record_group>>(std::move(piece.groups));

    auto start = clock_type::now();
    const auto taken = books.commit({received{"node-1", moment{}, inbox_channel::subscribe, piece.payloads}}, moment{});
    receiving += seconds_since(start);
    if (!taken)
      must(taken.error());
    decoded.inbox_done.push_back(taken->front().inbox_number);
    start = clock_type::now();
    const auto result = books.commit({std::move(decoded)}, moment{});
    collecting += seconds_since(start);
    if (!result)
      must(result.error());
    std::vector<sequence> shipped;
    for (const auto& record : *result->front().records)
      shipped.push_back(record.seq);
    must(books.forget_outbox(shipped));
  }
  const auto count = static_cast<double>(records);
  if (at_once == batch) {
    figure("ledger.inbox", count / receiving, "payloads/s", records);
    figure("ledger.inbox.bytes", payload_bytes / receiving / 1e6, "MB/s", records);
    figure("ledger.queue.insert", count / collecting, "records/s", records);
    figure("ledger.queue.both", count / (receiving + collecting), "records/s", records);
    figure("ledger.queue.payload_bytes", payload_bytes / count, "bytes", records);
    figure("ledger.queue.extra_bytes", extra_bytes / count, "bytes", records);
  }
  const auto start = clock_type::now();
  std::uint64_t walked = 0;
  for (read_arrivals what{.limit = 10'000, .with_extra = true, .whole = true};;) {
    const auto part = books.arrivals(what);
    if (!part)
      must(part.error());
    if (part->empty())
      break;
    walked += part->size();
    what.after = part->back().record.seq;
  }
  if (at_once == batch)
    figure("ledger.arrivals", static_cast<double>(walked) / seconds_since(start), "records/s", walked);
  must(books.verify());
  must(books.compact());
  opened->reset();
  figure(at_once == 1 ? "ledger.bytes_per_record.queue.single" : "ledger.bytes_per_record.queue",
         static_cast<double>(settled_bytes(how)) / count, "bytes", records);
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
    run_queue(folder, std::min<std::uint64_t>(records, 300'000), batch);
    run_queue(folder, std::min<std::uint64_t>(records, 20'000), 1);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "ledger_bench: {}\n", problem.what());
    outcome = 1;
  }
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return outcome;
}
