#include "actors/poller/audit_book.hpp"

#include <catch2/catch_test_macros.hpp>

#include "actors/collector/collect_plan.hpp"
#include "actors/cpa/account_book.hpp"
#include "actors/cpa/answers.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

constexpr auto start = moment{1'790'000'000s};

/// A node with two accounts and a ledger, and a look at both.
struct world {
  audit_book book;
  std::int64_t counted[2] = {0, 0}, held[2] = {0, 0};
  std::int64_t under_way = 0; ///< of account 0: counted and not yet held when the ledger is read first
  moment now = start;

  static audit_memory memory(std::int64_t a, std::int64_t b) {
    audit_memory out;
    for (auto [name, n] : {std::pair{"a", a}, std::pair{"b", b}})
      if (n > 0) {
        out.credentials.push_back({});
        out.credentials.back().auth_index = name;
        out.credentials.back().held_ok = n;
      }
    return out;
  }
  audit_look look() {
    now += 10s;
    audit_look out;
    out.at = now;
    out.version = "7.2.140";
    out.counters = {{"a.json", {"a"}, counted[0], 0}, {"b.json", {"b"}, counted[1], 0}};
    out.before = memory(held[0] - under_way, held[1]);
    out.after = memory(held[0], held[1]);
    return out;
  }
};

} // namespace

TEST_CASE("What had been counted before we came is nobody's loss") {
  world w;
  w.counted[0] = 1'000;
  CHECK(w.book.compare(w.look()).missing == 0);
  CHECK(w.book.compare(w.look()).missing == 0);
  w.counted[0] += 5;
  w.held[0] += 5;
  CHECK(w.book.compare(w.look()).opened.empty());
  CHECK(w.book.compare(w.look()).missing == 0);
}

TEST_CASE("A busy node is never told to lack what is only under way") {
  world w;
  std::mt19937_64 random{test::make_seed()};
  for (int i = 0; i < 2'000; ++i) {
    const auto n = static_cast<std::int64_t>(random() % 500);
    w.counted[0] += n;
    w.held[0] += n + static_cast<std::int64_t>(random() % 50); // more came until the second reading
    w.counted[0] += w.held[0] - w.counted[0];
    w.under_way = static_cast<std::int64_t>(random() % 300);
    const auto look = w.look();
    const auto found = w.book.compare(look);
    REQUIRE(found.opened.empty());
    REQUIRE(found.missing == 0);
  }
}

TEST_CASE("Two looks that miss the same open one incomplete, and what comes late closes it") {
  world w;
  w.book.compare(w.look());
  w.counted[0] += 9;
  CHECK(w.book.compare(w.look()).opened.empty());
  const auto found = w.book.compare(w.look());
  REQUIRE(found.opened.size() == 1);
  CHECK(found.opened[0].missing_ok == 9);
  CHECK(found.opened[0].number == 1);
  CHECK(found.opened[0].credential == "a");
  w.held[0] += 4;
  w.book.compare(w.look());
  const auto fewer = w.book.compare(w.look());
  CHECK(fewer.missing == 5);
  w.held[0] += 5;
  auto closed = w.book.compare(w.look());
  if (closed.amended.empty())
    closed = w.book.compare(w.look());
  REQUIRE(closed.amended.size() == 1);
  CHECK(closed.amended[0].closed_at);
  CHECK(closed.missing == 0);
  CHECK(w.book.compare(w.look()).amended.empty());
}

TEST_CASE("Our own end forgets neither what is missing nor what was told") {
  world w;
  w.book.compare(w.look());
  w.counted[1] += 3;
  w.book.compare(w.look());
  const auto told = w.book.compare(w.look());
  REQUIRE(told.opened.size() == 1);
  audit_book after;
  after.recall(w.book.memory(), told.opened);
  w.book = after;
  for (int i = 0; i < 3; ++i) {
    const auto found = w.book.compare(w.look());
    CHECK(found.opened.empty());
    CHECK(found.missing == 3);
  }
}

TEST_CASE("A new process begins with what the ledger held when it was first connected to") {
  world w;
  w.counted[0] = 50;
  w.held[0] = 50;
  w.book.compare(w.look());
  w.counted[0] = 8; // of these two were lost before we were connected
  auto at_connect = world::memory(50, 0).credentials;
  w.held[0] = 56;
  auto look = w.look();
  const auto says = w.book.compare_process(look);
  CHECK(says.known == 1);
  CHECK(says.fell == 1);
  w.book.begin_boot(look, &at_connect);
  w.book.compare(look);
  const auto found = w.book.compare(w.look());
  CHECK(found.missing == 2);
}

TEST_CASE("Accounts that CPA lists without an index are found by what they are made of") {
  const auto read = cpa::read_accounts(
    "n", R"({"files":[]})",
    R"({"fakeup":{"http://127.0.0.1:9009/v1|sk-fake-upstream-1":{"success":3,"failed":1,"recent_requests":[]}}})",
    "7.2.140");
  REQUIRE(read);
  REQUIRE(read->size() == 1);
  CHECK((*read)[0].ok == 3);
  CHECK((*read)[0].failed == 1);
  // Seen of a real CLIProxyAPI with exactly this provider.
  CHECK((*read)[0].auth_indexes[0] == "28f3f9707bd3333b");
  CHECK((*read)[0].auth_indexes.size() == 1);
  CHECK_FALSE(cpa::read_accounts("n", "[]", "{}", ""));
  CHECK_FALSE(cpa::read_accounts("n", R"({"files":[1]})", "{}", ""));
  CHECK_FALSE(cpa::read_accounts("n", R"({"files":null})", R"({"x":[]})", ""));
}

