// What goes wrong with the queue on command, and what the oracle says of it.
#include "json.hpp"
#include "server.hpp"
#include "test_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <set>

namespace keyportal::cpa_sim {
namespace {

using namespace test;
using std::chrono::milliseconds;

options usual() {
  options o;
  o.version = "7.2.140";
  o.secret = "s";
  o.keys = {"sk-alice"};
  return o;
}

std::string pop(const server& s, const std::string& query = "?count=1000") {
  return manage(s.port(), "GET", "usage-queue" + query).body;
}

std::size_t count_fates(const server& s, const std::string& last) {
  std::size_t count = 0;
  for (const auto& [number, f] : s.fates())
    count += f.last == last ? 1 : 0;
  return count;
}

TEST_CASE("records whose answer is lost over HTTP are popped and unanswered", "[contract]") {
  server s{usual()};
  const std::string path = "/v0/management/usage-queue";
  for (const char* name : {"response_lost", "truncate", "truncate_json"}) {
    INFO(name);
    s.record(4);
    REQUIRE(s.fault({name, "", 1, path}));
    const reply r = manage(s.port(), "GET", "usage-queue?count=3");
    CHECK(r.complete == (std::string(name) == "truncate_json"));
    CHECK(pop(s, "?count=9").find("\"timestamp\"") != std::string::npos); // one is left
    CHECK(pop(s) == "[]");
  }
  CHECK(eventually([&] { return count_fates(s, "unanswered") == 9; }));
  CHECK(count_fates(s, "popped") == 3);
  // Refused before the work is done: nothing is popped.
  s.record(2);
  REQUIRE(s.fault({"http_status", "502", 1, path}));
  CHECK(manage(s.port(), "GET", "usage-queue?count=3").status == 502);
  CHECK(s.numbers().queued == 2);
}

TEST_CASE("records whose answer is lost over RESP are popped and unanswered", "[contract]") {
  server s{usual()};
  s.record(9);
  const auto all = s.oracle_records();
  for (const char* value : {"0", "1", "700", "1500"}) {
    INFO(value);
    resp r(s.port());
    REQUIRE(s.fault({"response_lost", value, 1, "RESP LPOP"}));
    r.send({"LPOP", "usage", "2"});
    const std::string got = r.read(2000);
    CHECK(got.size() == std::stoul(value));
    CHECK(r.closes());
  }
  CHECK(count_fates(s, "unanswered") == 8);
  CHECK(resp(s.port()).call({"LPOP", "usage"}) == as_bulk(all[8].payload));
}

TEST_CASE("faults of requests reach RESP commands by their path", "[contract]") {
  server s{usual()};
  resp r(s.port(), false);
  REQUIRE(s.fault({"wrong_key", "", 1, "RESP AUTH"}));
  CHECK(r.call({"AUTH", "s"}) == "-ERR invalid management key\r\n");
  CHECK(r.call({"AUTH", "s"}) == "+OK\r\n");
  REQUIRE(s.fault({"ban", "", 1, "RESP"}));
  CHECK(r.call({"LPOP", "usage"}) == "-ERR IP banned due to too many failed attempts. Try again in 29m58s\r\n");
  REQUIRE(s.fault({"slow", "40", 1, "RESP LPOP"}));
  const auto begin = std::chrono::steady_clock::now();
  CHECK(r.call({"LPOP", "usage"}) == "$-1\r\n");
  CHECK(std::chrono::steady_clock::now() - begin >= milliseconds(40));
  REQUIRE(s.fault({"garbage", "", 1, "RESP LPOP"}));
  CHECK(r.call({"LPOP", "usage"}).starts_with("HTTP/1.1 502"));
  REQUIRE(s.fault({"hang", "", 1, "RESP LPOP"}));
  resp hung(s.port());
  CHECK(hung.call({"AUTH", "s"}) == "+OK\r\n");
  hung.send({"LPOP", "usage"});
  CHECK(hung.read(80).empty());
  REQUIRE(s.fault({"empty", "", 1, "RESP SUBSCRIBE"}));
  resp cut(s.port());
  cut.send({"SUBSCRIBE", "usage"});
  CHECK(cut.closes());
}

TEST_CASE("a subscriber that is gone without a word starves the queue until the write fails", "[contract]") {
  server s{usual()};
  {
    resp r(s.port());
    r.subscribe();
    s.record(1);
    CHECK_FALSE(r.message().empty());
    REQUIRE(s.fault({"half_open", "400", 0, ""}));
    s.record(5);
    r.send({"PING"});
    CHECK(r.read(60).empty()); // not a word
  }
  CHECK(pop(s) == "[]");
  s.record(2);
  CHECK(pop(s) == "[]");
  CHECK(s.numbers().subscribers == 1);
  CHECK(eventually([&] { return s.numbers().subscribers == 0; }));
  s.record(1);
  CHECK(pop(s) != "[]");
  std::size_t missed = 0;
  for (const auto& [number, f] : s.fates())
    missed += f.undelivered.size();
  CHECK(missed == 7);
  CHECK(s.numbers().lost == 7);
}

TEST_CASE("pushes pause, and go on", "[contract]") {
  server s{usual()};
  resp r(s.port());
  r.subscribe();
  REQUIRE(s.fault({"push_paused", "", 0, ""}));
  s.record(20);
  CHECK(r.message(60).empty());
  s.clear_faults();
  for (int i = 0; i < 20; ++i)
    CHECK_FALSE(r.message().empty());
  REQUIRE(s.fault({"push_paused", "50", 0, ""}));
  s.record(1);
  CHECK_FALSE(r.message().empty());
}

TEST_CASE("pushes may come in any pieces", "[contract]") {
  server s{usual()};
  resp r(s.port());
  r.subscribe();
  REQUIRE(s.fault({"push_split", "40", 0, ""}));
  s.record(5);
  bool closed = false;
  std::string rest = r.raw().some(5000, &closed);
  CHECK(rest.size() < 1000);
  std::string expected;
  for (const auto& x : s.oracle_records())
    expected += "*3\r\n" + as_bulk("message") + as_bulk("usage") + as_bulk(x.payload);
  while (rest.size() < expected.size() && !closed)
    rest += r.raw().some(2000, &closed);
  CHECK(rest == expected);
}

TEST_CASE("messages twice, halved, with odd fields, with others and with garbage between", "[contract]") {
  server s{usual()};
  resp r(s.port());
  r.subscribe();
  REQUIRE(s.fault({"push_duplicate", "", 1, ""}));
  s.record(2);
  const std::string twice = r.message();
  CHECK(r.message() == twice);
  CHECK(r.message() != twice);
  REQUIRE(s.fault({"malformed_payload", "", 1, ""}));
  s.record(1);
  const std::string half = r.message();
  CHECK(half == s.oracle_records().back().payload.substr(0, half.size()));
  CHECK_FALSE(half.ends_with("}"));
  REQUIRE(s.fault({"odd_fields", "", 1, ""}));
  s.record(1);
  const std::string odd = r.message();
  CHECK(odd == s.oracle_records().back().payload);
  CHECK(odd.find("\"zz_future\":{") != std::string::npos);
  REQUIRE(s.fault({"control_object", "", 2, ""}));
  REQUIRE(s.fault({"control_object", R"({"news":[1]})", 0, ""}));
  CHECK(r.message() == R"({"refresh":true})");
  CHECK(r.message() == R"({"refresh":true})");
  CHECK(r.message() == R"({"news":[1]})");
  REQUIRE(s.fault({"push_garbage", "!what\r\n", 1, ""}));
  s.record(1);
  CHECK(r.read() == "!what\r\n");
  CHECK(r.message() == s.oracle_records().back().payload);
}

TEST_CASE("a payload that is no JSON is popped as it is by RESP and as text by HTTP", "[contract]") {
  server s{usual()};
  s.record(2);
  const auto all = s.oracle_records();
  REQUIRE(s.fault({"malformed_payload", "", 1, ""}));
  CHECK(resp(s.port()).call({"LPOP", "usage"}) == as_bulk(all[0].payload.substr(0, all[0].payload.size() / 2)));
  REQUIRE(s.fault({"malformed_payload", "", 1, ""}));
  CHECK(pop(s) == '[' + json_text(all[1].payload.substr(0, all[1].payload.size() / 2)) + ']');
}

TEST_CASE("256 messages wait for a socket that takes no more", "[contract]") {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0);
  const push_manner manner;
  subscriber s(1, channel::usage, ends[0], manner);
  messages m;
  std::uint64_t given = 0;
  for (; s.room() > 0 && given < 100'000; s.take(m)) {
    m.clear();
    m.add("usage", std::string(1000, 'x'), ++given);
  }
  CHECK(given - s.delivered() == subscriber::most_waiting);
  CHECK(s.undelivered() == record_ranges{{s.delivered() + 1, given}});
  // What is read makes room again, and nothing is out of order.
  std::string all(4 << 20, '\0');
  std::size_t size = 0;
  for (ssize_t got = 0; (got = ::recv(ends[1], all.data() + size, all.size() - size, MSG_DONTWAIT)) > 0;) {
    size += static_cast<std::size_t>(got);
    s.flush();
  }
  CHECK(s.delivered() == given);
  CHECK(s.room() == subscriber::most_waiting);
  CHECK(size == given * m.bytes.size());
  ::close(ends[0]);
  ::close(ends[1]);
}

TEST_CASE("a subscriber whose buffer is full is dropped on command, and one record is lost", "[contract]") {
  server s{usual()};
  resp r(s.port());
  r.subscribe();
  s.record(3);
  REQUIRE(s.fault({"overflow", "", 1, ""}));
  s.record(1);
  s.record(2);
  for (int i = 0; i < 3; ++i)
    CHECK_FALSE(r.message().empty());
  CHECK(r.closes());
  CHECK(count_fates(s, "lost") == 1);
  CHECK(count_fates(s, "queued") == 2);
}

TEST_CASE("another consumer takes what is queued, or starves everybody", "[contract]") {
  server s{usual()};
  s.record(5);
  REQUIRE(s.rival("pop", milliseconds(5), 2));
  CHECK(eventually([&] { return s.numbers().queued == 0; }));
  CHECK(s.fates().at(1).by == "rival");
  REQUIRE(s.rival("subscribe"));
  s.record(5);
  CHECK(pop(s) == "[]");
  resp r(s.port());
  r.subscribe();
  s.record(1);
  CHECK_FALSE(r.message().empty()); // a second subscriber is not harmed
  CHECK(s.fates().at(11).to.size() == 2);
  s.restart();
  CHECK(eventually([&] { return s.numbers().subscribers == 1; })); // it comes back
  REQUIRE(s.rival("off"));
  s.record(1);
  CHECK(pop(s) != "[]");
  CHECK_FALSE(s.rival("nonsense"));
  CHECK(call(s.control_port(), "POST", "/rival?mode=pop&every_ms=1").status == 200);
  CHECK(call(s.control_port(), "POST", "/rival?mode=x").status == 400);
}

TEST_CASE("a restart cuts subscribers and forgets the queue, and the oracle says what was in it", "[contract]") {
  server s{usual()};
  s.record(3);
  resp r(s.port());
  r.subscribe();
  s.record(2);
  CHECK_FALSE(r.message().empty());
  s.restart();
  CHECK(r.closes());
  CHECK(count_fates(s, "lost") == 3);
  CHECK(count_fates(s, "pushed") == 2);
  CHECK(pop(s) == "[]");
  // After the work of a pop and before its answer.
  s.record(2);
  REQUIRE(s.fault({"restart", "", 1, "RESP LPOP"}));
  resp popper(s.port());
  popper.send({"LPOP", "usage", "2"});
  CHECK(popper.closes());
  CHECK(eventually([&] { return count_fates(s, "unanswered") == 2; }));
}

TEST_CASE("a brief oracle says as much but for the payload", "[contract]") {
  options o = usual();
  o.oracle_brief = true;
  server s{o};
  s.record(3);
  const auto all = s.oracle_records();
  REQUIRE(all.size() == 3);
  CHECK(all[0].payload.empty());
  CHECK(all[2].number == 3);
  CHECK(all[0].fate == "queued");
  const std::string popped = pop(s, "?count=1");
  CHECK(member(popped, "source") == all[0].what.what.source);
  CHECK(member(popped, "timestamp") == to_text(all[0].what.what.timestamp));
}

/// Runs a stand-in in a process of its own, which is killed while it pushes as fast as it can. Every message that
/// arrived must be in the oracle, as pushed.
TEST_CASE("whatever a subscriber got before a kill is in the oracle", "[contract]") {
  const folder f;
  for (int round = 0; round < 3; ++round) {
    options o = usual();
    o.oracle_file = f.file("oracle");
    o.rate = 20'000;
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      server s{o};
      const std::uint16_t port = s.port();
      if (::write(ready[1], &port, sizeof port) != sizeof port)
        ::_exit(1);
      for (;;)
        ::pause();
    }
    REQUIRE(child > 0);
    std::uint16_t port = 0;
    REQUIRE(::read(ready[0], &port, sizeof port) == sizeof port);
    resp r(port);
    r.subscribe();
    std::set<std::string> got;
    while (got.size() < 1000) {
      std::string payload = r.message();
      REQUIRE_FALSE(payload.empty());
      got.insert(std::move(payload));
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
    for (std::string payload = r.message(300); !payload.empty(); payload = r.message(300))
      got.insert(std::move(payload));
    ::close(ready[0]);
    ::close(ready[1]);
    const auto records = read_oracle(read_file(o.oracle_file).value_or(""));
    const auto fates = read_fates(records, read_file(o.oracle_file + ".fates").value_or(""));
    std::size_t known = 0;
    for (const auto& x : records) {
      if (!got.contains(x.payload))
        continue;
      ++known;
      CHECK(fates.at(x.number).last == "pushed");
    }
    CHECK(known == got.size());
  }
}

} // namespace
} // namespace keyportal::cpa_sim
