// The usage queue as each version serves it: over RESP, over HTTP, to subscribers; and what a record says.
#include "json.hpp"
#include "server.hpp"
#include "test_client.hpp"

#include <catch2/catch_test_macros.hpp>

#include <set>

namespace keyportal::cpa_sim {
namespace {

using namespace test;
using std::chrono::milliseconds;

options of(const std::string& version) {
  options o;
  o.version = version;
  o.secret = "s";
  o.keys = {"sk-alice"};
  o.accounts.clear();
  return o;
}

void chat(const server& s, const std::string& prompt, const headers& more = {{"X-Api-Key", "sk-alice"}}) {
  call(s.port(), "POST", "/v1/chat/completions", more,
       R"({"model":"team-model","messages":[{"role":"user","content":")" + prompt + "\"}]}");
}

std::string pop(const server& s, const std::string& query = "?count=1000") {
  return manage(s.port(), "GET", "usage-queue" + query).body;
}

/// How many objects a JSON array of records holds.
std::size_t records_in(const std::string& text) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = text.find("{\"timestamp\":", at)) != std::string::npos; ++at)
    ++count;
  return count;
}

std::string names_in(const std::string& object) {
  std::string names;
  json_reader in(object);
  in.object([&](std::string_view name) {
    names += (names.empty() ? "" : " ") + std::string(name);
    in.skip();
  });
  return in.finish() ? names : "no JSON";
}

const std::string unauthorized = "-NOAUTH Authentication required.\r\n";
const std::string range = "-ERR value is not an integer or out of range\r\n";

TEST_CASE("each version offers what it is said to offer", "[contract]") {
  struct row {
    const char* version;
    int usage, queue;
    const char *lpop, *other, *subscribe, *errors;
  };
  const char* const unknown = "-ERR unknown command 'subscribe'\r\n";
  const char* const yes = "*3\r\n$9\r\nsubscribe\r\n$5\r\nusage\r\n:1\r\n";
  const char* const no_list = "-ERR unsupported channel 'x'\r\n";
  const char* const no_errors = "-ERR unsupported channel 'errors'\r\n";
  const char* const errors = "*3\r\n$9\r\nsubscribe\r\n$6\r\nerrors\r\n:1\r\n";
  const std::vector<row> rows{
    {"6.9.37", 200, 404, "HTTP", nullptr, nullptr, nullptr},
    {"6.9.49", 200, 404, "$-1\r\n", "$-1\r\n", unknown, unknown},
    {"6.10.0", 404, 404, "$-1\r\n", "$-1\r\n", unknown, unknown},
    {"6.10.8", 404, 400, "$-1\r\n", "$-1\r\n", unknown, unknown},
    {"7.0.7", 404, 400, "$-1\r\n", "$-1\r\n", yes, no_errors},
    {"7.1.17", 404, 400, "-ERR RESP AUTH disabled; use mTLS\r\n", nullptr, nullptr, nullptr},
    {"7.1.20", 404, 400, "$-1\r\n", "$-1\r\n", yes, no_errors},
    {"7.2.140", 404, 400, "$-1\r\n", no_list, yes, errors},
  };
  for (const auto& x : rows) {
    INFO(x.version);
    const server s{of(x.version)};
    REQUIRE(s.problem().empty());
    CHECK(manage(s.port(), "GET", "usage").status == x.usage);
    CHECK(manage(s.port(), "GET", "usage/export").status == x.usage);
    const reply queue = manage(s.port(), "GET", "usage-queue?count=0");
    CHECK(queue.status == x.queue);
    CHECK(queue.header("X-Cpa-Version") == (x.queue == 400 ? x.version : ""));
    resp r(s.port(), false);
    if (std::string(x.lpop) == "HTTP") {
      r.send({"AUTH", "s"});
      CHECK(r.raw().read(2000).starts_with("HTTP/1.1 400 Bad Request"));
      continue;
    }
    if (x.other == nullptr) {
      CHECK(r.call({"AUTH", "s"}) == x.lpop);
      CHECK(r.closes());
      continue;
    }
    CHECK(r.call({"AUTH", "s"}) == "+OK\r\n");
    CHECK(r.call({"LPOP", "usage"}) == x.lpop);
    CHECK(r.call({"LPOP", "x"}) == x.other);
    CHECK(r.call({"SUBSCRIBE", "usage"}) == x.subscribe);
    resp second(s.port());
    CHECK(second.call({"subscribe", "errors"}) == x.errors);
  }
}

