// Answers over RESP, held to what CLIProxyAPI 7.2.140 was seen to answer.
#include <algorithm>
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "../../support/eventually.hpp"
#include "tool.hpp"

using namespace keyportal;
using namespace keyportal::compat;
using namespace keyportal::compat::test;
using keyportal::test::eventually;
using nlohmann::json;

namespace {

std::string line_of(tool& t) { return t.read_until("\r\n"); }

std::string bulk_of(tool& t) {
  const auto head = line_of(t);
  if (!head.starts_with('$') || head == "$-1\r\n")
    return head;
  auto text = t.read(std::stoul(head.substr(1)) + 2);
  return text.substr(0, text.size() - 2);
}

/// A connection that has come in.
std::unique_ptr<tool> signed_in(const stage& s, std::string_view with = key) {
  auto t = std::make_unique<tool>(s.port());
  t->send(command({"AUTH", std::string(with)}));
  REQUIRE(line_of(*t) == "+OK\r\n");
  return t;
}

constexpr std::string_view greeting = "*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n"
                                      "*3\r\n$7\r\nmessage\r\n$5\r\nusage\r\n$24\r\n{\"support_refresh\":true}\r\n";

std::unique_ptr<tool> subscribed(const stage& s, std::string_view with = key) {
  auto t = signed_in(s, with);
  t->send(command({"SUBSCRIBE", "usage"}));
  REQUIRE(t->read(greeting.size()) == greeting);
  return t;
}

/// The next pushed record's number.
int pushed(tool& t) {
  if (line_of(t) != "*3\r\n" || bulk_of(t) != "message" || bulk_of(t) != "usage")
    return -1;
  return json::parse(bulk_of(t))["tokens"]["input_tokens"].get<int>();
}

int popped(tool& t) {
  const auto text = bulk_of(t);
  return text.starts_with('{') ? json::parse(text)["tokens"]["input_tokens"].get<int>() : -1;
}

} // namespace

TEST_CASE("Commands are answered as by CLIProxyAPI") {
  stage s;
  auto t = signed_in(s);
  const std::pair<std::vector<std::string>, const char*> table[] = {
    {{"LPOP", "usage"}, "$-1\r\n"},
    {{"lpop", "USAGE", "5"}, "*0\r\n"},
    {{"LPOP", "usage", "0"}, "-ERR value is not an integer or out of range\r\n"},
    {{"LPOP", "usage", "-1"}, "-ERR value is not an integer or out of range\r\n"},
    {{"RPOP", "usage", "x"}, "-ERR value is not an integer or out of range\r\n"},
    {{"LPOP"}, "-ERR wrong number of arguments for 'lpop' command\r\n"},
    {{"RPOP", "usage", "1", "2"}, "-ERR wrong number of arguments for 'rpop' command\r\n"},
    {{"LPOP", "queue"}, "-ERR unsupported channel 'queue'\r\n"},
    {{"LPOP", "errors"}, "-ERR unsupported channel 'errors'\r\n"},
    {{"PING"}, "-ERR unknown command 'ping'\r\n"},
    {{"LLEN", "usage"}, "-ERR unknown command 'llen'\r\n"},
    {{"HELLO", "3"}, "-ERR unknown command 'hello'\r\n"},
    {{"QUIT"}, "-ERR unknown command 'quit'\r\n"},
    {{"PSUBSCRIBE", "usage"}, "-ERR unknown command 'psubscribe'\r\n"},
    {{"SUBSCRIBE"}, "-ERR wrong number of arguments for 'subscribe' command\r\n"},
    {{"SUBSCRIBE", "usage", "errors"}, "-ERR wrong number of arguments for 'subscribe' command\r\n"},
    {{"SUBSCRIBE", "foo"}, "-ERR unsupported channel 'foo'\r\n"},
    {{"AUTH", "wrong"}, "-ERR invalid management key\r\n"},
    {{"AUTH", ""}, "-ERR missing management key\r\n"},
    {{"AUTH", "anybody", std::string(key)}, "+OK\r\n"},
    {{"AUTH"}, "-ERR wrong number of arguments for 'auth' command\r\n"},
    {{}, "-ERR empty command\r\n"},
  };
  for (const auto& [words, wanted] : table) {
    INFO((words.empty() ? "nothing" : words[0]));
    t->send(command(words));
    CHECK(line_of(*t) == wanted);
  }
}

