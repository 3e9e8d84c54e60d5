#include <catch2/generators/catch_generators.hpp>

#include "tests/unit/key_keeper/planned_node.hpp"

using namespace keyportal;
using namespace keyportal::test;
using strings = std::vector<std::string>;

namespace {

const std::string a = planned_node::text("a"), b = planned_node::text("b"), c = planned_node::text("c");

/// A node in step, with the sentinel, these live keys, and one that was made elsewhere.
planned_node in_step(bool era_a, const std::vector<key_id>& live = {"a", "b"}) {
  strings list{"sk-elsewhere-1", sentinel_text};
  std::vector<key_orders::one> keys;
  for (const auto& id : live) {
    list.push_back(planned_node::text(id));
    keys.push_back(planned_node::one(id, true, true));
  }
  planned_node n{era_a, list};
  n.whole(keys);
  for (const auto& id : live)
    n.registry[id] = true;
  n.run_for(10s);
  REQUIRE(n.plan.in_step());
  REQUIRE(n.writes() == 0);
  n.calls.clear();
  return n;
}

} // namespace

TEST_CASE("Nothing is asked of the node before the registry said what should be there") {
  planned_node n{true, {"sk-elsewhere-1"}};
  n.order({planned_node::one("a", true)}); // a delta to nothing
  n.run_for(5min);
  CHECK(n.calls.empty());
}

TEST_CASE("The first key goes in with the sentinel, behind all that was there, after config.yaml was kept") {
  const bool era_a = GENERATE(true, false);
  planned_node n{era_a, {"sk-elsewhere-1", "sk-elsewhere-2"}};
  n.whole({planned_node::one("a", true)});
  REQUIRE(n.run_until([&] { return n.works("a"); }));
  REQUIRE(n.puts.size() == 1);
  CHECK(n.puts[0] == strings{sentinel_text, "sk-elsewhere-1", "sk-elsewhere-2", a});
  const auto config = std::find(n.calls.begin(), n.calls.end(), call_kind::config);
  const auto put = std::find(n.calls.begin(), n.calls.end(), call_kind::put);
  CHECK(config < put);
  CHECK(n.plan.in_step());
  CHECK(n.plan.external() == 2);
  CHECK(n.strangers == strings{"sk-elsewhere-1", "sk-elsewhere-2"});
}

TEST_CASE("One change is one small write, and counts once the key itself shows it") {
  const bool era_a = GENERATE(true, false);
  auto n = in_step(era_a);
  n.order({planned_node::one("c", true)});
  REQUIRE(n.run_until([&] { return n.works("c"); }));
  CHECK(n.cpa.lets_in(c, n.now));
  CHECK(n.count(call_kind::swap) == 1);
  CHECK(n.count(call_kind::put) == 0);
  CHECK(n.count(call_kind::list) == 0);
  REQUIRE(n.changes.size() == 1);
  CHECK(n.changes[0].works);
  CHECK(n.changes[0].took < (era_a ? 260ms : 90ms));

  n.changes.clear();
  n.order({planned_node::one("c", false, true)});
  REQUIRE(n.run_until([&] { return !n.works("c"); }));
  CHECK_FALSE(n.cpa.lets_in(c, n.now));
  CHECK(n.count(call_kind::swap) == 2);
  REQUIRE(n.changes.size() == 1);
  CHECK_FALSE(n.changes[0].works);
  CHECK(n.changes[0].took < (era_a ? 260ms : 90ms));
}

TEST_CASE("A change waits until the one before is in force, for CPA loses what comes during its reload") {
  auto n = in_step(true);
  n.order({planned_node::one("c", true), planned_node::one("a", false, true)});
  REQUIRE(n.run_until([&] { return n.works("c") && !n.works("a"); }));
  CHECK(n.count(call_kind::swap) == 2);
  CHECK(n.count(call_kind::list) == 0); // nothing had to be looked into again
  CHECK(n.now - (plan_time{} + 1h + 10s) < 600ms);
}

