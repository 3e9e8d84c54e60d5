// One node without `/usage` on the deterministic scheduler: a queue behind a fake upstream and a fake tap, the real
// poller, detector, collector, keeper and ledger (with a real database), and time that stands still until it is moved.
#include <deque>
#include <map>
#include <set>

#include <caf/all.hpp>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/collector/collector.hpp"
#include "actors/ledger/ledger.hpp"
#include "actors/poller/poller.hpp"
#include "actors/restart_detector/restart_detector.hpp"
#include "actors/snapshot_keeper/snapshot_keeper.hpp"
#include "tests/support/fixture.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"
#include "tests/unit/storage/faulty_files.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

struct queue_node;

/// The tap's place, worked by the test's own thread.
class fake_tap final : public tap {
public:
  fake_tap(queue_node* node, callbacks told) : node_(node), told_(std::move(told)) {}
  ~fake_tap() override;
  void begin(queue_mode mode) override;
  void end() override;
  void taken(std::size_t bytes) override;

  void deliver(inbox_channel channel, const std::vector<std::string>& payloads) {
    auto batch = std::make_shared<payload_batch>();
    for (const auto& p : payloads)
      batch->add(p);
    handed_.emplace_back(batch->bytes.size(), batch->size());
    told_.payloads(payloads_came{channel, std::move(batch)});
  }
  void lose(errc why) {
    running = queue_mode::off;
    told_.changed(tap_changed{mode_, false, make_error(why, "n")});
  }

  queue_mode running = queue_mode::off;
  [[nodiscard]] bool all_taken() const { return handed_.empty(); }

private:
  std::deque<std::pair<std::size_t, std::size_t>> handed_; ///< bytes and payloads of what is not taken yet
  queue_node* node_;
  callbacks told_;
  queue_mode mode_ = queue_mode::off;
};

/// A CPA process with a queue, and what goes wrong with it.
struct queue_node {
  std::deque<std::string> queue;
  std::set<std::string> oracle; ///< ids of everything anybody could have received
  std::map<std::string, std::pair<int, int>> counters{{"00ff00ff00ff00ff", {0, 0}}, {"11ff11ff11ff11ff", {0, 0}}};
  std::string version = "7.2.140";
  bool resp = true, pushes = true, http = true, away = false, anew = false;
  bool management_away = false; ///< over HTTP; its queue goes on
  bool statistics = true;
  std::int64_t retention = 3600;
  int settings_mended = 0, pops = 0, lost_pops = 0;
  std::size_t kept = 0; ///< payloads of which the tap heard that they are safe
  fake_tap* tapped = nullptr;
  std::uint64_t made = 0;

  std::string payload(const std::string& account, bool failed) {
    ++made;
    return fmt::format(
      R"({{"timestamp":"2026-11-23T10:00:00.{:09}+08:00","latency_ms":5,"source":"a@example.com","auth_index":"{}",)"
      R"("tokens":{{"input_tokens":10,"output_tokens":5,"reasoning_tokens":1,"cached_tokens":2,"total_tokens":15}},)"
      R"("failed":{},"provider":"codex","model":"gpt-5.4","alias":"fast","endpoint":"POST /v1/responses",)"
      R"("auth_type":"oauth","api_key":"sk-alice-000001","request_id":"{:08x}","surprise":{{"of":"later versions"}}}})",
      made, account, failed, made);
  }
  /// `seen`: whether it gets into the queue or to the subscriber at all.
  void record(std::size_t n, bool seen = true, const std::string& account = "00ff00ff00ff00ff") {
    std::vector<std::string> pushed;
    for (std::size_t i = 0; i < n; ++i) {
      const bool failed = made % 5 == 4;
      auto text = payload(account, failed);
      (failed ? counters[account].second : counters[account].first) += 1;
      if (!seen)
        continue;
      if (tapped && tapped->running == queue_mode::subscribe)
        pushed.push_back(std::move(text));
      else
        queue.push_back(std::move(text));
    }
    if (!pushed.empty())
      tapped->deliver(inbox_channel::subscribe, pushed);
  }
  void restart() {
    queue.clear();
    for (auto& [name, c] : counters)
      c = {0, 0};
    anew = true;
    if (tapped && tapped->running != queue_mode::off)
      tapped->lose(errc::node_unreachable);
  }
  std::vector<std::string> take(std::size_t count) {
    std::vector<std::string> out;
    while (out.size() < count && !queue.empty()) {
      out.push_back(std::move(queue.front()));
      queue.pop_front();
    }
    return out;
  }
};

