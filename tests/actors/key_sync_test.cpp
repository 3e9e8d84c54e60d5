// Keys at the stand-in of CPA over real sockets, with everything that goes wrong there.
#include <fstream>
#include <random>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "tests/support/eventually.hpp"
#include "tests/support/key_stand.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using keyportal::test::key_stand;
using texts = std::set<std::string>;

namespace {

cpa_sim::options of_version(const std::string& version) {
  cpa_sim::options o;
  o.version = version;
  o.secret = "s";
  o.keys = {"sk-elsewhere-1"};
  return o;
}

cpa::key_client client_of(key_stand& stand, std::size_t i) {
  return cpa::key_client{{.node = "test", .url = stand.node(i).cpa->url(), .management_key = secret{"s"}}};
}

/// Asks without a key, all the time: how often somebody was let in.
class keyless {
public:
  explicit keyless(key_stand& stand, std::size_t i = 0) : client_(client_of(stand, i)) {
    thread_ = std::thread([this] {
      while (!stop_) {
        const auto outcome = client_.trial(std::nullopt);
        if (outcome && *outcome == key_trial::let_in)
          ++let_in_;
        ++tries_;
        std::this_thread::sleep_for(2ms);
      }
    });
  }
  ~keyless() { end(); }
  void end() {
    stop_ = true;
    if (thread_.joinable())
      thread_.join();
  }
  int let_in() const { return let_in_; }
  int tries() const { return tries_; }

private:
  cpa::key_client client_;
  std::atomic<bool> stop_{false};
  std::atomic<int> let_in_{0}, tries_{0};
  std::thread thread_;
};

texts live(const key_stand& stand) {
  texts out{key_stand::sentinel};
  for (const auto& [id, works] : stand.wanted())
    if (works)
      out.insert(key_stand::text_of(id));
  return out;
}

texts listed(cpa::key_client& client) {
  texts out;
  if (const auto answer = client.keys())
    for (const auto& k : answer->keys)
      out.insert(k.reveal());
  return out;
}

} // namespace

TEST_CASE("Whatever goes wrong at CPA, its list ends as the sentinel, the live keys and those made elsewhere") {
  const std::string version = GENERATE("6.9.49", "7.2.140");
  const auto seed = test::make_seed();
  INFO("version " << version << " KEYPORTAL_SEED=" << seed);
  std::mt19937_64 random{seed};
  const auto pick = [&](std::uint64_t n) { return random() % n; };
  key_stand stand{1, of_version(version), 2s};
  auto& cpa = *stand.node(0).cpa;
  keyless anybody{stand};
  for (int step = 0; step < 40; ++step) {
    switch (pick(9)) {
      case 0: cpa.fault({"lost_write", "", static_cast<int>(1 + pick(2)), "/v0/management/api-keys"}); break;
      case 1: cpa.fault({"save_fails", "", static_cast<int>(1 + pick(3)), "/v0/management/api-keys"}); break;
      case 2: cpa.fault({"response_lost", "", 1, "/v0/management/api-keys"}); break;
      case 3: cpa.fault({"http_status", "502", 1, ""}); break;
      case 4:
        cpa.restart(std::chrono::milliseconds{pick(300)});
        caf::anon_send(stand.node(0).keeper, node_seen{});
        break;
      default: {
        std::vector<std::pair<key_id, bool>> some;
        for (auto left = pick(4) == 0 ? 1 + pick(20) : 1; left > 0; --left)
          some.emplace_back(fmt::format("k{}", pick(25)), pick(2) == 0);
        stand.order(some);
      }
    }
    std::this_thread::sleep_for(
      std::chrono::milliseconds{pick(200)}); // so that the course is a different one each time
  }
  cpa.clear_faults();
  caf::anon_send(stand.node(0).keeper, node_seen{});
  CHECK(stand.wait_for_all(60s));
  CHECK(test::eventually([&] { return stand.state(0).changing == 0; }));
  auto client = client_of(stand, 0);
  auto expected = live(stand);
  expected.insert("sk-elsewhere-1");
  CHECK(test::eventually([&] { return listed(client) == expected; }));
  for (const auto& [id, works] : stand.wanted()) {
    const auto outcome = client.trial(secret{key_stand::text_of(id)});
    REQUIRE(outcome);
    CHECK(*outcome == (works ? key_trial::let_in : key_trial::refused));
  }
  // All keys go, the last one too.
  std::vector<std::pair<key_id, bool>> all;
  for (const auto& [id, works] : stand.wanted())
    all.emplace_back(id, false);
  stand.order(all);
  CHECK(stand.wait_for_all());
  CHECK(test::eventually([&] { return listed(client) == texts{key_stand::sentinel, "sk-elsewhere-1"}; }));
  anybody.end();
  CHECK(anybody.let_in() == 0);
  CHECK(anybody.tries() > 100);
}

