#include "messages/timestamp.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/support/seed.hpp"

using namespace keyportal;

TEST_CASE("A time stamp of CPA is written back exactly as it was read") {
  const auto text = GENERATE("2026-04-02T23:59:58.123456789+08:00", "2026-04-03T00:00:03.5+08:00",
                             "2026-01-01T05:00:00Z", "2026-01-01T05:00:00.000000001Z", "1999-12-31T23:59:59-11:30",
                             "2024-02-29T00:00:00+05:45", "1969-12-31T23:59:59.999999999Z");
  const auto t = parse_rfc3339(text);
  REQUIRE(t);
  CHECK(to_rfc3339(*t) == text);
}

TEST_CASE("The same instant in two zones has the same nanoseconds and another offset") {
  const auto shanghai = parse_rfc3339("2026-04-03T00:00:00.25+08:00");
  const auto utc = parse_rfc3339("2026-04-02T16:00:00.250Z");
  REQUIRE(shanghai);
  REQUIRE(utc);
  CHECK(shanghai->unix_ns == utc->unix_ns);
  CHECK(shanghai->offset_minutes == 480);
  CHECK(*shanghai != *utc);
}

TEST_CASE("Digits past the ninth are dropped, as Go does") {
  CHECK(parse_rfc3339("2026-01-01T00:00:00.1234567899Z")->unix_ns
        == parse_rfc3339("2026-01-01T00:00:00.123456789Z")->unix_ns);
}

TEST_CASE("What is no RFC 3339 time is refused") {
  const auto text =
    GENERATE("", "2026", "2026-04-02", "2026-04-02T23:59:58", "2026-04-02 23:59:58Z", "2026-13-02T00:00:00Z",
             "2026-02-30T00:00:00Z", "2026-04-02T24:00:00Z", "2026-04-02T23:60:00Z", "2026-04-02T23:59:60Z",
             "2026-04-02T23:59:58.Z", "2026-04-02T23:59:58.1", "2026-04-02T23:59:58+0800", "2026-04-02T23:59:58+24:00",
             "2026-04-02T23:59:58Zx", "0001-01-01T00:00:00Z", "2262-01-01T00:00:00Z", "+026-04-02T23:59:58Z",
             "2026-04-02T23:59:58.1.2Z");
  CHECK_FALSE(parse_rfc3339(text));
}

TEST_CASE("Random instants survive writing and reading") {
  std::mt19937_64 random{test::make_seed()};
  for (int i = 0; i < 20'000; ++i) {
    const auto ns = static_cast<std::int64_t>(random() % 18'000'000'000'000'000'000ULL - 9'000'000'000'000'000'000ULL);
    const stamped_time t{ns, static_cast<std::int16_t>(static_cast<int>(random() % 1680) - 840)};
    const auto back = parse_rfc3339(to_rfc3339(t));
    REQUIRE(back);
    REQUIRE(*back == t);
  }
}

TEST_CASE("Our own moments show milliseconds and never a later one") {
  CHECK(to_rfc3339_ms(moment_of(999'999)) == "1970-01-01T00:00:00.000Z");
  CHECK(to_rfc3339_ms(moment_of(1'790'000'000'123'999'999)) == "2026-09-21T14:13:20.123Z");
}
