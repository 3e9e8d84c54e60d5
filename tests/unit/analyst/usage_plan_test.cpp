#include <algorithm>
#include <random>

#include <catch2/catch_test_macros.hpp>

#include "actors/analyst/usage_plan.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;
using storage::granularity;

namespace {

moment at(const char* rfc3339) { return moment_of(parse_rfc3339(rfc3339).value().unix_ns); }
constexpr std::int64_t minute_ns = 60'000'000'000;

usage_question asked(const char* from, const char* to, usage_step step = usage_step::none) {
  usage_question out;
  out.from = at(from);
  out.to = at(to);
  out.step = step;
  return out;
}

caf::expected<usage_plan> planned(const usage_question& question, const std::string& zone,
                                  const plan_limits& limits = {}) {
  return plan_usage(question, must(calendar::of(zone, question.weeks_begin_on_sunday)), limits);
}

std::string refusal(const usage_question& question) {
  const auto plan = planned(question, "UTC", {.first_minute = 0, .days_to_divide = {}});
  return plan ? "" : about_of(plan.error());
}

} // namespace

TEST_CASE("Days are read whole, hours at the edges, minutes where there are any") {
  const auto hour = [](const char* t) { return static_cast<std::int32_t>(unix_ns(at(t)) / minute_ns / 60); };
  const auto plan = must(planned(asked("2026-01-01T22:30:00Z", "2026-01-04T03:10:00Z"), "UTC",
                                 {.first_minute = hour("2026-01-03T00:00:00Z") * 60, .days_to_divide = {}}));
  CHECK_FALSE(plan.exact); // there are no minutes of the first day
  CHECK(plan.from == at("2026-01-01T22:00:00Z"));
  CHECK(plan.to == at("2026-01-04T03:10:00Z"));
  const auto day = hour("2026-01-02T00:00:00Z") / 24;
  CHECK(plan.rows
        == std::vector<row_run>{{granularity::hour, day * 24 - 2, day * 24},
                                {granularity::day, day, day + 2},
                                {granularity::hour, (day + 2) * 24, (day + 2) * 24 + 3},
                                {granularity::minute, (day + 2) * 1440 + 180, (day + 2) * 1440 + 190}});
}

