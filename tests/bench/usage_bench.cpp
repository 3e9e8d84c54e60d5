// What questions about usage cost, and what it costs to be able to answer them: a ledger of so many records over 90 days.
// Usage: usage_bench [RECORDS] [FOLDER]; an existing ledger in FOLDER is used as it is.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/core.h>
#include <unistd.h>

#include "figure.hpp"
#include "storage/ledger.hpp"

namespace {

using namespace keyportal;
using bench::figure;
using clock_type = std::chrono::steady_clock;

constexpr std::int64_t days = 90;
constexpr std::int64_t day_ns = 86'400'000'000'000;
constexpr std::int64_t begin_ns = 1'767'225'600'000'000'000; // 2026-01-01
constexpr std::uint64_t keys = 500;
constexpr std::uint64_t models = 25;
constexpr std::uint64_t accounts = 40;

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

// People work by day and some more than others; a model has a provider, an account too; one attempt in twenty fails.
class traffic {
public:
  explicit traffic(std::uint64_t records) : apart_ns_(days * day_ns / static_cast<std::int64_t>(records)) {}

  std::vector<record_group> next(std::uint64_t count) {
    std::vector<record_group> groups;
    std::unordered_map<std::uint64_t, std::size_t> place;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto key = std::min(random_() % keys, random_() % keys);
      const auto model = std::min((key + random_() % 4) % models, random_() % models);
      const auto [at, fresh] = place.emplace(key * models + model, groups.size());
      if (fresh)
        groups.push_back({secret{fmt::format("sk-portal-{:032}", key)}, fmt::format("model-{}", model), {}});
      detail d;
      now_ns_ += static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(2 * apart_ns_));
      d.at = {now_ns_, 480};
      const auto account = model % 3 + 3 * (random_() % (accounts / 3));
      d.source = fmt::format("account{}@example.com", account);
      d.auth_index = fmt::format("{:016x}", account);
      d.latency_ms = static_cast<std::int64_t>(200 + random_() % 2'000 * (1 + random_() % 10));
      d.failed = random_() % 20 == 0;
      attempt_facts facts;
      facts.provider = fmt::format("provider-{}", model % 3);
      facts.alias = fmt::format("model-{}", model);
      facts.endpoint = model % 3 == 0 ? "POST /v1/messages" : "POST /v1/responses";
      facts.ttft_ms = d.latency_ms / 4;
      facts.status_code = d.failed ? (random_() % 2 == 0 ? 429 : 500) : 200;
      if (d.failed)
        facts.error = facts.status_code == 429 ? "usage limit reached" : "upstream overloaded";
      if (!d.failed) {
        d.parts = {static_cast<std::int64_t>(random_() % 5'000),
                   static_cast<std::int64_t>(random_() % 30'000),
                   static_cast<std::int64_t>(random_() % 3'000),
                   static_cast<std::int64_t>(random_() % 4'000),
                   0,
                   0};
        d.tokens.input = d.parts.uncached_input + d.parts.cache_read + d.parts.cache_write;
        d.tokens.cached = d.parts.cache_read;
        d.tokens.output = d.parts.output;
        d.tokens.total = d.parts.total();
      }
      d.facts = std::make_shared<const attempt_facts>(std::move(facts));
      for (auto& byte : d.id.bytes)
        byte = static_cast<std::uint8_t>(random_());
      groups[at->second].details.push_back(std::move(d));
    }
    return groups;
  }
  std::int64_t now_ns() const { return now_ns_; }

private:
  std::int64_t apart_ns_;
  std::mt19937_64 random_{42};
  std::int64_t now_ns_ = begin_ns;
};

std::uintmax_t bytes_in(const std::filesystem::path& folder) {
  std::uintmax_t out = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file())
      out += entry.file_size();
  return out;
}

void measure(const std::string& name, std::uint64_t records, const std::function<void()>& ask) {
  const auto first = clock_type::now();
  ask();
  figure("usage." + name + ".first", seconds_since(first) * 1000, "ms", records);
  std::vector<double> waits;
  for (int i = 0; i < 20; ++i) {
    const auto start = clock_type::now();
    ask();
    waits.push_back(seconds_since(start) * 1000);
  }
  figure("usage." + name + ".p99", bench::percentile(waits, 0.99), "ms", records);
}

std::unique_ptr<storage::ledger> open_in(const std::filesystem::path& folder) {
  auto opened = storage::ledger::open({.folder = folder});
  if (!opened)
    must(opened.error());
  return std::move(*opened);
}

void fill(const std::filesystem::path& folder, std::uint64_t records) {
  constexpr std::uint64_t batch = 1000;
  auto books = open_in(folder);
  books->use_prices(std::make_shared<const flat_price>());
  traffic source{records};
  double spent = 0;
  const auto cpu = bench::cpu_ms();
  for (std::uint64_t done = 0; done < records; done += batch) {
    collection poll;
    poll.node = "node-1";
    poll.groups = std::make_shared<const std::vector<record_group>>(source.next(batch));
    poll.from_poll = false;
    const auto now = moment_of(source.now_ns());
    const auto start = clock_type::now();
    const auto result = books->commit({poll}, now);
    spent += seconds_since(start);
    if (!result)
      must(result.error());
  }
  figure("usage.ingest", static_cast<double>(records) / spent, "records/s", records);
  figure("usage.ingest.cpu", (bench::cpu_ms() - cpu) * 1000 / static_cast<double>(records), "us/record", records);
  must(books->compact());
  books.reset();
  books = open_in(folder);
  books.reset();
  figure("usage.disk", static_cast<double>(bytes_in(folder)) / static_cast<double>(records), "bytes/record", records);
}

} // namespace

int main(int count, char** arguments) {
  using storage::cell_view;
  using storage::granularity;
  const auto records = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 1'000'000;
  const std::filesystem::path parent = count > 2 ? arguments[2] : fmt::format("usage_bench.{}", ::getpid());
  const auto folder = parent / "ledger";
  int outcome = 0;
  try {
    std::filesystem::create_directories(parent);
    if (!std::filesystem::exists(folder))
      fill(folder, records);
    const auto start = clock_type::now();
    const auto books = open_in(folder);
    figure("usage.start", seconds_since(start), "s", records);
    const auto first_day = static_cast<std::int32_t>(begin_ns / day_ns);
    const auto sums = [&](granularity by, cell_view view, const storage::lead_filter* leads, bool by_lead_only) {
      const int width = by == granularity::day ? 1 : 24;
      std::uint64_t cells = 0;
      storage::ledger::cell_question what{
        by, view, first_day * width, static_cast<std::int32_t>((first_day + days + 1) * width), leads, by_lead_only};
      storage::cell_sums all;
      must(books->read()->sums("node-1", what, [&](std::int32_t, const storage::cell_id&, const storage::cell_sums& s) {
        ++cells;
        all.add(s);
      }));
      return cells;
    };
    const auto show = [&](const std::string& name, granularity by, cell_view view,
                          const storage::lead_filter* leads = nullptr, bool by_lead_only = false) {
      measure(name, records, [&] { sums(by, view, leads, by_lead_only); });
      figure("usage." + name + ".cells", static_cast<double>(sums(by, view, leads, by_lead_only)), "cells", records);
    };
    show("kinds_by_day", granularity::day, cell_view::kinds);
    show("kinds_by_hour", granularity::hour, cell_view::kinds);
    show("total_by_hour", granularity::hour, cell_view::kinds, nullptr, true);
    show("keys_only_by_day", granularity::day, cell_view::keys, nullptr, true);
    show("keys_by_day", granularity::day, cell_view::keys);
    show("keys_by_hour", granularity::hour, cell_view::keys);
    show("accounts_by_hour", granularity::hour, cell_view::accounts);
    show("all_by_day", granularity::day, cell_view::all);
    const storage::lead_filter one = [](storage::name_number lead) { return lead == 5; };
    show("one_key_by_hour", granularity::hour, cell_view::keys, &one);
    const auto proving = clock_type::now();
    std::uint64_t checked = 0;
    const auto all_days = books->days_of_rollups();
    if (!all_days)
      must(all_days.error());
    for (const auto& day : *all_days) {
      const auto wrong = books->check_rollups(day);
      if (!wrong)
        must(wrong.error());
      checked += *wrong;
    }
    figure("usage.check", seconds_since(proving), "s", records);
    if (checked != 0)
      throw std::runtime_error("roll-ups are not what the records come to");
    figure("usage.memory", static_cast<double>(bench::status_kb("VmHWM")) / 1024, "MB", records);
  } catch (const std::exception& problem) {
    fmt::print(stderr, "usage_bench: {}\n", problem.what());
    outcome = 1;
  }
  if (count <= 2)
    std::filesystem::remove_all(parent);
  return outcome;
}