fake_tap::~fake_tap() { node_->tapped = nullptr; }
void fake_tap::begin(queue_mode mode) {
  node_->tapped = this;
  mode_ = mode;
  const auto refuse = [&](errc why) { told_.changed(tap_changed{mode, false, make_error(why, "n")}); };
  if (node_->away)
    return refuse(errc::node_unreachable);
  if (!node_->resp)
    return refuse(errc::node_without_resp);
  if (mode == queue_mode::subscribe && !node_->pushes)
    return refuse(errc::node_without_subscribe);
  running = mode;
  told_.changed(tap_changed{mode, true, {}});
  if (const auto backlog = node_->take(1'000'000); !backlog.empty())
    deliver(inbox_channel::resp_pop, backlog);
}
void fake_tap::taken(std::size_t bytes) {
  while (bytes > 0 && !handed_.empty()) {
    REQUIRE(bytes >= handed_.front().first);
    bytes -= handed_.front().first;
    node_->kept += handed_.front().second;
    handed_.pop_front();
  }
  REQUIRE(bytes == 0);
}
void fake_tap::end() {
  if (running == queue_mode::off)
    return;
  running = queue_mode::off;
  told_.changed(tap_changed{mode_, false, make_error(errc::shutting_down, "n")});
}

struct upstream_memory {
  upstream_memory() = default;
  static inline const char* name = "fake-upstream";
};

upstream_actor::behavior_type fake_upstream(upstream_actor::stateful_pointer<upstream_memory>, queue_node* node) {
  return {
    [node](const fetch_usage&) -> caf::result<usage_answer> {
      return make_error(node->away || node->management_away ? errc::node_unreachable : errc::node_without_usage, "n");
    },
    [](const import_usage&) -> caf::result<import_answer> { return make_error(errc::node_without_usage, "n"); },
    [node](const find_era&) -> caf::result<era_answer> {
      if (node->away || node->management_away)
        return make_error(errc::node_unreachable, "n");
      return era_answer{false, node->http, node->version, node->statistics, node->retention};
    },
    [node](const fetch_accounts&) -> caf::result<accounts_answer> {
      if (node->away || node->management_away)
        return make_error(errc::node_unreachable, "n");
      json files = json::array();
      for (const auto& [index, c] : node->counters)
        files.push_back({{"name", index + ".json"}, {"auth_index", index}, {"success", c.first}, {"failed", c.second}});
      return accounts_answer{std::make_shared<const std::string>(json{{"files", files}}.dump()),
                             std::make_shared<const std::string>("{}"), node->version, 3};
    },
    [node](const pop_queue& m) -> caf::result<queue_answer> {
      ++node->pops;
      if (node->away || node->management_away)
        return make_error(errc::node_unreachable, "n");
      std::string body = "[";
      for (const auto& one : node->take(m.count))
        body += (body.size() > 1 ? "," : "") + one;
      if (node->lost_pops > 0 && body.size() > 1) {
        --node->lost_pops;
        return make_error(errc::node_answer_truncated, "n");
      }
      return queue_answer{std::make_shared<const std::string>(body + "]")};
    },
    [node](const mend_settings& m) -> caf::result<settings_mended> {
      ++node->settings_mended;
      node->statistics |= m.enable_statistics;
      node->retention = std::max(node->retention, m.retention_s);
      return settings_mended{};
    },
    [node](const probe&) -> caf::result<probe_answer> {
      if (node->away || node->management_away)
        return make_error(errc::node_unreachable, "n");
      return probe_answer{std::exchange(node->anew, false)};
    },
  };
}

struct feed_memory {
  feed_memory() = default;
  static inline const char* name = "fake-feed";
};