TEST_CASE("Five hundred keys to three nodes keep what was there, and all of them work") {
  key_stand stand{3, of_version(GENERATE("6.9.49", "7.2.140"))};
  std::vector<std::pair<key_id, bool>> keys;
  for (int i = 0; i < 500; ++i)
    keys.emplace_back(fmt::format("k{}", i), true);
  REQUIRE(stand.wait_for({})); // all keepers are there
  stand.order(keys);
  REQUIRE(stand.wait_for_all());
  auto expected = live(stand);
  expected.insert("sk-elsewhere-1");
  for (std::size_t i = 0; i < 3; ++i) {
    auto client = client_of(stand, i);
    CHECK(listed(client) == expected);
    for (const auto* id : {"k0", "k250", "k499"})
      CHECK(*client.trial(secret{key_stand::text_of(id)}) == key_trial::let_in);
  }
}

TEST_CASE("A config.yaml that CPA emptied is said to be empty, and brought back from what was kept") {
  key_stand stand{1, of_version(GENERATE("6.9.49", "7.2.140")), 1s};
  auto& cpa = *stand.node(0).cpa;
  stand.order({{"a", true}, {"b", true}});
  REQUIRE(stand.wait_for({"a", "b"}));
  const auto kept = [&] {
    caf::scoped_actor self{stand.system()};
    std::vector<config_info> out;
    self->request(stand.ledger(), 10s, list_configs{"n0"})
      .receive([&](std::vector<config_info>& c) { out = std::move(c); }, [](const caf::error& e) { FAIL(render(e)); });
    return out;
  };
  REQUIRE(test::eventually([&] { return kept().size() >= 2; })); // one from before, one with the sentinel
  keyless anybody{stand};
  REQUIRE(cpa.fault({"empty_config", "", 1, ""}));
  stand.order({{"b", false}});
  REQUIRE(test::eventually([&] { return stand.state(0).problem.find("config.yaml is empty") != std::string::npos; }));
  CHECK(stand.state(0).changing == 1);
  caf::scoped_actor self{stand.system()};
  std::string outcome;
  self->request(stand.node(0).keeper, 20s, restore_config{kept().front().number})
    .receive([&](const key_written&) { outcome = "restored"; }, [&](const caf::error& e) { outcome = render(e); });
  CHECK(outcome == "restored");
  CHECK(stand.wait_for({"a", "b"}));
  cpa.restart(); // from that file
  caf::anon_send(stand.node(0).keeper, node_seen{});
  REQUIRE_FALSE(cpa.ended());
  auto client = client_of(stand, 0);
  CHECK(listed(client) == texts{key_stand::sentinel, "sk-elsewhere-1", key_stand::text_of("a")});
  CHECK(*client.trial(secret{key_stand::text_of("b")}) == key_trial::refused);
  anybody.end();
  CHECK(anybody.let_in() == 0);
}

TEST_CASE("A node that was opened by hand is an alarm and closed at once") {
  key_stand stand{1, of_version(GENERATE("6.9.49", "7.2.140")), 200ms};
  stand.order({{"a", true}});
  REQUIRE(stand.wait_for({"a"}));
  std::string text;
  {
    std::ifstream in{stand.state_file(0)};
    for (std::string line; std::getline(in, line);)
      if (!line.starts_with("api-keys:") && !line.starts_with("  - \"sk-"))
        text += line + "\n";
  }
  std::ofstream{stand.state_file(0)} << text;
  REQUIRE(stand.wait_until([](auto& s) {
    int open = 0, closed = 0;
    for (const auto& e : s.events_)
      if (e.kind == event_kind::open_access)
        ++(e.data.find(R"("open":true)") != std::string::npos ? open : closed);
    return open == 1 && closed == 1;
  }));
  auto client = client_of(stand, 0);
  CHECK(*client.trial(std::nullopt) == key_trial::refused);
  CHECK(*client.trial(secret{key_stand::text_of("a")}) == key_trial::let_in);
  CHECK(*client.trial(secret{"sk-elsewhere-1"}) == key_trial::let_in);
  CHECK(stand.taken_.empty());
}

