#include "actors/notifier/notice_book.hpp"

#include <algorithm>
#include <set>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

using result = delivery_result::kind;

struct world {
  explicit world(std::vector<rule_settings> rules = {}) : book(make(std::move(rules))) {
    add("u1", "a@x.example", user_role::user, {"team"});
    add("u2", "root@x.example", user_role::admin, {});
  }

  static notice_book make(std::vector<rule_settings> rules) {
    notice_book::rules by;
    auto& set = by.settings;
    channel_settings app, mail, bot;
    app.name = "feishu";
    app.kind = "feishu";
    mail.name = "mail";
    mail.kind = "mail";
    bot.name = "ops";
    bot.kind = "feishu_bot";
    set.channels = {app, mail, bot};
    set.rules = std::move(rules);
    set.language = "en";
    set.digest_above = 5;
    set.give_up = 72h;
    by.zone = "UTC";
    by.chance = [] { return 0.5; };
    return notice_book{std::move(by)};
  }

  void add(const char* id, const char* email, user_role role, std::vector<group_name> groups) {
    user one;
    one.id = id;
    one.email = email;
    one.name = id;
    one.role = role;
    one.state = user_state::active;
    one.groups = std::move(groups);
    book.people.put(one);
  }

  /// What was made of an event.
  std::vector<notice_record> event(event_kind kind, const std::string& data, const char* about = "k1",
                                   const char* node = "") {
    notice_changes out;
    book.decide({++seq, kind, node, now, data, about}, {}, now, out);
    changes = out;
    return out.put;
  }
  std::vector<notice_record> expiring(const std::string& key = "k1") {
    return event(event_kind::key_expiring, R"({"owner":"u1","shown":"sk…1","expires_at":"2100-01-01T00:00:00Z"})",
                 key.c_str());
  }
  std::vector<delivery_queue::order> pick() {
    notice_changes out;
    auto orders = book.pick(now, out);
    changes = out;
    return orders;
  }
  notice_book::start take(const notice_id& id) {
    notice_changes out;
    auto start = book.taken(id, now, out);
    changes = out;
    return start;
  }
  notice_record end(const notice_id& id, result is, bool channel_wide = false, std::string_view answer = "said so") {
    notice_changes out;
    delivery_result what;
    what.is = is;
    what.answer = answer;
    what.channel_wide = channel_wide;
    book.ended(id, what, now, out);
    changes = out;
    return out.put.empty() ? notice_record{} : out.put.back();
  }
  /// One picked, begun and ended.
  notice_record run(result is, bool channel_wide = false) {
    const auto orders = pick();
    if (orders.empty() || take(orders[0].id).begin == nullptr)
      return {};
    auto out = end(orders[0].id, is, channel_wide);
    const auto kept = changes;
    for (std::size_t i = 1; i < orders.size() && channel_wide; ++i)
      CHECK(take(orders[i].id).begin == nullptr); // the channel rests
    changes = kept;
    return out;
  }

  moment now = moment_of(1'775'000'000'000'000'000);
  sequence seq = 100;
  notice_book book;
  notice_changes changes;
};

} // namespace

TEST_CASE("ids are the same for the same decision, differ for others, and lie in the order of time") {
  const auto at = moment_of(1'775'000'000'000'000'000);
  const auto one = make_notice_id(at, 7, "key.expired", "k1", "u1", "mail", "");
  CHECK(one == make_notice_id(at, 7, "key.expired", "k1", "u1", "mail", ""));
  CHECK(one.size() == 27);
  CHECK(one != make_notice_id(at, 7, "key.expired", "k1", "u1", "feishu", ""));
  CHECK(one != make_notice_id(at, 7, "key.expired", "k1", "u2", "mail", ""));
  CHECK(one != make_notice_id(at, 8, "key.expired", "k1", "u1", "mail", ""));
  CHECK(one < make_notice_id(at + 1h, 1, "key.expired", "k1", "u1", "mail", ""));
}

TEST_CASE("an owner hears of his key by the first channel for people, once") {
  world w;
  const auto made = w.expiring();
  REQUIRE(made.size() == 1);
  CHECK(made[0].channel == "feishu");
  CHECK(made[0].address == "email:a@x.example");
  CHECK(made[0].recipient == "u1");
  CHECK(made[0].why == "owner");
  const auto orders = w.pick();
  REQUIRE(orders.size() == 1);
  CHECK(w.pick().empty()); // it is in the queue
  REQUIRE(w.take(orders[0].id).begin != nullptr);
  CHECK(w.changes.put.front().state == notice_state::sending);
  CHECK(w.take(orders[0].id).begin == nullptr); // the same order again
  CHECK(w.end(orders[0].id, result::delivered).state == notice_state::delivered);
  CHECK(w.take(orders[0].id).begin == nullptr); // and late
  CHECK(w.book.waiting() == 0);
}

