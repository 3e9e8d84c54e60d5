// The tap on the queue of a stand-in: real sockets, the tap's own threads.
#include <condition_variable>
#include <mutex>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "actors/collector/tap.hpp"
#include "tests/cpa_sim/server.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

struct stand {
  explicit stand(queue_mode mode) {
    REQUIRE(node.problem().empty());
    node.record(mode == queue_mode::resp_pop ? 5'000 : 20); // these wait
    tap_settings settings;
    settings.node = "alpha";
    settings.url = node.url();
    settings.management_key = secret{"s"};
    settings.errors_too = false;
    subject = make_resp_tap(settings, {[this](payloads_came m) {
                                         const std::lock_guard lock{mutex};
                                         for (std::size_t i = 0; i < m.payloads->size(); ++i)
                                           if (const auto one = (*m.payloads)[i]; one.find("timestamp") != one.npos)
                                             came.emplace(one); // a record, and not what the node says of itself
                                         batches.push_back(m.payloads->bytes.size());
                                         changed.notify_all();
                                       },
                                       [this](tap_changed m) {
                                         if (m.connected && once_connected)
                                           once_connected();
                                         const std::lock_guard lock{mutex};
                                         (m.connected ? connected : over) = true;
                                         changed.notify_all();
                                       }});
  }
  template <class Condition>
  bool wait(Condition condition, std::chrono::milliseconds most = 10s) {
    std::unique_lock lock{mutex};
    return changed.wait_for(lock, most, condition);
  }

  static cpa_sim::options usual() {
    cpa_sim::options out;
    out.version = "7.2.140";
    out.secret = "s";
    return out;
  }

  cpa_sim::server node{usual()};
  std::mutex mutex;
  std::condition_variable changed;
  std::multiset<std::string> came;
  std::vector<std::size_t> batches; ///< bytes of each
  bool connected = false, over = false;
  std::function<void()> once_connected;
  std::unique_ptr<tap> subject; ///< ends first
};

} // namespace

TEST_CASE("What waited in the queue is taken as well as what is pushed, each record once") {
  stand s{queue_mode::subscribe};
  s.subject->begin(queue_mode::subscribe);
  REQUIRE(s.wait([&] { return s.connected; }));
  s.node.record(5);
  CHECK(s.wait([&] { return s.came.size() >= 25; }));
  const std::lock_guard lock{s.mutex};
  CHECK(s.came.size() == 25);
  CHECK(std::set<std::string>(s.came.begin(), s.came.end()).size() == 25);
  CHECK_FALSE(s.over);
}

TEST_CASE("When what waited cannot be taken the session is over, so that another one takes it") {
  stand s{queue_mode::subscribe};
  s.once_connected = [&s] { s.node.fault({"wrong_key", "", 1, "RESP AUTH"}); };
  s.subject->begin(queue_mode::subscribe);
  REQUIRE(s.wait([&] { return s.over; }));
  CHECK(s.came.empty());
  s.once_connected = nullptr;
  s.subject->begin(queue_mode::subscribe);
  CHECK(s.wait([&] { return s.came.size() == 20; }));
}

TEST_CASE("Of what is popped at most two answers are not on disk") {
  stand s{queue_mode::resp_pop};
  s.subject->begin(queue_mode::resp_pop);
  REQUIRE(s.wait([&] { return s.came.size() >= 4'000; }));
  CHECK_FALSE(s.wait([&] { return s.came.size() > 4'000; }, 200ms));
  CHECK(s.node.numbers().queued == 1'000);
  s.subject->taken(s.batches.at(0));
  CHECK(s.wait([&] { return s.came.size() == 5'000; }));
}
