#include "actors/key_registry/key_registry.hpp"

#include <deque>
#include <map>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "tests/support/answers.hpp"
#include "tests/support/fixture.hpp"
#include "tests/unit/registry/world.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace std::chrono_literals;

namespace {

/// A log behind the ledger's messages, that can hold answers back or refuse.
struct log_world {
  std::vector<registry_entry> entries;
  std::deque<caf::typed_response_promise<appended>> held;
  bool holds_back = false;
  bool refuses = false;
  std::vector<node_event> events;
  std::shared_ptr<const pricing> prices; ///< of the last entry that had some

  registry_image fold() const {
    std::map<key_id, client_key> keys;
    std::map<user_id, user> users;
    registry_image out;
    out.position = entries.size();
    for (const auto& entry : entries) {
      for (const auto& c : entry.keys)
        keys[c.after->id] = *c.after;
      for (const auto& c : entry.users)
        users[c.after->id] = *c.after;
      if (!entry.command.empty())
        out.commands.emplace_back(entry.command, entry.position);
    }
    for (const auto& [id, one] : keys)
      out.keys.push_back(one);
    for (const auto& [id, one] : users)
      out.users.push_back(one);
    return out;
  }
};

ledger_actor::behavior_type log_ledger(ledger_actor::pointer self, std::shared_ptr<log_world> log) {
  return test::answers<ledger_actor>(test::overloaded{
    [=](const append_entry& m) -> caf::result<appended> {
      if (log->refuses)
        return make_error(errc::storage_full);
      if (m.expected != log->entries.size())
        return make_error(errc::registry_conflict);
      log->entries.push_back(*m.entry);
      if (m.prices)
        log->prices = m.prices;
      log->events.insert(log->events.end(), m.events.begin(), m.events.end());
      auto answer = self->make_response_promise<appended>();
      if (log->holds_back)
        log->held.push_back(answer);
      else
        answer.deliver(appended{m.entry->position});
      return answer;
    },
    [=](const read_entries& m) -> caf::result<std::vector<registry_entry>> {
      std::vector<registry_entry> out;
      for (auto at = m.after; at < log->entries.size() && out.size() < m.limit; ++at)
        out.push_back(log->entries[at]);
      return out;
    },
    [=](const load_registry&) -> caf::result<std::shared_ptr<const registry_image>> {
      return std::make_shared<const registry_image>(log->fold());
    },
    [=](const drain&) { // gives the answers that were held back
      for (auto& answer : log->held)
        answer.deliver(appended{log->entries.size()});
      log->held.clear();
      return drained{};
    },
  });
}

key_keeper_actor::behavior_type order_book(key_keeper_actor::pointer, std::shared_ptr<std::vector<key_orders>> orders) {
  return {
    [=](const key_orders& m) { orders->push_back(m); },
    [](const node_seen&) {},
    [](const read_node_keys&) { return node_keys{}; },
    [](const restore_config&) { return key_written{}; },
    [](const drain&) { return drained{}; },
  };
}

struct registering : fixture {
  explicit registering(registry_rules rules = toy_rules(),
                       key_registry_start start = {std::make_shared<registry_image>(), {}}) {
    ledger = spawn(log_ledger, log);
    subject =
      spawn_key_registry(system(), false, {std::move(rules), secret{"sentinel-of-nobody"}, [this] { return now; }},
                         toy_vault(), std::move(start), ledger, numbers);
    settle();
  }
  ~registering() { caf::anon_send_exit(subject, caf::exit_reason::kill); }
  caf::expected<command_done> command(registry_question what, std::string name = {}) {
    return ask<command_done>(subject, registry_command{{"cli", "local", std::move(name)}, std::move(what)});
  }
  user_id person(std::vector<group_name> groups = {}) {
    return command(add_user{.email = "ann@example.com", .groups = std::move(groups)})->users.at(0).id;
  }
  /// A record of the key is in the ledger.
  void recorded(const key_id& key, std::int64_t tokens) {
    stored_record used;
    used.key = key;
    used.at.unix_ns = now.time_since_epoch() / 1ns;
    used.tokens.total = static_cast<decltype(used.tokens.total)>(tokens);
    committed done;
    done.records = std::make_shared<const std::vector<stored_record>>(1, used);
    done.events = std::make_shared<const std::vector<node_event>>();
    tell(subject, done);
  }
  client_key shown(const key_id& key) { return *ask<client_key>(subject, find_key{key, {}}); }

