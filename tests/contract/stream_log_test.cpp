// What every log of several processes promises, held against the one in memory, against JetStream with one server and
// against three servers that keep it together; then what happens to the latter when servers die.
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <random>
#include <thread>

#include <catch2/catch_template_test_macros.hpp>
#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/cluster/stream_log.hpp"
#include "actors/nats/exact_publish.hpp"
#include "actors/nats/jetstream_log.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/nats_cluster.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace keyportal::cluster;
using namespace std::chrono_literals;
using clock_type = std::chrono::steady_clock;
using kind = append_result::kind;

namespace {

struct memory_world {
  std::shared_ptr<memory_stream> stream = make_memory_stream();
  std::unique_ptr<stream_log> open() { return open_log(stream); }
  static constexpr int each = 200;
};

template <std::size_t Servers>
struct jetstream_world {
  test::nats_cluster servers{Servers};
  nats::log_settings how() {
    nats::log_settings out;
    out.server.url = servers.url();
    out.stream = "TEST_LOG";
    out.subject = "test.v1.log";
    out.replicas = Servers;
    return out;
  }
  jetstream_world() {
    auto log = open();
    REQUIRE(test::eventually([&] { return static_cast<bool>(log->end()); }, 40s));
  }
  std::unique_ptr<stream_log> open() { return nats::make_jetstream_log(how()); }
  static constexpr int each = 60;
};
using one_server = jetstream_world<1>;
using three_servers = jetstream_world<3>;

std::vector<stream_entry> read_all(stream_log& log, stream_position after = 0, std::size_t limit = 100) {
  std::vector<stream_entry> out;
  for (int failures = 0;;) {
    auto page = log.read(out.empty() ? after : out.back().position, limit);
    if (!page) {
      if (++failures > 50)
        FAIL(render(page.error()));
      std::this_thread::sleep_for(200ms);
      continue;
    }
    if (page->empty())
      return out;
    out.insert(out.end(), page->begin(), page->end());
  }
}

void check_places(const std::vector<stream_entry>& entries, stream_position after = 0) {
  for (std::size_t i = 0; i < entries.size(); ++i)
    REQUIRE(entries[i].position == after + i + 1);
}

/// Appends until it is in the log or somebody else was faster.
append_result append_surely(stream_log& log, stream_position expected, const std::string& id, const std::string& bytes,
                            std::chrono::seconds most = 60s) {
  const auto end = clock_type::now() + most;
  for (;;) {
    auto got = log.append(expected, id, bytes);
    if (got.what == kind::done || got.what == kind::conflict || clock_type::now() > end)
      return got;
    std::this_thread::sleep_for(50ms);
  }
}

/// One who appends: builds upon what he knows, reads on where others were faster.
struct appender {
  std::string name;
  std::map<stream_position, std::string> acknowledged;
  int conflicts = 0;
  int unsure = 0;
  clock_type::duration longest{};

