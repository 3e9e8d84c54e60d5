// What questions about usage cost, and what it costs to be able to answer them: a ledger of so many records over 90 days.
// Usage: usage_bench [RECORDS] [FOLDER [RECORDS_A_COMMIT]]; an existing ledger in FOLDER is used as it is.
// USAGE_BENCH_PEER=1: the same is asked of SQLite, in FOLDER/peer.db. Only questions
// that have it in their name: USAGE_BENCH_ONLY=text. Only pages of records: USAGE_BENCH_PAGES_ONLY=1. What it takes to make
// all roll-ups anew: USAGE_BENCH_REBUILD=1. Only to fill, and where the bytes are: USAGE_BENCH_FILL_ONLY=1.
// The curve: usage_bench curve FOLDER RECORDS…, each in a folder of its own, which goes; without pages and peers.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/core.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "actors/analyst/analysis.hpp"
#include "figure.hpp"
#include "storage/cells.hpp"
#include "storage/database.hpp"
#include "storage/ledger.hpp"
#include "usage_disk.hpp"
#include "usage_peer.hpp"
#include "usage_traffic.hpp"

namespace {

using namespace keyportal;
using bench::begin_ns;
using bench::day_ns;
using bench::days;
using bench::figure;
using bench::text_of_key;
using bench::traffic;
using clock_type = std::chrono::steady_clock;

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}
void must(const caf::error& error) {
  if (error)
    throw std::runtime_error(render(error));
}

// Three dollars a million tokens.
class flat_price : public pricing {
public:
  std::optional<std::int64_t> cost_of(const priced_attempt& what) const override {
    if (what.model.ends_with("7"))
      return std::nullopt;
    return what.parts.total() * 3'000;
  }
};

std::uintmax_t bytes_in(const std::filesystem::path& folder) {
  std::uintmax_t out = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      out += entry.file_size();
  return out;
}

/// The slowest of some questions, for a figure over all of them.
struct worst {
  std::string name = {};
  double ms = 0;
  void see(const std::string& which, double value) {
    if (value > ms) {
      ms = value;
      name = which;
    }
  }
};

/// Out of the caches of the system, so that the next one to read waits for the disk.
void drop_from_caches(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      if (const int file = ::open(entry.path().c_str(), O_RDONLY); file >= 0) {
        ::fdatasync(file);
        ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
        ::close(file);
      }
}

/// Processor time beside, which tells the same on a busy machine.
double measure(const std::string& name, std::uint64_t records, const std::function<void()>& ask, int times = 100) {
  std::vector<double> waits;
  const auto cpu = bench::cpu_ms();
  for (int i = 0; i < times; ++i) {
    const auto start = clock_type::now();
    ask();
    waits.push_back(seconds_since(start) * 1000);
  }
  figure("usage." + name + ".cpu", (bench::cpu_ms() - cpu) / times, "ms", records);
  const auto slow = bench::percentile(waits, 0.99);
  figure("usage." + name + ".p99", slow, "ms", records);
  return slow;
}

double thread_cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) / 1e6;
}

std::unique_ptr<storage::ledger> open_in(const std::filesystem::path& folder) {
  auto opened = storage::ledger::open({.folder = folder});
  if (!opened)
    must(opened.error());
  return std::move(*opened);
}

struct dashboard_question {
  std::string name;
  usage_question what;
};