  moment now{std::chrono::hours{24 * 365 * 50}};
  metrics numbers;
  std::shared_ptr<log_world> log = std::make_shared<log_world>();
  ledger_actor ledger;
  key_registry_actor subject;
};

} // namespace

TEST_CASE("More claims at once than there are keys: as many succeed as there are keys, each with its own") {
  registering run;
  policy many;
  many.name = "default";
  many.keys_per_user = 1000;
  REQUIRE(run.command(put_policy{many}));
  const auto ann = run.person();
  REQUIRE(run.command(make_keys{20}));
  caf::scoped_actor self{run.system()};
  std::vector<caf::response_handle<caf::blocking_actor, caf::detail::type_list<command_done>, true>> requests;
  for (int i = 0; i < 50; ++i)
    requests.push_back(
      self->request(run.subject, 1s, registry_command{{"cli", "local", {}}, assign_key{.owner = ann}}));
  run.settle();
  std::set<key_id> given;
  int refused = 0;
  for (auto& request : requests)
    request.receive([&](command_done& done) { CHECK(given.insert(done.keys.at(0).id).second); },
                    [&](caf::error& why) {
                      CHECK(code_of(why) == errc::pool_empty);
                      ++refused;
                    });
  CHECK(given.size() == 20);
  CHECK(refused == 30);
}

TEST_CASE("A command is answered when it is in the log, and not before") {
  registering run;
  const auto ann = run.person();
  REQUIRE(run.command(make_keys{3}));
  run.log->holds_back = true;
  caf::scoped_actor self{run.system()};
  auto first = self->request(run.subject, 3600s, registry_command{{"cli", "local", {}}, assign_key{.owner = ann}});
  auto second = self->request(run.subject, 3600s, registry_command{{"cli", "local", {}}, assign_key{.owner = ann}});
  run.settle();
  CHECK(self->mailbox().empty());
  CHECK(run.log->held.size() == 2); // both are under way
  run.tell(run.ledger, drain{});
  key_id one;
  first.receive([&](command_done& done) { one = done.keys.at(0).id; }, [](caf::error&) { FAIL(); });
  second.receive([&](command_done& done) { CHECK(done.keys.at(0).id != one); }, [](caf::error&) { FAIL(); });
}

TEST_CASE("What the disk refuses did not happen, and things go on when it takes again") {
  registering run;
  const auto ann = run.person();
  REQUIRE(run.command(make_keys{1}));
  run.log->refuses = true;
  const auto refused = run.command(assign_key{.owner = ann});
  REQUIRE_FALSE(refused);
  CHECK(code_of(refused.error()) == errc::storage_full);
  CHECK(run.ask<registry_state>(run.subject, read_registry_state{})->keys[0] == 1);
  run.log->refuses = false;
  CHECK(run.command(assign_key{.owner = ann}));
}