struct bench {
  test::temporary_folder folder;
  storage::test::faulty_files files;
  std::shared_ptr<storage::ledger> store;
  queue_node node;
  metrics numbers;
  std::vector<node_condition> conditions;
  std::vector<node_event> events;
  moment wall{1'790'000'000s};
  std::unique_ptr<test::fixture> actors;
  ledger_actor ledger;
  snapshot_keeper_actor keeper;
  collector_actor collector;
  poller_actor poller;
  bool mend = false;
  bool refuse_received = false; ///< the disk, of the collector
  bool refuse_collections = false;

  explicit bench(bool mend_settings = false) : mend(mend_settings) {}
  ~bench() { stop(); }

  void start() {
    auto opened = storage::ledger::open({.folder = folder.path(), .env = files.env()});
    REQUIRE(opened);
    store = std::move(*opened);
    actors = std::make_unique<test::fixture>();
    auto& system = actors->system();
    const auto now = [this] { return wall; };
    ledger = spawn_ledger(system, false, store, now, numbers);
    auto feed = actors->spawn([this](feed_actor::stateful_pointer<feed_memory>) -> feed_actor::behavior_type {
      return {[this](const committed& m) { events.insert(events.end(), m.events->begin(), m.events->end()); },
              [this](const node_condition& m) { conditions.push_back(m); },
              [](const restart_noticed&) {},
              [](const snapshot_made&) {},
              [](const read_overview&) -> caf::result<overview> { return overview{}; },
              [](const read_greeting&) -> caf::result<std::shared_ptr<const std::string>> {
                return std::shared_ptr<const std::string>{};
              }};
    });
    actors->tell(ledger, add_listener{feed});
    auto up = actors->spawn(fake_upstream, &node);
    auto detector = actors->spawn(restart_detector);
    keeper = spawn_snapshot_keeper(system, false, {.node = "n", .restore_enabled = true, .retries = 3, .now = now},
                                   {up, ledger, feed}, store, numbers);
    collector =
      spawn_collector(system, false, {.node = "n", .now = now},
                      {up, sometimes_full(),
                       [this](tap::callbacks told) { return std::make_unique<fake_tap>(&node, std::move(told)); }},
                      numbers);
    poller = spawn_poller(system, false,
                          {.node = "n",
                           .url = "http://n",
                           .poll = {3s, 500ms, 10},
                           .audit_interval = 10s,
                           .mend_settings = mend,
                           .now = now},
                          {up, detector, ledger, keeper, feed, collector}, numbers);
    actors->tell(keeper, meet_poller{poller});
    actors->tell(collector, meet_poller{poller});
    actors->settle();
  }
  /// The ledger as the collector sees it.
  ledger_actor sometimes_full() {
    const auto whole = ledger;
    auto relay = actors->spawn([this, whole](caf::event_based_actor* self) -> caf::behavior {
      const auto pass_on = [self, whole](const auto& m, bool refuse) -> caf::result<committed> {
        if (refuse)
          return make_error(errc::storage_full, "n");
        return self->delegate(whole, m);
      };
      return {[=, this](const received& m) { return pass_on(m, refuse_received); },
              [=, this](const collection& m) { return pass_on(m, refuse_collections); },
              [=](const read_inbox& m) { return self->delegate(whole, m); },
              [=](const recall_audit& m) { return self->delegate(whole, m); },
              [=](const list_dead_letters& m) { return self->delegate(whole, m); }};
    });
    return caf::actor_cast<ledger_actor>(relay);
  }
  /// As when the power goes: nobody is asked to finish anything, and only what was synced is there afterwards.
  void stop() {
    if (!actors)
      return;
    for (auto handle :
         {caf::actor_cast<caf::strong_actor_ptr>(poller), caf::actor_cast<caf::strong_actor_ptr>(collector),
          caf::actor_cast<caf::strong_actor_ptr>(keeper), caf::actor_cast<caf::strong_actor_ptr>(ledger)})
      caf::anon_send_exit(handle, caf::exit_reason::kill);
    poller = nullptr;
    collector = nullptr;
    keeper = nullptr;
    ledger = nullptr;
    actors.reset();
    store.reset();
    files.cut_power();
  }
  void pass(std::chrono::milliseconds span) {
    for (std::chrono::milliseconds done{0}; done < span; done += 50ms) {
      wall += 50ms;
      actors->advance(caf::timespan{50ms});
    }
  }
  std::uint64_t records() const { return store->state().records; }
  std::vector<restart_record> restarts() const { return *store->restarts("n", 100); }
  std::vector<incomplete_record> incompletes() const { return *store->incompletes("n", 100); }
  std::size_t told(event_kind kind) const {
    return static_cast<std::size_t>(
      std::count_if(events.begin(), events.end(), [&](const auto& e) { return e.kind == kind; }));
  }
  queue_state queue() { return *actors->ask<queue_state>(collector, read_queue_state{}); }
};

} // namespace

TEST_CASE("What waited in the queue and what is pushed is in the ledger, once, and nothing is missing") {
  bench b;
  b.node.record(40);
  b.start();
  b.pass(1s);
  CHECK(b.queue().mode == queue_mode::subscribe);
  b.node.record(25);
  b.pass(30s);
  CHECK(b.records() == 65);
  CHECK(b.store->state().inbox == 0);
  CHECK(b.incompletes().empty());
  CHECK(b.restarts().empty());
  CHECK(b.conditions.back().collecting == "subscribe");
  CHECK(b.conditions.back().state == node_condition::light::up);
  CHECK_FALSE(b.store->verify());
}