/// What pages ask, over the last 30 and 90 days.
std::vector<dashboard_question> dashboard(const storage::ledger& books) {
  std::vector<dashboard_question> out;
  const auto now = moment_of(begin_ns + days * day_ns);
  const auto* only = std::getenv("USAGE_BENCH_ONLY");
  const auto ask = [&](const std::string& name, const usage_question& asked) {
    for (const int span : {30, 90})
      for (const auto* zone : {"UTC", "Asia/Shanghai"}) {
        auto question = asked;
        question.zone = zone;
        question.from = now - std::chrono::hours{24 * span};
        question.to = now;
        if (auto named = fmt::format("{}.{}d.{}", name, span, zone); only == nullptr || named.find(only) != named.npos)
          out.push_back({std::move(named), question});
      }
  };
  const auto whole = [](std::vector<usage_by> by, usage_filter where = {}) {
    usage_question question;
    question.by = std::move(by);
    question.where = std::move(where);
    return question;
  };
  const auto daily = [&](std::vector<usage_by> by, usage_filter where = {}) {
    auto question = whole(std::move(by), std::move(where));
    question.step = usage_step::day;
    return question;
  };
  const auto key = books.id_of_key(text_of_key(7));
  auto compared = whole({});
  compared.compare = true;
  ask("totals", compared);
  ask("series", daily({}));
  ask("by_model", daily({usage_by::model}));
  ask("weekday_hour", whole({usage_by::weekday, usage_by::hour}));
  auto timed = daily({usage_by::model});
  timed.with_percentiles = true;
  ask("latency", timed);
  compared = whole({usage_by::key});
  compared.compare = true;
  ask("ranking", compared);
  ask("by_key", daily({usage_by::key}));
  ask("key_model", whole({usage_by::key, usage_by::model}));
  ask("one_key", daily({usage_by::model}, {{usage_by::key, {key}}}));
  ask("by_key_of_model", daily({usage_by::key}, {{usage_by::model, {"model-3"}}}));
  ask("by_account", daily({usage_by::account}));
  ask("account_status", whole({usage_by::account, usage_by::status}));
  // Of the last day: health in pieces of ten and fifteen minutes, rates over half an hour.
  const auto recent = [&](const std::string& name, usage_question question, std::chrono::minutes span) {
    question.zone = "UTC";
    question.from = now - span;
    question.to = now;
    if (only == nullptr || name.find(only) != name.npos)
      out.push_back({name, question});
  };
  auto health = whole({usage_by::account});
  health.step = usage_step::ten_minutes;
  recent("health_10m", health, std::chrono::hours{24});
  health.step = usage_step::quarter;
  recent("health_15m", health, std::chrono::hours{24});
  recent("rates", whole({}), std::chrono::minutes{30});
  return out;
}

/// `books` is opened anew for each question from the disk.
void ask_questions(std::shared_ptr<storage::ledger>& books, std::uint64_t records,
                   const std::filesystem::path& folder) {
  const auto now = moment_of(begin_ns + days * day_ns);
  const auto ask_at = [&](analysis& desk, const usage_question& question) {
    const auto report = desk.answer(ask_usage{question, {}, {}}, now);
    if (!report)
      must(report.error());
  };
  worst slowest, coldest;
  const auto all = dashboard(*books);
  if (std::getenv("USAGE_BENCH_COLD_ONLY") == nullptr) {
    analysis desk{books, "UTC"};
    for (const auto& one : all) {
      ask_at(desk, one.what);
      slowest.see(one.name, measure("ask." + one.name, records, [&] { ask_at(desk, one.what); }));
    }
  }
  figure("usage.dashboard.p99 (" + slowest.name + ")", slowest.ms, "ms", records);
  // From the disk: nothing in the caches of the system nor in ours.
  for (const auto& one : all) {
    books.reset();
    drop_from_caches(folder);
    books = open_in(folder);
    analysis desk{books, "UTC"};
    const auto cpu = bench::cpu_ms(), read = bench::read_mb();
    const auto start = clock_type::now();
    ask_at(desk, one.what);
    const auto ms = seconds_since(start) * 1000;
    figure("usage.cold." + one.name, ms, "ms", records);
    figure("usage.cold." + one.name + ".cpu", bench::cpu_ms() - cpu, "ms", records);
    figure("usage.cold." + one.name + ".read", bench::read_mb() - read, "MB", records);
    coldest.see(one.name, ms);
  }
  figure("usage.dashboard.cold (" + coldest.name + ")", coldest.ms, "ms", records);
}