TEST_CASE("The same command again has the same outcome, also after a restart, and is not done twice") {
  registering run;
  const auto ann = run.person();
  REQUIRE(run.command(make_keys{5}));
  const auto first = run.command(assign_key{.owner = ann, .label = "laptop"}, "claim-7");
  const auto again = run.command(assign_key{.owner = ann, .label = "laptop"}, "claim-7");
  REQUIRE(again);
  CHECK(again->replayed);
  CHECK(again->keys.at(0).id == first->keys.at(0).id);
  CHECK(again->shown == first->shown);
  CHECK(code_of(run.command(assign_key{.owner = ann, .label = "phone"}, "claim-7").error()) == errc::command_differs);
  auto other =
    spawn_key_registry(run.system(), false, {toy_rules(), secret{"s"}, [&run] { return run.now; }}, toy_vault(),
                       {std::make_shared<registry_image>(run.log->fold()), {}}, run.ledger, run.numbers);
  const auto later = run.ask<command_done>(
    other, registry_command{{"cli", "local", "claim-7"}, assign_key{.owner = ann, .label = "laptop"}});
  REQUIRE(later);
  CHECK(later->shown == first->shown);
  CHECK(run.ask<registry_state>(other, read_registry_state{})->keys[0] == 4);
  caf::anon_send_exit(other, caf::exit_reason::kill);
}

TEST_CASE("Keepers are told what should be at their node: all of it at first, then what changes") {
  registering run;
  const auto ann = run.person();
  REQUIRE(run.command(make_keys{3}));
  const auto before = run.command(assign_key{.owner = ann});
  auto orders = std::make_shared<std::vector<key_orders>>();
  auto keeper = run.spawn(order_book, orders);
  run.tell(run.subject, keeper_ready{"alpha", keeper});
  REQUIRE(orders->size() == 1);
  CHECK(orders->at(0).whole);
  CHECK(orders->at(0).sentinel == secret{"sentinel-of-nobody"});
  REQUIRE(orders->at(0).keys.size() == 1);
  CHECK(orders->at(0).keys[0].text == before->shown.at(0));
  const auto fresh = run.command(assign_key{.owner = ann});
  REQUIRE(orders->size() == 2);
  CHECK(orders->at(1).keys.at(0).id == fresh->keys.at(0).id);
  CHECK(orders->at(1).keys.at(0).should_work);
  run.command(assign_key{.owner = ann, .nodes = std::vector<node_name>{"beta"}});
  CHECK(orders->size() == 2); // nothing for this node
  run.command(revoke_key{fresh->keys.at(0).id});
  REQUIRE(orders->size() == 3);
  CHECK_FALSE(orders->at(2).keys.at(0).should_work);
  // Somebody puts it back: it is to be removed again.
  run.command(key_sighting{.node = "alpha", .strangers = {fresh->shown.at(0)}});
  REQUIRE(orders->size() == 4);
  CHECK(orders->at(3).keys.at(0).id == fresh->keys.at(0).id);
  CHECK_FALSE(orders->at(3).keys.at(0).should_work);
  // A key made elsewhere is no business of ours, also when all is said anew; the revoked one still is.
  run.command(key_sighting{.node = "alpha", .strangers = {secret{"made-by-hand-1"}}});
  CHECK(orders->size() == 4);
  run.tell(run.subject, keeper_ready{"alpha", keeper});
  REQUIRE(orders->size() == 5);
  CHECK(orders->at(4).whole);
  std::map<std::string, bool> should_work;
  for (const auto& one : orders->at(4).keys)
    should_work[one.text.reveal()] = one.should_work;
  CHECK(should_work
        == std::map<std::string, bool>{{before->shown.at(0).reveal(), true}, {fresh->shown.at(0).reveal(), false}});
}

TEST_CASE("What is told of a change goes to the log with its entry, and not when the disk refuses it") {
  registering run;
  const auto ann = run.person();
  REQUIRE(run.command(make_keys{1}));
  const auto key = run.command(assign_key{.owner = ann})->keys.at(0).id;
  REQUIRE(run.command(revoke_key{key}));
  run.log->refuses = true;
  CHECK_FALSE(run.command(set_user_state{ann, user_state::suspended}));
  std::vector<std::pair<event_kind, std::string>> told;
  for (const auto& event : run.log->events)
    told.emplace_back(event.kind, event.about);
  CHECK(told
        == std::vector<std::pair<event_kind, std::string>>{
          {event_kind::user_registered, ann}, {event_kind::key_assigned, key}, {event_kind::key_revoked, key}});
}

