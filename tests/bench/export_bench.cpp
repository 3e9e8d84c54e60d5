// What exports cost: rows and bytes a second and how much the process grows, at so many records; beside the plain way, a
// JSON value for each record, written with its library. Usage: export_bench [RECORDS…] (1 and 3 million).
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <malloc.h>

#include <fmt/core.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "actors/exporter/export_desk.hpp"
#include "figure.hpp"
#include "messages/json.hpp"
#include "storage/ledger.hpp"

namespace {

using namespace keyportal;
using bench::figure;
using clock_type = std::chrono::steady_clock;

constexpr std::int64_t day_ns = 86'400'000'000'000;
constexpr std::int64_t begin_ns = 1'767'225'600'000'000'000; // 2026-01-01
constexpr std::int64_t days = 90;
constexpr const char* nodes[] = {"alpha", "beta", "gamma"};

double seconds_since(clock_type::time_point start) {
  return std::chrono::duration<double>(clock_type::now() - start).count();
}
template <class T>
T must(caf::expected<T> what) {
  if (!what)
    throw std::runtime_error(render(what.error()));
  return std::move(*what);
}

class flat_price : public pricing {
public:
  std::optional<std::int64_t> cost_of(const priced_attempt& what) const override {
    if (what.model.ends_with("7"))
      return std::nullopt;
    return what.parts.total() * 3'000;
  }
};

/// 300 keys, 40 models, 25 accounts, three nodes; one attempt in twenty fails.
void fill(storage::ledger& books, std::uint64_t records) {
  std::mt19937_64 random{42};
  books.use_prices(std::make_shared<const flat_price>());
  const auto apart = days * day_ns / static_cast<std::int64_t>(records);
  auto now = begin_ns;
  for (std::uint64_t done = 0; done < records;) {
    for (const auto* node : nodes) {
      std::vector<record_group> groups;
      std::unordered_map<std::uint64_t, std::size_t> place;
      for (int i = 0; i < 2'000 && done < records; ++i, ++done) {
        const auto key = std::min(random() % 300, random() % 300), model = std::min(random() % 40, random() % 40);
        const auto [at, fresh] = place.emplace(key * 64 + model, groups.size());
        if (fresh)
          groups.push_back({secret{fmt::format("sk-portal-{:032}", key)}, fmt::format("model-{}", model), {}});
        detail d;
        now += static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(2 * apart));
        d.at = {now, 480};
        const auto account = random() % 25;
        d.source = fmt::format("account{}@example.com", account);
        d.auth_index = fmt::format("{:016x}", account);
        d.latency_ms = static_cast<std::int64_t>(200 + random() % 20'000);
        d.failed = random() % 20 == 0;
        attempt_facts facts;
        facts.provider = fmt::format("provider-{}", model % 3);
        facts.alias = fmt::format("model-{}", model);
        facts.endpoint = model % 3 == 0 ? "POST /v1/messages" : "POST /v1/responses";
        facts.ttft_ms = d.latency_ms / 4;
        facts.status_code = d.failed ? 429 : 200;
        facts.error = d.failed ? "usage limit reached, try again later" : "";
        if (!d.failed) {
          d.parts = {static_cast<std::int64_t>(random() % 5'000),
                     static_cast<std::int64_t>(random() % 30'000),
                     static_cast<std::int64_t>(random() % 3'000),
                     static_cast<std::int64_t>(random() % 4'000),
                     0,
                     0};
          d.tokens.input = d.parts.uncached_input + d.parts.cache_read + d.parts.cache_write;
          d.tokens.cached = d.parts.cache_read;
          d.tokens.output = d.parts.output;
          d.tokens.total = d.parts.total();
        }
        d.facts = std::make_shared<const attempt_facts>(std::move(facts));
        for (auto& byte : d.id.bytes)
          byte = static_cast<std::uint8_t>(random());
        groups[at->second].details.push_back(std::move(d));
      }
      if (groups.empty())
        continue;
      collection what;
      what.node = node;
      what.seen_at = moment_of(now);
      what.groups = std::make_shared<const std::vector<record_group>>(std::move(groups));
      must(books.commit({std::move(what)}, moment_of(now)));
    }
  }
  if (auto failed = books.compact())
    throw std::runtime_error(render(failed));
}

struct written {
  std::uint64_t bytes = 0, lines = 0;
  double seconds = 0, cpu_ms = 0;
  long grown_kb = 0;
};

written export_all(export_desk& desk, const export_question& asked) {
  malloc_trim(0); // what was freed before must not serve what comes
  const auto before = bench::status_kb("VmRSS");
  bench::forget_peak_memory();
  written out;
  const auto start = clock_type::now();
  const auto cpu = bench::cpu_ms();
  const auto now = moment_of(begin_ns + days * day_ns);
  const auto opened = must(desk.open(asked, now));
  for (bool more = true; more;) {
    const auto piece = must(desk.read({opened.id, out.bytes}, now));
    out.bytes += piece.text->size();
    out.lines += static_cast<std::uint64_t>(std::count(piece.text->begin(), piece.text->end(), '\n'));
    more = !piece.last;
  }
  desk.close(opened.id);
  out.seconds = seconds_since(start);
  out.cpu_ms = bench::cpu_ms() - cpu;
  out.grown_kb = bench::status_kb("VmHWM") - before;
  return out;
}

/// A JSON value for each record, and its text: rows a second of that.
double plain_rate(const storage::ledger& books, std::uint64_t most) {
  const auto view = books.read();
  storage::ledger::reading::record_walk walk;
  walk.nodes = view->nodes();
  walk.newest_first = false;
  walk.limit = 1'000;
  std::uint64_t rows = 0, bytes = 0;
  const auto start = clock_type::now();
  for (bool more = true; more && rows < most;) {
    const auto page = must(view->records(walk));
    for (const auto& one : page.records) {
      auto row = to_json(one);
      row["error"] = one.facts ? one.facts->error : "";
      row["cost_usd"] = one.cost_nano ? nlohmann::json(static_cast<double>(*one.cost_nano) * 1e-9) : nlohmann::json();
      bytes += dump(row).size() + 1;
    }
    rows += page.records.size();
    more = page.more && !page.records.empty();
    if (more)
      walk.after = {page.records.back().at.unix_ns, page.records.back().node, page.records.back().id};
  }
  return bytes == 0 ? 0 : static_cast<double>(rows) / seconds_since(start);
}

void measure(std::uint64_t records) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("export_bench.{}", ::getpid());
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  {
    const auto filled = must(storage::ledger::open({.folder = folder, .sync = false}));
    fill(*filled, records);
  }
  {
    const std::shared_ptr<const storage::ledger> books = must(storage::ledger::open({.folder = folder}));
    export_desk desk{books};
    export_question asked;
    const auto first = export_all(desk, asked); // before anything else has taken memory
    const auto rate = plain_rate(*books, 200'000);
    const auto tell = [&](const std::string& name, const written& out, double rate_of_plain) {
      const auto rows = static_cast<double>(records) / out.seconds;
      figure("export.rows." + name, rows, "rows/s", records, rate_of_plain > 0 ? "a JSON value a record" : "",
             rate_of_plain > 0 ? rows / rate_of_plain : 0);
      figure("export.cpu." + name, out.cpu_ms * 1000 / static_cast<double>(records), "us/row", records);
      figure("export.bytes." + name, static_cast<double>(out.bytes) / out.seconds / 1e6, "MB/s", records);
      figure("export.memory." + name, static_cast<double>(out.grown_kb) / 1024, "MB", records);
    };
    const auto say = [&](const std::string& name, double rate_of_plain) {
      tell(name, export_all(desk, asked), rate_of_plain);
    };
    tell("csv", first, rate);
    asked.format = export_format::jsonl;
    say("jsonl", rate);
    asked.format = export_format::csv;
    asked.zone = "America/New_York";
    asked.where[usage_by::outcome] = {"failed"};
    say("csv.filtered", 0); // records that are looked at
    asked = {};
    asked.format = export_format::cpa;
    say("cpa", 0);
    asked = {};
    asked.what = export_what::rollups;
    asked.step = usage_step::hour;
    asked.by = {usage_by::key, usage_by::model, usage_by::account};
    const auto out = export_all(desk, asked);
    figure("export.rows.rollups", static_cast<double>(out.lines) / out.seconds, "rows/s", records);
    figure("export.memory.rollups", static_cast<double>(out.grown_kb) / 1024, "MB", records);
  }
  std::filesystem::remove_all(folder);
}

} // namespace

int main(int argc, char** argv) {
  try {
    if (argc < 2) {
      measure(1'000'000);
      measure(3'000'000);
    }
    for (int i = 1; i < argc; ++i)
      measure(std::strtoull(argv[i], nullptr, 10));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