TEST_CASE("Many changes are one list that keeps every other key in its place") {
  const bool era_a = GENERATE(true, false);
  auto n = in_step(era_a, {"a", "b", "old1", "old2", "old3"});
  const auto begin = n.now;
  std::vector<key_orders::one> orders;
  for (int i = 0; i < 500; ++i)
    orders.push_back(planned_node::one(fmt::format("n{:03}", i), true));
  for (const auto* id : {"old1", "old2", "old3"})
    orders.push_back(planned_node::one(id, false, true));
  n.order(orders);
  REQUIRE(n.run_until([&] { return n.works("n499"); }));
  CHECK(n.now - begin < 1s);
  CHECK(n.count(call_kind::put) == 1);
  CHECK(n.count(call_kind::swap) == 0);
  CHECK(n.count(call_kind::trial) < 40);
  CHECK(n.sightings == 2); // the stranger at the beginning, and all of these in one
  const auto list = n.list();
  REQUIRE(list.size() == 504);
  CHECK(strings(list.begin(), list.begin() + 5) == strings{"sk-elsewhere-1", sentinel_text, a, b, n.text("n000")});
  for (int i = 0; i < 500; ++i)
    CHECK(n.works(fmt::format("n{:03}", i)));
  CHECK_FALSE(n.works("old2"));
  CHECK(n.changes.size() == 503);
}

TEST_CASE("A write that was answered and lost is made again after a second") {
  auto n = in_step(GENERATE(true, false));
  n.cpa.lose_writes = 3;
  const auto begin = n.now;
  n.order({planned_node::one("c", true)});
  REQUIRE(n.run_until([&] { return n.works("c"); }));
  CHECK(n.count(call_kind::swap) == 4);
  CHECK(n.count(call_kind::list) >= 3);
  CHECK(n.now - begin > 3s);
  CHECK(n.now - begin < 15s);
  n.run_for(2min);
  CHECK_FALSE(n.plan.drift(n.now));
}

TEST_CASE("A merged list that was answered and lost is made again too") {
  auto n = in_step(GENERATE(true, false));
  n.cpa.lose_writes = 1;
  n.order({planned_node::one("c", true), planned_node::one("d", true), planned_node::one("a", false, true)});
  REQUIRE(n.run_until([&] { return n.works("c") && n.works("d") && !n.works("a"); }));
  CHECK(n.count(call_kind::put) == 2);
  CHECK_FALSE(n.cpa.lets_in(a, n.now));
}

TEST_CASE("A failed save shows the key without enforcing it: only the key's own trial counts") {
  auto n = in_step(GENERATE(true, false));
  n.cpa.save_fails = true;
  n.order({planned_node::one("c", true), planned_node::one("a", false, true)});
  n.run_for(30s);
  CHECK(std::count(n.cpa.keys.shown().begin(), n.cpa.keys.shown().end(), c) == 1);
  CHECK_FALSE(n.works("c"));
  CHECK(n.cpa.lets_in(a, n.now));
  CHECK(n.plan.drift(n.now));
  CHECK(n.writes() > 2);
  CHECK(n.writes() < 20);
  n.cpa.save_fails = false;
  REQUIRE(n.run_until([&] { return n.works("c") && !n.works("a"); }, 30s));
  n.run_for(1s);
  CHECK_FALSE(n.plan.drift(n.now));
}

TEST_CASE("An answer that is lost after the write leads to no second key and no false report") {
  auto n = in_step(GENERATE(true, false));
  n.cpa.lose_answers = 1;
  n.order({planned_node::one("c", true), planned_node::one("a", false, true)});
  REQUIRE(n.run_until([&] { return n.works("c") && !n.works("a"); }));
  const auto list = n.list();
  CHECK(std::count(list.begin(), list.end(), c) == 1);
  CHECK(n.cpa.lets_in(c, n.now));
}

