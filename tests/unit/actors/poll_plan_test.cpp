#include "actors/poller/poll_plan.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace keyportal;
using namespace std::chrono_literals;
using step = poll_plan::step;

namespace {

/// A plan with a clock to move.
struct bench {
  poll_plan plan{poll_settings{3s, 500ms, 10}};
  poll_plan::time now = poll_plan::time{} + 1h;

  /// Lets time pass in 50 ms beats until the plan wants something; what it wanted.
  step wait(std::chrono::milliseconds most) {
    for (const auto end = now + most; now < end; now += 50ms)
      if (const auto s = plan.next(now); s != step::nothing)
        return s;
    return step::nothing;
  }
  void poll_once(std::chrono::milliseconds took = 10ms) {
    REQUIRE(wait(60s) == step::poll);
    now += took;
    plan.poll_succeeded(now);
  }
  void go_away() {
    while (wait(5s) == step::poll)
      plan.poll_succeeded(now);
    plan.probe_failed(now);
  }
};

} // namespace

TEST_CASE("The first thing wanted is a poll, and only one thing at a time") {
  bench b;
  CHECK(b.plan.next(b.now) == step::poll);
  CHECK(b.plan.next(b.now + 1h) == step::nothing);
}

TEST_CASE("Between polls the node is probed cheaply, and polled again after the interval") {
  bench b;
  b.poll_once();
  const auto polled = b.now;
  int probes = 0;
  for (;;) {
    const auto s = b.wait(10s);
    if (s == step::poll)
      break;
    REQUIRE(s == step::probe);
    b.plan.probe_succeeded(b.now, false);
    ++probes;
  }
  CHECK(b.now - polled >= 2950ms);
  CHECK(b.now - polled <= 3100ms);
  CHECK(probes >= 4);
}

TEST_CASE("The next poll begins no sooner than ten times the last one's duration") {
  bench b;
  REQUIRE(b.wait(1s) == step::poll);
  const auto began = b.now;
  b.now += 2s;
  b.plan.poll_succeeded(b.now);
  while (b.wait(60s) == step::probe)
    b.plan.probe_succeeded(b.now, false);
  CHECK(b.now - began >= 20s);
  CHECK(b.now - began <= 21s);
}

TEST_CASE("What we waited during a poll does not keep the next one off") {
  bench b;
  REQUIRE(b.wait(1s) == step::poll);
  const auto began = b.now;
  b.now += 2s;
  b.plan.paused(1900ms);
  b.plan.poll_succeeded(b.now);
  while (b.wait(60s) == step::probe)
    b.plan.probe_succeeded(b.now, false);
  CHECK(b.now - began >= 3s);
  CHECK(b.now - began <= 4s);
}

TEST_CASE("A node that is away is probed quickly and polled the moment it is back") {
  bench b;
  b.poll_once();
  b.go_away();
  const auto gone = b.now;
  REQUIRE(b.wait(200ms) == step::probe);
  CHECK(b.now - gone <= 150ms);
  b.plan.probe_failed(b.now);
  REQUIRE(b.wait(200ms) == step::probe);
  b.plan.probe_succeeded(b.now, true);
  CHECK(b.plan.next(b.now) == step::poll);
  CHECK(b.plan.connection_lost());
  b.plan.poll_succeeded(b.now);
  CHECK_FALSE(b.plan.connection_lost());
}

TEST_CASE("A connection that had lasted and is a new one now is a reason to look at once") {
  bench b;
  b.poll_once();
  REQUIRE(b.wait(1s) == step::probe);
  b.plan.probe_succeeded(b.now, false);
  REQUIRE(b.wait(1s) == step::probe);
  b.plan.probe_succeeded(b.now, true);
  CHECK(b.plan.next(b.now) == step::poll);
}

