// One node's whole flow on the deterministic scheduler: the stand-in's statistics behind a fake upstream, the real
// poller, detector, keeper, ledger (with a real database) and feed, and time that stands still until it is moved.
#include <algorithm>
#include <set>

#include <caf/all.hpp>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "actors/feed/feed.hpp"
#include "actors/ledger/ledger.hpp"
#include "actors/poller/poller.hpp"
#include "actors/restart_detector/restart_detector.hpp"
#include "actors/snapshot_keeper/snapshot_keeper.hpp"
#include "tests/cpa_sim/usage_store.hpp"
#include "tests/support/fixture.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// A CPA process as the upstream actor sees it, and what goes wrong with it.
struct fake_node {
  cpa_sim::usage_store usage;
  std::vector<cpa_sim::record> oracle; ///< everything ever recorded, over all processes
  std::int64_t clock = 1'790'000'000;
  bool away = false;
  bool anew = false;           ///< the next connection is a new one
  int foreign_answers = 0;     ///< so many polls get a proxy's empty page
  int lost_import_answers = 0; ///< so many imports work and are not answered
  int refusals = 0;            ///< so many management calls are told that the key is wrong
  int usage_calls = 0, import_calls = 0, probes = 0;

  void record(std::size_t n, const std::string& key = "sk-alice-000001") {
    for (std::size_t i = 0; i < n; ++i) {
      cpa_sim::detail d;
      d.timestamp = {++clock, static_cast<std::int32_t>(i), 28'800};
      d.latency_ms = 7;
      d.source = "a@example.com";
      d.auth_index = "00ff00ff00ff00ff";
      d.tokens = {10, 5, 1, 2, 15};
      d.failed = clock % 5 == 0;
      usage.record(key, "model-" + std::to_string(clock % 3), d, {clock, 0, 0});
      oracle.push_back({key, "model-" + std::to_string(clock % 3), d});
    }
  }
  void restart() {
    usage = cpa_sim::usage_store{};
    anew = true;
  }
};

struct upstream_memory {
  upstream_memory() = default;
  static inline const char* name = "fake-upstream";
};

upstream_actor::behavior_type fake_upstream(upstream_actor::stateful_pointer<upstream_memory>, fake_node* node) {
  return {
    [node](const fetch_usage&) -> caf::result<usage_answer> {
      ++node->usage_calls;
      if (node->away)
        return make_error(errc::node_unreachable, "n");
      if (node->refusals > 0) {
        --node->refusals;
        return make_error(errc::node_wrong_key, "n");
      }
      auto body = std::make_shared<std::string>(node->foreign_answers > 0 ? cpa_sim::usage_store{}.usage_json()
                                                                          : node->usage.usage_json());
      node->foreign_answers = std::max(0, node->foreign_answers - 1);
      body->reserve(body->size() + 64);
      return usage_answer{body, "6.9.49", 3};
    },
    [node](const import_usage& m) -> caf::result<import_answer> {
      ++node->import_calls;
      if (node->away)
        return make_error(errc::node_unreachable, "n");
      std::int64_t version = 0;
      cpa_sim::snapshot in;
      if (!cpa_sim::read_import(*m.body, version, in))
        return make_error(errc::node_import_refused, "n");
      const auto merged = node->usage.merge(in, {0, 0, 0});
      if (node->lost_import_answers > 0) {
        --node->lost_import_answers;
        return make_error(errc::node_unreachable, "n");
      }
      return import_answer{
        merged.added, merged.skipped, {node->usage.totals().requests, 0, node->usage.totals().failed, 0}};
    },
    [](const find_era&) -> caf::result<era_answer> { return make_error(errc::node_without_usage, "n"); },
    [](const fetch_accounts&) -> caf::result<accounts_answer> { return make_error(errc::node_without_usage, "n"); },
    [](const pop_queue&) -> caf::result<queue_answer> { return make_error(errc::node_without_usage, "n"); },
    [](const mend_settings&) -> caf::result<settings_mended> { return make_error(errc::node_without_usage, "n"); },
    [node](const probe&) -> caf::result<probe_answer> {
      ++node->probes;
      if (node->away)
        return make_error(errc::node_unreachable, "n");
      return probe_answer{std::exchange(node->anew, false)};
    },
  };
}

struct frame_listener : live_listener {
  explicit frame_listener(std::vector<json>& to) : frames(&to) {}
  void give(const live_frame_ptr& frame) override { frames->push_back(json::parse(frame->text)); }
  void ask_for_room() override {}
  void beat() override {}
  std::optional<live_person> look_again() override { return std::nullopt; }
  void end(live_end_reason) override {}
  std::vector<json>* frames;
};

struct bench {
  test::temporary_folder folder;
  std::shared_ptr<storage::ledger> store;
  fake_node node;
  metrics numbers;
  std::vector<json> frames;
  moment wall{1'790'000'000s};
  std::unique_ptr<test::fixture> actors;
  ledger_actor ledger;
  feed_actor feed_;
  snapshot_keeper_actor keeper;
  poller_actor poller;
  std::size_t piece_records = 20'000;
  bool boot_marker = false;

  bench() { start(); }
  ~bench() { stop(); }

  void start() {
    auto opened = storage::ledger::open({.folder = folder.path()});
    REQUIRE(opened);
    store = std::move(*opened);
    actors = std::make_unique<test::fixture>();
    auto& system = actors->system();
    const auto now = [this] { return wall; };
    ledger = spawn_ledger(system, false, store, now, numbers);
    std::vector<node_overview> nodes(1);
    nodes[0].condition.node = "n";
    auto it = std::make_shared<board>(
      nodes, [](moment t) { return std::chrono::floor<std::chrono::days>(t); },
      [](const node_name&, moment) { return totals{}; }, wall);
    const auto feed =
      spawn_feed(system,
                 {.now_board = it,
                  .now = now,
                  .midnight = [](moment t) { return std::chrono::floor<std::chrono::days>(t); },
                  .position = store->state().last,
                  .stored = [this](sequence after, std::uint32_t limit) -> caf::expected<stored_events> {
                    auto page = store->events(after, limit);
                    if (!page)
                      return page.error();
                    return stored_events{std::move(page->events), page->horizon, page->last};
                  }},
                 {});
    feed_ = feed;
    live_person person;
    person.may = {live_topic::all, live_topic::nodes};
    actors->tell(feed, live_join{std::make_shared<frame_listener>(frames), person, {}, false, {}});
    actors->tell(ledger, add_listener{feed_});
    auto up = actors->spawn(fake_upstream, &node);
    auto detector = actors->spawn(restart_detector);
    keeper = spawn_snapshot_keeper(system, false,
                                   {.node = "n",
                                    .snapshot_interval = 5min,
                                    .restore_enabled = true,
                                    .piece_records = piece_records,
                                    .retries = 3,
                                    .now = now},
                                   {up, ledger, feed_}, store, numbers);
    poller = spawn_poller(
      system, false, {.node = "n", .url = "http://n", .poll = {3s, 500ms, 10}, .boot_marker = boot_marker, .now = now},
      {up, detector, ledger, keeper, feed_, {}}, numbers);
    actors->tell(keeper, meet_poller{poller});
    actors->settle();
  }
  /// As after a crash: nobody is asked to finish anything.
  void stop() {
    for (auto handle : {caf::actor_cast<caf::strong_actor_ptr>(poller), caf::actor_cast<caf::strong_actor_ptr>(keeper),
                        caf::actor_cast<caf::strong_actor_ptr>(feed_), caf::actor_cast<caf::strong_actor_ptr>(ledger)})
      caf::anon_send_exit(handle, caf::exit_reason::kill);
    poller = nullptr;
    keeper = nullptr;
    ledger = nullptr;
    feed_ = nullptr;
    actors.reset();
    store.reset();
  }
  void pass(std::chrono::milliseconds span) {
    for (std::chrono::milliseconds done{0}; done < span; done += 50ms) {
      wall += 50ms;
      actors->advance(caf::timespan{50ms});
    }
  }
  std::uint64_t records() const { return store->state().records; }
  std::vector<restart_record> restarts() const { return *store->restarts("n", 100); }
  std::size_t events(const std::string& kind) const {
    return static_cast<std::size_t>(std::count_if(
      frames.begin(), frames.end(), [&](const json& f) { return f["type"] == "event" && f["kind"] == kind; }));
  }
  /// Ledger = oracle, node = ledger, and the ledger agrees with itself.
  void all_is_one(std::size_t lost = 0) {
    CHECK(records() == node.oracle.size() - lost);
    CHECK(node.usage.details_held() == records());
    CHECK_FALSE(store->verify());
  }
};

} // namespace

TEST_CASE("What a node records is in the ledger after the next poll, once, and is told at once") {
  bench b;
  b.node.record(100);
  b.pass(3500ms);
  CHECK(b.records() == 100);
  b.node.record(10);
  b.pass(7s);
  b.all_is_one();
  CHECK(b.restarts().empty());
  const auto updates =
    std::count_if(b.frames.begin(), b.frames.end(), [](const json& f) { return f["type"] == "usage_update"; });
  CHECK(updates == 2);
  CHECK(b.frames.back()["type"] == "node");
}

TEST_CASE("A restart is noticed, told once and put right") {
  bench b;
  b.node.record(500);
  b.pass(4s);
  b.node.away = true;
  b.pass(1500ms);
  b.node.restart();
  b.node.away = false;
  b.pass(500ms);
  REQUIRE(b.restarts().size() == 1);
  CHECK(b.restarts()[0].state == restore_state::complete);
  CHECK(b.restarts()[0].records_imported == 500);
  CHECK(b.restarts()[0].before.requests == 500);
  CHECK(b.restarts()[0].restored.requests == 500);
  CHECK(b.events("restarted") == 1);
  CHECK(b.events("gap") == 1);
  CHECK(b.events("restored") == 1);
  CHECK(b.store->snapshots("n")->size() == 1);
  b.pass(30s);
  CHECK(b.restarts().size() == 1);
  b.all_is_one();
}

TEST_CASE("A restart between two probes that leaves more traffic than before is seen all the same") {
  bench b;
  b.node.record(20);
  b.pass(4s);
  b.node.restart();
  b.node.record(300);
  b.pass(4s);
  REQUIRE(b.restarts().size() == 1);
  b.pass(4s);
  b.all_is_one();
  CHECK(b.node.usage.details_held() == 320);
}

TEST_CASE("Records made between the restart and the restore are kept and added to") {
  bench b;
  b.node.record(50);
  b.pass(4s);
  b.node.restart();
  b.node.record(3);
  b.pass(4s);
  b.node.record(2);
  b.pass(4s);
  b.all_is_one();
}

TEST_CASE("Neither an import, nor a foreign answer, nor a slow while is taken for a restart") {
  bench b;
  b.node.record(50);
  b.pass(4s);
  SECTION("an import with negative tokens") {
    cpa_sim::detail d;
    d.timestamp = {1'700'000'000, 0, 0};
    d.tokens = {-100'000, 0, 0, 0, -100'000};
    cpa_sim::snapshot in;
    in["sk-alice-000001"]["model-0"] = {d};
    b.node.usage.merge(in, {0, 0, 0});
    b.pass(10s);
    CHECK(b.records() == 51);
  }
  SECTION("one empty page of a proxy") {
    b.node.foreign_answers = 1;
    b.pass(10s);
    b.all_is_one();
  }
  SECTION("an absence without a restart") {
    b.node.away = true;
    b.pass(20s);
    b.node.away = false;
    b.node.anew = true;
    b.pass(4s);
    CHECK(b.events("down") == 1);
    CHECK(b.events("up") >= 1);
    b.all_is_one();
  }
  CHECK(b.restarts().empty());
  CHECK(b.node.import_calls == 0);
}

TEST_CASE("A restart of the node while we were down is noticed when we come back") {
  bench b;
  b.node.record(80);
  b.pass(4s);
  b.stop();
  b.node.restart();
  b.node.record(200);
  b.start();
  b.pass(4s);
  REQUIRE(b.restarts().size() == 1);
  b.all_is_one();
}

TEST_CASE("Our own restart alone brings nothing twice and tells of no restart") {
  bench b;
  b.node.record(80);
  b.pass(4s);
  const auto position = b.store->state().last;
  b.stop();
  b.start();
  b.pass(10s);
  CHECK(b.restarts().empty());
  b.all_is_one();
  CHECK(b.store->state().last <= position + 1); // the event that the node is up
}

TEST_CASE("With a boot marker the restart of a node without a single record is seen too, without one it is not") {
  bench b;
  b.stop();
  b.boot_marker = true;
  b.start();
  b.pass(7s);
  CHECK(b.node.import_calls == 1);
  CHECK(b.node.usage.usage_json().find("keyportal-boot-") != std::string::npos);
  b.node.restart();
  b.pass(7s);
  REQUIRE(b.restarts().size() == 1);
  CHECK(b.restarts()[0].evidence.at(0) == "the boot marker is gone");
  b.pass(30s);
  CHECK(b.node.import_calls == 2);
  CHECK(b.restarts().size() == 1);
  b.stop();
  b.start(); // the marker is remembered
  b.pass(10s);
  CHECK(b.node.import_calls == 2);
  b.node.record(5);
  b.pass(4s);
  b.all_is_one();
}

TEST_CASE("A restore that we did not live to finish is finished after our next start") {
  bench b;
  b.node.record(80);
  b.pass(4s);
  b.node.restart();
  b.node.anew = false;
  b.node.lost_import_answers = 1'000'000; // imports seem to fail until we are gone
  b.pass(2s);
  b.pass(3s);
  b.stop();
  b.node.restart(); // and the node is empty again: another restart
  b.node.lost_import_answers = 0;
  b.start();
  b.pass(15s);
  b.all_is_one();
  for (const auto& r : b.restarts())
    CHECK(r.state == restore_state::complete);
}

TEST_CASE("An import whose answer is lost is not done twice") {
  bench b;
  b.node.record(80);
  b.pass(4s);
  b.node.lost_import_answers = 1;
  b.node.restart();
  b.pass(10s);
  CHECK(b.node.import_calls == 1);
  b.all_is_one();
}

TEST_CASE("A second restart in the middle of a restore begins the comparison anew") {
  bench b;
  b.stop();
  b.piece_records = 10;
  b.start();
  b.node.record(200);
  b.pass(4s);
  b.node.restart();
  b.pass(3s);
  b.node.restart();
  b.pass(15s);
  CHECK(b.restarts().size() == 2);
  b.all_is_one();
}

TEST_CASE("A wrong key is shown to the node once and not again") {
  bench b;
  const auto before = b.node.usage_calls;
  b.node.refusals = 1'000'000;
  for (int i = 0; i < 60; ++i)
    b.pass(1min);
  CHECK(b.node.usage_calls == before + 1);
  const auto seen = b.actors->ask<overview>(b.feed_, read_overview{});
  REQUIRE(seen);
  CHECK(seen->nodes[0].condition.state == node_condition::light::refused);
  CHECK(seen->nodes[0].condition.problem.find("management key") != std::string::npos);
}

TEST_CASE("A file is taken into the ledger once, and the node gets what it lacks") {
  bench b;
  b.node.record(5);
  b.pass(4s);
  cpa_sim::usage_store old;
  for (int i = 0; i < 7; ++i) {
    cpa_sim::detail d;
    d.timestamp = {1'600'000'000 + i, 0, 28'800};
    d.tokens = {1, 1, 0, 0, 2};
    old.record("sk-old", "m", d, {0, 0, 0});
  }
  const auto file = std::make_shared<const std::string>(old.export_json({0, 0, 0}));
  auto report = b.actors->ask<import_report>(b.keeper, import_file{file});
  REQUIRE(report);
  CHECK(report->records == 7);
  CHECK(report->added == 7);
  b.pass(1s);
  CHECK(b.node.usage.details_held() == 12);
  report = b.actors->ask<import_report>(b.keeper, import_file{file});
  REQUIRE(report);
  CHECK(report->added == 0);
  b.pass(4s);
  CHECK(b.records() == 12);
  CHECK(b.restarts().empty());
}

TEST_CASE("Snapshots are made at their interval when something is new, and read back as CPA's export") {
  bench b;
  b.node.record(9);
  b.pass(4s);
  b.pass(5min);
  REQUIRE(b.store->snapshots("n")->size() == 1);
  b.pass(10min);
  CHECK(b.store->snapshots("n")->size() == 1);
  b.node.record(1);
  b.pass(6min);
  CHECK(b.store->snapshots("n")->size() == 2);
  const auto file = b.actors->ask<export_file>(b.keeper, export_snapshot{b.store->snapshots("n")->front().id});
  REQUIRE(file);
  cpa_sim::snapshot in;
  std::int64_t version = 0;
  REQUIRE(cpa_sim::read_import(*file->json, version, in));
  cpa_sim::usage_store fresh;
  CHECK(fresh.merge(in, {0, 0, 0}).added == 10);
  const auto missing = b.actors->ask<export_file>(b.keeper, export_snapshot{4711});
  REQUIRE_FALSE(missing);
  CHECK(code_of(missing.error()) == errc::snapshot_unknown);
}

TEST_CASE("Random histories of traffic, restarts, absences and crashes of ours end with everything in place") {
  std::mt19937_64 random{test::make_seed()};
  bench b;
  std::size_t lost = 0;
  for (int round = 0; round < 40; ++round) {
    b.node.record(random() % 30, "sk-" + std::to_string(random() % 3));
    switch (random() % 6) {
      case 0: { // a kill: what was recorded since the last poll may be gone
        const auto before = b.records();
        const auto held = b.node.oracle.size() - lost;
        lost += held - before;
        b.node.restart();
        break;
      }
      case 1:
        b.node.away = true;
        b.pass(std::chrono::milliseconds{random() % 4000});
        b.node.away = false;
        break;
      case 2:
        b.stop();
        b.start();
        break;
      case 3: b.node.foreign_answers = 1; break;
      case 4: b.node.lost_import_answers = 1; break;
      default: break;
    }
    b.pass(std::chrono::milliseconds{random() % 5000});
  }
  b.node.foreign_answers = b.node.lost_import_answers = 0;
  b.pass(30s);
  CHECK(b.node.usage.details_held() == b.records());
  CHECK(b.records() >= b.node.oracle.size() - lost);
  CHECK(b.records() <= b.node.oracle.size());
  CHECK_FALSE(b.store->verify());
}