TEST_CASE("A key that somebody removed is reported and not put back, until the registry says so") {
  auto n = in_step(GENERATE(true, false), {"a", "b", "c"});
  n.cpa.edit({"sk-elsewhere-1", sentinel_text, a, c}, n.now);
  n.run_for(3min);
  CHECK(n.taken == std::vector<key_id>{"b"});
  CHECK(n.writes() == 0);
  CHECK(n.plan.taken_away() == 1);
  CHECK(n.plan.drift(n.now));
  CHECK_FALSE(n.plan.problem().empty());
  CHECK_FALSE(n.plan.in_step());

  SECTION("it stays away when it is suspended") {
    n.order({planned_node::one("b", false)});
    n.run_for(1min);
    CHECK_FALSE(n.cpa.lets_in(b, n.now));
    CHECK(n.writes() == 0);
    CHECK(n.plan.in_step());
    CHECK_FALSE(n.plan.drift(n.now));
  }
  SECTION("it comes back when it is ordered anew") {
    n.order({planned_node::one("b", true)});
    REQUIRE(n.run_until([&] { return n.works("b"); }, 1min));
    CHECK(n.cpa.lets_in(b, n.now));
    CHECK_FALSE(n.plan.drift(n.now));
  }
  SECTION("it is in step again when they put it back themselves") {
    n.cpa.edit({"sk-elsewhere-1", sentinel_text, a, b, c}, n.now);
    REQUIRE(n.run_until([&] { return n.works("b"); }, 2min));
    CHECK(n.writes() == 0);
    CHECK(n.plan.in_step());
  }
  SECTION("a registry that forgot is told again") {
    n.taken.clear();
    n.whole(
      {planned_node::one("a", true, true), planned_node::one("b", true, true), planned_node::one("c", true, true)});
    n.run_for(2min);
    CHECK(n.taken == std::vector<key_id>{"b"});
    CHECK(n.writes() == 0);
  }
}

TEST_CASE("A key that is gone from the list and still let in was not taken away") {
  auto n = in_step(true, {"a", "b"});
  n.cpa.keys.advance(n.now);
  n.cpa.keys.show({"sk-elsewhere-1", sentinel_text, a}); // somebody's removal that could not be saved
  n.run_for(3min);
  CHECK(n.taken.empty());
  CHECK(n.cpa.lets_in(b, n.now));
}

TEST_CASE("A node that lost its list gets everything back at once") {
  auto n = in_step(GENERATE(true, false), {"a", "b", "c"});
  n.must_be_closed = false;
  n.cpa.edit(GENERATE(strings{}, strings{"sk-other"}, strings{a}), n.now);
  n.run_for(200ms);
  n.plan.node_may_be_new(n.now);
  REQUIRE(n.run_until(
    [&] {
      return n.enforced_of({a, b, c, sentinel_text, "sk-elsewhere-1"}).size() == 5 && !n.cpa.keys.open();
    },
    2s));
  CHECK(n.taken.empty());
  CHECK(n.puts.size() == 1);
  n.run_for(5s);
  CHECK(n.plan.in_step());
  CHECK_FALSE(n.plan.drift(n.now));
}

TEST_CASE("When more is gone than people remove by hand, it is put back although the sentinel is there") {
  auto n = in_step(true, {"a", "b", "c", "d", "e", "f", "g", "h"});
  n.cpa.edit({sentinel_text, a, b}, n.now);
  n.run_for(2min);
  CHECK(n.taken.empty());
  CHECK(n.enforced_of({n.text("c"), n.text("h"), "sk-elsewhere-1"}).size() == 3);
}

TEST_CASE("A node of ours that lets in anybody is an alarm, and closed at once") {
  auto n = in_step(GENERATE(true, false));
  n.must_be_closed = false;
  n.cpa.edit({}, n.now);
  n.run_for(200ms);
  n.plan.node_may_be_new(n.now);
  REQUIRE(n.run_until([&] { return n.plan.alarm(); }, 1s));
  CHECK(n.plan.problem().find("anybody") != std::string::npos);
  CHECK(n.plan.drift(n.now));
  REQUIRE(n.run_until([&] { return !n.plan.alarm(); }, 1s));
  CHECK_FALSE(n.cpa.keys.open());
  n.run_for(1s);
  CHECK(n.plan.in_step());
}

TEST_CASE("A list of ours that is found empty is an alarm before anybody was let in") {
  auto n = in_step(GENERATE(true, false));
  n.must_be_closed = false;
  n.cpa.edit({}, n.now);
  n.plan.listed({}, n.now);
  CHECK(n.plan.alarm());
  REQUIRE(n.run_until([&] { return !n.plan.alarm(); }, 2s));
  CHECK_FALSE(n.cpa.keys.open());
  n.run_for(1s);
  CHECK(n.plan.in_step());
}

