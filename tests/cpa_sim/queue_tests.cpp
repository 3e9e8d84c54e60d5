// The usage queue: over RESP, over HTTP, to subscribers.
#include "queue_test_tools.hpp"

#include <catch2/catch_test_macros.hpp>

namespace keyportal::cpa_sim {
namespace {

using namespace test;
using std::chrono::milliseconds;

const std::string unauthorized = "-NOAUTH Authentication required.\r\n";
const std::string range = "-ERR value is not an integer or out of range\r\n";

TEST_CASE("RESP: every command and every way to get it wrong", "[contract]") {
  server s{of("7.2.140")};
  resp r(s.port());
  struct row {
    std::vector<std::string> words;
    std::string answer;
  };
  const std::vector<row> rows{
    {{"LPOP", "usage"}, "$-1\r\n"},
    {{"rpop", " USAGE "}, "$-1\r\n"},
    {{"LPOP", "usage", "5"}, "*0\r\n"},
    {{"LPOP", "usage", " 5 "}, "*0\r\n"},
    {{"LPOP", "usage", "0"}, range},
    {{"LPOP", "usage", "-1"}, range},
    {{"LPOP", "usage", "x"}, range},
    {{"LPOP", "usage", "99999999999999999999"}, range},
    {{"LPOP"}, "-ERR wrong number of arguments for 'lpop' command\r\n"},
    {{"RPOP", "usage", "1", "2"}, "-ERR wrong number of arguments for 'rpop' command\r\n"},
    {{"LPOP", "queue"}, "-ERR unsupported channel 'queue'\r\n"},
    {{"LPOP", "errors"}, "-ERR unsupported channel 'errors'\r\n"},
    {{"PING"}, "-ERR unknown command 'ping'\r\n"},
    {{"LLEN", "usage"}, "-ERR unknown command 'llen'\r\n"},
    {{"QUIT"}, "-ERR unknown command 'quit'\r\n"},
    {{"SUBSCRIBE"}, "-ERR wrong number of arguments for 'subscribe' command\r\n"},
    {{"SUBSCRIBE", "usage", "errors"}, "-ERR wrong number of arguments for 'subscribe' command\r\n"},
    {{"SUBSCRIBE", "foo"}, "-ERR unsupported channel 'foo'\r\n"},
    {{"PSUBSCRIBE", "*"}, "-ERR unknown command 'psubscribe'\r\n"},
    {{"AUTH", "x"}, "-ERR invalid management key\r\n"},
    {{"LPOP", "usage"}, "$-1\r\n"}, // still authenticated
    {{"AUTH", "user", "s"}, "+OK\r\n"},
    {{}, "-ERR empty command\r\n"},
  };
  for (const auto& x : rows) {
    INFO((x.words.empty() ? "nothing" : x.words[0]));
    CHECK(r.call(x.words) == x.answer);
  }
  r.send_raw(as_command({"LPOP", "usage"}) + as_command({"LPOP", "usage", "1"}) + as_command({"X"}));
  CHECK(r.read() == "$-1\r\n");
  CHECK(r.read() == "*0\r\n");
  CHECK(r.read() == "-ERR unknown command 'x'\r\n");
  for (const char* bad : {"*x\r\n", "$3\r\nabc\r\n", "*1\r\n!3\r\n", "*-1\r\n", "*1\r\n$1\r\nabc\r\n"}) {
    INFO(bad);
    resp other(s.port());
    other.send_raw(bad);
    CHECK(other.read() == "-ERR protocol error\r\n");
    CHECK(other.closes());
  }
}

TEST_CASE("a command may arrive in any pieces", "[contract]") {
  const std::string first = as_command({"AUTH", "user", "s"});
  const std::string text = first + "*2\r\n+LPOP\r\n:7\r\n";
  std::vector<std::string> words;
  std::size_t used = 0;
  for (std::size_t size = 0; size < first.size(); ++size)
    CHECK(parse_command(std::string_view(text).substr(0, size), words, used) == parsed::more);
  REQUIRE(parse_command(text, words, used) == parsed::whole);
  CHECK(words == std::vector<std::string>{"AUTH", "user", "s"});
  REQUIRE(parse_command(std::string_view(text).substr(used), words, used) == parsed::whole);
  CHECK(words == std::vector<std::string>{"LPOP", "7"});
}

TEST_CASE("words of strangers count as failures, shared with HTTP", "[contract]") {
  server s{of("7.2.140")};
  const std::string banned = "-ERR IP banned due to too many failed attempts. Try again in 30m0s\r\n";
  {
    resp r(s.port(), false);
    CHECK(r.call({"HELLO", "3"}) == unauthorized);
    CHECK(r.call({"LPOP", "usage"}) == unauthorized);
    CHECK(r.call({"AUTH"}) == "-ERR wrong number of arguments for 'auth' command\r\n");
    CHECK(r.call({"AUTH", ""}) == "-ERR missing management key\r\n");
    CHECK(r.call({"AUTH", "s"}) == "+OK\r\n"); // forgets the four
  }
  CHECK(call(s.port(), "GET", "/v0/management/debug").status == 401);
  resp r(s.port(), false);
  for (int i = 0; i < 4; ++i)
    CHECK(r.call({"PING"}) == unauthorized);
  CHECK(r.call({"PING"}) == banned);
  CHECK(r.call({"AUTH"}) == banned);
  CHECK(r.call({"AUTH", "s"}) == banned);
  CHECK(manage(s.port(), "GET", "debug").status == 403);
  s.restart();
  CHECK(resp(s.port(), false).call({"AUTH", "s"}) == "+OK\r\n");
}

TEST_CASE("the count of a pop over HTTP", "[contract]") {
  server s{of("7.2.140")};
  for (int i = 1; i <= 12; ++i)
    chat(s, "in=" + std::to_string(i) + " out=1");
  const std::string refused = R"({"error":"count must be a positive integer"})";
  for (const char* bad : {"0", "-1", "abc", "1.5", "99999999999999999999", "1e3", "0x2", "%2B-1", "%2B"})
    CHECK(pop(s, std::string("?count=") + bad) == refused);
  const auto inputs = [&](const std::string& query) {
    const std::string body = pop(s, query);
    std::string out;
    for (std::size_t at = 0; (at = body.find("\"input_tokens\":", at)) != std::string::npos; ++at)
      out += (out.empty() ? "" : " ") + member(body.substr(at - 1), "input_tokens");
    return out;
  };
  CHECK(inputs("") == "1");
  CHECK(inputs("?count=2") == "2 3");
  CHECK(inputs("?count=%202%20") == "4 5");
  CHECK(inputs("?count=") == "6");
  CHECK(inputs("?count=%2B2") == "7 8");
  CHECK(inputs("?count=1000000") == "9 10 11 12");
  CHECK(pop(s) == "[]");
  CHECK(manage(s.port(), "POST", "usage-queue", "{}").status == 404);
  CHECK(s.numbers().popped == 12);
}

TEST_CASE("who pops takes the oldest, whichever end and way he names", "[contract]") {
  server s{of("7.1.20")};
  s.record(7);
  const auto all = s.oracle_records();
  resp r(s.port());
  CHECK(r.call({"LPOP", "usage"}) == as_bulk(all[0].payload));
  CHECK(r.call({"RPOP", "usage"}) == as_bulk(all[1].payload));
  CHECK(pop(s, "?count=2") == '[' + all[2].payload + ',' + all[3].payload + ']');
  CHECK(r.call({"RPOP", "usage", "9"})
        == "*3\r\n" + as_bulk(all[4].payload) + as_bulk(all[5].payload) + as_bulk(all[6].payload));
  const auto fates = s.fates();
  CHECK(fates.at(1).by == "resp");
  CHECK(fates.at(3).by == "http");
  for (const auto& [number, f] : fates)
    CHECK(f.last == "popped");
}

TEST_CASE("what is older than the retention is dropped at the next pop or record", "[contract]") {
  using seconds = std::chrono::seconds;
  usage_queue q;
  const usage_queue::time start{};
  for (unsigned i = 1; i <= 5; ++i)
    q.push(i, {}, start + seconds(10 * i));
  CHECK(q.expire(seconds(60), start + seconds(70)).empty());
  CHECK(q.expire(seconds(60), start + seconds(81)) == record_ranges{{1, 2}});
  CHECK(q.pop(1)[0].number == 3);
  CHECK(q.clear() == record_ranges{{4, 5}});
  CHECK(retention_of(-1) == seconds(60));
  CHECK(retention_of(0) == seconds(60));
  CHECK(retention_of(2) == seconds(2));
  CHECK(retention_of(3601) == seconds(3600));
}

TEST_CASE("the retention is in the config and can be changed while running", "[contract]") {
  const folder f;
  options o = of("7.2.140");
  o.state_file = f.file("config.yaml");
  o.retention = 5000;
  server s{o};
  const auto shown = [&] {
    return member(manage(s.port(), "GET", "config").body, "redis-usage-queue-retention-seconds");
  };
  CHECK(shown() == "3600");
  s.record(3);
  std::string text = *read_file(o.state_file);
  const auto at = text.find("redis-usage-queue-retention-seconds: 5000");
  REQUIRE(at != std::string::npos);
  text.replace(at, 41, "redis-usage-queue-retention-seconds: 1");
  REQUIRE(write_in_place(o.state_file, text).empty());
  CHECK(eventually([&] { return shown() == "1"; }));
  CHECK(eventually([&] { // looks without popping anything younger
    s.record(1);
    return s.numbers().expired >= 3;
  }));
  CHECK(s.fates().at(2).last == "expired");
  CHECK(member(manage(server{of("6.10.0")}.port(), "GET", "config").body, "redis-usage-queue-retention-seconds") == "");
  CHECK(member(manage(server{of("7.1.20")}.port(), "GET", "config").body, "redis-usage-queue-retention-seconds")
        == "60");
}

TEST_CASE("subscribers get everything, poppers nothing, the backlog stays for those who pop", "[contract]") {
  server s{of("7.2.140")};
  s.record(2);
  resp first(s.port());
  CHECK(first.call({"SUBSCRIBE", " Usage "}) == "*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n");
  CHECK(first.message() == R"({"support_refresh":true})");
  resp second(s.port()), popper(s.port());
  second.subscribe();
  s.record(3);
  const auto all = s.oracle_records();
  for (std::size_t i = 2; i < 5; ++i) {
    CHECK(first.message() == all[i].payload);
    CHECK(second.message() == all[i].payload);
    CHECK(all[i].fate == "pushed");
    CHECK(all[i].to.size() == 2);
  }
  CHECK(records_in(pop(s)) == 2); // the backlog
  CHECK(popper.call({"LPOP", "usage", "10"}) == "*0\r\n");
  CHECK(first.call({"PING"}) == "*2\r\n$4\r\npong\r\n$-1\r\n");
  CHECK(first.call({"PING", "hey"}) == "*2\r\n$4\r\npong\r\n$3\r\nhey\r\n");
  for (const char* word : {"LPOP", "SUBSCRIBE", "AUTH"})
    CHECK(first.call({word, "usage"}).starts_with("-ERR unknown command '"));
  CHECK(first.call({"UNSUBSCRIBE"}) == "*3\r\n$11\r\nunsubscribe\r\n$5\r\nusage\r\n:0\r\n");
  CHECK(first.closes());
  CHECK(second.call({"QUIT"}) == "+OK\r\n");
  CHECK(second.closes());
  CHECK(eventually([&] { return s.numbers().subscribers == 0; }));
  s.record(1); // nobody listens: it is queued, none is lost
  CHECK(records_in(pop(s)) == 1);
  CHECK(s.numbers().lost == 0);
}

TEST_CASE("the errors channel tells of failures and starves nobody", "[contract]") {
  server s{of("7.2.140")};
  resp r(s.port());
  r.subscribe("errors");
  chat(s, "status=429");
  chat(s, "in=1 out=1");
  for (const char* id : {"openai-compatibility:fakeup:aa6dc8007e7a", "openai-compatibility:fakeup:d0272d9ce77b"}) {
    const std::string error = r.message();
    CHECK(names_in(error) == "timestamp provider model auth_id auth_index status_code body auth_status");
    CHECK(member(error, "auth_id") == id);
    CHECK(member(error, "model") == "team-model"); // what the client asked for
    CHECK(member(error, "status_code") == "429");
  }
  CHECK(r.message(100).empty());
  CHECK(records_in(pop(s)) == 3);
}

TEST_CASE("a slow subscriber is dropped, one record is lost to it, later ones are queued", "[contract]") {
  options o = of("7.2.140");
  o.push_patience = milliseconds(0);
  server s{o};
  resp r(s.port());
  r.subscribe();
  std::size_t made = 0;
  while (s.numbers().dropped_subscribers == 0 && made < 100'000)
    made += s.record(50);
  REQUIRE(s.numbers().dropped_subscribers == 1);
  CHECK(s.numbers().lost == 1);
  std::size_t read = 0;
  while (!r.message(2000).empty())
    ++read;
  CHECK(r.closes());
  CHECK(eventually([&] { return s.numbers().subscribers == 0; }));
  std::size_t pushed = 0, lost = 0, queued = 0;
  for (const auto& [number, f] : s.fates()) {
    pushed += f.last == "pushed" ? 1 : 0;
    lost += f.last == "lost" ? 1 : 0;
    queued += f.last == "queued" ? 1 : 0;
    CHECK(f.undelivered.empty());
  }
  CHECK(read == pushed);
  CHECK(read > 256);
  CHECK(lost == 1);
  CHECK(pushed + lost + queued == made);
  CHECK(records_in(pop(s, "?count=1000000")) == queued);
}

TEST_CASE("a setting or a key that changes is told to subscribers", "[contract]") {
  server s{of("7.2.140")};
  resp r(s.port());
  r.subscribe();
  manage(s.port(), "PUT", "debug", R"({"value":true})");
  CHECK(r.message() == R"({"refresh":true})");
  manage(s.port(), "PUT", "api-keys", R"(["sk-alice","sk-bob"])");
  CHECK(r.message() == R"({"refresh":true})");
  CHECK(r.message(50).empty());
  const server older{of("7.1.20")};
  resp o(older.port());
  o.call({"SUBSCRIBE", "usage"});
  CHECK(o.message(50).empty());
}

TEST_CASE("without statistics nothing is recorded and yet counted; the backlog stays", "[contract]") {
  server s{of("7.2.140")};
  s.record(3);
  CHECK(manage(s.port(), "PUT", "usage-statistics-enabled", R"({"value":false})").status == 200);
  CHECK(s.record(4) == 0);
  CHECK(s.numbers().attempts == 7);
  CHECK(s.oracle_records().size() == 3);
  CHECK(records_in(pop(s)) == 3);
  CHECK(manage(s.port(), "PUT", "usage-statistics-enabled", R"({"value":true})").status == 200);
  CHECK(s.record(2) == 2);
  CHECK(records_in(pop(s)) == 2);
}

TEST_CASE("when the secret goes, queue and subscribers go", "[contract]") {
  server s{of("7.2.140")};
  s.record(3);
  resp subscriber(s.port());
  subscriber.subscribe();
  CHECK(manage(s.port(), "PUT", "config.yaml", "api-keys:\n  - \"sk-alice\"\nusage-statistics-enabled: true\n").status
        == 200);
  CHECK(subscriber.closes());
  const resp stranger(s.port(), false);
  stranger.send({"PING"});
  CHECK(stranger.closes());
  chat(s, "hi");
  CHECK(s.numbers().queued == 0);
  const auto fates = s.fates();
  CHECK(fates.at(1).last == "cleared");
  CHECK(fates.at(4).last == "none");
  CHECK(manage(s.port(), "GET", "usage-queue").status == 404);
}

} // namespace
} // namespace keyportal::cpa_sim