void ask_pages(const std::shared_ptr<const storage::ledger>& books, std::uint64_t records) {
  const auto now = moment_of(begin_ns + days * day_ns);
  analysis desk{books, "UTC"};
  const auto key = books->id_of_key(text_of_key(7));
  worst one_filter, two_filters;
  const auto page = [&](const std::string& name, usage_filter where, const std::string& text = {}) {
    record_question question;
    question.from = now - std::chrono::hours{24 * days};
    question.to = now;
    question.where = std::move(where);
    question.text = text;
    const bool two = question.where.size() + (text.empty() ? 0 : 1) > 1;
    const auto ms = measure("records." + name, records, [&] {
      const auto found = desk.answer(ask_records{question, {}, {}, {}}, now);
      if (!found)
        must(found.error());
    });
    (two ? two_filters : one_filter).see(name, ms);
  };
  page("newest", {});
  page("one_node", {{usage_by::node, {"node-2"}}});
  page("one_key", {{usage_by::key, {key}}});
  page("rare_key", {{usage_by::key, {books->id_of_key(text_of_key(bench::keys - 1))}}});
  page("one_model", {{usage_by::model, {"model-3"}}});
  page("rare_model", {{usage_by::model, {fmt::format("model-{}", bench::models - 1)}}});
  page("one_account", {{usage_by::account, {fmt::format("{:016x}", 7)}}});
  page("failed", {{usage_by::outcome, {"failed"}}});
  page("status", {{usage_by::status, {"429"}}});
  page("endpoint", {{usage_by::endpoint, {"POST /v1/messages"}}});
  page("provider", {{usage_by::provider, {"provider-1"}}});
  page("alias", {{usage_by::alias, {"model-11"}}});
  page("unknown", {{usage_by::status, {"503"}}});
  page("text", {}, "overloaded");
  page("key_failed", {{usage_by::key, {key}}, {usage_by::outcome, {"failed"}}});
  page("rare_key_failed",
       {{usage_by::key, {books->id_of_key(text_of_key(bench::keys - 1))}}, {usage_by::outcome, {"failed"}}});
  page("key_model", {{usage_by::key, {key}}, {usage_by::model, {"model-3"}}});
  page("key_account", {{usage_by::key, {key}}, {usage_by::account, {fmt::format("{:016x}", 7)}}});
  page("rare_key_text", {{usage_by::key, {books->id_of_key(text_of_key(bench::keys - 1))}}}, "overloaded");
  page("model_status", {{usage_by::model, {"model-3"}}, {usage_by::status, {"500"}}});
  figure("usage.records.one_filter.p99 (" + one_filter.name + ")", one_filter.ms, "ms", records);
  figure("usage.records.two_filters.p99 (" + two_filters.name + ")", two_filters.ms, "ms", records);
}

/// A few of the same questions; as often as can be waited for.
void ask_peer(bench::usage_peer& peer, std::uint64_t records) {
  const auto end = begin_ns + days * day_ns;
  const auto ask = [&](const std::string& name, const char* sql) {
    const auto start = clock_type::now();
    peer.ask(sql, begin_ns, end);
    figure("usage.peer." + name, seconds_since(start) * 1000, "ms", records);
  };
  ask("totals.90d", "SELECT count(*), sum(failed * requests), sum(requests), sum(total), sum(cost) FROM hourly"
                    " WHERE hour >= ?1 / 3600000000000 AND hour < ?2 / 3600000000000");
  ask("by_model.90d",
      "SELECT hour / 24, model, sum(requests), sum(input), sum(output), sum(total), sum(cost) FROM hourly"
      " WHERE hour >= ?1 / 3600000000000 AND hour < ?2 / 3600000000000 GROUP BY 1, 2");
  ask("weekday_hour.90d", "SELECT (hour / 24 + 3) % 7, hour % 24, sum(requests), sum(total), sum(cost) FROM hourly"
                          " WHERE hour >= ?1 / 3600000000000 AND hour < ?2 / 3600000000000 GROUP BY 1, 2");
  ask("ranking.90d",
      "SELECT key, sum(requests), sum(total), sum(cost) FROM hourly"
      " WHERE hour >= ?1 / 3600000000000 AND hour < ?2 / 3600000000000 GROUP BY 1 ORDER BY 2 DESC LIMIT 10");
  ask("key_model.90d", "SELECT key, model, sum(requests), sum(total), sum(cost) FROM hourly"
                       " WHERE hour >= ?1 / 3600000000000 AND hour < ?2 / 3600000000000 GROUP BY 1, 2");
  ask("one_key.90d", "SELECT hour / 24, model, sum(requests), sum(total), sum(cost) FROM hourly"
                     " WHERE key = 'sk-portal-00000000000000000000000000000007'"
                     " AND hour >= ?1 / 3600000000000 AND hour < ?2 / 3600000000000 GROUP BY 1, 2");
  ask("latency.90d",
      "SELECT day, model, max(CASE WHEN r <= n * 0.5 THEN latency END),"
      " max(CASE WHEN r <= n * 0.99 THEN latency END) FROM (SELECT at / 86400000000000 AS day, model, latency,"
      " row_number() OVER w AS r, count(*) OVER (PARTITION BY at / 86400000000000, model) AS n FROM events"
      " WHERE at >= ?1 AND at < ?2 WINDOW w AS (PARTITION BY at / 86400000000000, model ORDER BY latency))"
      " GROUP BY 1, 2");
  ask("records.one_key", "SELECT * FROM events WHERE key = 'sk-portal-00000000000000000000000000000007' AND at >= ?1"
                         " AND at < ?2 ORDER BY at DESC LIMIT 100");
  ask("records.status", "SELECT * FROM events WHERE status = 429 AND at >= ?1 AND at < ?2 ORDER BY at DESC LIMIT 100");
  ask("records.unknown", "SELECT * FROM events WHERE status = 503 AND at >= ?1 AND at < ?2 ORDER BY at DESC LIMIT 100");
  ask("records.rare_key_text", "SELECT * FROM events WHERE key = 'sk-portal-00000000000000000000000000000299'"
                               " AND (model LIKE '%overloaded%' OR error LIKE '%overloaded%') AND at >= ?1 AND at < ?2"
                               " ORDER BY at DESC LIMIT 100");
}