TEST_CASE("Both ends pop the oldest record, one by one or several") {
  stage s;
  s.add(6);
  auto t = signed_in(s);
  t->send(command({"LPOP", "usage"}) + command({"RPOP", "usage"}) + command({"LPOP", "usage", "3"})
          + command({"RPOP", "usage", "99999999999"}) + command({"LPOP", "usage", "2"}));
  CHECK(popped(*t) == 1);
  CHECK(popped(*t) == 2);
  CHECK(line_of(*t) == "*3\r\n");
  CHECK((popped(*t) == 3 && popped(*t) == 4 && popped(*t) == 5));
  CHECK(line_of(*t) == "*1\r\n");
  CHECK(popped(*t) == 6);
  CHECK(line_of(*t) == "*0\r\n");
}

TEST_CASE("A malformed frame ends the connection; half a frame waits") {
  stage s;
  tool wrong{s.port()};
  wrong.send("*x\r\n");
  CHECK(wrong.read_to_end() == "-ERR protocol error\r\n");
  tool half{s.port()};
  half.send("*1\r\n$4\r\nPI");
  half.send("NG\r\n");
  CHECK(line_of(half) == "-NOAUTH Authentication required.\r\n");
  tool other{s.port()};
  other.send("+PING\r\n");
  CHECK(other.read_to_end() == "-ERR protocol error\r\n");
}

TEST_CASE("Bytes may be split anywhere") {
  stage s;
  s.add(1);
  const auto text =
    command({"AUTH", std::string(key)}) + command({"LPOP", "usage", "1"}) + command({"LPOP", "usage", "1"});
  tool t{s.port()};
  for (const char c : text)
    t.send({&c, 1});
  CHECK(line_of(t) == "+OK\r\n");
  CHECK(line_of(t) == "*1\r\n");
  CHECK(popped(t) == 1);
  CHECK(line_of(t) == "*0\r\n");
}

TEST_CASE("A subscriber gets what waited since its place, then what comes, and pops of its name get nothing") {
  stage s;
  s.add(2);
  auto t = subscribed(s);
  CHECK((pushed(*t) == 1 && pushed(*t) == 2));
  s.add(2);
  CHECK((pushed(*t) == 3 && pushed(*t) == 4));
  auto popper = signed_in(s);
  popper->send(command({"LPOP", "usage", "9"}));
  CHECK(line_of(*popper) == "*0\r\n");
  CHECK(s.get("/v0/management/usage-queue?count=9").body == "[]");
  CHECK(json::parse(s.get("/v0/management/usage-queue?count=9", second_key).body).size() == 4);
}

TEST_CASE("Within a subscription there are three commands") {
  stage s;
  auto t = subscribed(s);
  t->send(command({"PING"}) + command({"ping", "hey"}) + command({"LPOP", "usage"}) + command({"SUBSCRIBE", "usage"})
          + command({"AUTH", "x"}));
  CHECK(t->read(19) == "*2\r\n$4\r\npong\r\n$-1\r\n");
  CHECK(t->read(23) == "*2\r\n$4\r\npong\r\n$3\r\nhey\r\n");
  CHECK(line_of(*t) == "-ERR unknown command 'lpop'\r\n");
  CHECK(line_of(*t) == "-ERR unknown command 'subscribe'\r\n");
  CHECK(line_of(*t) == "-ERR unknown command 'auth'\r\n");
  t->send(command({"UNSUBSCRIBE"}));
  CHECK(t->read_to_end() == "*3\r\n$11\r\nunsubscribe\r\n$5\r\nusage\r\n:0\r\n");
  auto quitting = subscribed(s);
  quitting->send(command({"QUIT"}));
  CHECK(quitting->read_to_end() == "+OK\r\n");
  auto errors = signed_in(s);
  errors->send(command({"SUBSCRIBE", "errors"}));
  CHECK(errors->read(35) == "*3\r\n$9\r\nsubscribe\r\n$6\r\nerrors\r\n:1\r\n");
  s.add(1); // is no error, and does not starve pops
  CHECK(json::parse(s.get("/v0/management/usage-queue").body).size() == 1);
}

