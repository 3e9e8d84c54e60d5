// The key keeper on the deterministic scheduler: a fake node that answers at once, a registry that only listens, the real
// ledger with a real database, and time that stands still until it is moved.
#include <caf/all.hpp>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/config_text.hpp"
#include "actors/key_keeper/key_keeper.hpp"
#include "actors/ledger/ledger.hpp"
#include "tests/cpa_sim/api_keys.hpp"
#include "tests/support/fixture.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using nlohmann::json;
using strings = std::vector<std::string>;

namespace {
/// The fake node answers the writes that it held back.
struct release {};
} // namespace
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(release)

namespace {

const std::string sentinel = "sk-sentinel-0123456789";
std::string text_of(const key_id& id) { return "sk-portal-" + id + "-0001"; }
key_orders::one one(const key_id& id, bool works, bool seen = false) { return {id, secret{text_of(id)}, works, seen}; }
std::string config_with(const strings& keys) {
  std::string out = "remote-management:\n  secret-key: \"$2a$10$x\"\napi-keys:\n";
  for (const auto& k : keys)
    out += "  - " + k + "\n";
  return out;
}

/// The node's key list; what it enforces follows 150 ms after a write.
struct fake_node {
  cpa_sim::api_keys keys{{"sk-elsewhere"}, 150ms, 10ms};
  std::string config = config_with({"sk-elsewhere"});
  errc refuses = errc::none;
  bool hold_writes = false;
  std::vector<caf::typed_response_promise<key_written>> held;
  std::size_t writes = 0, configs_put = 0;
};

struct nothing {
  nothing() = default;
  static inline const char* name = "fake";
};

using fake_upstream_actor = key_upstream_actor::extend<caf::reacts_to<release>>;
fake_upstream_actor::behavior_type fake_upstream(fake_upstream_actor::stateful_pointer<nothing> self, fake_node* node) {
  const auto now = [self] { return self->clock().now(); };
  const auto write = [self, node, now](strings list) -> caf::result<key_written> {
    if (node->refuses != errc::none)
      return make_error(node->refuses, "n");
    ++node->writes;
    node->keys.advance(now());
    node->keys.show(std::move(list));
    node->keys.save(now());
    node->config = config_with(node->keys.shown());
    if (!node->hold_writes)
      return key_written{};
    node->held.push_back(self->make_response_promise<key_written>());
    return node->held.back();
  };
  return {
    [node, now](const fetch_keys&) -> caf::result<keys_answer> {
      if (node->refuses != errc::none)
        return make_error(node->refuses, "n");
      node->keys.advance(now());
      keys_answer out;
      for (const auto& k : node->keys.shown())
        out.keys.emplace_back(k);
      return out;
    },
    [write](const put_keys& m) {
      strings list;
      for (const auto& k : m.keys)
        list.push_back(k.reveal());
      return write(std::move(list));
    },
    [write, node, now](const swap_key& m) {
      node->keys.advance(now());
      auto list = node->keys.shown();
      const auto at = std::find(list.begin(), list.end(), m.from.reveal());
      if (at == list.end())
        list.push_back(m.to.reveal());
      else
        *at = m.to.reveal();
      return write(std::move(list));
    },
    [node, now](const try_key& m) -> caf::result<key_trial> {
      node->keys.advance(now());
      if (node->keys.open() || (m.key && node->keys.match({m.key->reveal()})))
        return key_trial::let_in;
      return key_trial::refused;
    },
    [node](const fetch_config&) -> caf::result<std::shared_ptr<const std::string>> {
      if (node->refuses != errc::none)
        return make_error(node->refuses, "n");
      return std::make_shared<const std::string>(node->config);
    },
    [node, now](const put_config& m) -> caf::result<key_written> {
      ++node->configs_put;
      node->config = *m.text;
      node->keys.show(cpa::read_config_text(*m.text)->api_keys);
      node->keys.save(now());
      return key_written{};
    },
    [node](const release&) {
      for (auto& promise : std::exchange(node->held, {}))
        promise.deliver(key_written{});
    },
  };
}

struct bench {
  test::temporary_folder folder;
  std::shared_ptr<storage::ledger> store;
  fake_node node;
  metrics numbers;
  moment wall{1'790'000'000s};
  // what the registry heard
  std::size_t announced = 0;
  std::vector<key_sighting> sightings;
  std::size_t refuse_sightings = 0;
  bool refuse_events = false; ///< the disk
  std::vector<node_event> events;
  std::unique_ptr<test::fixture> actors;
  ledger_actor ledger;
  fake_upstream_actor upstream;
  key_keeper_actor keeper;

  bench() {
    auto opened = storage::ledger::open({.folder = folder.path()});
    REQUIRE(opened);
    store = std::move(*opened);
    actors = std::make_unique<test::fixture>();
    const auto now = [this] { return wall; };
    ledger = spawn_ledger(actors->system(), false, store, now, numbers);
    auto listener = actors->spawn([this](listener_actor::stateful_pointer<nothing>) -> listener_actor::behavior_type {
      return {[this](const committed& m) { events.insert(events.end(), m.events->begin(), m.events->end()); }};
    });
    actors->tell(ledger, add_listener{listener});
    auto registry =
      actors->spawn([this](key_registry_actor::stateful_pointer<nothing>) -> key_registry_actor::behavior_type {
        return {
          [this](const registry_command& m) -> caf::result<command_done> {
            if (refuse_sightings > 0) {
              --refuse_sightings;
              return make_error(errc::registry_conflict);
            }
            CHECK(m.by.who == "system");
            sightings.push_back(std::get<key_sighting>(m.what));
            return command_done{};
          },
          [](const find_key&) -> caf::result<client_key> { return client_key{}; },
          [](const list_keys&) -> caf::result<key_page> { return key_page{}; },
          [](const find_user&) -> caf::result<user> { return user{}; },
          [](const list_users&) -> caf::result<user_page> { return user_page{}; },
          [](const list_policies&) -> caf::result<std::vector<policy>> { return std::vector<policy>{}; },
          [](const list_prices&) -> caf::result<price_page> { return price_page{}; },
          [](const read_budgets&) -> caf::result<std::vector<budget_use>> { return std::vector<budget_use>{}; },
          [](const read_registry_state&) -> caf::result<registry_state> { return registry_state{}; },
          [this](const keeper_ready& m) {
            CHECK(m.node == "n");
            ++announced;
          },
          [](const committed&) {},
          [](const drain&) -> caf::result<drained> { return drained{}; },
        };
      });
    upstream = actors->spawn(fake_upstream, &node);
    keeper = spawn_key_keeper(actors->system(), false, {.node = "n", .reconcile_interval = 60s, .now = now},
                              {upstream, sometimes_full(), registry}, numbers);
    actors->settle();
  }
  /// The ledger as the key keeper sees it.
  ledger_actor sometimes_full() {
    auto relay = actors->spawn([this, whole = ledger](caf::event_based_actor* self) -> caf::behavior {
      return {[=, this](const journal_entry& m) -> caf::result<committed> {
                if (refuse_events)
                  return make_error(errc::storage_full, "n");
                return self->delegate(whole, m);
              },
              [=](const keep_config& m) { return self->delegate(whole, m); },
              [=](const read_config& m) { return self->delegate(whole, m); }};
    });
    return caf::actor_cast<ledger_actor>(relay);
  }
  ~bench() {
    caf::anon_send_exit(keeper, caf::exit_reason::kill);
    caf::anon_send_exit(ledger, caf::exit_reason::kill);
    keeper = nullptr;
    upstream = nullptr;
    ledger = nullptr;
    actors->settle();
    actors.reset();
  }

  void order(std::vector<key_orders::one> keys, bool whole = false) {
    actors->tell(keeper, key_orders{whole, secret{whole ? sentinel : ""}, std::move(keys)});
  }
  void pass(std::chrono::milliseconds span) {
    wall += span;
    actors->advance(span);
  }
  void edit(strings list) {
    node.keys.show(std::move(list));
    node.keys.save(actors->system().clock().now());
    node.config = config_with(node.keys.shown());
  }
  node_keys state() {
    auto out = actors->ask<node_keys>(keeper, read_node_keys{});
    REQUIRE(out);
    return *out;
  }
  std::vector<json> told(event_kind kind) {
    std::vector<json> out;
    for (const auto& e : events)
      if (e.kind == kind)
        out.push_back(json::parse(e.data));
    return out;
  }
  std::size_t kept() {
    auto out = actors->ask<std::vector<config_info>>(ledger, list_configs{"n"});
    REQUIRE(out);
    return out->size();
  }
};

} // namespace

TEST_CASE("A key keeper announces itself until it is told what should be at its node") {
  bench b;
  CHECK(b.announced == 1);
  b.pass(35s);
  CHECK(b.announced == 4);
  b.order({}, true);
  b.pass(1min);
  CHECK(b.announced == 4);
  CHECK(b.node.writes == 0);
}

TEST_CASE("What works and what works no more is told to the registry once it was seen") {
  bench b;
  b.order({one("a", true)}, true);
  REQUIRE(b.sightings.size() == 1); // what was found there
  CHECK(b.sightings[0].strangers == std::vector<secret>{secret{"sk-elsewhere"}});
  CHECK(b.sightings[0].keys.empty());
  CHECK(b.state().changing == 1);
  b.pass(1s);
  REQUIRE(b.sightings.size() == 2);
  REQUIRE(b.sightings[1].keys.size() == 1);
  CHECK(b.sightings[1].keys[0].key == "a");
  CHECK(b.sightings[1].keys[0].works);
  b.order({one("a", false, true)});
  CHECK(b.sightings.size() == 2);
  b.pass(1s);
  REQUIRE(b.sightings.size() == 3);
  CHECK_FALSE(b.sightings[2].keys[0].works);
  const auto s = b.state();
  CHECK(s.wanted == 0);
  CHECK(s.changing == 0);
  CHECK(s.external == 1);
  CHECK(s.in_step_at == b.wall);
}

TEST_CASE("Five hundred keys are one message to the registry") {
  bench b;
  std::vector<key_orders::one> keys;
  for (int i = 0; i < 500; ++i)
    keys.push_back(one(fmt::format("k{}", i), true));
  b.order(keys, true);
  b.pass(1s);
  REQUIRE(b.sightings.size() == 2);
  CHECK(b.sightings[1].keys.size() == 500);
  CHECK(b.node.writes == 1);
  CHECK(b.state().problem.empty());
}

TEST_CASE("A registry that refuses is told again") {
  bench b;
  b.refuse_sightings = 3;
  b.order({one("a", true)}, true);
  b.pass(10s);
  REQUIRE(b.sightings.size() == 1);
  CHECK(b.sightings[0].keys.size() == 1);
  CHECK(b.sightings[0].strangers.size() == 1);
}

TEST_CASE("config.yaml is kept before the first write and when it has changed, never an empty one") {
  bench b;
  b.order({one("a", true)}, true);
  b.pass(1s);
  REQUIRE(b.kept() == 1);
  auto first = b.actors->ask<std::shared_ptr<const std::string>>(b.ledger, read_config{"n", 1});
  REQUIRE(first);
  CHECK(**first == config_with({"sk-elsewhere"})); // as it was before we wrote
  b.pass(1h);
  CHECK(b.kept() == 2);
  b.node.config = "";
  b.pass(1h);
  CHECK(b.kept() == 2);
  CHECK(b.state().problem.find("config.yaml is empty") != std::string::npos);
  REQUIRE(b.told(event_kind::drift).size() == 1);
  CHECK(b.told(event_kind::drift)[0]["drift"] == true);
}

TEST_CASE("An earlier config.yaml is brought back with the keys of now, and only when it is safe") {
  bench b;
  const auto restore = [&b](std::uint64_t number) {
    return b.actors->ask<key_written>(b.keeper, restore_config{number});
  };
  CHECK(code_of(restore(1).error()) == errc::timed_out); // nobody knows yet what it must hold
  b.node.config = "# by hand\n" + b.node.config;
  b.order({one("a", true), one("b", true)}, true);
  b.pass(1s);
  REQUIRE(b.kept() == 1);
  CHECK(code_of(restore(9).error()) == errc::config_unknown);
  for (const auto* bad : {"api-keys:\n  - sk-elsewhere\n", "{}\n"}) { // without a way in for us; not understood
    REQUIRE(b.actors->ask<config_info>(b.ledger, keep_config{"n", b.wall, std::make_shared<const std::string>(bad)}));
    CHECK(code_of(restore(b.kept()).error()) == errc::config_unsafe);
  }
  CHECK(b.node.configs_put == 0);
  b.order({one("c", true), one("b", false, true)});
  b.pass(1s);
  b.node.config = "";
  REQUIRE(restore(1));
  CHECK(b.node.configs_put == 1);
  CHECK(b.node.config.starts_with("# by hand\n"));
  CHECK(b.node.config.find(sentinel) != std::string::npos);
  CHECK(b.node.config.find("sk-elsewhere") != std::string::npos);
  CHECK(b.node.config.find(text_of("c")) != std::string::npos);
  CHECK(b.node.config.find(text_of("b")) == std::string::npos);
  const auto writes = b.node.writes;
  b.pass(5s);
  CHECK(b.node.writes == writes);
  CHECK(b.node.keys.match({text_of("c")}));
  CHECK(b.state().problem.empty());
  // What is there when another one takes its place may be wanted back too.
  b.node.config = "# by another hand\n" + b.node.config;
  const auto by_another = b.node.config;
  REQUIRE(restore(1));
  const auto newest = b.actors->ask<std::shared_ptr<const std::string>>(b.ledger, read_config{"n", b.kept()});
  REQUIRE(newest);
  CHECK(**newest == by_another);
}

TEST_CASE("A node that lets in anybody is told as an event, and again when it is closed") {
  bench b;
  b.order({one("a", true)}, true);
  b.pass(5s);
  CHECK(b.told(event_kind::open_access).empty());
  b.edit({});
  b.pass(300ms);
  b.actors->tell(b.keeper, node_seen{});
  CHECK(b.state().open);
  b.pass(1s);
  CHECK_FALSE(b.state().open);
  const auto told = b.told(event_kind::open_access);
  REQUIRE(told.size() == 2);
  CHECK(told[0]["open"] == true);
  CHECK(told[0]["node"] == "n");
  CHECK(told[0].contains("at"));
  CHECK(told[1]["open"] == false);
  const auto drift = b.told(event_kind::drift);
  REQUIRE(drift.size() == 2);
  CHECK(drift[0]["drift"] == true);
  CHECK(drift[1]["drift"] == false);
}

TEST_CASE("An event that the disk refuses is told when it takes again, in its order") {
  bench b;
  b.order({one("a", true)}, true);
  b.pass(5s);
  b.refuse_events = true;
  b.edit({});
  b.pass(300ms);
  b.actors->tell(b.keeper, node_seen{});
  b.pass(5s);
  CHECK_FALSE(b.state().open);
  CHECK(b.events.empty());
  b.refuse_events = false;
  b.pass(5s);
  const auto told = b.told(event_kind::open_access);
  REQUIRE(told.size() == 2);
  CHECK(told[0]["open"] == true);
  CHECK(told[1]["open"] == false);
}

TEST_CASE("A key that somebody removed is told to the registry and to everybody") {
  bench b;
  b.order({one("a", true), one("b", true)}, true);
  b.pass(5s);
  b.edit({sentinel, "sk-elsewhere", text_of("a")});
  b.pass(2min);
  REQUIRE(b.sightings.size() == 3);
  CHECK(b.sightings[2].taken_away == std::vector<key_id>{"b"});
  CHECK(b.told(event_kind::drift).size() == 1);
  CHECK(b.state().taken_away == 1);
  b.order({one("b", false)}); // the registry suspends it
  b.pass(1s);
  CHECK(b.told(event_kind::drift).size() == 2);
  CHECK(b.state().taken_away == 0);
}

TEST_CASE("A draining key keeper waits for its write and makes no other") {
  bench b;
  b.order({one("a", true)}, true);
  b.pass(5s);
  b.node.hold_writes = true;
  b.order({one("b", true)});
  b.order({one("c", true)});
  REQUIRE(b.node.held.size() == 1);
  caf::scoped_actor self{b.actors->system()};
  auto answer = self->request(b.keeper, 10s, drain{});
  b.actors->settle();
  CHECK(self->mailbox().empty());
  b.actors->tell(b.upstream, release{});
  CHECK_FALSE(self->mailbox().empty());
  answer.receive([](const drained&) {}, [](const caf::error& e) { FAIL(render(e)); });
  const auto writes = b.node.writes;
  b.pass(10min);
  CHECK(b.node.writes == writes);
}

TEST_CASE("A wrong management key is said, and the node not asked again") {
  bench b;
  b.node.refuses = errc::node_wrong_key;
  b.order({one("a", true)}, true);
  b.pass(1h);
  CHECK(b.state().problem.find("management key") != std::string::npos);
  b.node.refuses = errc::none;
  b.actors->tell(b.keeper, node_seen{});
  b.pass(2min);
  CHECK(b.state().problem.empty());
  CHECK(b.node.keys.match({text_of("a")}));
}

TEST_CASE("The node's keys are metrics, without any key") {
  bench b;
  b.order({one("a", true), one("b", true)}, true);
  b.pass(5s);
  b.edit({sentinel, "sk-elsewhere", text_of("a")});
  b.pass(2min);
  const auto text = b.numbers.text();
  const auto has = [&](const std::string& line) { return text.find(line) != std::string::npos; };
  CHECK(has("keyportal_node_keys{kind=\"wanted\",node=\"n\"} 2"));
  CHECK(has("keyportal_node_keys{kind=\"external\",node=\"n\"} 1"));
  CHECK(has("keyportal_node_keys{kind=\"taken_away\",node=\"n\"} 1"));
  CHECK(has("keyportal_node_open{node=\"n\"} 0"));
  CHECK(has("keyportal_node_keys_drift{node=\"n\"} 1"));
  CHECK(has("keyportal_key_change_seconds_count{change=\"works\",node=\"n\"} 2"));
  CHECK_FALSE(has("sk-"));
}