void fill(const std::filesystem::path& folder, std::uint64_t records, std::uint64_t batch) {
  auto books = open_in(folder);
  books->use_prices(std::make_shared<const flat_price>());
  traffic source{records};
  double spent = 0, cpu = 0; // of the ledger, without the making of records; its threads go on beside that
  double made_cpu = 0;
  const auto all_cpu = bench::cpu_ms();
  for (std::uint64_t done = 0, node = 0; done < records; done += batch, ++node) {
    collection poll;
    poll.node = bench::node_of(node);
    const auto before = thread_cpu_ms();
    poll.groups = std::make_shared<const std::vector<record_group>>(source.next(std::min(batch, records - done)));
    made_cpu += thread_cpu_ms() - before;
    poll.from_poll = false;
    const auto now = moment_of(source.now_ns());
    const auto start = clock_type::now();
    const auto result = books->commit({poll}, now);
    spent += seconds_since(start);
    if (!result)
      must(result.error());
  }
  cpu = bench::cpu_ms() - all_cpu - made_cpu;
  figure("usage.ingest", static_cast<double>(records) / spent, "records/s", records);
  figure("usage.ingest.cpu", cpu * 1000 / static_cast<double>(records), "us/record", records);
  must(books->compact());
  figure("usage.ingest.compacted.cpu", (bench::cpu_ms() - all_cpu - made_cpu) * 1000 / static_cast<double>(records),
         "us/record", records);
  books.reset();
  books = open_in(folder);
  books.reset();
  figure("usage.disk", static_cast<double>(bytes_in(folder)) / static_cast<double>(records), "bytes/record", records);
  bench::tell_disk(folder, records);
}

void fill(bench::usage_peer& peer, std::uint64_t records) {
  constexpr std::uint64_t batch = 10'000;
  traffic source{records};
  const auto start = clock_type::now();
  for (std::uint64_t done = 0, node = 0; done < records; done += batch, ++node)
    peer.insert(bench::node_of(node), source.next(batch));
  peer.finish();
  figure("usage.peer.filled", static_cast<double>(records) / seconds_since(start), "records/s", records);
}

/// Throws when a roll-up is not what the records come to.
void check(const storage::ledger& books, std::uint64_t records) {
  const auto start = clock_type::now();
  const auto cpu = bench::cpu_ms();
  const auto all_days = books.days_of_rollups();
  if (!all_days)
    must(all_days.error());
  for (const auto& day : *all_days) {
    const auto wrong = books.check_rollups(day);
    if (!wrong)
      must(wrong.error());
    if (*wrong != 0)
      throw std::runtime_error("roll-ups are not what the records come to");
  }
  figure("usage.check", seconds_since(start), "s", records);
  figure("usage.check.cpu", (bench::cpu_ms() - cpu) / 1000, "s", records);
}