TEST_CASE("A node that is open because nobody gave it keys is left alone") {
  planned_node n{true, {}};
  n.must_be_closed = false;
  n.whole({});
  n.run_for(10min);
  CHECK(n.writes() == 0);
  CHECK_FALSE(n.plan.alarm());
  CHECK(n.plan.open());
  SECTION("until a key should work there") {
    n.order({planned_node::one("a", true)});
    REQUIRE(n.run_until([&] { return n.works("a"); }));
    CHECK_FALSE(n.cpa.keys.open());
    CHECK_FALSE(n.plan.open());
    CHECK(n.list() == strings{sentinel_text, a});
  }
}

TEST_CASE("When the last key is revoked the sentinel stays") {
  const bool era_a = GENERATE(true, false);
  planned_node n{era_a, {}};
  n.must_be_closed = false;
  n.whole({planned_node::one("a", true)});
  REQUIRE(n.run_until([&] { return n.works("a"); }));
  n.must_be_closed = true;
  n.order({planned_node::one("a", false, true)});
  REQUIRE(n.run_until([&] { return !n.works("a"); }));
  n.run_for(3min);
  CHECK(n.list() == strings{sentinel_text}); // tidied up as well
  CHECK_FALSE(n.cpa.lets_in(a, n.now));
}

TEST_CASE("Sentinels that removals left behind are tidied up at a quiet moment, by one write") {
  auto n = in_step(true, {"a", "b", "c"});
  n.order({planned_node::one("a", false, true)});
  REQUIRE(n.run_until([&] { return !n.works("a"); }));
  n.order({planned_node::one("b", false, true)});
  REQUIRE(n.run_until([&] { return !n.works("b"); }));
  CHECK(n.list() == strings{"sk-elsewhere-1", sentinel_text, sentinel_text, sentinel_text, c});
  n.run_for(3min);
  CHECK(n.list() == strings{"sk-elsewhere-1", sentinel_text, c});
  CHECK(n.puts.size() == 1);
}

TEST_CASE("Keys made elsewhere are reported once, left alone, and can be adopted or removed") {
  auto n = in_step(GENERATE(true, false));
  CHECK(n.strangers == strings{"sk-elsewhere-1"});
  n.cpa.edit({"sk-elsewhere-1", " sk-blank-2 ", sentinel_text, a, b}, n.now);
  n.run_for(5min);
  CHECK(n.strangers == strings{"sk-elsewhere-1", "sk-blank-2"});
  CHECK(n.writes() == 0);
  CHECK(n.plan.external() == 2);
  SECTION("adopted") {
    n.order({{"x", secret{"sk-elsewhere-1"}, true, true}});
    n.run_for(2min);
    CHECK(n.writes() == 0);
    CHECK(n.plan.external() == 1);
    CHECK(n.plan.in_step());
  }
  SECTION("removed") {
    n.order({{"x", secret{"sk-blank-2"}, false, true}});
    REQUIRE(n.run_until([&] { return !n.cpa.lets_in("sk-blank-2", n.now); }));
    CHECK(n.cpa.lets_in("sk-elsewhere-1", n.now));
    n.run_for(2min);
    CHECK(n.plan.in_step());
    CHECK(n.registry.at("x") == false);
  }
}

TEST_CASE("Example keys are never written, and said to be there") {
  planned_node n{false, {"your-api-key-1", "sk-elsewhere-1"}};
  n.whole({{"t", secret{" your-api-key-2"}, true, false}});
  n.run_for(2min);
  CHECK(n.writes() == 0);
  CHECK(n.plan.changing() == 1);
  CHECK(n.plan.problem().find("example") != std::string::npos);
  n.order({planned_node::one("a", true)});
  REQUIRE(n.run_until([&] { return n.works("a"); }));
  CHECK(n.list() == strings{sentinel_text, "sk-elsewhere-1", a});
}

TEST_CASE("A wrong management key is tried once, and again only when the node may be another") {
  auto n = in_step(true);
  n.cpa.refuses = errc::node_wrong_key;
  n.order({planned_node::one("c", true)});
  n.run_for(10h);
  CHECK(n.calls.size() == 1);
  n.plan.node_may_be_new(n.now);
  n.run_for(10h);
  CHECK(std::count(n.calls.begin(), n.calls.end(), call_kind::list) == 1);
  n.cpa.refuses.reset();
  n.plan.node_may_be_new(n.now);
  n.run_for(2min);
  CHECK(n.works("c"));
}