TEST_CASE("Where connections never last, a new one says nothing") {
  bench b;
  b.poll_once();
  for (int i = 0; i < 4; ++i) {
    REQUIRE(b.wait(1s) == step::probe);
    b.plan.probe_succeeded(b.now, true);
    CHECK(b.plan.next(b.now) == step::nothing);
  }
}

TEST_CASE("A refused key is shown once and never again, until the node was away: no ban") {
  bench b;
  REQUIRE(b.wait(1s) == step::poll);
  b.plan.poll_failed(b.now, errc::node_wrong_key);
  CHECK(b.plan.refused());
  for (const auto end = b.now + 2h; b.now < end; b.now += 50ms) {
    const auto s = b.plan.next(b.now);
    REQUIRE(s != step::poll);
    if (s == step::probe)
      b.plan.probe_succeeded(b.now, false);
  }
  b.plan.poll_soon(); // not even when somebody asks for a look
  CHECK(b.wait(1s) == step::probe);
  b.plan.probe_failed(b.now);
  REQUIRE(b.wait(1s) == step::probe);
  b.plan.probe_succeeded(b.now, true);
  CHECK(b.plan.next(b.now) == step::poll); // another process: its count of failures began anew
}

TEST_CASE("A ban is waited out") {
  bench b;
  REQUIRE(b.wait(1s) == step::poll);
  b.plan.poll_failed(b.now, errc::node_banned, 90s);
  const auto banned = b.now;
  while (b.wait(1h) == step::probe)
    b.plan.probe_succeeded(b.now, false);
  CHECK(b.now - banned >= 90s);
  CHECK(b.now - banned <= 100s);
}

TEST_CASE("A garbled answer is fetched again, each time a little later") {
  bench b;
  std::vector<std::chrono::milliseconds> pauses;
  for (int i = 0; i < 6; ++i) {
    const auto from = b.now;
    while (b.wait(1h) == step::probe)
      b.plan.probe_succeeded(b.now, false);
    pauses.push_back(std::chrono::duration_cast<std::chrono::milliseconds>(b.now - from));
    b.plan.poll_failed(b.now, errc::node_answer_malformed);
  }
  CHECK(pauses[1] >= 2900ms);
  CHECK(pauses[2] > pauses[1]);
  CHECK(pauses[5] <= 31s);
}

TEST_CASE("Up and down are told once each, and an absence of less than a second not at all") {
  bench b;
  b.poll_once();
  CHECK(b.plan.link_change(b.now) == true);
  CHECK_FALSE(b.plan.link_change(b.now));
  b.go_away();
  CHECK_FALSE(b.plan.link_change(b.now + 900ms));
  CHECK(b.plan.link_change(b.now + 1100ms) == false);
  CHECK_FALSE(b.plan.link_change(b.now + 5s));
  b.now += 5s;
  REQUIRE(b.wait(1s) == step::probe);
  b.plan.probe_succeeded(b.now, true);
  CHECK(b.plan.link_change(b.now) == true);
}

TEST_CASE("A suspicion is looked into at once") {
  bench b;
  REQUIRE(b.wait(1s) == step::poll);
  b.plan.poll_again();
  CHECK(b.plan.next(b.now) == step::poll);
}

TEST_CASE("A node that answers probes and cuts every poll off is told and polled ever more rarely") {
  bench b;
  b.poll_once();
  int polls = 0;
  for (const auto end = b.now + 60s; b.now < end; b.now += 10ms) {
    switch (b.plan.next(b.now)) {
      case step::nothing: break;
      case step::probe: b.plan.probe_succeeded(b.now, false); break;
      case step::poll:
        ++polls;
        b.plan.poll_failed(b.now, errc::node_unreachable);
        CHECK(b.plan.cut_off() == (polls > 1));
    }
  }
  CHECK(polls > 4);
  CHECK(polls < 15);
  while (b.wait(60s) == step::probe)
    b.plan.probe_succeeded(b.now, false);
  b.plan.poll_succeeded(b.now);
  CHECK_FALSE(b.plan.cut_off());
}
