// Who is asked for quota next: at its interval, spread, never more than once a second and account.
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include <map>
#include <set>

#include "actors/account_keeper/quota_plan.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using outcome = quota_plan::outcome;

namespace {
const moment t0 = moment_of(1'800'000'000'000'000'000);
}

TEST_CASE("five hundred accounts at five nodes are each asked once an interval, and never twice within a second") {
  quota_plan plan(5min);
  std::map<account_id, std::vector<moment>> asked;
  for (int i = 0; i < 500; ++i)
    plan.there(fmt::format("a{}", i), fmt::format("n{}", i % 5), 1, t0);
  std::map<moment, int> at_once;
  for (auto now = t0; now < t0 + 20min; now += 100ms)
    for (int n = 0; n < 5; ++n)
      if (const auto id = plan.next(fmt::format("n{}", n), now)) {
        if (asked.contains(*id) && now > t0 + 6min)
          CHECK(now - asked[*id].back() <= 5min + 10s);
        if (asked.contains(*id))
          CHECK(now - asked[*id].back() >= 1s);
        asked[*id].push_back(now);
        ++at_once[now];
        plan.asked(*id, now);
        CHECK_FALSE(plan.next(fmt::format("n{}", n), now)); // one of a node at a time
        plan.answered(*id, outcome::told, now + 50ms);
      }
  CHECK(asked.size() == 500);
  for (const auto& [id, times] : asked)
    CHECK((times.size() >= 3 && times.size() <= 5));
}

TEST_CASE("a refusal ends the questions until the file changes or somebody asks") {
  quota_plan plan(1min);
  plan.there("a", "n", 1, t0);
  const auto first = t0 + 1min;
  REQUIRE(plan.next("n", first));
  plan.asked("a", first);
  plan.answered("a", outcome::refused, first);
  CHECK_FALSE(plan.next("n", first + 24h));
  CHECK_FALSE(plan.wake_at());
  plan.there("a", "n", 1, first + 1h); // the same file
  CHECK_FALSE(plan.next("n", first + 24h));
  plan.there("a", "n", 2, first + 24h);
  CHECK(plan.next("n", first + 24h + 1min));
}

TEST_CASE("who wants it at once gets it, but not within the second") {
  quota_plan plan(0ms);
  plan.there("a", "n", 1, t0);
  CHECK_FALSE(plan.next("n", t0 + 24h)); // by itself nothing is asked
  CHECK(plan.hurry("a", t0));
  REQUIRE(plan.next("n", t0));
  plan.asked("a", t0);
  CHECK_FALSE(plan.hurry("a", t0 + 2s)); // one is under way
  plan.answered("a", outcome::told, t0 + 100ms);
  CHECK_FALSE(plan.hurry("a", t0 + 900ms));
  CHECK(plan.hurry("a", t0 + 1s));
  CHECK_FALSE(plan.hurry("nobody", t0));
}

TEST_CASE("pauses grow while it fails, to an hour, and end with the first answer") {
  quota_plan plan(1min);
  plan.there("a", "n", 1, t0);
  auto now = t0 + 1min;
  std::vector<std::chrono::nanoseconds> pauses;
  for (int i = 0; i < 9; ++i) {
    REQUIRE(plan.next("n", now));
    plan.asked("a", now);
    plan.answered("a", outcome::failed, now);
    pauses.push_back(*plan.wake_at() - now);
    now = *plan.wake_at();
  }
  CHECK(pauses[0] == 2min);
  CHECK(pauses[1] == 4min);
  CHECK(pauses.back() == 60min);
  plan.asked("a", now);
  plan.answered("a", outcome::told, now);
  CHECK(*plan.wake_at() - now <= 1min);
}

TEST_CASE("a provider that wants fewer questions is given a minute at least") {
  quota_plan plan(1s);
  plan.there("a", "n", 1, t0);
  plan.asked("a", t0 + 1s);
  plan.answered("a", outcome::slow_down, t0 + 1s);
  CHECK(*plan.wake_at() >= t0 + 1min);
}

TEST_CASE("an account that went while it was asked holds its node up no longer") {
  quota_plan plan(1min);
  plan.there("a", "n", 1, t0);
  plan.there("b", "n", 1, t0);
  plan.asked("a", t0 + 1min);
  CHECK_FALSE(plan.next("n", t0 + 1min));
  plan.gone("a");
  CHECK(*plan.next("n", t0 + 1min) == "b");
  plan.answered("a", outcome::told, t0 + 1min);
  CHECK(plan.size() == 1);
}