TEST_CASE("preferences decide the channels, and what is muted is not told unless it is an alarm") {
  world w;
  notice_preferences wishes;
  wishes.user = "u1";
  wishes.channels = {"feishu", "mail"};
  wishes.muted = {"key.expired"};
  w.book.people.put(wishes);
  CHECK(w.expiring().size() == 2);
  CHECK(w.event(event_kind::key_expired, R"({"owner":"u1"})").empty());
  wishes.channels = std::vector<std::string>{};
  w.book.people.put(wishes);
  CHECK(w.expiring("k2").empty());
  wishes.user = "u2";
  wishes.channels.reset();
  wishes.muted = {"node.down"};
  w.book.people.put(wishes);
  CHECK(w.event(event_kind::down, "{}", "", "alpha").size() == 1);
}

TEST_CASE("rules say who hears, and the first that fits decides") {
  world w({{"a", {"key.expiring"}, {"channel:ops", "owner"}, {"mail"}},
           {"b", {"key.*"}, {}, {}},
           {"c", {"node.*"}, {"group:team", "person:root@x.example"}, {}}});
  const auto made = w.expiring();
  REQUIRE(made.size() == 2);
  CHECK(made[0].channel == "ops");
  CHECK(made[0].address.empty());
  CHECK(made[1].channel == "mail");
  CHECK(w.event(event_kind::key_expired, R"({"owner":"u1"})").empty());
  CHECK(w.event(event_kind::down, "{}", "", "alpha").size() == 2);
}

TEST_CASE("whoever may not come in hears only whether he may") {
  world w;
  user gone;
  gone.id = "u3";
  gone.email = "c@x.example";
  gone.state = user_state::deleted;
  w.book.people.put(gone);
  CHECK(w.event(event_kind::user_refused, R"({"user":"u3"})", "u3").size() == 1);
  CHECK(w.event(event_kind::key_revoked, R"({"owner":"u3"})", "k9").empty());
}

TEST_CASE("that something is over is told only to whom it was told that it began, and a flapping node once a while") {
  world w;
  CHECK(w.event(event_kind::up, "{}", "", "alpha").empty());
  CHECK(w.event(event_kind::down, "{}", "", "alpha").size() == 1);
  CHECK(w.event(event_kind::up, "{}", "", "alpha").size() == 1);
  CHECK(w.event(event_kind::up, "{}", "", "alpha").empty());
  CHECK(w.event(event_kind::down, "{}", "", "beta").size() == 1);
  CHECK(w.event(event_kind::down, "{}", "", "beta").empty());
  w.now += 11min;
  CHECK(w.event(event_kind::down, "{}", "", "beta").size() == 1);
  // A key's end is told by two events.
  CHECK(w.event(event_kind::key_revoked, R"({"owner":"u1"})").size() == 1);
  CHECK(w.event(event_kind::key_revoked, R"({"owner":"u1"})").empty());
}

TEST_CASE("a failure is tried again later, and the channel is left alone meanwhile") {
  world w;
  w.expiring("k1");
  w.expiring("k2");
  const auto again = w.run(result::again, true);
  CHECK(again.state == notice_state::waiting);
  CHECK(again.due_at == w.now + 2s);
  CHECK(w.pick().empty());
  w.now += 2s;
  CHECK(w.pick().size() == 1); // one tries whether it works again
}

TEST_CASE("what is refused ends, and says nothing about the channel") {
  world w;
  w.expiring("k1");
  CHECK(w.run(result::refused).state == notice_state::refused);
  w.expiring("k2");
  CHECK(w.pick().size() == 1);
}

TEST_CASE("of unknown outcome: an app's message until one answer comes, a bot's once more") {
  world w({{"a", {"node.*"}, {"channel:ops"}, {}}});
  w.expiring();
  for (int i = 0; i < 6; ++i) {
    const auto one = w.run(result::unknown);
    CHECK(one.state == notice_state::waiting);
    w.now = std::max(w.now + 1s, one.due_at);
  }
  CHECK(w.run(result::delivered).state == notice_state::delivered);
  w.event(event_kind::down, "{}", "", "alpha");
  const auto first = w.run(result::unknown);
  CHECK(first.state == notice_state::waiting);
  w.now = first.due_at;
  CHECK(w.run(result::unknown).state == notice_state::unknown);
  CHECK(w.book.waiting() == 0);
}

TEST_CASE("what our own end broke off is sent again more often than what nobody answered, and has an end too") {
  world w({{"a", {"node.*"}, {"channel:ops"}, {}}});
  w.event(event_kind::down, "{}", "", "alpha");
  notice_record one;
  for (int i = 0; i < 6; ++i) {
    const auto orders = w.pick();
    REQUIRE(orders.size() == 1);
    REQUIRE(w.take(orders[0].id).begin != nullptr);
    one = w.end(orders[0].id, result::unknown, false, ended_while_sent);
    CHECK(one.state == (i < 5 ? notice_state::waiting : notice_state::unknown));
    w.now = std::max(w.now + 1s, one.due_at);
  }
  CHECK(w.book.waiting() == 0);
}

