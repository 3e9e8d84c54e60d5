// What every sink promises, held against the JetStream sink with a real nats-server and against the recording sink
// that stands for it in other tests.
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <thread>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/nats/child_server.hpp"
#include "actors/nats/event_reader.hpp"
#include "actors/nats/nats_sink.hpp"
#include "actors/publisher/publisher.hpp"
#include "tests/contract/recording_sink.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/seed.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

/// Hears what a sink says.
struct hearing {
  std::mutex mutex;
  std::map<sequence, int> stored, failed;
  bool connected = false;
  std::string problem;

  sink::callbacks callbacks() {
    return {[this](const delivery_outcome& outcome) {
              std::lock_guard lock(mutex);
              for (auto seq : outcome.stored)
                ++stored[seq];
              for (auto seq : outcome.failed)
                ++failed[seq];
            },
            [this](const link_changed& link) {
              std::lock_guard lock(mutex);
              connected = link.connected;
              problem = link.problem;
            }};
  }
  bool is_connected() {
    std::lock_guard lock(mutex);
    return connected;
  }
  std::size_t answers() {
    std::lock_guard lock(mutex);
    return stored.size() + failed.size();
  }
};

sink::message make_message(sequence seq, std::string id, std::string subject = "keyportal.v1.node.alpha.up") {
  return {seq, std::move(subject), id, {{"ce-id", id}, {"Nats-Msg-Id", id}}, "{}"};
}

struct recording_world {
  recording_stream stream;
  std::unique_ptr<sink> make(sink::callbacks told) { return std::make_unique<recording_sink>(stream, std::move(told)); }
};

struct nats_world {
  nats_world() {
    auto started = nats::child_server::start({.folder = folder.path() / "nats"});
    REQUIRE(started);
    server = std::move(*started);
  }
  std::unique_ptr<sink> make(sink::callbacks told) {
    nats::sink_settings settings;
    settings.server.url = server->url();
    return std::make_unique<nats::nats_sink>(settings, std::move(told));
  }
  /// Everything in both streams, as a subscriber without a password reads it.
  std::vector<nats::tail_event> read_all(std::size_t count) {
    nats::tail_settings tail;
    tail.server.url = secret(server->reader_url());
    tail.from = "all";
    std::vector<nats::tail_event> events;
    std::atomic<std::size_t> seen = 0;
    std::atomic<bool> stop = false;
    std::thread guard; // ends the reading when less than `count` comes
    auto error = nats::tail_events(
      tail,
      [&](const nats::tail_event& event) {
        events.push_back(event);
        return ++seen < count;
      },
      &stop,
      [&] {
        guard = std::thread([&] {
          std::size_t before = 0;
          for (int quiet = 0; quiet < 20 && !stop; ++quiet) {
            std::this_thread::sleep_for(100ms); // of silence, not for something to happen
            if (seen != before)
              quiet = 0;
            before = seen;
          }
          stop = true;
        });
      });
    stop = true;
    if (guard.joinable())
      guard.join();
    REQUIRE_FALSE(error);
    return events;
  }
  test::temporary_folder folder;
  std::unique_ptr<nats::child_server> server;
};

} // namespace

TEMPLATE_TEST_CASE("Every message gets one outcome, and the tail has what is stored", "", recording_world, nats_world) {
  TestType world;
  hearing heard;
  auto out = world.make(heard.callbacks());
  REQUIRE(test::eventually([&] { return heard.is_connected(); }));
  std::vector<sink::message> messages;
  for (sequence seq = 1; seq <= 3000; ++seq)
    messages.push_back(make_message(seq, fmt::format("id-{}", seq),
                                    seq % 3 == 0 ? "keyportal.v1.node.alpha.up" : "keyportal.v1.usage.alpha.k1"));
  REQUIRE_FALSE(out->publish(messages));
  REQUIRE(test::eventually([&] { return heard.answers() == 3000; }));
  CHECK(heard.failed.empty());
  CHECK(std::all_of(heard.stored.begin(), heard.stored.end(), [](const auto& each) { return each.second == 1; }));
  auto tail = out->stored_tail(2500);
  REQUIRE(tail);
  CHECK(tail->contains("id-3000"));
  CHECK(tail->contains("id-1000"));
  CHECK(tail->size() >= 2500);
}

