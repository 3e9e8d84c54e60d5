// Exported roll-ups against sums over the plain list.
#include <algorithm>

#include <catch2/catch_test_macros.hpp>

#include "table.hpp"
#include "tests/support/seed.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

moment at(const char* rfc3339) { return moment_of(parse_rfc3339(rfc3339).value().unix_ns); }

constexpr std::int64_t hour_ns = 3'600'000'000'000;
std::int64_t full_hour(std::int64_t ns) { return ns - ((ns % hour_ns) + hour_ns) % hour_ns; }

/// The bucket of a record, by the C library: year, month, day, and of hours the hour.
std::string bucket_of(std::int64_t ns, usage_step step, const std::string& zone) {
  const auto t = local(full_hour(ns), zone);
  auto out = fmt::format("{:04}-{:02}", t.year, t.month);
  if (step != usage_step::month)
    out += fmt::format("-{:02}", t.day);
  if (step == usage_step::hour)
    out += fmt::format("T{:02}", t.hour);
  return out;
}

std::size_t digits_of(usage_step step) { return step == usage_step::month ? 7 : step == usage_step::day ? 10 : 13; }

} // namespace

TEST_CASE("exported roll-ups are the sums of the records, in any zone", "[exporter]") {
  const auto seed = make_seed();
  world w{static_cast<std::uint32_t>(seed)};
  w.use(500, at("2026-03-26T00:00:00Z"), at("2026-04-03T00:00:00Z"));
  w.give(0, "u-ada", at("2026-03-28T10:20:00Z"));
  w.give(1, "u-bob", at("2026-03-29T00:00:00Z"));
  w.use(200, at("2026-03-27T00:00:00Z"), at("2026-04-02T00:00:00Z"));
  const char* zones[] = {"UTC", "Asia/Shanghai", "America/New_York",
                         "Europe/Berlin"}; // the last one changes its clocks then
  const usage_step steps[] = {usage_step::hour, usage_step::day, usage_step::month};
  for (int round = 0; round < 60; ++round) {
    export_limits limits;
    limits.piece_bytes = 1 + w.pick(w.pick(2) == 0 ? 20'000 : 500);
    export_desk desk{w.store, limits};
    export_question asked;
    asked.what = export_what::rollups;
    asked.format = w.pick(2) == 0 ? export_format::csv : export_format::jsonl;
    asked.zone = zones[w.pick(std::size(zones))];
    asked.step = steps[w.pick(std::size(steps))];
    for (auto left = w.pick(4); left-- > 0;) {
      const auto by = static_cast<usage_by>(w.pick(usage_by_count));
      if (std::find(asked.by.begin(), asked.by.end(), by) == asked.by.end())
        asked.by.push_back(by);
    }
    for (auto left = w.pick(3); left-- > 0;) {
      const auto by = static_cast<usage_by>(w.pick(usage_by_count));
      asked.where[by].push_back(w.value_of(w.attempts[w.pick(w.attempts.size())], by, asked.zone));
    }
    auto from = INT64_MIN, to = INT64_MAX;
    if (w.pick(2) == 0) { // full hours: of others only the whole is kept
      from = full_hour(w.attempts[w.pick(w.attempts.size())].at.unix_ns);
      to = std::max(from, full_hour(w.attempts[w.pick(w.attempts.size())].at.unix_ns));
      asked.from = to_rfc3339({from, 0});
      asked.to = to_rfc3339({to, 0});
    }
    std::map<std::vector<std::string>, usage_sums> wanted;
    for (const auto& one : w.attempts) {
      if (one.at.unix_ns < from || one.at.unix_ns >= to || !w.fits(one, asked.where, asked.zone))
        continue;
      std::vector<std::string> name{bucket_of(one.at.unix_ns, asked.step, asked.zone)};
      for (const auto by : asked.by)
        name.push_back(w.value_of(one, by, asked.zone));
      wanted[name].add(sums_of(one));
    }
    const auto text = export_now(desk, asked, w.now);
    std::map<std::vector<std::string>, usage_sums> got;
    for (const auto& row : rows_of(text, asked.format)) {
      std::vector<std::string> name{row.at("from").substr(0, digits_of(asked.step))};
      for (const auto by : asked.by)
        name.push_back(row.at(by == usage_by::key    ? "key_id"
                              : by == usage_by::user ? "user_id"
                                                     : std::string(name_of(by))));
      usage_sums sums;
      const auto number = [&](const char* column) { return std::stoll(row.at(column)); };
      sums.requests = number("requests");
      sums.failed = number("failed");
      REQUIRE(number("ok") == sums.requests - sums.failed);
      sums.tokens = {number("input_tokens"), number("output_tokens"), number("reasoning_tokens"),
                     number("cached_tokens"), number("total_tokens")};
      sums.parts = {number("part_uncached_input"), number("part_cache_read"), number("part_cache_write"),
                    number("part_output"),         number("part_reasoning"),  number("part_unclassified")};
      sums.latency_ms = number("latency_ms_sum");
      sums.timed_first = number("timed_first");
      sums.ttft_ms = number("ttft_ms_sum");
      sums.unpriced = number("unpriced");
      const auto cost = row.at("cost_usd");
      const auto point = std::min(cost.find('.'), cost.size());
      auto fraction = point < cost.size() ? cost.substr(point + 1) : "";
      fraction.resize(9, '0');
      sums.cost_nano = std::stoll(cost.substr(0, point)) * 1'000'000'000 + std::stoll(fraction);
      got[name].add(sums); // an hour comes twice where clocks go back
    }
    INFO(asked.zone << " " << name_of(asked.step));
    REQUIRE(got == wanted);
  }
}

TEST_CASE("buckets without a row of their own are left out, and their order is that of time", "[exporter]") {
  world w{7};
  w.use(30, at("2026-01-01T00:00:00Z"), at("2026-01-02T00:00:00Z"));
  w.use(30, at("2026-03-26T00:00:00Z"), at("2026-03-27T00:00:00Z"));
  export_desk desk{w.store};
  export_question asked;
  asked.what = export_what::rollups;
  const auto rows = rows_of(export_now(desk, asked, w.now), asked.format);
  REQUIRE(rows.size() == 2);
  CHECK(rows[0].at("from") == "2026-01-01T00:00:00Z");
  CHECK(rows[0].at("to") == "2026-01-02T00:00:00Z");
  CHECK(rows[0].at("requests") == "30");
  CHECK(rows[1].at("from") == "2026-03-26T00:00:00Z");
  asked.by = {usage_by::model, usage_by::model};
  CHECK(code_of(desk.open(asked, w.now).error()) == errc::bad_request);
}