TEST_CASE("Time passes by itself: keys expire, the pool is filled, budgets suspend and come back") {
  auto rules = toy_rules();
  rules.pool_low_water = 2;
  rules.pool_size = 5;
  registering run{rules};
  run.advance(2s);
  CHECK(run.ask<registry_state>(run.subject, read_registry_state{})->keys[0] == 5);
  const auto ann = run.person();
  const auto key = run.command(assign_key{.owner = ann, .label = {}, .lifetime_s = 86'400})->keys.at(0).id;
  run.command(change_key{.key = key, .budgets = std::vector<budget>{{budget_unit::tokens, budget_window::hour, 100}}});
  run.recorded(key, 100);
  run.advance(50ms); // not at the next second: what is used until then is above the budget
  CHECK(run.shown(key).why_suspended == suspension::by_budget);
  run.now += 1h;
  run.advance(2s);
  CHECK(run.ask<client_key>(run.subject, find_key{key, {}})->state == key_state::live);
  run.now += 24h;
  run.advance(2s);
  CHECK(run.ask<client_key>(run.subject, find_key{key, {}})->state == key_state::expired);
}

TEST_CASE("A budget that comes later counts what was used before, wherever it comes from") {
  registering run;
  policy team;
  team.name = "team";
  REQUIRE(run.command(put_policy{team}));
  const auto ann = run.person({"team"});
  REQUIRE(run.command(make_keys{1}));
  const auto key = run.command(assign_key{.owner = ann})->keys.at(0).id;
  run.recorded(key, 100);
  run.advance(2s);
  REQUIRE(run.shown(key).state == key_state::live);
  const std::vector<budget> spent{{budget_unit::tokens, budget_window::day, 100}};
  SECTION("to the person") { REQUIRE(run.command(change_user{.id = ann, .budgets = spent})); }
  SECTION("to their policy") {
    team.user_budgets = spent;
    REQUIRE(run.command(put_policy{team}));
  }
  SECTION("with another group") {
    policy strict;
    strict.name = "strict";
    strict.group_budgets = spent;
    REQUIRE(run.command(put_policy{strict}));
    REQUIRE(run.command(change_user{.id = ann, .groups = std::vector<group_name>{"strict"}}));
  }
  run.advance(2s);
  CHECK(run.shown(key).why_suspended == suspension::by_budget);
}

TEST_CASE("What an adopted key used before counts for its owner") {
  registering run;
  const auto ann = run.person();
  REQUIRE(run.command(
    change_user{.id = ann, .budgets = std::vector<budget>{{budget_unit::tokens, budget_window::day, 100}}}));
  const auto found = run.command(key_sighting{.node = "alpha", .strangers = {secret{"made-by-hand-1"}}})->keys.at(0).id;
  run.recorded(found, 100);
  run.advance(2s);
  REQUIRE(run.command(adopt_key{found, ann}));
  run.advance(2s);
  CHECK(run.shown(found).why_suspended == suspension::by_budget);
}

TEST_CASE("What was used before a start counts after it") {
  const moment then{std::chrono::hours{24 * 365 * 50}};
  auto image = std::make_shared<registry_image>();
  client_key key;
  key.id = "k-of-before";
  key.state = key_state::live;
  key.budgets = {{budget_unit::tokens, budget_window::day, 100}};
  image->keys.push_back(key);
  registering run{toy_rules(), {image, {{key.id, then, 1, 60, 0}}}};
  const auto uses = run.ask<std::vector<budget_use>>(run.subject, read_budgets{key.id});
  REQUIRE(uses);
  REQUIRE(uses->size() == 1);
  CHECK(uses->at(0).used == 60);
  run.recorded(key.id, 40);
  run.advance(2s);
  CHECK(run.shown(key.id).why_suspended == suspension::by_budget);
}