TEST_CASE("a record has the fields its version has, in their order", "[contract]") {
  const std::string base = "timestamp latency_ms source auth_index tokens failed provider model endpoint auth_type "
                           "api_key request_id";
  const std::string tokens = "input_tokens output_tokens reasoning_tokens cached_tokens total_tokens";
  const std::string all_tokens = "input_tokens output_tokens reasoning_tokens cached_tokens cache_read_tokens "
                                 "cache_read_tokens_present cache_creation_tokens total_tokens";
  struct row {
    const char* version;
    std::string fields, tokens;
  };
  const std::vector<row> rows{
    {"6.9.49", base, tokens},
    {"6.10.0", base, tokens},
    {"6.10.8",
     "timestamp latency_ms source auth_index tokens failed provider model alias endpoint auth_type api_key request_id",
     tokens},
    {"7.1.17",
     "timestamp latency_ms source auth_index tokens failed fail response_headers provider model alias endpoint "
     "auth_type api_key request_id",
     "input_tokens output_tokens reasoning_tokens cached_tokens cache_read_tokens cache_creation_tokens total_tokens"},
    {"7.1.40",
     "timestamp latency_ms ttft_ms source auth_index tokens failed fail response_headers provider executor_type model "
     "alias endpoint auth_type api_key request_id reasoning_effort service_tier",
     "input_tokens output_tokens reasoning_tokens cached_tokens cache_read_tokens cache_creation_tokens total_tokens"},
    {"7.2.70",
     "timestamp latency_ms ttft_ms source auth_index tokens failed fail response_headers provider executor_type model "
     "alias endpoint auth_type api_key request_id reasoning_effort service_tier request_service_tier",
     "input_tokens output_tokens reasoning_tokens cached_tokens cache_read_tokens cache_creation_tokens total_tokens"},
    {"7.2.140",
     "timestamp latency_ms ttft_ms source auth_index client_ip x_forwarded_for user_agent tokens failed generate fail "
     "response_headers accounting_version token_breakdown provider executor_type model alias endpoint auth_type "
     "api_key request_id reasoning_effort service_tier",
     all_tokens},
  };
  for (const auto& x : rows) {
    INFO(x.version);
    const server s{of(x.version)};
    chat(s, "in=900 out=120 cached=300 reason=40", {{"X-Api-Key", "sk-alice"}, {"User-Agent", "ua"}});
    const auto records = s.oracle_records();
    REQUIRE(records.size() == 1);
    const std::string& payload = records[0].payload;
    CHECK(names_in(payload) == x.fields);
    CHECK(names_in(member(payload, "tokens")) == x.tokens);
    CHECK(records[0].what.what.tokens == token_counts{900, 120, 40, 300, 1020});
    CHECK(member(payload, "provider")
          == (traits_of(x.version).provider_prefix ? "openai-compatible-fakeup" : "fakeup"));
  }
  options o = of("7.2.140");
  o.accounts = {{"codex", "a@example.com", "gpt-5.4", true}};
  server s{o};
  s.record(30);
  bool tier = false, hash = false;
  for (const auto& r : s.oracle_records()) {
    tier = tier || member(r.payload, "response_service_tier") == "default";
    hash = hash || member(r.payload, "access_token_sha256").size() == 64;
    CHECK(names_in(r.payload) != "no JSON");
  }
  CHECK(tier);
  CHECK(hash);
}

