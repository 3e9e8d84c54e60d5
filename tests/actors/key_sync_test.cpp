// Keys at the stand-in of CPA over real sockets, with everything that goes wrong there.
#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

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

/// Answers every request with `{"status":"ok","api-keys":[]}` and keeps what it was sent, byte for byte.
class witness {
public:
  witness() {
    listen_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* any = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listen_, any, size) == 0);
    REQUIRE(::listen(listen_, 8) == 0);
    ::getsockname(listen_, any, &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~witness() {
    stop_ = true;
    thread_.join();
    ::close(listen_);
  }
  std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }
  std::vector<std::string> requests() {
    const std::lock_guard guard(lock_);
    return requests_;
  }
  int connections() const { return connections_; }
  bool connected() const { return connected_; }
  bool silent_one() const { return silent_; }

private:
  static bool readable(int fd) {
    pollfd p{fd, POLLIN, 0};
    return ::poll(&p, 1, 50) == 1;
  }
  void run() {
    while (!stop_) {
      if (!readable(listen_))
        continue;
      const int fd = ::accept(listen_, nullptr, nullptr);
      ++connections_;
      connected_ = true;
      converse(fd);
      ::close(fd);
      connected_ = false;
    }
  }
  void converse(int fd) {
    std::string got;
    bool any = false;
    while (!stop_) {
      if (!readable(fd)) {
        silent_ = silent_ || !any;
        continue;
      }
      char bytes[4096];
      const auto n = ::recv(fd, bytes, sizeof bytes, 0);
      if (n <= 0)
        return;
      any = true;
      got.append(bytes, static_cast<std::size_t>(n));
      const auto head = got.find("\r\n\r\n");
      if (head == std::string::npos)
        continue;
      std::size_t body = 0;
      if (const auto at = got.find("Content-Length: "); at < head)
        body = std::stoul(got.substr(at + 16));
      if (got.size() < head + 4 + body)
        continue;
      {
        const std::lock_guard guard(lock_);
        requests_.push_back(std::exchange(got, {}));
      }
      const std::string answer = R"({"status":"ok","api-keys":[]})";
      const auto text = fmt::format("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{}", answer.size(), answer);
      if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) < 0)
        return;
    }
  }

  int listen_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stop_{false}, connected_{false}, silent_{false};
  std::atomic<int> connections_{0};
  std::mutex lock_;
  std::vector<std::string> requests_;
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

TEST_CASE("Keys travel in bodies and headers only, over one connection that is closed when nothing is asked") {
  witness cpa;
  caf::actor_system_config config;
  caf::actor_system system{config};
  auto client = std::make_shared<cpa::key_client>(
    cpa::key_client_settings{.node = "n", .url = cpa.url() + "/", .management_key = secret{"sk-management-1"}});
  {
    auto upstream = spawn_key_upstream(system, client);
    caf::scoped_actor self{system};
    const auto ask = [&]<class Answer>(auto question, Answer*) {
      bool good = false;
      self->request(upstream, 10s, std::move(question))
        .receive([&](const Answer&) { good = true; }, [](const caf::error& e) { FAIL(render(e)); });
      return good;
    };
    CHECK(cpa.connections() == 0); // none is opened before there is something to say
    CHECK(ask(fetch_keys{}, static_cast<keys_answer*>(nullptr)));
    CHECK(ask(put_keys{{secret{"sk-1"}, secret{"sk-2"}}}, static_cast<key_written*>(nullptr)));
    CHECK(ask(swap_key{secret{"sk-1"}, secret{"sk-3"}}, static_cast<key_written*>(nullptr)));
    CHECK(ask(try_key{secret{"sk-3"}}, static_cast<key_trial*>(nullptr)));
    CHECK(ask(try_key{}, static_cast<key_trial*>(nullptr)));
    CHECK(ask(fetch_config{}, static_cast<std::shared_ptr<const std::string>*>(nullptr)));
    caf::anon_send_exit(upstream, caf::exit_reason::user_shutdown);
    const auto requests = cpa.requests();
    REQUIRE(requests.size() == 6);
    CHECK(cpa.connections() == 1);
    CHECK_FALSE(cpa.silent_one());
    const auto line = [&](std::size_t i) { return requests[i].substr(0, requests[i].find("\r\n")); };
    const auto body = [&](std::size_t i) { return requests[i].substr(requests[i].find("\r\n\r\n") + 4); };
    CHECK(line(0) == "GET /v0/management/api-keys HTTP/1.1");
    CHECK(line(1) == "PUT /v0/management/api-keys HTTP/1.1");
    CHECK(body(1) == R"(["sk-1","sk-2"])");
    CHECK(line(2) == "PATCH /v0/management/api-keys HTTP/1.1");
    CHECK(body(2) == R"({"old":"sk-1","new":"sk-3"})");
    CHECK(line(3) == "GET /v1/models HTTP/1.1");
    CHECK(requests[3].find("Authorization: Bearer sk-3\r\n") != std::string::npos);
    CHECK(requests[3].find("sk-management") == std::string::npos);
    CHECK(line(4) == "GET /v1/models HTTP/1.1");
    CHECK(requests[4].find("Authorization") == std::string::npos);
    CHECK(line(5) == "GET /v0/management/config.yaml HTTP/1.1");
    for (const auto& r : requests)
      CHECK(r.find("X-Forwarded-For") == std::string::npos);
  }
  auto upstream = spawn_key_upstream(system, client);
  caf::scoped_actor self{system};
  self->request(upstream, 10s, try_key{}).receive([](const key_trial&) {}, [](const caf::error&) {});
  REQUIRE(cpa.connected());
  CHECK(test::eventually([&] { return !cpa.connected(); })); // after five quiet seconds
  caf::anon_send_exit(upstream, caf::exit_reason::user_shutdown);
}