TEST_CASE("Where the node does not push, its queue is popped over RESP; where it has no RESP, over HTTP") {
  bench b;
  b.node.pushes = false;
  b.start();
  b.pass(2s);
  CHECK(b.queue().mode == queue_mode::resp_pop);

  bench c;
  c.node.resp = false;
  c.node.record(10);
  c.start();
  c.pass(2s);
  CHECK(c.queue().mode == queue_mode::http_pop);
  CHECK(c.records() == 10);
  c.node.record(10);
  c.pass(2s);
  CHECK(c.records() == 20);
}

TEST_CASE("A better way is taken as soon as it is there again") {
  bench b;
  b.node.resp = false;
  b.start();
  b.pass(5s);
  CHECK(b.queue().mode == queue_mode::http_pop);
  b.node.resp = true;
  b.pass(70s);
  CHECK(b.queue().mode == queue_mode::subscribe);
  b.node.record(7);
  b.pass(1s);
  CHECK(b.records() == 7);
}

TEST_CASE("A node that drops our connection is subscribed to again, and what it kept meanwhile is taken") {
  bench b;
  b.start();
  b.pass(2s);
  b.node.record(10);
  b.pass(1s);
  b.node.tapped->lose(errc::node_unreachable);
  b.node.record(15);
  b.pass(30s);
  CHECK(b.records() == 25);
  CHECK(b.restarts().empty());
  CHECK(b.incompletes().empty());
}

TEST_CASE("A restart is noticed by counters that fell, and told with a gap; nothing is restored into the node") {
  bench b;
  b.start();
  b.node.record(100);
  b.pass(12s);
  b.node.restart();
  b.node.record(3);
  b.pass(3s);
  REQUIRE(b.restarts().size() == 1);
  CHECK(b.restarts()[0].state == restore_state::impossible);
  CHECK(b.restarts()[0].before.requests == 100);
  CHECK(b.told(event_kind::restarted) == 1);
  CHECK(b.told(event_kind::gap) == 1);
  b.node.record(20);
  b.pass(40s);
  CHECK(b.records() == 123);
  CHECK(b.restarts().size() == 1);
  CHECK(b.incompletes().empty());
}

TEST_CASE("An account taken away and added again is no restart") {
  bench b;
  b.start();
  b.node.record(50);
  b.node.record(10, true, "11ff11ff11ff11ff");
  b.pass(25s);
  b.node.counters["11ff11ff11ff11ff"] = {0, 0};
  b.pass(40s);
  CHECK(b.restarts().empty());
  CHECK(b.incompletes().empty());
  b.node.record(5, true, "11ff11ff11ff11ff");
  b.pass(40s);
  CHECK(b.incompletes().empty());
  CHECK(b.records() == 65);
}

TEST_CASE("Records that were counted and never came are told exactly, with account and time, and once") {
  bench b;
  b.start();
  b.node.record(20);
  b.pass(25s);
  const auto before = b.wall;
  b.node.record(7, false);
  b.node.record(4, true);
  b.pass(45s);
  REQUIRE(b.incompletes().size() == 1);
  const auto found = b.incompletes()[0];
  CHECK(found.missing_ok + found.missing_failed == 7);
  CHECK(found.credential == "00ff00ff00ff00ff");
  CHECK(found.from <= before);
  CHECK(found.to > before);
  CHECK_FALSE(found.closed_at);
  CHECK(b.conditions.back().missing == 7);
  CHECK(b.told(event_kind::incomplete) == 1);
  b.pass(60s);
  CHECK(b.told(event_kind::incomplete) == 1);
  b.node.record(2, false);
  b.pass(45s);
  REQUIRE(b.incompletes().size() == 1);
  CHECK(b.incompletes()[0].missing_ok + b.incompletes()[0].missing_failed == 9);
  CHECK(b.told(event_kind::incomplete) == 2);
}