TEMPLATE_TEST_CASE("The same id twice is stored once, and both are answered as stored", "", recording_world,
                   nats_world) {
  TestType world;
  hearing heard;
  auto out = world.make(heard.callbacks());
  REQUIRE(test::eventually([&] { return heard.is_connected(); }));
  REQUIRE_FALSE(out->publish({make_message(1, "same"), make_message(2, "same"), make_message(3, "other")}));
  REQUIRE(test::eventually([&] { return heard.answers() == 3; }));
  CHECK(heard.failed.empty());
  auto tail = out->stored_tail(10);
  REQUIRE(tail);
  CHECK(*tail == std::unordered_set<std::string>{"same", "other"});
}

TEMPLATE_TEST_CASE("A message that no stream takes fails, and the others are stored", "", recording_world, nats_world) {
  TestType world;
  hearing heard;
  auto out = world.make(heard.callbacks());
  REQUIRE(test::eventually([&] { return heard.is_connected(); }));
  REQUIRE_FALSE(out->publish({make_message(1, "a"), make_message(2, "b", "elsewhere.b"), make_message(3, "c")}));
  REQUIRE(test::eventually([&] { return heard.answers() == 3; }));
  CHECK(heard.failed.contains(2));
  CHECK(heard.stored.size() == 2);
  auto tail = out->stored_tail(10);
  REQUIRE(tail);
  CHECK(tail->size() == 2);
}

TEMPLATE_TEST_CASE("An empty stream has an empty tail", "", recording_world, nats_world) {
  TestType world;
  hearing heard;
  auto out = world.make(heard.callbacks());
  REQUIRE(test::eventually([&] { return heard.is_connected(); }));
  auto tail = out->stored_tail(10);
  REQUIRE(tail);
  CHECK(tail->empty());
}

TEST_CASE("Without a server nothing is accepted, the reason is told, and the password is not") {
  nats::sink_settings settings;
  settings.server.url = secret("nats://someone:very-secret-word@127.0.0.1:1");
  hearing heard;
  nats::nats_sink out(settings, heard.callbacks());
  CHECK(test::eventually([&] {
    std::lock_guard lock(heard.mutex);
    return !heard.problem.empty();
  }));
  CHECK(out.publish({make_message(1, "a")}));
  CHECK_FALSE(out.stored_tail(1));
  std::lock_guard lock(heard.mutex);
  CHECK(heard.problem.find("very-secret-word") == std::string::npos);
  CHECK(heard.problem.find("127.0.0.1:1") != std::string::npos);
}

TEST_CASE("Streams that are there already are adopted: what the operator chose stays, our subjects are added") {
  nats_world world;
  nats::sink_settings settings;
  settings.server.url = world.server->url();
  settings.streams = {
    {.name = "KEYPORTAL_USAGE", .subjects = {"orders.>", "keyportal.v1.usage.*.k1"}, .max_bytes = 1 << 20},
    {.name = "KEYPORTAL_EVENTS", .subjects = {"keyportal.v1.totals.>"}}};
  {
    hearing heard;
    nats::nats_sink first(settings, heard.callbacks());
    REQUIRE(test::eventually([&] { return heard.is_connected(); }));
    REQUIRE_FALSE(first.publish({make_message(1, "order-1", "orders.one")}));
    REQUIRE(test::eventually([&] { return heard.answers() == 1; }));
  }
  // Overlapping subjects cannot be added beside each other; what is covered by ours only partly is refused with a reason.
  settings.streams[0].subjects = {"keyportal.v1.usage.alpha.k2"};
  settings.streams[0].max_bytes = 2 << 20;
  hearing heard;
  nats::nats_sink out(settings, heard.callbacks());
  REQUIRE(test::eventually([&] { return heard.is_connected(); }));
  REQUIRE_FALSE(out.publish({make_message(1, "a", "keyportal.v1.usage.alpha.k2"), make_message(2, "b", "orders.two")}));
  REQUIRE(test::eventually([&] { return heard.answers() == 2; }));
  CHECK(heard.failed.empty());
  auto tail = out.stored_tail(10);
  REQUIRE(tail);
  CHECK(tail->contains("order-1"));
}