TEST_CASE("A ban is waited for") {
  auto n = in_step(true);
  n.cpa.refuses = errc::node_banned;
  n.order({planned_node::one("c", true)});
  n.run_for(30min);
  CHECK(n.calls.size() == 1);
  n.cpa.refuses.reset();
  n.run_for(10s);
  CHECK(n.works("c"));
}

TEST_CASE("A node that is away is asked less and less, and at once when it is back") {
  auto n = in_step(true);
  n.cpa.away = true;
  n.order({planned_node::one("c", true), planned_node::one("a", false, true)});
  n.run_for(2min);
  CHECK(n.calls.size() < 30);
  CHECK(n.plan.drift(n.now));
  n.cpa.away = false;
  n.cpa.restart();
  n.plan.node_may_be_new(n.now);
  REQUIRE(n.run_until([&] { return n.works("c") && !n.works("a"); }, 1s));
}

TEST_CASE("A node that restarts in the middle of a change ends as it should be") {
  for (int at = 0; at < 14; ++at) {
    auto n = in_step(true);
    int left = at;
    n.between = [&] {
      if (left-- == 0) {
        n.cpa.restart();
        n.plan.node_may_be_new(n.now);
      }
    };
    n.order({planned_node::one("c", true), planned_node::one("a", false, true)});
    INFO("before call " << at);
    REQUIRE(n.run_until([&] { return n.works("c") && !n.works("a"); }, 20s));
    n.run_for(5s);
    CHECK(n.enforced_of({a, b, c}) == std::set<std::string>{b, c});
  }
}

TEST_CASE("An order that is taken back in the middle of its write ends right") {
  const bool era_a = GENERATE(true, false);
  for (int at = 0; at < 14; ++at) {
    auto n = in_step(era_a);
    int left = at;
    n.between = [&] {
      if (left-- == 0)
        n.order({planned_node::one("c", false), planned_node::one("a", true)});
    };
    n.order({planned_node::one("c", true), planned_node::one("a", false, true)});
    INFO("before call " << at);
    REQUIRE(n.run_until([&] { return left < 0; }));
    n.run_for(10s);
    CHECK(n.enforced_of({a, b, c}) == std::set<std::string>{a, b});
    CHECK(n.registry.at("a"));
    CHECK_FALSE(n.registry.at("c"));
    CHECK(n.plan.in_step());
  }
}

TEST_CASE("A key that is suspended and resumed before the registry heard of either is not said to be taken away") {
  const bool era_a = GENERATE(true, false);
  for (int at = 0; at < 8; ++at) {
    auto n = in_step(era_a);
    n.order({planned_node::one("a", false, true)});
    for (int i = 0; i < at; ++i)
      n.step(n.now + 1s);
    n.order({planned_node::one("a", true, true)});
    INFO("after " << at << " steps");
    n.run_for(5min);
    CHECK(n.taken.empty());
    CHECK(n.cpa.lets_in(a, n.now));
    CHECK(n.works("a"));
  }
}

TEST_CASE("Orders that come while a list is being written are not forgotten") {
  auto n = in_step(true);
  bool come = false;
  n.between = [&] {
    if (!come && n.count(call_kind::list) == 1) {
      come = true;
      n.order({planned_node::one("late", true)});
    }
  };
  n.order({planned_node::one("c", true), planned_node::one("d", true), planned_node::one("e", true)});
  REQUIRE(n.run_until([&] { return n.works("late") && n.works("c"); }, 3s));
}

TEST_CASE("An order that comes while its key is being written is not done by that write") {
  const bool era_a = GENERATE(true, false);
  const bool many = GENERATE(false, true); // keys: one list instead of a small write
  const bool works = GENERATE(false, true);
  CAPTURE(era_a, many, works);
  auto n = in_step(era_a);
  const key_id key = works ? "a" : "c";
  std::vector<key_orders::one> first{planned_node::one(key, !works, works)};
  for (const auto* id : {"d", "e", "f"})
    if (many)
      first.push_back(planned_node::one(id, true));
  int writes = 0;
  n.during = [&](call_kind what) {
    if ((what == call_kind::swap || what == call_kind::put) && ++writes == 1)
      n.order({planned_node::one(key, works)});
  };
  n.order(first);
  // Soon, and not only when the node is looked at anyway.
  REQUIRE(n.run_until([&] { return writes > 0 && n.plan.in_step(); }, 1s));
  CHECK(writes == 2);
  CHECK(n.cpa.lets_in(planned_node::text(key), n.now) == works);
  CHECK(n.registry.at(key) == works);
}