TEST_CASE("What was missing and came late closes its own incomplete event") {
  bench b;
  b.start();
  b.node.record(20);
  b.pass(25s);
  // Held back by the node for longer than anything is under way.
  std::vector<std::string> late;
  for (int i = 0; i < 5; ++i) {
    const bool failed = b.node.made % 5 == 4;
    late.push_back(b.node.payload("00ff00ff00ff00ff", failed));
    (failed ? b.node.counters["00ff00ff00ff00ff"].second : b.node.counters["00ff00ff00ff00ff"].first) += 1;
  }
  b.pass(45s);
  REQUIRE(b.incompletes().size() == 1);
  b.node.tapped->deliver(inbox_channel::subscribe, late);
  b.pass(45s);
  REQUIRE(b.incompletes().size() == 1);
  CHECK(b.incompletes()[0].closed_at);
  CHECK(b.conditions.back().missing == 0);
  CHECK(b.told(event_kind::incomplete) == 2);
}

TEST_CASE("A collector that takes records away from ours is named within a minute") {
  bench b;
  b.node.resp = false;
  b.start();
  b.pass(15s);
  for (int i = 0; i < 40; ++i) {
    b.node.record(2);
    b.node.take(1); // the other one
    b.pass(1s);
  }
  b.pass(20s);
  CHECK(b.conditions.back().problem.find("another collector") != std::string::npos);
  REQUIRE(!b.incompletes().empty());
  const auto missing = b.incompletes()[0].missing_ok + b.incompletes()[0].missing_failed;
  CHECK(missing == b.node.made - b.records());
}

TEST_CASE("A subscriber that gets all that our pops should get is named within a minute") {
  bench b;
  b.node.resp = false;
  b.start();
  b.pass(15s);
  for (int i = 0; i < 45; ++i) {
    b.node.record(2, false);
    b.pass(1s);
  }
  CHECK(b.conditions.back().problem.find("another collector") != std::string::npos);
  b.pass(15s);
  CHECK(b.records() == 0);
  CHECK(b.conditions.back().missing == 90);
}

TEST_CASE("An answer that was lost after the pop is told exactly") {
  bench b;
  b.node.resp = false;
  b.start();
  b.pass(15s);
  b.node.lost_pops = 1;
  b.node.record(13);
  b.pass(60s);
  REQUIRE(b.incompletes().size() == 1);
  CHECK(b.incompletes()[0].missing_ok + b.incompletes()[0].missing_failed == 13);
}

TEST_CASE("Our own end, however sudden, loses nothing of what was received") {
  auto random = test::make_seed();
  bench b;
  b.start();
  b.pass(1s);
  for (int round = 0; round < 6; ++round) {
    b.node.record(30 + random % 50);
    b.actors->advance(caf::timespan{std::chrono::microseconds{random % 3000}}); // perhaps not yet decoded
    b.stop();
    b.node.record(random % 20); // while we are away
    b.start();
    b.pass(2s);
  }
  b.pass(40s);
  CHECK(b.records() == b.node.made);
  CHECK(b.incompletes().empty());
  CHECK(b.restarts().empty());
  CHECK_FALSE(b.store->verify());
}

TEST_CASE("However much waits in the inbox at our end, all of it is decoded after the next start") {
  bench b;
  b.start();
  b.pass(1s);
  b.refuse_collections = true;
  for (int i = 0; i < 50; ++i) {
    b.node.record(1);
    b.pass(50ms);
  }
  REQUIRE(b.store->state().inbox == 50);
  b.stop();
  b.refuse_collections = false;
  b.start();
  b.pass(2s);
  CHECK(b.records() == 50);
  CHECK(b.store->state().inbox == 0);
}

TEST_CASE("What the tap was told to be safe is in the ledger, at whatever moment the power goes") {
  auto random = test::make_seed();
  bench b;
  b.start();
  b.pass(1s);
  for (int round = 0; round < 40; ++round) {
    b.node.record(1 + random % 40);
    if (random % 2 == 0)
      b.actors->run(random % 30);
    b.node.record(1 + random % 40);
    b.actors->run(random % 60);
    b.stop();
    b.start();
    b.pass(1s);
    REQUIRE(b.records() >= b.node.kept);
    REQUIRE(b.store->state().inbox == 0);
  }
  CHECK(b.node.kept > 0);
  b.pass(45s);
  std::uint64_t missing = 0;
  for (const auto& one : b.incompletes())
    missing += one.closed_at ? 0 : one.missing_ok + one.missing_failed;
  CHECK(b.records() + missing == b.node.made);
  CHECK_FALSE(b.store->verify());
}