  void run(stream_log& log, int count, const std::atomic<bool>& stop) {
    stream_position last = 0;
    for (int i = 0; i < count && !stop;) {
      const auto id = fmt::format("{}/{}", name, i);
      const auto began = clock_type::now();
      const auto got = log.append(last, id, "text of " + id);
      longest = std::max(longest, clock_type::now() - began);
      if (got.what == kind::done) {
        acknowledged[got.position] = id;
        last = got.position;
        ++i;
      } else if (got.what == kind::conflict) {
        ++conflicts;
        if (const auto end = log.end(); end && *end > last)
          last = *end;
        else if (got.position > last)
          last = got.position;
      } else {
        ++unsure;
        std::this_thread::sleep_for(50ms); // and the same again: it is in the log once at most
      }
    }
  }
};

/// Whether what each was told fits one log: nothing that was acknowledged is missing, elsewhere, or there twice.
std::string objection(const std::vector<stream_entry>& log, const std::vector<appender>& appenders) {
  std::map<std::string, stream_position> places;
  for (std::size_t i = 0; i < log.size(); ++i) {
    if (log[i].position != i + 1)
      return fmt::format("a hole at {}", i + 1);
    if (!places.emplace(log[i].id, log[i].position).second)
      return fmt::format("{} is there twice", log[i].id);
    if (log[i].bytes != "text of " + log[i].id)
      return fmt::format("{} says something else", log[i].id);
  }
  for (const auto& one : appenders) {
    stream_position before = 0;
    for (const auto& [position, id] : one.acknowledged) {
      const auto found = places.find(id);
      if (found == places.end())
        return fmt::format("{} was acknowledged at {} and is lost", id, position);
      if (found->second != position)
        return fmt::format("{} was acknowledged at {} and is at {}", id, position, found->second);
      if (position <= before)
        return fmt::format("{} came before what had been acknowledged", id);
      before = position;
    }
  }
  return {};
}

struct gathering {
  std::mutex mutex;
  std::vector<stream_entry> entries;
  std::string problem;
  follow_callbacks callbacks() {
    return {[this](std::vector<stream_entry> page) {
              const std::lock_guard guard(mutex);
              entries.insert(entries.end(), page.begin(), page.end());
            },
            [this](const caf::error& failed) {
              const std::lock_guard guard(mutex);
              problem = failed ? render(failed) : "";
            }};
  }
  std::size_t size() {
    const std::lock_guard guard(mutex);
    return entries.size();
  }
};

} // namespace

TEMPLATE_TEST_CASE("An entry goes behind the one it expects, or nothing changes", "[stream]", memory_world, one_server,
                   three_servers) {
  TestType world;
  auto log = world.open();
  auto other = world.open();
  CHECK(log->end() == stream_position{0});
  CHECK(read_all(*log).empty());
  const std::string bytes("\0\1\xff text", 8);
  auto got = log->append(0, "first", bytes);
  REQUIRE(got.what == kind::done);
  CHECK(got.position == 1);
  got = other->append(1, "second", "");
  CHECK((got.what == kind::done && got.position == 2));
  for (const stream_position wrong : {0, 1, 3, 1000}) {
    got = log->append(wrong, fmt::format("late-{}", wrong), "x");
    CHECK(got.what == kind::conflict);
    CHECK(got.position == 2);
  }
  CHECK(read_all(*log) == std::vector<stream_entry>{{1, "first", bytes}, {2, "second", ""}});
  got = other->append(1, "second", ""); // the same again
  CHECK((got.what == kind::done && got.position == 2));
  got = log->append(2, "third", std::string(longest_stream_entry, 'x'));
  CHECK((got.what == kind::done && got.position == 3));
  CHECK(log->append(3, "too long", "x").what == kind::failed);
  CHECK(log->append(3, "", "x").what == kind::failed);
  CHECK(log->append(3, "long", std::string(longest_stream_entry + 1, 'x')).what == kind::failed);
  CHECK(other->end() == stream_position{3});
  for (stream_position after = 0; after < 6; ++after) {
    check_places(read_all(*log, after, 1), after);
    CHECK(read_all(*log, after, 1).size() == (after < 3 ? 3 - after : 0));
  }
}

TEMPLATE_TEST_CASE("Of those who append at once one gets each place; who follows sees all, once and in order",
                   "[stream]", memory_world, one_server, three_servers) {
  TestType world;
  gathering seen;
  auto reader = world.open();
  auto follower = reader->follow(0, seen.callbacks());
  std::vector<appender> appenders(3);
  std::vector<std::thread> threads;
  const std::atomic<bool> stop{false};
  for (std::size_t i = 0; i < appenders.size(); ++i) {
    appenders[i].name = fmt::format("a{}", i);
    threads.emplace_back([&, i] { appenders[i].run(*world.open(), TestType::each, stop); });
  }
  for (auto& one : threads)
    one.join();
  const auto all = read_all(*reader);
  CHECK(all.size() == appenders.size() * TestType::each);
  CHECK(objection(all, appenders).empty());
  REQUIRE(test::eventually([&] { return seen.size() >= all.size(); }));
  {
    const std::lock_guard guard(seen.mutex);
    CHECK(seen.entries == all);
  }
  gathering late;
  auto second = reader->follow(all.size() - 5, late.callbacks());
  REQUIRE(test::eventually([&] { return late.size() >= 5; }));
  check_places(late.entries, all.size() - 5);
}

