#include <catch2/catch_test_macros.hpp>

#include "config/options.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

TEST_CASE("durations are read with their unit and nothing else") {
  CHECK(parse_duration("500ms") == 500ms);
  CHECK(parse_duration("3s") == 3000ms);
  CHECK(parse_duration("5min") == 300'000ms);
  CHECK(parse_duration("2h") == 2h);
  CHECK(parse_duration("30d") == 720h);
  for (const char* wrong :
       {"", "3", "s", "-3s", "+3s", "3 s", "3.5s", "3m", "3S", "3s ", "99999999999999999999s", "9223372036854775807d"})
    CHECK_FALSE(parse_duration(wrong));
}

TEST_CASE("sizes are read in bytes or binary units") {
  CHECK(parse_size("0") == 0u);
  CHECK(parse_size("4096") == 4096u);
  CHECK(parse_size("64KiB") == 65536u);
  CHECK(parse_size("256MiB") == 268435456u);
  for (const char* wrong : {"", "-1", "1MB", "1 MiB", "MiB", "18446744073709551616", "9999999999999GiB", "0x10"})
    CHECK_FALSE(parse_size(wrong));
}

TEST_CASE("a shown duration or size reads back as the same") {
  const auto seed = test::make_seed();
  std::mt19937_64 random{seed};
  for (int i = 0; i < 2000; ++i) {
    const auto number = random() >> (random() % 40 + 20);
    const std::chrono::milliseconds duration{static_cast<std::int64_t>(number % 100'000'000'000)};
    CHECK(parse_duration(show_duration(duration)) == duration);
    CHECK(parse_size(show_size(number)) == number);
  }
}

TEST_CASE("a number outside its bounds is refused with the bounds and leaves the value alone") {
  int value = 7;
  CHECK(assign(&value, {written_value::form::any, "101", {}}, {"1", "100", {}}) == "must be from 1 to 100");
  CHECK(assign(&value, {written_value::form::any, "70000000000", {}}, {"1", "100", {}}) == "must be a whole number");
  CHECK(value == 7);
  CHECK(assign(&value, {written_value::form::any, "100", {}}, {"1", "100", {}}).empty());
  CHECK(value == 100);
}

TEST_CASE("each default of the table is allowed by its own row") {
  settings values;
  for (const auto& row : options()) {
    INFO(row.key);
    if (!row.fallback.empty())
      CHECK(assign(row.place(values), {written_value::form::any, std::string(row.fallback), {}}, row.limits).empty());
    CHECK_FALSE(row.help.empty());
    CHECK_FALSE(section_help(section_of(row.key)).empty());
  }
}

TEST_CASE("a misspelled option finds its neighbour and nonsense finds none") {
  CHECK(nearest_key("poll.intervall") == "poll.interval");
  CHECK(nearest_key("gateway.liste") == "gateway.listen");
  CHECK(nearest_key("poll.kept") == "snapshot.kept"); // the right name in the wrong section
  CHECK(nearest_key("node.a.ulr") == "node.a.url");
  CHECK(nearest_key("completely.different").empty());
}