TEST_CASE("tokens are counted as each provider and version counts them", "[contract]") {
  struct row {
    const char* what;
    const char* version;
    counting count;
    used_tokens used;
    token_counts counts;
    const char* breakdown; // quality, input: total uncached read write, output: total plain reasoning, unclassified
  };
  const used_tokens cached{100, 50, 20, 30, 0, 150};
  const used_tokens claude{100, 50, 10, 30, 7, 0};
  const std::vector<row> rows{
    {"codex", "7.2.140", counting::openai, cached, {100, 50, 20, 30, 150}, "complete 100 70 30 0 50 30 20 0"},
    {"claude", "7.2.140", counting::claude, claude, {100, 50, 10, 30, 187}, "complete 137 100 30 7 50 40 10 0"},
    {"claude before reasoning",
     "7.2.116",
     counting::claude,
     claude,
     {100, 50, 0, 30, 187},
     "complete 137 100 30 7 50 50 0 0"},
    {"claude with cache", "7.1.26", counting::claude, claude, {100, 50, 0, 30, 187}, ""},
    {"claude without cache", "7.1.25", counting::claude, claude, {100, 50, 0, 30, 150}, ""},
    {"claude without cache", "7.1.20", counting::claude, {9, 1, 0, 0, 5, 0}, {9, 1, 0, 5, 10}, ""},
    {"gemini",
     "7.2.140",
     counting::gemini,
     {100, 50, 20, 30, 0, 170},
     {100, 50, 20, 30, 170},
     "complete 100 70 30 0 70 50 20 0"},
    {"nobody knows",
     "7.2.140",
     counting::other,
     {100, 50, 0, 0, 0, 150},
     {100, 50, 0, 0, 150},
     "unclassified 0 0 0 0 0 0 0 150"},
    {"total 0", "6.9.49", counting::openai, {5, 1, 2, 0, 0, 0}, {5, 1, 2, 0, 8}, ""},
    {"total 0", "7.2.140", counting::openai, {5, 1, 2, 0, 0, 0}, {5, 1, 2, 0, 6}, "inconsistent 0 0 0 0 0 0 0 6"},
    {"a total that does not add up",
     "7.2.140",
     counting::openai,
     {5, 1, 0, 0, 0, 9},
     {5, 1, 0, 0, 9},
     "inconsistent 0 0 0 0 0 0 0 9"},
    {"nothing", "7.2.140", counting::openai, {}, {}, "complete 0 0 0 0 0 0 0 0"},
  };
  for (const auto& x : rows) {
    INFO(x.what << ' ' << x.version);
    const traits t = traits_of(x.version);
    auto way = std::make_shared<route>();
    way->count = x.count;
    prepare(*way, t);
    attempt a;
    a.way = way;
    a.used = x.used;
    CHECK(counts_of(a, t) == x.counts);
    std::string payload;
    append_payload(payload, a, t);
    const std::string b = member(payload, "token_breakdown");
    const std::string in = member(b, "input"), out = member(b, "output");
    std::string seen = b.empty() ? "" : member(b, "quality");
    for (const char* name : {"total_tokens", "uncached_tokens", "cache_read_tokens", "cache_write_tokens"})
      seen += b.empty() ? "" : ' ' + member(in, name);
    for (const char* name : {"total_tokens", "non_reasoning_tokens", "reasoning_tokens"})
      seen += b.empty() ? "" : ' ' + member(out, name);
    seen += b.empty() ? "" : ' ' + member(b, "unclassified_tokens");
    CHECK(seen == x.breakdown);
  }
}

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

/// Successes and failures by credential, as the node shows them and as the oracle knows them.
std::map<std::string, std::pair<int, int>> shown_counters(const server& s) {
  std::map<std::string, std::pair<int, int>> out;
  const std::string files = manage(s.port(), "GET", "auth-files").body;
  for (std::size_t at = 0; (at = files.find("{\"account\":", at)) != std::string::npos; ++at) {
    const std::string one = files.substr(at, files.find("\"updated_at\"", at) - at);
    const std::string after = one.substr(one.find("\"status_message\"")); // behind the buckets
    out[member(one, "auth_index")] = {std::stoi(member(after, "success")), std::stoi(member(one, "failed"))};
  }
  const std::string keys = manage(s.port(), "GET", "api-key-usage").body;
  for (std::size_t at = 0; (at = keys.find("|", at)) != std::string::npos; ++at) {
    const std::string rest = keys.substr(at);
    const std::string key = rest.substr(1, rest.find('"') - 1);
    out[key] = {std::stoi(member(rest, "success")), std::stoi(member(rest, "failed"))};
  }
  return out;
}

