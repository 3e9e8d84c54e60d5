// What depends on the version: what is offered, what a record says, how tokens and attempts are counted.
#include "queue_test_tools.hpp"

#include <catch2/catch_test_macros.hpp>

namespace keyportal::cpa_sim {
namespace {

using namespace test;
using std::chrono::milliseconds;

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