TEST_CASE("what may have arrived is in no digest, and is what an ill channel is tried with") {
  world w;
  w.expiring("k1");
  const auto doubtful = w.run(result::unknown).id;
  for (int i = 2; i < 12; ++i)
    w.expiring(fmt::format("k{}", i));
  for (int i = 0; i < 3; ++i) {
    w.now += 2min;
    const auto orders = w.pick();
    REQUIRE(orders.size() == 1);
    CHECK(orders[0].id == doubtful);
    REQUIRE(w.take(doubtful).begin != nullptr);
    w.end(doubtful, i < 2 ? result::unknown : result::delivered);
  }
  w.now += 2min;
  const auto orders = w.pick();
  REQUIRE(orders.size() == 1);
  const auto* digest = w.book.find(orders[0].id);
  REQUIRE(digest != nullptr);
  CHECK(digest->members.size() == 10);
  CHECK(std::count(digest->members.begin(), digest->members.end(), doubtful) == 0);
}

TEST_CASE("what was being sent when the service ended is of unknown outcome, the rest goes on") {
  world w;
  w.expiring("k1");
  w.expiring("k2");
  const auto orders = w.pick();
  REQUIRE(orders.size() == 2);
  w.take(orders[0].id);
  std::vector<notice_record> open = {*w.book.find(orders[0].id), *w.book.find(orders[1].id)};
  world after;
  notice_changes out;
  after.book.restore(open, {}, w.now, out);
  REQUIRE(out.put.size() == 1);
  CHECK(out.put[0].attempts.back().outcome == "unknown");
  after.now += 5s;
  CHECK(after.pick().size() == 1); // one tries whether the channel works
}

TEST_CASE("what cannot be delivered for too long is given up") {
  world w;
  w.expiring();
  w.run(result::again, true);
  w.now += 73h;
  CHECK(w.pick().empty());
  REQUIRE(w.changes.put.size() == 1);
  CHECK(w.changes.put[0].state == notice_state::given_up);
}

TEST_CASE("a day of outage costs few attempts, and ends with one probe and one digest for each person") {
  world w;
  std::size_t attempts = 0, made = 0;
  const auto begin = w.now;
  for (int minute = 0; minute < 24 * 60; ++minute) {
    w.now = begin + std::chrono::minutes{minute};
    if (minute % 10 == 0)
      made += w.expiring(fmt::format("k{}", minute)).size();
    for (const auto& order : w.pick())
      if (w.take(order.id).begin != nullptr) {
        ++attempts;
        w.end(order.id, result::again, true);
      }
  }
  CHECK(made == 144);
  CHECK(attempts < 130); // of which the first hour has ten
  // It works again.
  w.now += 20min;
  std::size_t delivered = 0;
  std::set<notice_id> told;
  for (int second = 0; second < 120; ++second, w.now += 1s)
    for (const auto& order : w.pick()) {
      if (w.take(order.id).begin == nullptr)
        continue;
      const auto one = w.end(order.id, result::delivered);
      ++delivered;
      told.insert(one.id);
      told.insert(one.members.begin(), one.members.end());
    }
  CHECK(delivered == 2);
  CHECK(told.size() == made + 1); // each of them, and the digest
  CHECK(w.book.waiting() == 0);
}

TEST_CASE("a reminder under the same command is made once") {
  world w;
  notice_changes out;
  const auto& kind = *find_kind("reminder.renew");
  const auto first = w.book.remind(kind, {"u1", "u2"}, nlohmann::json::object(), "u2/c1", w.now, out);
  CHECK(first.size() == 2);
  CHECK(out.put.size() == 2);
  notice_changes none;
  w.now += 1min;
  CHECK(w.book.remind(kind, {"u1", "u2"}, nlohmann::json::object(), "u2/c1", w.now, none) == first);
  CHECK(none.put.empty());
  CHECK(w.book.remind(kind, {"u1"}, nlohmann::json::object(), "u2/c2", w.now, none).front() != first.front());
}

TEST_CASE("an order that is lost with its queue is put in again") {
  world w;
  w.expiring();
  CHECK(w.pick().size() == 1);
  w.now += 1min;
  CHECK(w.pick().empty());
  w.now += 2min;
  CHECK(w.pick().size() == 1);
}

TEST_CASE("the actor is woken when there is something to do, and not in vain") {
  world w;
  CHECK_FALSE(w.book.wake_at());
  w.expiring();
  CHECK(w.book.wake_at() == w.now);
  w.pick();
  CHECK_FALSE(w.book.wake_at()); // it goes on when the order comes
}
