#include <catch2/catch_test_macros.hpp>

#include "actors/analyst/calendar.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

moment at(const char* rfc3339) { return moment_of(parse_rfc3339(rfc3339).value().unix_ns); }

std::vector<std::string> begins(const calendar& zone, usage_step step, const char* from, const char* to) {
  std::vector<std::string> out;
  for (auto t = zone.start_of(step, at(from)); t < at(to); t = zone.next(step, t))
    out.push_back(to_rfc3339_ms(t));
  return out;
}

} // namespace

TEST_CASE("A zone that nobody knows is refused") {
  for (const std::string name : {"Nowhere/City", "", "../../etc/passwd", "/etc/localtime", "europe/berlin"})
    CHECK_FALSE(calendar::of(name));
  CHECK_FALSE(calendar::of(std::string(10'000, 'A')));
  CHECK(calendar::of("UTC"));
  CHECK(calendar::of("Asia/Shanghai"));
  CHECK(calendar::of(calendar::zone_of_this_machine()));
}

TEST_CASE("Days are as long as they are where clocks are changed") {
  const auto berlin = must(calendar::of("Europe/Berlin"));
  CHECK(begins(berlin, usage_step::day, "2026-03-28T12:00:00Z", "2026-03-31T00:00:00Z")
        == std::vector<std::string>{"2026-03-27T23:00:00.000Z", "2026-03-28T23:00:00.000Z", "2026-03-29T22:00:00.000Z",
                                    "2026-03-30T22:00:00.000Z"});
  CHECK(begins(berlin, usage_step::hour, "2026-10-25T00:00:00Z", "2026-10-25T03:00:00Z").size() == 3);
  // The hour from two to three is there twice in October and not at all in March.
  CHECK(berlin.hour_at(at("2026-10-25T00:30:00Z")).hour == 2);
  CHECK(berlin.hour_at(at("2026-10-25T01:30:00Z")).hour == 2);
  CHECK(berlin.hour_at(at("2026-03-29T00:59:59Z")).hour == 1);
  CHECK(berlin.hour_at(at("2026-03-29T01:00:00Z")).hour == 3);
  CHECK(berlin.hour_at(at("2026-03-29T01:00:00Z")).weekday == 7);
}

TEST_CASE("A day whose midnight is jumped over begins when clocks go on") {
  const auto cairo = must(calendar::of("Africa/Cairo")); // 2026-04-24 begins at 01:00
  CHECK(to_rfc3339_ms(cairo.start_of(usage_step::day, at("2026-04-24T10:00:00Z"))) == "2026-04-23T22:00:00.000Z");
  CHECK(to_rfc3339_ms(cairo.next(usage_step::day, at("2026-04-24T10:00:00Z"))) == "2026-04-24T21:00:00.000Z");
}

TEST_CASE("Weeks begin on Monday or on Sunday, months on their first day") {
  const auto monday = must(calendar::of("Asia/Shanghai"));
  const auto sunday = must(calendar::of("Asia/Shanghai", true));
  CHECK(to_rfc3339_ms(monday.start_of(usage_step::week, at("2026-01-04T12:00:00Z"))) == "2025-12-28T16:00:00.000Z");
  CHECK(to_rfc3339_ms(sunday.start_of(usage_step::week, at("2026-01-04T12:00:00Z"))) == "2026-01-03T16:00:00.000Z");
  CHECK(to_rfc3339_ms(monday.next(usage_step::week, at("2026-01-04T12:00:00Z"))) == "2026-01-04T16:00:00.000Z");
  CHECK(
    begins(monday, usage_step::month, "2025-12-31T16:00:00Z", "2026-03-15T00:00:00Z")
    == std::vector<std::string>{"2025-12-31T16:00:00.000Z", "2026-01-31T16:00:00.000Z", "2026-02-28T16:00:00.000Z"});
}

TEST_CASE("Pieces of an hour begin where they do on the wall") {
  const auto kathmandu = must(calendar::of("Asia/Kathmandu")); // +05:45
  CHECK(to_rfc3339_ms(kathmandu.start_of(usage_step::hour, at("2026-01-01T00:20:00Z"))) == "2026-01-01T00:15:00.000Z");
  CHECK(to_rfc3339_ms(kathmandu.start_of(usage_step::ten_minutes, at("2026-01-01T00:20:00Z")))
        == "2026-01-01T00:15:00.000Z");
  const auto lord_howe = must(calendar::of("Australia/Lord_Howe")); // clocks go back by half an hour
  const auto hours = begins(lord_howe, usage_step::hour, "2026-04-04T13:00:00Z", "2026-04-04T17:00:00Z");
  CHECK(hours
        == std::vector<std::string>{"2026-04-04T13:00:00.000Z", "2026-04-04T14:00:00.000Z", "2026-04-04T15:00:00.000Z",
                                    "2026-04-04T15:30:00.000Z", "2026-04-04T16:30:00.000Z"});
}

TEST_CASE("Buckets follow each other without holes and agree with the C library, in any zone") {
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  const char* zones[] = {"UTC",          "Asia/Shanghai", "Europe/Berlin",    "America/New_York",
                         "Asia/Kolkata", "Africa/Cairo",  "America/Santiago", "Australia/Lord_Howe",
                         "Pacific/Apia", "America/Havana"};
  for (int round = 0; round < 400; ++round) {
    const std::string name = zones[random() % std::size(zones)];
    INFO(name);
    const bool sunday = random() % 2 == 0;
    const auto zone = must(calendar::of(name, sunday));
    const auto step = static_cast<usage_step>(1 + random() % 7);
    const auto t = at("2001-01-01T00:00:00Z") + std::chrono::seconds{random() % (35u * 365 * 86'400)};
    const auto start = zone.start_of(step, t), next = zone.next(step, t);
    INFO(to_rfc3339_ms(t) << " by " << name_of(step) << " from " << to_rfc3339_ms(start) << " to "
                          << to_rfc3339_ms(next));
    CHECK(start <= t);
    CHECK(next > t);
    CHECK(zone.start_of(step, start) == start);
    CHECK(zone.start_of(step, next) == next);
    CHECK(zone.next(step, start) == next);
    const auto wall = local(unix_ns(t), name), first = local(unix_ns(start), name);
    const auto hour = zone.hour_at(t);
    CHECK(hour.hour == wall.hour);
    CHECK(hour.weekday == wall.weekday);
    if (step == usage_step::day)
      CHECK(std::tuple(first.year, first.month, first.day) == std::tuple(wall.year, wall.month, wall.day));
    if (step == usage_step::week)
      CHECK(first.weekday == (sunday ? 7 : 1));
    if (step == usage_step::month)
      CHECK(std::tuple(first.year, first.month, first.day) == std::tuple(wall.year, wall.month, 1));
    if (step == usage_step::hour)
      CHECK(first.hour == wall.hour);
    if (step >= usage_step::day) // the moment before belongs to another bucket
      CHECK(zone.start_of(step, start - std::chrono::seconds{1}) < start);
  }
}

TEST_CASE("Times may be words") {
  const auto zone = must(calendar::of("Asia/Shanghai"));
  const auto now = at("2026-05-20T01:30:00Z"); // a Wednesday, 09:30 there
  const auto read = [&](const char* words) {
    const auto t = zone.read(words, now, now);
    return t ? to_rfc3339_ms(*t) : "none";
  };
  CHECK(read("now") == "2026-05-20T01:30:00.000Z");
  CHECK(read("today") == "2026-05-19T16:00:00.000Z");
  CHECK(read("week") == "2026-05-17T16:00:00.000Z");
  CHECK(read("month") == "2026-04-30T16:00:00.000Z");
  CHECK(read("year") == "2025-12-31T16:00:00.000Z");
  CHECK(read("2026-04-02") == "2026-04-01T16:00:00.000Z");
  CHECK(read("2026-04-02T12:00:00+08:00") == "2026-04-02T04:00:00.000Z");
  CHECK(read("30m") == "2026-05-20T01:00:00.000Z");
  CHECK(read("2d") == "2026-05-18T01:30:00.000Z");
  CHECK(read("1w") == "2026-05-13T01:30:00.000Z");
  for (const char* wrong : {"", "tomorrow", "30", "d", "-3d", "3x", "2026-02-30", "2026-13-01", "9999999d", "99999w",
                            "2500-01-01", "2026-4-2"})
    CHECK(read(wrong) == "none");
  CHECK_FALSE(zone.read(std::string(10'000, '1'), now, now));
}
