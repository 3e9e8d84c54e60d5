// The small decision classes: restore, shutdown, pace of totals.
#include <catch2/catch_test_macros.hpp>

#include "actors/ledger/totals_pace.hpp"
#include "actors/snapshot_keeper/restore_plan.hpp"
#include "actors/supervisor/shutdown_plan.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using next = restore_plan::next;

TEST_CASE("A restore that finds nothing lacking is complete without an import") {
  restore_plan plan{3};
  plan.reading_done();
  CHECK(plan.comparison_done() == next::complete);
  CHECK(plan.lacking_at_first() == 0);
}

TEST_CASE("What was imported is read back and compared before a restore is complete") {
  restore_plan plan{3};
  plan.reading_done();
  CHECK(plan.piece_found(100));
  plan.piece_imported({.added = 100, .skipped = 0, .counters = {}});
  REQUIRE(plan.comparison_done() == next::read_back);
  plan.reading_done();
  CHECK(plan.comparison_done() == next::complete);
  CHECK(plan.lacking_at_first() == 100);
  CHECK(plan.imported() == 100);
  CHECK(plan.still_lacking() == 0);
}

TEST_CASE("A node that keeps dropping records is given up after the retries, with the number it lacks") {
  restore_plan plan{2};
  int imports = 0;
  auto state = next::read_back;
  while (state == next::read_back) {
    plan.reading_done();
    if (plan.piece_found(7))
      ++imports;
    state = plan.comparison_done();
  }
  CHECK(state == next::incomplete);
  CHECK(imports == 3);
  CHECK(plan.still_lacking() == 7);
}

TEST_CASE("Stopping goes from the inputs to the ledger and the publisher within the grace time") {
  const auto begin = shutdown_plan::time{} + 1h;
  shutdown_plan plan{10s, begin};
  std::vector<stage> order;
  auto last = begin;
  while (!plan.done()) {
    order.push_back(plan.begin_next().what);
    CHECK(plan.deadline() > last);
    last = plan.deadline();
  }
  CHECK(order
        == std::vector{stage::gateway, stage::pollers, stage::collectors, stage::keepers, stage::keys, stage::accounts,
                       stage::authenticator, stage::registry, stage::notifier, stage::ledger, stage::publisher});
  CHECK(last - begin == 10s);
}

TEST_CASE("Totals are told on change, at most once a second, and the last change is not forgotten") {
  totals_pace pace;
  const auto t = totals_pace::time{} + 1h;
  CHECK(pace.due(t).empty());
  totals sums;
  sums.requests = 1;
  pace.changed("n", sums);
  CHECK(pace.due(t).size() == 1);
  sums.requests = 2;
  pace.changed("n", sums);
  CHECK(pace.due(t + 999ms).empty());
  sums.requests = 3;
  pace.changed("n", sums);
  CHECK(pace.waiting());
  const auto due = pace.due(t + 1000ms);
  REQUIRE(due.size() == 1);
  CHECK(due[0].second.requests == 3);
  CHECK_FALSE(pace.waiting());
}
