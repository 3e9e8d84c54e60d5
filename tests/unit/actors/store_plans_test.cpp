#include <catch2/catch_test_macros.hpp>

#include "actors/backup/backup_plan.hpp"
#include "actors/retention/retention_plan.hpp"

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using room = retention_plan::room;

// 2026-01-01T00:00:00Z
const moment new_year = moment_of(1'767'225'600'000'000'000);
constexpr std::int32_t new_year_day = 20'454;

} // namespace

TEST_CASE("A day goes when all of it is older than what is kept") {
  const retention_plan plan{{90 * 24h, 0}};
  CHECK(plan.first_kept_day(new_year) == new_year_day - 90);
  CHECK(plan.first_kept_day(new_year + 23h + 59min) == new_year_day - 90);
  CHECK(plan.first_kept_day(new_year - 1s) == new_year_day - 91);
  CHECK(retention_plan{{0s, 0}}.first_kept_day(new_year) == INT32_MIN);
  CHECK(plan.first_young_day(new_year + 5h) == new_year_day - 1);
}

TEST_CASE("The limit is told of before it is reached, and not over and over") {
  retention_plan plan{{0s, 1000}};
  CHECK(plan.measured(799) == room::fine);
  CHECK(plan.measured(800) == room::near);
  CHECK(plan.measured(760) == room::near);
  CHECK(plan.measured(749) == room::fine);
  CHECK(plan.measured(950) == room::full);
  CHECK(plan.measured(901) == room::full);
  CHECK(plan.measured(899) == room::near);
  CHECK(retention_plan{{0s, 0}}.measured(UINT64_MAX) == room::fine);
}

TEST_CASE("What came within the last hour does not go") {
  retention_plan plan{{90 * 24h, 0}};
  const std::chrono::steady_clock::time_point begin{100h};
  CHECK(plan.settled(begin, 500) == 0); // nobody knows when it came
  CHECK(plan.settled(begin + 59min, 900) == 0);
  CHECK(plan.settled(begin + 60min, 1000) == 500);
  CHECK(plan.settled(begin + 70min, 1100) == 500);
  CHECK(plan.settled(begin + 120min, 1200) == 1000);
}

TEST_CASE("A backup is due an interval after the newest one, soon when that is over, and earlier after a failure") {
  backup_plan plan{24h};
  plan.started(new_year, new_year - 1h);
  CHECK(plan.due() == new_year + 23h);
  CHECK_FALSE(plan.is_due(new_year + 22h));
  CHECK(plan.is_due(new_year + 23h));
  plan.started(new_year, new_year - 48h);
  CHECK(plan.due() == new_year + 1min);
  plan.started(new_year, std::nullopt);
  CHECK(plan.due() == new_year + 1min);
  plan.made(new_year);
  CHECK(plan.due() == new_year + 24h);
  plan.failed(new_year);
  CHECK(plan.due() == new_year + 10min);
  backup_plan never{0ms};
  never.started(new_year, std::nullopt);
  CHECK_FALSE(never.due());
  CHECK_FALSE(never.is_due(new_year + 1000h));
}

} // namespace keyportal