TEST_CASE("Two subscribers of one name get every record each; two names have places of their own") {
  stage s;
  auto a = subscribed(s), b = subscribed(s), c = subscribed(s, second_key);
  s.add(3);
  for (auto* t : {a.get(), b.get(), c.get()})
    CHECK((pushed(*t) == 1 && pushed(*t) == 2 && pushed(*t) == 3));
  // What was sent and not yet kept as sent is sent again.
  REQUIRE(eventually([&] {
    const auto kept = s.back.places();
    return std::all_of(kept->begin(), kept->end(), [](const auto& place) { return place.seq == 3; });
  }));
  c.reset();
  s.add(1);
  CHECK((pushed(*a) == 4 && pushed(*b) == 4));
  c = subscribed(s, second_key);
  CHECK(pushed(*c) == 4);
}

TEST_CASE("Places survive a restart of ours, in mid-subscription too") {
  stage s;
  auto t = subscribed(s);
  s.add(5);
  for (int i = 1; i <= 5; ++i)
    CHECK(pushed(*t) == i);
  REQUIRE(eventually([&] { return s.back.places()->front().seq == 5; }));
  s.close();
  CHECK(t->ended());
  s.back.add_some("one", 2); // nobody listens
  s.open();
  t = subscribed(s);
  CHECK((pushed(*t) == 6 && pushed(*t) == 7));
}

TEST_CASE("What a subscriber that vanished had not got is there for it when it comes back") {
  for (const bool by_reset : {true, false}) {
    INFO((by_reset ? "reset" : "closed"));
    stage s;
    int read = 0;
    {
      auto t = std::make_unique<tool>(s.port(), 4096); // its system takes next to nothing ahead
      t->send(command({"AUTH", std::string(key)}) + command({"SUBSCRIBE", "usage"}));
      REQUIRE(t->read(5 + greeting.size()).size() == 5 + greeting.size());
      s.add(3000); // all of them find room in our system's buffer
      while (read < 100)
        REQUIRE(pushed(*t) == ++read);
      if (by_reset)
        t->reset();
    }
    int next = 0;
    REQUIRE(eventually([&] {
      const auto pop = s.get("/v0/management/usage-queue?count=1");
      if (pop.body == "[]")
        return false;
      next = json::parse(pop.body)[0]["tokens"]["input_tokens"].get<int>();
      return true;
    }));
    CHECK(next > 100);
    CHECK(next < 500);
  }
}

TEST_CASE("A large backlog is pushed whole and in order") {
  stage s;
  s.add(30'000);
  auto t = subscribed(s);
  for (int i = 1; i <= 30'000; ++i)
    REQUIRE(pushed(*t) == i);
  REQUIRE(eventually([&] { return s.back.places()->front().seq == 30'000; }));
}

TEST_CASE("Names of consumers for one node have that node's records only") {
  stage s{false};
  s.back.configured = {"one", "two"};
  s.settings.consumers[1].node = "two";
  s.open();
  auto t = subscribed(s, second_key);
  s.add(1, "one");
  s.add(1, "two");
  s.add(1, "one");
  s.add(1, "two");
  CHECK((pushed(*t) == 2 && pushed(*t) == 4));
}
