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

#include "actors/analyst/analysis.hpp"
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

/// First: nothing of it is in any cache of ours. Processor time beside, which tells the same on a busy machine.
void measure(const std::string& name, std::uint64_t records, const std::function<void()>& ask) {
  const auto first = clock_type::now();
  const auto first_cpu = bench::cpu_ms();
  ask();
  figure("usage." + name + ".first", seconds_since(first) * 1000, "ms", records);
  figure("usage." + name + ".first.cpu", bench::cpu_ms() - first_cpu, "ms", records);
  std::vector<double> waits;
  constexpr int times = 20;
  const auto cpu = bench::cpu_ms();
  for (int i = 0; i < times; ++i) {
    const auto start = clock_type::now();
    ask();
    waits.push_back(seconds_since(start) * 1000);
  }
  figure("usage." + name + ".p99", bench::percentile(waits, 0.99), "ms", records);
  figure("usage." + name + ".cpu", (bench::cpu_ms() - cpu) / times, "ms", records);
}

/// The questions of pages, over the last 30 and 90 days.
void ask_questions(const std::shared_ptr<const storage::ledger>& books, std::uint64_t records) {
  const auto now = moment_of(begin_ns + days * day_ns);
  analysis desk{books, "UTC"};
  const auto ask = [&](const std::string& name, usage_question question) {
    for (const int span : {30, 90})
      for (const auto* zone : {"UTC", "Asia/Shanghai"}) {
        question.zone = zone;
        question.from = now - std::chrono::hours{24 * span};
        question.to = now;
        measure(fmt::format("ask.{}.{}d.{}", name, span, zone), records, [&] {
          const auto report = desk.answer(ask_usage{question, {}, {}}, now);
          if (!report)
            must(report.error());
        });
      }
  };
  const auto step_day = [](std::vector<usage_by> by, usage_filter where = {}) {
    usage_question out;
    out.step = usage_step::day;
    out.by = std::move(by);
    out.where = std::move(where);
    return out;
  };
  const auto whole = [&](std::vector<usage_by> by, usage_filter where = {}) {
    auto out = step_day(std::move(by), std::move(where));
    out.step = usage_step::none;
    return out;
  };
  const auto key = books->id_of_key(fmt::format("sk-portal-{:032}", 7));
  ask("totals", whole({}));
  ask("series", step_day({}));
  ask("by_model", step_day({usage_by::model}));
  ask("weekday_hour", whole({usage_by::weekday, usage_by::hour}));
  auto timed = step_day({usage_by::model});
  timed.with_percentiles = true;
  ask("latency", timed);
  ask("ranking", whole({usage_by::key}));
  ask("by_key", step_day({usage_by::key}));
  auto compared = step_day({usage_by::key});
  compared.compare = true;
  ask("by_key_compared", compared);
  ask("key_model", whole({usage_by::key, usage_by::model}));
  ask("one_key", step_day({usage_by::model}, {{usage_by::key, {key}}}));
  ask("by_key_of_model", step_day({usage_by::key}, {{usage_by::model, {"model-3"}}}));
  ask("by_account", step_day({usage_by::account}));
  ask("account_status", whole({usage_by::account, usage_by::status}));
  ask("key_account", whole({usage_by::key, usage_by::account}));

  const auto page = [&](const std::string& name, usage_filter where, const std::string& text = {}) {
    record_question question;
    question.from = now - std::chrono::hours{24 * days};
    question.to = now;
    question.where = std::move(where);
    question.text = text;
    measure("records." + name, records, [&] {
      const auto found = desk.answer(ask_records{question, {}, {}, {}}, now);
      if (!found)
        must(found.error());
    });
  };
  page("newest", {});
  page("one_key", {{usage_by::key, {key}}});
  page("one_account", {{usage_by::account, {fmt::format("{:016x}", 7)}}});
  page("failed", {{usage_by::outcome, {"failed"}}});
  page("rare_key_failed", {{usage_by::key, {books->id_of_key(fmt::format("sk-portal-{:032}", 499))}},
                           {usage_by::outcome, {"failed"}}});
  page("key_and_model", {{usage_by::key, {key}}, {usage_by::model, {"model-3"}}});
  page("text", {}, "overloaded");
  page("nothing", {{usage_by::key, {key}}, {usage_by::model, {"model-3"}}, {usage_by::status, {"503"}}});
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
    std::shared_ptr<storage::ledger> books = open_in(folder);
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
    ask_questions(books, records);
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