TEST_CASE("The checker sees what is lost, elsewhere, doubled or missing", "[stream]") {
  appender one{"a", {{1, "a/0"}, {2, "a/1"}}, 0, 0, {}};
  const stream_entry first{1, "a/0", "text of a/0"};
  const stream_entry second{2, "a/1", "text of a/1"};
  CHECK(objection({first, second}, {one}).empty());
  CHECK_FALSE(objection({first}, {one}).empty());
  CHECK_FALSE(objection({{1, "a/1", "text of a/1"}, {2, "a/0", "text of a/0"}}, {one}).empty());
  CHECK_FALSE(objection({first, second, {3, "a/1", "text of a/1"}}, {one}).empty());
  CHECK_FALSE(objection({first, {3, "a/1", "text of a/1"}}, {one}).empty());
  CHECK_FALSE(objection({first, {2, "a/1", "else"}}, {one}).empty());
}

TEST_CASE("A stream of which messages can go is no log", "[stream]") {
  one_server world;
  nats::session over;
  REQUIRE_FALSE(nats::open_session(over, world.how().server, 1000ms));
  const char* subjects[] = {"other.v1.log"};
  jsStreamConfig config;
  jsStreamConfig_Init(&config);
  config.Name = "OTHER_LOG";
  config.Subjects = subjects;
  config.SubjectsLen = 1;
  REQUIRE(js_AddStream(nullptr, over.js.get(), &config, nullptr, nullptr) == NATS_OK);
  auto how = world.how();
  how.stream = "OTHER_LOG";
  how.subject = "other.v1.log";
  const auto got = nats::make_jetstream_log(how)->append(0, "x", "x");
  CHECK(got.what == kind::failed);
  CHECK(code_of(got.why) == errc::nats_refused);
  CHECK(js_DeleteMsg(over.js.get(), "TEST_LOG", 1, nullptr, nullptr) != NATS_OK);
  CHECK(js_PurgeStream(over.js.get(), "TEST_LOG", nullptr, nullptr) != NATS_OK);
}

TEST_CASE("Servers of three are killed one after the other while three append: nothing acknowledged is lost or doubled",
          "[stream]") {
  const auto seed = test::make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  three_servers world;
  gathering seen;
  auto reader = world.open();
  auto follower = reader->follow(0, seen.callbacks());
  std::vector<appender> appenders(3);
  std::vector<std::thread> threads;
  std::atomic<bool> stop{false};
  for (std::size_t i = 0; i < appenders.size(); ++i) {
    appenders[i].name = fmt::format("a{}", i);
    threads.emplace_back([&, i] { appenders[i].run(*world.open(), 1'000'000, stop); });
  }
  for (int kill = 0; kill < 6; ++kill) {
    std::this_thread::sleep_for(std::chrono::milliseconds{500 + random() % 1500});
    const auto which = static_cast<std::size_t>((random() + static_cast<unsigned>(kill)) % 3);
    world.servers.kill(which);
    std::this_thread::sleep_for(std::chrono::milliseconds{random() % 4000});
    world.servers.start(which);
    std::this_thread::sleep_for(3s); // back before the next one goes
  }
  stop = true;
  for (auto& one : threads)
    one.join();
  // What was under way comes or not; a last entry is the end.
  const auto last = [&] {
    for (int i = 0; i < 100; ++i) {
      const auto end = reader->end();
      if (!end) {
        std::this_thread::sleep_for(200ms);
        continue;
      }
      const auto got = append_surely(*reader, *end, fmt::format("last/{}", i), fmt::format("text of last/{}", i));
      if (got.what == kind::done)
        return got.position;
    }
    return stream_position{0};
  }();
  REQUIRE(last > 0);
  const auto all = read_all(*reader);
  CHECK(objection(all, appenders) == "");
  CHECK(all.size() == last);
  std::size_t acknowledged = 0;
  clock_type::duration longest{};
  for (const auto& one : appenders) {
    acknowledged += one.acknowledged.size();
    longest = std::max(longest, one.longest);
  }
  CHECK(acknowledged > 100);
  CHECK(longest < 2500ms); // two seconds and what a busy machine adds
  CHECK(test::eventually([&] { return seen.size() >= all.size(); }));
  const std::lock_guard guard(seen.mutex);
  CHECK(seen.entries == all);
  fmt::print("{} acknowledged of {}, longest answer {} ms\n", acknowledged, all.size(),
             std::chrono::duration_cast<std::chrono::milliseconds>(longest).count());
}