TEST_CASE("What the disk refuses waits, first to be kept and then to be entered, and is not said to be safe before") {
  bench b;
  b.start();
  b.pass(1s);
  b.refuse_received = true;
  b.node.record(30);
  b.pass(2s);
  CHECK(b.node.kept == 0);
  CHECK(b.store->state().inbox == 0);
  b.refuse_received = false;
  b.refuse_collections = true;
  b.pass(2s);
  CHECK(b.node.kept == 30);
  CHECK(b.node.tapped->all_taken());
  CHECK(b.records() == 0);
  b.refuse_collections = false;
  b.pass(2s);
  CHECK(b.records() == 30);
  CHECK(b.store->state().inbox == 0);
}

TEST_CASE("What a new process gave before it was looked at is not taken for its predecessor's") {
  bench b;
  b.start();
  b.node.record(100);
  b.pass(25s);
  b.node.management_away = true;
  b.node.restart();
  b.pass(1s);
  b.node.record(30); // pushed, while nobody can count them
  b.pass(2s);
  b.node.management_away = false;
  b.pass(45s);
  CHECK(b.restarts().size() == 1);
  CHECK(b.records() == 130);
  CHECK(b.incompletes().empty());
}

TEST_CASE("Stopping is answered when all that came is decoded and on disk") {
  bench b;
  b.start();
  b.pass(1s);
  for (int i = 0; i < 5; ++i)
    b.node.record(100); // not run yet
  std::optional<std::uint64_t> held_at_answer;
  auto asker = b.actors->spawn([&](caf::event_based_actor* self) {
    self->request(b.collector, caf::infinite, drain{}).then([&](const drained&) { held_at_answer = b.records(); });
  });
  b.actors->settle();
  REQUIRE(held_at_answer);
  CHECK(*held_at_answer == 500);
}

TEST_CASE("A dead letter that is understood after all becomes its record, once") {
  bench b;
  b.start();
  b.pass(1s);
  dead_letter letter; // as a version left it that did not understand it
  letter.node = "n";
  letter.at = b.wall;
  letter.reason = "no record";
  letter.payload = secret{b.node.payload("00ff00ff00ff00ff", false)};
  collection old;
  old.node = "n";
  old.seen_at = b.wall;
  old.from_poll = false;
  old.groups = std::make_shared<const std::vector<record_group>>();
  old.dead = {letter, letter};
  old.dead.back().payload = secret{"not json"};
  REQUIRE(b.actors->ask<committed>(b.ledger, old));
  for (const std::uint64_t understood : {1, 0}) {
    const auto report = b.actors->ask<replay_report>(b.collector, replay_letters{});
    REQUIRE(report);
    CHECK(report->replayed == understood);
    CHECK(report->added == understood);
    CHECK(report->still_dead == 1);
    CHECK(b.records() == 1);
    CHECK(b.store->state().dead_letters == 1);
  }
}

TEST_CASE("A restart of the node while we were away is noticed, and what it lost is within the gap") {
  bench b;
  b.start();
  b.node.record(60);
  b.pass(25s);
  b.stop();
  b.node.record(9); // gone with the process
  b.node.restart();
  b.node.record(11);
  b.start();
  b.pass(45s);
  CHECK(b.restarts().size() == 1);
  CHECK(b.records() == 71);
  CHECK(b.incompletes().empty());
}

TEST_CASE("What cannot be decoded is kept with its reason and can be replayed") {
  bench b;
  b.start();
  b.pass(1s);
  b.node.tapped->deliver(inbox_channel::subscribe,
                         {R"({"timestamp":"no time","model":"m"})", "not json", R"({"refresh":true})"});
  b.node.record(3);
  b.pass(1s);
  CHECK(b.records() == 3);
  CHECK(b.store->state().dead_letters == 2);
  CHECK(b.store->state().inbox == 0);
  const auto report = b.actors->ask<replay_report>(b.collector, replay_letters{});
  REQUIRE(report);
  CHECK(report->replayed == 0);
  CHECK(report->still_dead == 2);
  CHECK(b.store->state().dead_letters == 2);
}

TEST_CASE(
  "Settings that keep a node from recording are said with the line to write, and changed where that is wanted") {
  bench b;
  b.node.statistics = false;
  b.start();
  b.pass(12s);
  CHECK(b.conditions.back().problem.find("usage-statistics-enabled: true") != std::string::npos);
  CHECK(b.node.settings_mended == 0);

  bench c{true};
  c.node.statistics = false;
  c.node.retention = 60;
  c.start();
  c.pass(12s);
  CHECK(c.node.settings_mended == 1);
  CHECK(c.node.statistics);
  CHECK(c.node.retention == 3600);
  CHECK(c.conditions.back().problem.empty());
}