namespace {

/// An outbox behind the ledger's messages, filled from the test's thread.
struct shared_outbox {
  std::mutex mutex;
  std::map<sequence, outbox_item> items;
  std::size_t size() {
    std::lock_guard lock(mutex);
    return items.size();
  }
};

ledger_actor::behavior_type outbox_ledger(ledger_actor::pointer, std::shared_ptr<shared_outbox> box) {
  return test::answers<ledger_actor>(test::overloaded{
    [=](const read_outbox& question) {
      std::lock_guard lock(box->mutex);
      outbox_page page;
      for (auto it = box->items.upper_bound(question.after);
           it != box->items.end() && page.items.size() < question.limit; ++it)
        page.items.push_back(it->second);
      return page;
    },
    [=](const outbox_acked& acked) {
      std::lock_guard lock(box->mutex);
      for (auto seq : acked.seqs)
        box->items.erase(seq);
    },
    [=](const drain&) { return drained{}; },
  });
}

} // namespace

TEST_CASE("Killing nats-server over and over loses nothing, doubles nothing and keeps the order of each subject") {
  auto seed = test::make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  nats_world world;
  auto box = std::make_shared<shared_outbox>();
  caf::actor_system_config config;
  config.set("scheduler.policy", caf::atom("sharing"));
  caf::actor_system system(config);
  caf::scoped_actor self{system};
  auto ledger = self->spawn(outbox_ledger, box);
  auto shipper = self->spawn<caf::detached>(publisher, ledger, publisher_settings{"", {}, 16384},
                                            sink_factory{[&](auto told) { return world.make(std::move(told)); }});
  // Also when a check below fails: the system waits for its actors.
  struct ending {
    caf::scoped_actor& self;
    ledger_actor& ledger;
    publisher_actor& shipper;
    ~ending() {
      self->send_exit(shipper, caf::exit_reason::user_shutdown);
      self->send_exit(ledger, caf::exit_reason::user_shutdown);
      self->wait_for(shipper, ledger);
    }
  } ended_with_this{self, ledger, shipper};
  sequence last = 0;
#ifdef __SANITIZE_THREAD__
  const int kills = 3, most = 1000; // many times slower
#else
  const int kills = 6, most = 20000;
#endif
  for (int kill = 0; kill <= kills; ++kill) {
    auto burst = 500 + random() % most;
    auto added = std::make_shared<std::vector<node_event>>();
    {
      std::lock_guard lock(box->mutex);
      for (std::uint64_t i = 0; i < burst; ++i) {
        outbox_item item;
        item.seq = ++last;
        item.event = {item.seq, random() % 2 == 0 ? event_kind::up : event_kind::snapshot, "alpha", moment{}, "{}"};
        box->items.emplace(item.seq, item);
        added->push_back(item.event);
      }
    }
    committed done;
    done.last = last;
    done.records = std::make_shared<const std::vector<stored_record>>();
    done.events = added;
    self->send(shipper, done);
    if (kill == kills)
      break;
    auto left = random() % burst; // somewhere within the burst
    REQUIRE(test::eventually([&] { return box->size() <= left; }));
    ::kill(world.server->process(), SIGKILL);
  }
  REQUIRE(test::eventually([&] { return box->size() == 0; }, 60s));
  auto events = world.read_all(last);
  std::set<std::string> ids;
  std::map<std::string, sequence> newest;
  for (const auto& event : events) {
    CHECK(ids.insert(event.id).second);
    auto& before = newest[event.subject];
    CHECK(event.seq > before);
    before = event.seq;
  }
  CHECK(ids.size() == last);
}
