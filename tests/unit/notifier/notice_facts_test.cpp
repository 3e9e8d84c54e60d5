#include "actors/notifier/notice_facts.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;

namespace {

moment at(const char* text) { return moment_of(parse_rfc3339(text)->unix_ns); }

std::vector<notice_news> news(event_kind kind, const char* data, const char* about = "", const char* node = "") {
  return news_of({7, kind, node, at("2026-04-01T00:00:30Z"), data, about},
                 [](const key_id& id) { return "named " + id; });
}

} // namespace

TEST_CASE("an event that nobody is told of is no news") {
  CHECK(news(event_kind::snapshot, "{}", "", "alpha").empty());
  CHECK(news(event_kind::key_changed, "{}", "k1").empty());
  CHECK(news(event_kind::key_expired, "no json", "k1").size() == 1);
}

TEST_CASE("a key that expires says in how many days, and whose it is") {
  const auto all =
    news(event_kind::key_expiring,
         R"({"owner":"u1","label":"laptop","shown":"sk-kp…a1b2","expires_at":"2026-04-04T00:00:00Z"})", "k1");
  REQUIRE(all.size() == 1);
  CHECK(all[0].kind->name == "key.expiring");
  CHECK(all[0].facts["days"] == 3);
  CHECK(all[0].facts["key"] == "laptop (sk-kp…a1b2)");
  CHECK(all[0].owner == "u1");
  CHECK(all[0].about == "k1");
}

TEST_CASE("what an event says decides which kind it is") {
  CHECK(news(event_kind::key_suspended, R"({"why":"budget"})", "k1").front().kind->name == "key.suspended_by_budget");
  CHECK(news(event_kind::key_suspended, R"({"why":"admin"})", "k1").front().kind->name == "key.suspended");
  CHECK(news(event_kind::key_suspended, R"({"why":"by_hand"})", "k1").front().kind->name == "key.taken_away");
  CHECK(news(event_kind::key_suspended, R"({"why":"owner"})", "k1").empty());
  CHECK(news(event_kind::drift, R"({"drift":true})", "", "a").front().kind->name == "node.drift");
  CHECK(news(event_kind::drift, R"({"drift":false})", "", "a").front().kind->name == "node.drift_over");
  CHECK(news(event_kind::disk_alarm, R"({"state":"near"})", "disk").front().kind->name == "store.disk");
  CHECK(news(event_kind::disk_alarm, R"({"state":"fine"})", "disk").front().kind->name == "store.disk_over");
  CHECK(news(event_kind::user_registered, R"({"state":"pending"})", "u1").front().kind->name == "registration.waits");
  CHECK(news(event_kind::user_registered, R"({"state":"active"})", "u1").empty());
  CHECK(news(event_kind::incomplete, R"({"kind":"records"})", "", "a").front().kind->name == "node.incomplete");
  CHECK(news(event_kind::incomplete, R"({"starved":true})", "", "a").front().kind->name == "node.another_collector");
  CHECK(news(event_kind::incomplete, R"({"closed_at":"2026-04-01T00:00:00Z"})", "", "a").empty());
  CHECK(news(event_kind::pool_low, R"({"pooled":3,"low_water":10})", "pool").front().kind->name == "pool.low");
}

TEST_CASE("budgets of money are shown in money, and a key by its name") {
  const auto all =
    news(event_kind::key_budget,
         R"({"about":"k1","owner":"u1","percent":80,"unit":"cost","window":"month","amount":12500000000})", "k1");
  REQUIRE(all.size() == 1);
  CHECK(all[0].facts["amount"] == "12.50");
  CHECK(all[0].facts["unit"] == "USD");
  CHECK(all[0].facts["key"] == "named k1");
}

TEST_CASE("an account of a node is told apart from its other accounts") {
  const auto all = news(event_kind::account_failed, R"({"auth_index":"3f"})", "", "alpha");
  REQUIRE(all.size() == 1);
  CHECK(all[0].about == "alpha/3f");
}
