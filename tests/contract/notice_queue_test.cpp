// What every queue of deliveries promises, held against the ledger's own and against a JetStream work queue with a real
// nats-server.
#include <algorithm>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/nats/child_server.hpp"
#include "actors/nats/notice_queue.hpp"
#include "actors/notifier/local_queue.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

/// Hears what a queue hands out.
struct hearing {
  std::mutex mutex;
  std::vector<order_taken> taken;
  bool connected = false;

  delivery_queue::callbacks callbacks() {
    return {[this](order_taken order) {
              const std::lock_guard lock(mutex);
              taken.push_back(std::move(order));
            },
            [this](queue_changed change) {
              const std::lock_guard lock(mutex);
              connected = change.connected;
            }};
  }
  std::vector<order_taken> all() {
    const std::lock_guard lock(mutex);
    return taken;
  }
  bool is_connected() {
    const std::lock_guard lock(mutex);
    return connected;
  }
};

struct local_world {
  std::unique_ptr<delivery_queue> make(delivery_queue::callbacks told) {
    if (!shelf) {
      auto db = storage::database::open_store(
        {.folder = folder.path() / "db", .block_cache_bytes = 1 << 20, .write_buffer_bytes = 1 << 20, .env = nullptr});
      REQUIRE(db);
      auto seal = storage::sealer::load(folder.path() / "seal.key", true);
      REQUIRE(seal);
      shelf = std::make_shared<storage::notice_shelf>(*db, *seal, true);
    }
    return std::make_unique<local_queue>(shelf, std::move(told));
  }
  std::chrono::seconds comes_again = 5s; ///< after a new start: at once
  test::temporary_folder folder;
  std::shared_ptr<storage::notice_shelf> shelf;
};

struct nats_world {
  nats_world() {
    auto started = nats::child_server::start({.folder = folder.path() / "nats"});
    REQUIRE(started);
    server = std::move(*started);
  }
  std::unique_ptr<delivery_queue> make(delivery_queue::callbacks told) {
    nats::notice_queue_settings how;
    how.server.url = server->url();
    return nats::make_notice_queue(how, std::move(told));
  }
  std::chrono::seconds comes_again = delivery_queue::lease_time + 15s;
  test::temporary_folder folder;
  std::unique_ptr<nats::child_server> server;
};

std::vector<delivery_queue::order> orders(int count, std::uint32_t attempt = 1) {
  std::vector<delivery_queue::order> out;
  for (int i = 0; i < count; ++i)
    out.push_back({fmt::format("n{}", i), "feishu", attempt});
  return out;
}

} // namespace

TEMPLATE_TEST_CASE("what is put in comes out once, and not again when it is done", "[queue]", local_world, nats_world) {
  TestType world;
  hearing heard;
  {
    auto queue = world.make(heard.callbacks());
    REQUIRE(test::eventually([&] { return heard.is_connected(); }));
    REQUIRE_FALSE(queue->put(orders(20)));
    REQUIRE_FALSE(queue->put(orders(20))); // the same orders again are one
    REQUIRE(test::eventually([&] { return heard.all().size() == 20; }));
    std::set<std::string> ids;
    for (const auto& one : heard.all()) {
      ids.insert(one.id);
      queue->done(one.lease);
    }
    CHECK(ids.size() == 20);
    REQUIRE_FALSE(queue->put(orders(1, 2))); // a second attempt is another order
    REQUIRE(test::eventually([&] { return heard.all().size() == 21; }));
    queue->done(heard.all().back().lease);
    queue->done("nothing"); // no harm
    std::this_thread::sleep_for(200ms);
  }
  hearing later;
  auto queue = world.make(later.callbacks());
  REQUIRE(test::eventually([&] { return later.is_connected(); }));
  std::this_thread::sleep_for(500ms);
  CHECK(later.all().empty());
}

TEMPLATE_TEST_CASE("what was taken and not given back comes again", "[queue]", local_world, nats_world) {
  TestType world;
  {
    hearing heard;
    auto queue = world.make(heard.callbacks());
    REQUIRE(test::eventually([&] { return heard.is_connected(); }));
    REQUIRE_FALSE(queue->put(orders(3)));
    REQUIRE(test::eventually([&] { return heard.all().size() == 3; }));
    for (const auto& one : heard.all())
      if (one.id == "n1")
        queue->done(one.lease);
    std::this_thread::sleep_for(200ms);
  }
  hearing later;
  auto queue = world.make(later.callbacks());
  REQUIRE(test::eventually([&] { return later.all().size() == 2; }, world.comes_again));
  for (const auto& one : later.all())
    CHECK(one.id != "n1");
}