TEST_CASE("A key removed by hand stays away; one made by hand is found and left alone") {
  key_stand stand{1, of_version(GENERATE("6.9.49", "7.2.140")), 200ms};
  stand.order({{"a", true}, {"b", true}, {"c", true}});
  REQUIRE(stand.wait_for_all());
  auto client = client_of(stand, 0);
  const auto hand = [](const std::string& id) { return secret{key_stand::text_of(id)}; };
  std::this_thread::sleep_for(2100ms); // a person is not that quick: what goes missing sooner was lost by our own write
  REQUIRE(
    client.put({secret{key_stand::sentinel}, secret{"sk-elsewhere-1"}, hand("a"), hand("c"), secret{"sk-made-2"}}));
  REQUIRE(stand.wait_until([](auto& s) { return s.taken_.size() == 1 && s.strangers_["n0"].contains("sk-made-2"); }));
  CHECK(stand.taken_ == std::vector<key_id>{"b"});
  stand.order({{"d", true}, {"e", true}, {"f", true}, {"g", true}}); // a merged write
  REQUIRE(stand.wait_for({"d", "e", "f", "g"}));
  CHECK(*client.trial(hand("b")) == key_trial::refused);
  CHECK(*client.trial(secret{"sk-made-2"}) == key_trial::let_in);
}

TEST_CASE("The client of a node's keys speaks to both eras, and refuses what must not be written") {
  auto options = of_version(GENERATE("6.9.49", "7.2.140"));
  options.reload_run = 0ms; // no write is lost here
  key_stand stand{1, options};
  REQUIRE(stand.wait_until([](auto& s) { return !s.strangers_.empty(); })); // the keeper has looked, and is quiet now
  auto client = client_of(stand, 0);
  CHECK(listed(client) == texts{"sk-elsewhere-1"});
  REQUIRE(client.swap(secret{"sk-\"quoted\""}, secret{"sk-\"quoted\""}));
  CHECK(listed(client) == texts{"sk-elsewhere-1", "sk-\"quoted\""});
  REQUIRE(client.swap(secret{"sk-\"quoted\""}, secret{"sk-2"}));
  CHECK(test::eventually([&] { return *client.trial(secret{"sk-2"}) == key_trial::let_in; }));
  CHECK(*client.trial(secret{"sk-none"}) == key_trial::refused);
  CHECK(*client.trial(secret{"sk-\nnone"}) == key_trial::unclear);
  CHECK(*client.trial(std::nullopt) == key_trial::refused);

  CHECK(code_of(client.put({}).error()) == errc::config_unsafe);
  CHECK(code_of(client.put({secret{" "}}).error()) == errc::config_unsafe);
  CHECK(code_of(client.put({secret{"sk-1"}, secret{"your-api-key-1"}}).error()) == errc::config_unsafe);
  CHECK(code_of(client.swap(secret{"sk-2"}, secret{"your-api-key-2 "}).error()) == errc::config_unsafe);
  CHECK(code_of(client.swap(secret{"sk-2"}, secret{}).error()) == errc::config_unsafe);
  CHECK(code_of(client.put_config("").error()) == errc::config_unsafe);
  CHECK(code_of(client.put_config("port: 1\n").error()) == errc::config_unsafe);
  CHECK(listed(client) == texts{"sk-elsewhere-1", "sk-2"});

  auto& cpa = *stand.node(0).cpa;
  cpa.fault({"save_fails", "", 1, ""});
  const auto failed = client.swap(secret{"sk-3"}, secret{"sk-3"});
  REQUIRE_FALSE(failed);
  CHECK(code_of(failed.error()) == errc::node_failed);
  CHECK(about_of(failed.error()).find("failed to save config") != std::string::npos);
  CHECK(about_of(failed.error()).find("sk-3") == std::string::npos);
  for (const auto* name : {"garbage", "empty", "truncate_json"}) {
    cpa.fault({name, "", 1, "/v0/management/api-keys"});
    CHECK(code_of(client.keys().error()) == errc::node_answer_malformed);
  }
  cpa.fault({"gigantic", "64", 1, "/v0/management/api-keys"});
  CHECK(code_of(client.keys().error()) == errc::node_answer_too_large);
  cpa.fault({"ban", "", 1, "/v0/management/api-keys"});
  CHECK(code_of(client.keys().error()) == errc::node_banned);
  cpa.clear_faults();
  CHECK(client.keys());
  client.stop();
  CHECK(code_of(client.keys().error()) == errc::shutting_down);
}
