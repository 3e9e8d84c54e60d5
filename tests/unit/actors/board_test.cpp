#include "actors/feed/board.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace keyportal;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

moment utc_midnight(moment t) { return std::chrono::floor<std::chrono::days>(t); }

struct bench {
  totals today_in_ledger;
  moment now{1'000'000s};
  board it{nodes(), &utc_midnight, [this](const node_name&, moment) { return today_in_ledger; }, now};

  static std::vector<node_overview> nodes() {
    std::vector<node_overview> out(2);
    out[0].condition.node = "a";
    out[1].condition.node = "b";
    return out;
  }
  committed with_record(moment at) {
    stored_record r;
    r.node = "a";
    r.at.unix_ns = unix_ns(at);
    r.tokens.total = 5;
    committed m;
    m.last = 3;
    m.records = std::make_shared<const std::vector<stored_record>>(1, r);
    m.events = std::make_shared<const std::vector<node_event>>();
    totals sums;
    sums.requests = 1;
    sums.ok = 1;
    sums.tokens.total = 5;
    m.sums = {{"a", sums}};
    return m;
  }
};

} // namespace

TEST_CASE("A commit is told at once with the node's totals and the old page's field names") {
  bench b;
  const auto frames = b.it.on(b.with_record(b.now), b.now);
  REQUIRE(frames.size() == 1);
  const auto j = json::parse(frames[0]->text);
  CHECK(j["type"] == "usage_update");
  CHECK(j["node"] == "a");
  CHECK(j["totals"]["tokens"]["total"] == 5);
  CHECK(j["today"]["requests"] == 1);
  CHECK(j["position"] == 3);
  CHECK(j["total_tokens"] == 5);
  CHECK(j["success_count"] == 1);
}

TEST_CASE("A record of yesterday counts in the totals and not in today") {
  bench b;
  const auto j = json::parse(b.it.on(b.with_record(b.now - 24h), b.now).at(0)->text);
  CHECK(j["total_requests"] == 1);
  CHECK(j["today_requests"] == 0);
}

TEST_CASE("At midnight today begins anew from the ledger") {
  bench b;
  b.it.on(b.with_record(b.now), b.now);
  CHECK(b.it.now_is(b.now).nodes[0].today.requests == 1);
  b.today_in_ledger.requests = 0;
  CHECK(b.it.now_is(b.now + 24h).nodes[0].today.requests == 0);
  CHECK(b.it.now_is(b.now + 24h).nodes[0].sums.requests == 1);
}

TEST_CASE("A condition is told when it changes and kept quiet otherwise") {
  bench b;
  node_condition c;
  c.node = "b";
  c.state = node_condition::light::up;
  CHECK(b.it.on(c, b.now).size() == 1);
  c.last_poll = b.now;
  CHECK(b.it.on(c, b.now).empty());
  c.problem = "it hurts";
  CHECK(b.it.on(c, b.now).size() == 1);
  c.node = "nobody";
  CHECK(b.it.on(c, b.now).empty());
}

TEST_CASE("Restarts and snapshots show on the node") {
  bench b;
  restart_record r;
  r.node = "a";
  r.number = 4;
  const auto j = json::parse(b.it.on(restart_noticed{r}, b.now).at(0)->text);
  CHECK(j["type"] == "node");
  CHECK(j["restarts"] == 4);
  snapshot_info s;
  s.node = "a";
  s.id = 9;
  CHECK(json::parse(b.it.on(snapshot_made{s}, b.now).at(0)->text)["last_snapshot"]["id"] == 9);
}

TEST_CASE("The greeting is the whole overview") {
  bench b;
  const auto j = json::parse(b.it.greeting(b.now)->text);
  CHECK(j["type"] == "overview");
  CHECK(j["nodes"].size() == 2);
}