TEST_CASE("Where borders do not lie within them, rows of eight hours and of eight days are read") {
  const auto hour = [](const char* t) { return static_cast<std::int32_t>(unix_ns(at(t)) / minute_ns / 60); };
  auto question = asked("2026-01-02T16:00:00Z", "2026-01-04T16:00:00Z", usage_step::day);
  question.by = {usage_by::model};
  const auto third = hour("2026-01-02T16:00:00Z") / 8;
  CHECK(must(planned(question, "Asia/Shanghai")).rows
        == std::vector<row_run>{{granularity::eight_hours, third, third + 6}});
  question = asked("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
  question.by = {usage_by::model, usage_by::key};
  const auto day = hour("2026-01-01T00:00:00Z") / 24, eight = (day + 7) / 8;
  const auto rows = std::vector<row_run>{{granularity::day, day, eight * 8},
                                         {granularity::eight_days, eight, eight + 3},
                                         {granularity::day, (eight + 3) * 8, day + 31}};
  CHECK(must(planned(question, "UTC")).rows == rows);
  CHECK(must(planned(question, "UTC", {.first_minute = INT32_MIN, .days_to_divide = {eight * 8 + 9}})).rows.size() == 7);
  question.with_percentiles = true; // which eight days have none of
  CHECK(must(planned(question, "UTC")).rows == std::vector<row_run>{{granularity::day, day, day + 31}});
}

TEST_CASE("A question that needs no keys reads rows without them") {
  auto question = asked("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
  const auto view = [&] { return must(planned(question, "UTC")).view_of(granularity::day); };
  CHECK(view() == storage::cell_view::total);
  question.by = {usage_by::key};
  CHECK(view() == storage::cell_view::key_totals);
  question.by = {usage_by::model, usage_by::status};
  CHECK(view() == storage::cell_view::kinds);
  question.by = {usage_by::model, usage_by::user};
  CHECK(view() == storage::cell_view::keys);
  question.by = {usage_by::model};
  question.where[usage_by::account] = {"a"};
  CHECK(view() == storage::cell_view::accounts);
  question.by = {usage_by::key};
  CHECK(view() == storage::cell_view::all);
  CHECK(must(planned(question, "UTC")).view_of(granularity::minute) == storage::cell_view::all);
}

TEST_CASE("Rows cover the range once, and none lies across a border, whatever is asked") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  const char* zones[] = {"UTC",          "Asia/Shanghai",       "Europe/Berlin",
                         "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana"};
  for (int round = 0; round < 300; ++round) {
    const std::string name = zones[random() % std::size(zones)];
    usage_question question;
    question.from = at("2026-02-20T00:00:00Z") + std::chrono::seconds{random() % (60 * 86'400)};
    question.to = question.from + std::chrono::seconds{random() % (40 * 86'400)};
    question.step = static_cast<usage_step>(random() % 8);
    question.weeks_begin_on_sunday = random() % 2 == 0;
    question.compare = random() % 2 == 0;
    for (const auto by : {usage_by::weekday, usage_by::hour, usage_by::key, usage_by::model})
      if (random() % 3 == 0 && question.by.size() < 2)
        question.by.push_back(by);
    plan_limits limits;
    limits.first_minute = static_cast<std::int32_t>(unix_ns(at("2026-03-20T00:00:00Z")) / minute_ns)
                          + 60 * static_cast<int>(random() % 500);
    const auto first_day = static_cast<std::int32_t>(unix_ns(question.from) / minute_ns / 1440);
    for (int i = 0; i < 3; ++i)
      limits.days_to_divide.push_back(first_day + static_cast<int>(random() % 40));
    std::sort(limits.days_to_divide.begin(), limits.days_to_divide.end());
    const auto zone = must(calendar::of(name, question.weeks_begin_on_sunday));
    const auto plan = plan_usage(question, zone, limits);
    INFO(name << " by " << name_of(question.step) << " from " << to_rfc3339_ms(question.from) << " to "
              << to_rfc3339_ms(question.to));
    if (!plan) {
      const bool below_an_hour = question.step != usage_step::none && question.step < usage_step::hour;
      CHECK(below_an_hour);
      continue;
    }
    CHECK(plan->from <= question.from);
    CHECK(plan->to >= question.to);
    CHECK(question.from - plan->from < std::chrono::hours{1});
    CHECK(plan->to - question.to < std::chrono::hours{1});
    CHECK(std::is_sorted(plan->starts.begin(), plan->starts.end(), std::less_equal<>{})); // no two are the same
    if (question.step != usage_step::none && plan->from < plan->to)
      CHECK(plan->starts.front() == plan->from);
    const auto check_rows = [&](const std::vector<row_run>& runs, std::int64_t from, std::int64_t to) {
      auto reached = from;
      for (const auto& run : runs) {
        const auto width = storage::ns_of(run.by) / minute_ns;
        REQUIRE(run.first * width == reached);
        REQUIRE(run.first < run.end);
        reached = run.end * width;
        for (auto row = run.first; row < run.end; ++row) {
          const auto begin = row * width, end = begin + width;
          if (run.by == granularity::minute && begin < limits.first_minute)
            FAIL("a row by minute that is not there");
          for (auto day = storage::start_of(granularity::day, begin * minute_ns); day * 1440 < end; ++day)
            if (width > 60 && std::binary_search(limits.days_to_divide.begin(), limits.days_to_divide.end(), day))
              FAIL("a day that is to be divided");
          if (!storage::is_kept(run.by, plan->view_of(run.by)) && run.by > granularity::day)
            FAIL("rows that are not there");
          if (&runs == &plan->rows) {
            const auto border =
              std::upper_bound(plan->starts.begin(), plan->starts.end(), moment_of(begin * minute_ns));
            if (border != plan->starts.end() && *border < moment_of(end * minute_ns))
              FAIL("a row across a border");
          }
          const auto by = [&](usage_by what) {
            return std::find(question.by.begin(), question.by.end(), what) != question.by.end();
          };
          if (by(usage_by::hour) && width > 60)
            FAIL("more than an hour for a question about hours");
          // To the hour: where an hour lies across midnight, it counts to the day in which it begins.
          if (by(usage_by::weekday) && width > 60
              && zone.hour_at(moment_of(begin * minute_ns)).weekday
                   != zone.hour_at(moment_of(((end - 1) - (end - 1) % 60) * minute_ns)).weekday)
            FAIL("a row of two weekdays");
        }
      }
      REQUIRE(reached == to);
    };
    const auto from = unix_ns(plan->from) / minute_ns, to = unix_ns(plan->to) / minute_ns;
    check_rows(plan->rows, from, to);
    if (question.compare && from < to && !plan->before.empty()) {
      const auto& first = plan->before.front();
      check_rows(plan->before, first.first * (storage::ns_of(first.by) / minute_ns), from);
    } else if (question.compare) {
      CHECK(from == to);
    }
  }
}

TEST_CASE("What makes no sense or is too much is refused, and it is said why") {
  auto fine = asked("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
  CHECK(refusal(fine).empty());
  CHECK(refusal(asked("2026-02-01T00:00:00Z", "2026-01-01T00:00:00Z")) == "the range ends before it begins");
  CHECK(refusal(asked("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")).empty());
  CHECK_FALSE(refusal(asked("1678-01-01T00:00:00Z", "2026-01-01T00:00:00Z")).empty());
  CHECK_FALSE(refusal(asked("2026-01-01T00:00:00Z", "2261-01-01T00:00:00Z")).empty());
  CHECK_FALSE(refusal(asked("2026-01-01T00:00:00Z", "2026-12-01T00:00:00Z", usage_step::hour)).empty());
  CHECK_FALSE(refusal(asked("1970-01-02T00:00:00Z", "2199-01-01T00:00:00Z", usage_step::minute)).empty());
  CHECK_FALSE(refusal(asked("1701-01-02T00:00:00Z", "2199-01-01T00:00:00Z", usage_step::day)).empty());
  CHECK(refusal(asked("1701-01-02T00:00:00Z", "2199-01-01T00:00:00Z", usage_step::month)) != "");
  auto question = fine;
  question.by = {usage_by::key, usage_by::model, usage_by::user};
  CHECK_FALSE(refusal(question).empty());
  question.by = {usage_by::key, usage_by::key};
  CHECK_FALSE(refusal(question).empty());
  for (const std::uint32_t top : {0U, 1001U, UINT32_MAX}) {
    question = fine;
    question.top = top;
    CHECK_FALSE(refusal(question).empty());
  }
  question = fine;
  question.order = "requests; drop table";
  CHECK_FALSE(refusal(question).empty());
  question = fine;
  question.where[usage_by::model] = {};
  CHECK_FALSE(refusal(question).empty());
  question.where[usage_by::model] = {std::string(10'000, 'm')};
  CHECK_FALSE(refusal(question).empty());
  question.where[usage_by::model] = std::vector<std::string>(5'000, "m");
  CHECK_FALSE(refusal(question).empty());
  question = fine;
  question.with_unused = true;
  CHECK_FALSE(refusal(question).empty());
  question.by = {usage_by::key};
  CHECK(refusal(question).empty());
  // Minutes of long ago are not there any more.
  const auto late = planned(asked("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z", usage_step::quarter), "UTC",
                            {.first_minute = INT32_MAX / 2, .days_to_divide = {}});
  CHECK_FALSE(late);
}