TEST_CASE("Without most of its servers a log says so within two seconds, and goes on when they are back", "[stream]") {
  three_servers world;
  auto log = world.open();
  REQUIRE(append_surely(*log, 0, "first", "1").what == kind::done);
  world.servers.kill(1);
  world.servers.kill(2);
  for (int i = 0; i < 8; ++i) {
    const auto began = clock_type::now();
    const auto got = log->append(1, "second", "2");
    CHECK(clock_type::now() - began < 2200ms);
    CHECK((got.what == kind::unknown || got.what == kind::failed));
    CHECK(code_of(got.why) == errc::nats_unavailable);
  }
  world.servers.start(1);
  const auto got = append_surely(*log, 1, "second", "2");
  CHECK((got.what == kind::done && got.position == 2));
  world.servers.start(2);
  CHECK(read_all(*log).size() == 2);
}

TEST_CASE("How long an append takes and how fast the log is read, with three servers", "[.][figures]") {
  three_servers world;
  auto log = world.open();
  std::vector<double> took;
  stream_position last = 0;
  const std::string body(700, 'x');
  for (int i = 0; i < 3000; ++i) {
    const auto began = clock_type::now();
    const auto got = append_surely(*log, last, fmt::format("e/{}", i), body);
    REQUIRE(got.what == kind::done);
    last = got.position;
    took.push_back(std::chrono::duration<double, std::milli>(clock_type::now() - began).count());
  }
  std::sort(took.begin(), took.end());
  fmt::print("append: p50 {:.2f} ms, p99 {:.2f} ms, longest {:.2f} ms\n", took[took.size() / 2],
             took[took.size() * 99 / 100], took.back());
  nats::session over;
  REQUIRE_FALSE(nats::open_session(over, world.how().server, 1000ms));
  for (int i = 0; i < 100'000; ++i) {
    REQUIRE(js_PublishAsync(over.js.get(), "test.v1.log", body.data(), static_cast<int>(body.size()), nullptr)
            == NATS_OK);
    if (i % 2000 == 0)
      js_PublishAsyncComplete(over.js.get(), nullptr);
  }
  REQUIRE(js_PublishAsyncComplete(over.js.get(), nullptr) == NATS_OK);
  REQUIRE(test::eventually([&] { return log->end() == last + 100'000; }));
  gathering seen;
  const auto began = clock_type::now();
  auto follower = log->follow(0, seen.callbacks());
  REQUIRE(test::eventually([&] { return seen.size() == last + 100'000; }, 120s));
  const auto seconds = std::chrono::duration<double>(clock_type::now() - began).count();
  fmt::print("read: {:.0f} entries of 700 bytes a second\n", static_cast<double>(last + 100'000) / seconds);
}