TEST_CASE("A key that CPA never enforces holds nobody else up") {
  auto n = in_step(true);
  n.cpa.never_enforced = {c};
  n.order({planned_node::one("c", true)});
  n.run_for(30s);
  CHECK(n.plan.changing() == 1);
  CHECK(n.plan.drift(n.now));
  for (const auto* id : {"d", "e", "f"}) {
    n.order({planned_node::one(id, true)});
    REQUIRE(n.run_until([&] { return n.works(id); }, 3s));
  }
  std::vector<key_orders::one> many;
  for (int i = 0; i < 20; ++i)
    many.push_back(planned_node::one(fmt::format("m{}", i), true));
  n.order(many);
  REQUIRE(n.run_until([&] { return n.works("m0") && n.works("m19"); }, 3s));
  CHECK_FALSE(n.works("c"));
}

TEST_CASE("A revoked key that comes back with an old list is removed again") {
  auto n = in_step(GENERATE(true, false));
  n.order({planned_node::one("a", false, true)});
  REQUIRE(n.run_until([&] { return !n.works("a"); }));
  n.cpa.edit({"sk-elsewhere-1", sentinel_text, a, b}, n.now);
  n.run_for(2min);
  CHECK_FALSE(n.cpa.lets_in(a, n.now));
  CHECK(n.cpa.lets_in(b, n.now));
  CHECK(n.strangers == strings{"sk-elsewhere-1"});
}

TEST_CASE("What is missing after an old config.yaml was brought back is put back, not reported") {
  auto n = in_step(true, {"a", "b", "c"});
  n.cpa.edit({"sk-elsewhere-1", sentinel_text, a}, n.now);
  n.plan.config_restored(n.now);
  n.run_for(5s);
  CHECK(n.taken.empty());
  CHECK(n.enforced_of({a, b, c}).size() == 3);
}

TEST_CASE("config.yaml is kept before the first write in a while, not before every one") {
  auto n = in_step(true);
  for (const auto* id : {"c", "d", "e"}) {
    n.order({planned_node::one(id, true)});
    REQUIRE(n.run_until([&] { return n.works(id); }));
  }
  CHECK(n.count(call_kind::config) == 0); // it was when the plan began
  n.calls.clear();
  n.run_for(1h);
  CHECK(n.count(call_kind::config) >= 6);
  CHECK(n.count(call_kind::config) <= 13);
}

TEST_CASE("A registry that was away is told what it missed, once") {
  auto n = in_step(true);
  n.registry_away = true;
  n.order({planned_node::one("c", true), planned_node::one("a", false, true)});
  n.run_for(10s);
  n.order({planned_node::one("c", false)});
  n.run_for(10s);
  n.registry_away = false;
  n.tell();
  CHECK(n.registry.at("a") == false);
  CHECK(n.registry.at("c") == false);
  CHECK_FALSE(n.plan.untold());
}

TEST_CASE("A whole set of orders replaces all before it") {
  auto n = in_step(true, {"a", "b", "c"});
  n.whole({planned_node::one("a", true, true), planned_node::one("b", false, true), planned_node::one("d", true)});
  n.run_for(10s);
  CHECK(n.enforced_of({a, b, n.text("d")}) == std::set<std::string>{a, n.text("d")});
  CHECK(n.cpa.lets_in(c, n.now)); // in no order: not ours, and reported
  CHECK(std::count(n.strangers.begin(), n.strangers.end(), c) == 1);
}

TEST_CASE("A quiet node is looked at once a minute") {
  auto n = in_step(false);
  n.run_for(1h);
  CHECK(n.count(call_kind::list) == 60);
  CHECK(n.count(call_kind::trial) >= 60);
  CHECK(n.writes() == 0);
}