TEST_CASE("the counters of every credential follow its attempts exactly, until a restart", "[contract]") {
  for (const char* version : {"6.9.49", "7.1.20", "7.2.140"}) {
    INFO(version);
    options o = of(version);
    o.accounts = {{"codex", "a@example.com", "gpt-5.4", true},
                  {"claude", "b@example.com", "claude-sonnet-4-6", true},
                  {"gemini", "AIza-demo", "gemini-3-pro", false}};
    server s{o};
    s.record(500);
    chat(s, "status=500");
    std::map<std::string, std::pair<int, int>> expected;
    for (const auto& r : s.oracle_records()) {
      const auto& d = r.what.what;
      auto& c = expected[d.source.find('@') == std::string::npos ? d.source : d.auth_index];
      ++(d.failed ? c.second : c.first);
    }
    CHECK(expected.size() == 5);
    CHECK(shown_counters(s) == expected);
    CHECK(manage(s.port(), "GET", "api-key-usage").body.find("\"gemini\":{\"|AIza-demo\":") != std::string::npos);
    s.restart();
    for (const auto& [name, counts] : shown_counters(s))
      CHECK(counts == std::pair<int, int>{0, 0});
  }
  const server old{of("6.9.46")};
  CHECK(manage(old.port(), "GET", "api-key-usage").status == 404);
}

TEST_CASE("what is not there is answered as 7.1.47 and later do", "[contract]") {
  const server s{of("7.2.140")};
  const auto get = [&](const std::string& path, const headers& h = {}) { return call(s.port(), "GET", path, h); };
  CHECK(get("/v0/management/nothing").status == 401);
  CHECK(get("/v0/management").status == 401);
  const reply nothing = manage(s.port(), "GET", "nothing");
  CHECK(nothing.status == 404);
  CHECK(nothing.body.empty());
  CHECK(nothing.header("X-Cpa-Version") == "7.2.140");
  CHECK(nothing.header("X-Cpa-Support-Plugin") == "0");
  CHECK(nothing.header("Access-Control-Expose-Headers").starts_with("X-CPA-TRACE-ID, "));
  CHECK(get("/nothing").body.empty());
  options o = of("7.2.140");
  o.secret.clear();
  const server without{o};
  const reply absent = call(without.port(), "GET", "/v0/management/api-keys");
  CHECK(absent.status == 404);
  CHECK(absent.body.empty());
  CHECK(absent.header("X-Cpa-Version").empty());
  const server old{of("7.1.46")};
  CHECK(call(old.port(), "GET", "/v0/management/nothing").body == "404 page not found");
}

TEST_CASE("an answer to a client tells credential and request of its record", "[contract]") {
  const server s{of("7.2.140")};
  const reply r =
    call(s.port(), "POST", "/v1/chat/completions", {{"X-Api-Key", "sk-alice"}}, R"({"model":"team-model"})");
  const std::string trace = r.header("X-Cpa-Trace-Id");
  REQUIRE(trace.size() == 14 + 1 + 16 + 1 + 8);
  const std::string payload = s.oracle_records().at(0).payload;
  CHECK(trace.substr(15, 16) == member(payload, "auth_index"));
  CHECK(trace.substr(32) == member(payload, "request_id"));
  CHECK(member(payload, "auth_index") == "fac00539a2bee80c");
}

TEST_CASE("a key of the example config closes the client paths of 7.2.51 and later", "[contract]") {
  options o = of("7.2.140");
  o.keys = {"sk-alice", "your-api-key-2"};
  const server s{o};
  const reply r = call(s.port(), "GET", "/v1/models", {{"X-Api-Key", "sk-alice"}});
  CHECK(r.status == 403);
  CHECK(r.header("X-Cpa-Safe-Mode") == "example-api-key");
  CHECK(manage(s.port(), "PUT", "api-keys", R"(["sk-alice"])").status == 200);
  CHECK(eventually([&] { return call(s.port(), "GET", "/v1/models", {{"X-Api-Key", "sk-alice"}}).status == 200; }));
}

TEST_CASE("a silent connection is closed after its time and keeps nobody out", "[contract]") {
  options o = of("7.2.140");
  o.first_byte = milliseconds(60);
  const server s{o};
  const connection silent(s.port());
  CHECK(call(s.port(), "GET", "/healthz").status == 200);
  bool closed = false;
  CHECK(silent.read(5000, &closed).empty());
  CHECK(closed);
}

} // namespace
} // namespace keyportal::cpa_sim
