#include "actors/restart_detector/restart_rules.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;
using namespace std::chrono_literals;
using kind = verdict::kind;

namespace {

observation seen(std::int64_t requests, std::int64_t before, std::uint64_t broken) {
  observation o;
  o.node = "n";
  o.at = moment{1000s};
  o.last_seen_at = moment{997s};
  o.counters.requests = requests;
  o.before.requests = before;
  o.lists_known = 4;
  o.lists_broken = broken;
  o.details_gone = broken * 10;
  return o;
}

} // namespace

TEST_CASE("Intact lists mean the same process, even when token totals fall") {
  restart_rules rules;
  auto o = seen(100, 90, 0);
  o.before.tokens = 1'000;
  o.counters.tokens = -50; // an import with negative counts
  CHECK(rules.judge(o).is == kind::same);
}

TEST_CASE("Broken lists are a suspicion first, and a restart when seen twice") {
  restart_rules rules;
  CHECK(rules.judge(seen(3, 90, 4)).is == kind::suspect);
  const auto v = rules.judge(seen(3, 90, 4));
  REQUIRE(v.is == kind::restarted);
  CHECK(v.restart.before.requests == 90);
  CHECK(v.restart.after.requests == 3);
  CHECK(v.restart.evidence.size() == 2);
  CHECK(v.restart.state == restore_state::pending);
}

TEST_CASE("A single foreign answer in between invents nothing") {
  restart_rules rules;
  CHECK(rules.judge(seen(0, 90, 4)).is == kind::suspect);
  CHECK(rules.judge(seen(91, 90, 0)).is == kind::same);
  CHECK(rules.judge(seen(0, 91, 4)).is == kind::suspect);
}

TEST_CASE("A restart followed by more traffic than before is still one") {
  restart_rules rules;
  CHECK(rules.judge(seen(500, 90, 4)).is == kind::suspect);
  CHECK(rules.judge(seen(501, 90, 4)).is == kind::restarted);
}

TEST_CASE("Capped lists are no sign of a restart") {
  restart_rules rules;
  auto o = seen(5000, 4000, 0);
  o.lists_capped = 3;
  CHECK(rules.judge(o).is == kind::same);
}

TEST_CASE("The estimate of what was lost follows the traffic before") {
  restart_rules rules;
  for (int i = 0; i < 200; ++i) {
    auto o = seen(30 * (i + 1), 30 * i, 0); // ten a second
    rules.judge(o);
  }
  rules.judge(seen(1, 6000, 4));
  const auto v = rules.judge(seen(1, 6000, 4));
  CHECK(v.restart.expected_loss >= 28);
  CHECK(v.restart.expected_loss <= 31);
}

TEST_CASE("What the restart of a node with a queue lost is at most twice its busiest traffic, and what was missing") {
  restart_rules rules;
  const auto look = [](std::int64_t requests, std::int64_t before) {
    auto o = seen(requests, before, 0);
    o.by_accounts = true;
    o.lists_known = 0;
    o.accounts_known = 2;
    return o;
  };
  CHECK(rules.judge(look(30, 0)).is == kind::same); // ten a second
  CHECK(rules.judge(look(33, 30)).is == kind::same);
  auto gone = look(2, 33);
  gone.accounts_fell = 2;
  gone.records_came = 2;
  gone.records_missing = 7;
  CHECK(rules.judge(gone).is == kind::suspect);
  const auto v = rules.judge(gone);
  REQUIRE(v.is == kind::restarted);
  CHECK(v.restart.state == restore_state::impossible);
  CHECK(v.restart.expected_loss > 60);
  CHECK(v.restart.expected_loss <= 2 * 30 - 2 + 7);
}

TEST_CASE("Fewer requests than the node counted before mean another process, when seen twice") {
  restart_rules rules;
  CHECK(rules.judge(seen(3, 90, 0)).is == kind::suspect);
  CHECK(rules.judge(seen(4, 90, 0)).is == kind::restarted);
}

TEST_CASE("An absence of a node of which nothing had been seen is a gap, since nothing can tell its process") {
  restart_rules rules;
  auto o = seen(5, 0, 0);
  o.lists_known = 0;
  CHECK_FALSE(rules.judge(o).gap);
  o.connection_lost = true;
  REQUIRE(rules.judge(o).gap);
  CHECK(rules.judge(o).gap->from == o.last_seen_at);
  CHECK(rules.judge(o).gap->to == o.at);
  o.lists_known = 1;
  CHECK_FALSE(rules.judge(o).gap);
}