TEST_CASE("Records of a key whose index is made in an unknown way explain what it seems to lack") {
  audit_book book;
  audit_look look;
  look.at = start;
  look.counters = {{"p", {"x1", "x2"}, 0, 0}};
  book.compare(look);
  for (int i = 1; i <= 4; ++i) {
    look.at = start + i * 10s;
    look.counters[0].ok = 7;
    audit_memory held;
    held.credentials.push_back({});
    held.credentials[0].auth_index = "made-otherwise";
    held.credentials[0].held_ok = 7;
    look.before = look.after = held;
    CHECK(book.compare(look).missing == 0);
  }
}

TEST_CASE("The retention is changed on its one line, and never in a file that would leave the node open") {
  const std::string file = "# mine\nremote-management:\n  secret-key: x\napi-keys:\n  - a # alice\n";
  CHECK(cpa::with_retention(file, 3600) == file + "redis-usage-queue-retention-seconds: 3600\n");
  CHECK(cpa::with_retention(file + "redis-usage-queue-retention-seconds: 60 # brief\nport: 1", 3600)
        == file + "redis-usage-queue-retention-seconds: 3600\nport: 1");
  CHECK_FALSE(cpa::with_retention("", 3600));
  CHECK_FALSE(cpa::with_retention("remote-management:\n  secret-key: x\n", 3600));
  CHECK_FALSE(cpa::with_retention("api-keys:\n  - a\n", 3600));
}

namespace {

using clock_time = collect_plan::time;
constexpr clock_time at0{1h};
era_answer queue_era(bool http = true) {
  era_answer out;
  out.has_http_queue = http;
  out.version = "7.2.140";
  return out;
}

} // namespace

TEST_CASE("Nothing is asked of a node before it is known what it offers") {
  collect_plan plan{collect_setting::automatic};
  CHECK(plan.mode(at0) == queue_mode::off);
  plan.era_found(queue_era(), false);
  CHECK(plan.mode(at0) == queue_mode::subscribe);
}

TEST_CASE("Each refusal leads one way down, and a minute later up again") {
  collect_plan plan{collect_setting::automatic};
  plan.era_found(queue_era(), false);
  plan.failed(queue_mode::subscribe, errc::node_without_subscribe, at0);
  CHECK(plan.mode(at0) == queue_mode::resp_pop);
  plan.failed(queue_mode::resp_pop, errc::node_without_resp, at0);
  CHECK(plan.mode(at0) == queue_mode::http_pop);
  CHECK_FALSE(plan.better_way_due(at0 + 59s));
  CHECK(plan.better_way_due(at0 + 60s));
  CHECK(plan.mode(at0 + 60s) == queue_mode::subscribe);
}

TEST_CASE("A lost connection is tried again at once, then less and less often") {
  collect_plan plan{collect_setting::automatic};
  plan.era_found(queue_era(), false);
  plan.failed(queue_mode::subscribe, errc::node_unreachable, at0);
  CHECK(plan.mode(at0) == queue_mode::off);
  CHECK(plan.mode(at0 + 100ms) == queue_mode::subscribe);
  for (int i = 0; i < 20; ++i)
    plan.failed(queue_mode::subscribe, errc::node_unreachable, at0);
  CHECK(plan.mode(at0 + 4900ms) == queue_mode::off);
  CHECK(plan.mode(at0 + 5s) == queue_mode::subscribe);
  plan.connected(at0);
  plan.failed(queue_mode::subscribe, errc::node_unreachable, at0);
  CHECK(plan.mode(at0 + 100ms) == queue_mode::subscribe);
}

TEST_CASE("A node that refuses the key is left alone until it is another process") {
  collect_plan plan{collect_setting::automatic};
  plan.era_found(queue_era(), false);
  plan.failed(queue_mode::subscribe, errc::node_wrong_key, at0);
  CHECK(plan.mode(at0 + 100h) == queue_mode::off);
  plan.era_found(queue_era(), true);
  CHECK(plan.mode(at0) == queue_mode::subscribe);
  plan.failed(queue_mode::subscribe, errc::node_banned, at0, 100s);
  CHECK(plan.mode(at0 + 104s) == queue_mode::off);
  CHECK(plan.mode(at0 + 105s) == queue_mode::subscribe);
}

TEST_CASE("A way that is set is the only one") {
  collect_plan plan{collect_setting::http_pop};
  plan.era_found(queue_era(), false);
  CHECK(plan.mode(at0) == queue_mode::http_pop);
  collect_plan off{collect_setting::off};
  off.era_found(queue_era(), false);
  CHECK(off.mode(at0) == queue_mode::off);
  collect_plan none{collect_setting::http_pop};
  none.era_found(queue_era(false), false);
  CHECK(none.mode(at0) == queue_mode::off);
}