/// All roll-ups thrown away and made of the records, as `keyportal ledger rebuild` does it.
void rebuild(std::shared_ptr<storage::ledger>& books, const std::filesystem::path& folder, std::uint64_t records) {
  books.reset();
  {
    const auto db = storage::database::open_store({folder / "db", std::size_t{8} << 20, std::size_t{8} << 20, nullptr});
    if (!db)
      must(db.error());
    rocksdb::WriteBatch all;
    all.DeleteRange((*db)->handle(storage::family::rollups), storage::key_prefix<storage::cells_key>(),
                    storage::prefix_end(storage::key_prefix<storage::sieve_key>()));
    must((*db)->write(all, true));
    must(storage::to_error((*db)->raw().CompactRange({}, (*db)->handle(storage::family::rollups), nullptr, nullptr)));
  }
  books = open_in(folder);
  const auto start = clock_type::now();
  const auto cpu = bench::cpu_ms();
  const auto all_days = books->days_of_rollups();
  if (!all_days)
    must(all_days.error());
  std::uint64_t made = 0;
  for (const auto& day : *all_days) {
    const auto wrong = books->mend_rollups(day);
    if (!wrong)
      must(wrong.error());
    made += *wrong;
  }
  figure("usage.rebuild", seconds_since(start), "s", records);
  figure("usage.rebuild.cpu", (bench::cpu_ms() - cpu) / 1000, "s", records);
  if (made == 0)
    throw std::runtime_error("nothing was made anew");
  check(*books, records);
}

/// What questions and writing cost at so many records.
void tell_curve(const std::filesystem::path& parent, std::uint64_t records) {
  const auto folder = parent / fmt::format("curve.{}", records);
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  fill(folder / "ledger", records, 20'000);
  std::shared_ptr<storage::ledger> books = open_in(folder / "ledger");
  ask_questions(books, records, folder / "ledger");
  books.reset();
  std::filesystem::remove_all(folder);
}

} // namespace

int main(int count, char** arguments) {
  if (count > 3 && std::string{arguments[1]} == "curve") {
    try {
      for (int i = 3; i < count; ++i)
        tell_curve(arguments[2], std::strtoull(arguments[i], nullptr, 10));
      return 0;
    } catch (const std::exception& problem) {
      fmt::print(stderr, "usage_bench: {}\n", problem.what());
      return 1;
    }
  }
  const auto records = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1'000'000;
  const std::filesystem::path parent = count > 2 ? arguments[2] : fmt::format("usage_bench.{}", ::getpid());
  const auto folder = parent / "ledger";
  int outcome = 0;
  try {
    std::filesystem::create_directories(parent);
    if (!std::filesystem::exists(folder))
      fill(folder, records, count > 3 ? std::strtoull(arguments[3], nullptr, 10) : 1000);
    if (std::getenv("USAGE_BENCH_FILL_ONLY") != nullptr)
      return 0;
    const auto start = clock_type::now();
    std::shared_ptr<storage::ledger> books = open_in(folder);
    figure("usage.start", seconds_since(start), "s", records);
    if (std::getenv("USAGE_BENCH_PAGES_ONLY") == nullptr)
      ask_questions(books, records, folder);
    if (std::getenv("USAGE_BENCH_COLD_ONLY") != nullptr)
      return 0;
    ask_pages(books, records);
    if (std::getenv("USAGE_BENCH_PEER") != nullptr) {
      const bool there = std::filesystem::exists(parent / "peer.db");
      bench::usage_peer peer{parent / "peer.db"};
      if (!there)
        fill(peer, records);
      figure("usage.peer.disk",
             static_cast<double>(std::filesystem::file_size(parent / "peer.db")) / static_cast<double>(records),
             "bytes/record", records);
      ask_peer(peer, records);
    }
    check(*books, records);
    if (std::getenv("USAGE_BENCH_REBUILD") != nullptr)
      rebuild(books, folder, records);
    figure("usage.memory", static_cast<double>(bench::status_kb("VmHWM")) / 1024, "MB", records);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "usage_bench: {}\n", problem.what());
    outcome = 1;
  }
  if (count <= 2)
    std::filesystem::remove_all(parent);
  return outcome;
}
