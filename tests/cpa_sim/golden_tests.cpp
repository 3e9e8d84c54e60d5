// What each kind of request gets, as the real 6.9.49 was seen to answer it. One table per group; the steps of a table
// are made in order against one stand-in.
#include "server.hpp"
#include "test_client.hpp"

#include <catch2/catch_test_macros.hpp>

namespace keyportal::cpa_sim {
namespace {

using namespace test;

constexpr const char* cors = "Access-Control-Allow-Headers Access-Control-Allow-Methods Access-Control-Allow-Origin";
const std::string managed_names =
  std::string(cors) + " Content-Type X-Cpa-Build-Date X-Cpa-Commit X-Cpa-Version Content-Length Connection";
const std::string client_names = std::string(cors) + " Content-Type Content-Length Connection";
constexpr const char* json_type = "application/json; charset=utf-8";

options usual() {
  options o;
  o.secret = "s";
  o.keys = {"sk-sentinel", "sk-alice", "sk-bob"};
  o.accounts.clear();
  return o;
}

struct step {
  const char* what;
  const char* method;
  std::string target;
  headers extra;
  std::string body;
  int status;
  std::string answer;
};

void run(const server& s, const std::vector<step>& steps) {
  for (const auto& x : steps) {
    INFO(x.what << ": " << x.method << ' ' << x.target << ' ' << x.body);
    const reply r = call(s.port(), x.method, x.target, x.extra, x.body);
    CHECK(r.status == x.status);
    CHECK(r.body == x.answer);
    CHECK(r.complete);
  }
}

const headers key{{"Authorization", "Bearer s"}};
const std::string flag_on = R"({"usage-statistics-enabled":true})";
const std::string flag = "/v0/management/usage-statistics-enabled";
const std::string invalid = R"({"error":"invalid management key"})";
const std::string remote = R"({"error":"remote management disabled"})";

TEST_CASE("the management key is taken from Authorization first, then from X-Management-Key", "[contract]") {
  const server s{usual()};
  REQUIRE(s.problem().empty());
  run(s, {
           {"bearer", "GET", flag, key, "", 200, flag_on},
           {"lower case", "GET", flag, {{"Authorization", "bearer s"}}, "", 200, flag_on},
           {"raw", "GET", flag, {{"Authorization", "s"}}, "", 200, flag_on},
           {"other header", "GET", flag, {{"X-Management-Key", "s"}}, "", 200, flag_on},
           {"wrong wins", "GET", flag, {{"Authorization", "Bearer x"}, {"X-Management-Key", "s"}}, "", 401, invalid},
           {"empty bearer", "GET", flag, {{"Authorization", "Bearer "}, {"X-Management-Key", "s"}}, "", 401, invalid},
           {"basic", "GET", flag, {{"Authorization", "Basic s"}, {"X-Management-Key", "s"}}, "", 401, invalid},
           {"success resets", "GET", flag, key, "", 200, flag_on},
           {"trailing blanks", "GET", flag, {{"Authorization", "Bearer s  "}}, "", 200, flag_on},
           {"two blanks", "GET", flag, {{"Authorization", "Bearer  s"}}, "", 401, invalid},
           {"in the query", "GET", flag + "?key=s", {}, "", 401, R"({"error":"missing management key"})"},
           {"none", "GET", flag, {}, "", 401, R"({"error":"missing management key"})"},
         });
  CHECK(manage(s.port(), "GET", "usage-statistics-enabled").names() == managed_names);
  CHECK(manage(s.port(), "GET", "usage-statistics-enabled").header("Content-Type") == json_type);
  CHECK(call(s.port(), "GET", flag).names() == managed_names); // a refusal says its version too
}

TEST_CASE("whoever is believed to be elsewhere is refused, and X-Forwarded-For is believed", "[contract]") {
  const server s{usual()};
  const auto from = [](const char* name, const char* value) {
    return headers{{"Authorization", "Bearer s"}, {name, value}};
  };
  run(s, {
           {"elsewhere", "GET", flag, from("X-Forwarded-For", "203.0.113.7"), "", 403, remote},
           {"here", "GET", flag, from("X-Forwarded-For", "127.0.0.1"), "", 200, flag_on},
           {"left-most", "GET", flag, from("X-Forwarded-For", "203.0.113.7, 127.0.0.1"), "", 403, remote},
           {"real ip", "GET", flag, from("X-Real-IP", "203.0.113.8"), "", 403, remote},
           {"garbage", "GET", flag, from("X-Forwarded-For", "abc"), "", 200, flag_on},
           {"other header", "GET", flag, from("CF-Connecting-IP", "203.0.113.8"), "", 200, flag_on},
           {"127.0.0.2", "GET", flag, from("X-Forwarded-For", "127.0.0.2"), "", 403, remote},
           {"mapped", "GET", flag, from("X-Forwarded-For", "::ffff:127.0.0.1"), "", 403, remote},
         });
}

TEST_CASE("five failures ban an address for half an hour, the right key too, until a restart", "[contract]") {
  server s{usual()};
  const headers wrong{{"Authorization", "Bearer no"}};
  const std::string banned = R"({"error":"IP banned due to too many failed attempts. Try again in 30m0s"})";
  for (int i = 0; i < 4; ++i)
    CHECK(call(s.port(), "GET", flag, wrong).status == 401);
  CHECK(call(s.port(), "GET", flag, key).status == 200); // forgets the four
  for (int i = 0; i < 5; ++i)
    CHECK(call(s.port(), "GET", flag, wrong).status == 401);
  run(s, {{"sixth", "GET", flag, wrong, "", 403, banned}, {"right key", "GET", flag, key, "", 403, banned}});
  CHECK(call(s.port(), "GET", flag, {{"Authorization", "Bearer s"}, {"X-Forwarded-For", "::1"}}).status == 200);
  s.restart();
  CHECK(call(s.port(), "GET", flag, key).status == 200);
}

TEST_CASE("anybody can ban the local host by forging its address", "[contract]") {
  const server s{usual()};
  for (int i = 0; i < 5; ++i)
    call(s.port(), "GET", flag, {{"X-Forwarded-For", "127.0.0.1"}});
  CHECK(call(s.port(), "GET", flag, key).status == 403);
}

TEST_CASE("paths and methods that do not exist, OPTIONS, HEAD and a slash too many", "[contract]") {
  const server s{usual()};
  const std::string nothing = "404 page not found";
  run(s, {
           {"unknown", "GET", "/v0/management/nothing", {}, "", 404, nothing},
           {"unknown with key", "GET", "/v0/management/nothing", key, "", 404, nothing},
           {"the prefix", "GET", "/v0/management", {}, "", 404, nothing},
           {"the prefix/", "GET", "/v0/management/", {}, "", 404, nothing},
           {"elsewhere", "GET", "/nothing", {}, "", 404, nothing},
           {"era B", "GET", "/v0/management/usage-queue?count=0", key, "", 404, nothing},
           {"method", "POST", "/v0/management/api-keys", key, "[]", 404, nothing},
           {"method", "DELETE", "/v0/management/usage", key, "", 404, nothing},
           {"options", "OPTIONS", "/v0/management/api-keys", {}, "", 204, ""},
           {"options", "OPTIONS", "/whatever", {}, "", 204, ""},
           {"head", "HEAD", "/v0/management/usage", key, "", 404, ""},
           {"slash", "GET", "/v0/management/api-keys/", key, "", 301,
            "<a href=\"/v0/management/api-keys\">Moved Permanently</a>.\n\n"},
           {"slash", "PUT", "/v0/management/api-keys/", key, "[]", 307, ""},
           {"panel", "GET", "/management.html", {}, "", 404, ""},
         });
  CHECK(call(s.port(), "GET", "/nothing").names() == client_names);
  CHECK(call(s.port(), "GET", "/nothing").header("Content-Type") == "text/plain");
  CHECK(call(s.port(), "OPTIONS", "/x").names() == std::string(cors) + " Connection");
  CHECK(call(s.port(), "HEAD", "/v0/management/usage").names() == client_names);
  CHECK(call(s.port(), "GET", "/v0/management/api-keys/").names() == "Content-Type Location Content-Length Connection");
  CHECK(call(s.port(), "PUT", "/v0/management/api-keys/").names() == "Location Content-Length Connection");
  CHECK(call(s.port(), "GET", "/v0/management/api-keys/?a=b").header("Location") == "/v0/management/api-keys?a=b");
}

TEST_CASE("liveness needs no key", "[contract]") {
  const server s{usual()};
  run(s, {{"healthz", "GET", "/healthz", {}, "", 200, R"({"status":"ok"})"},
          {"head", "HEAD", "/healthz", {}, "", 200, ""}});
  CHECK(call(s.port(), "GET", "/healthz").names() == client_names);
  CHECK(call(s.port(), "HEAD", "/healthz").names() == std::string(cors) + " Connection");
  const reply root = call(s.port(), "GET", "/");
  CHECK(root.status == 200);
  CHECK(root.body.find("\"message\":\"CLI Proxy API Server\"") != std::string::npos);
  options old = usual();
  old.version = "6.9.9";
  CHECK(call(server{old}.port(), "GET", "/healthz").status == 404);
}

TEST_CASE("cheap management calls answer as the real ones do", "[contract]") {
  const server s{usual()};
  const auto at = [](const char* path) { return std::string("/v0/management/") + path; };
  run(s, {
           {"", "GET", at("debug"), key, "", 200, R"({"debug":false})"},
           {"", "GET", at("request-log"), key, "", 200, R"({"request-log":false})"},
           {"", "GET", at("logging-to-file"), key, "", 200, R"({"logging-to-file":false})"},
           {"", "GET", at("ws-auth"), key, "", 200, R"({"ws-auth":false})"},
           {"", "GET", at("quota-exceeded/switch-project"), key, "", 200, R"({"switch-project":false})"},
           {"", "GET", at("routing/strategy"), key, "", 200, R"({"strategy":"round-robin"})"},
           {"", "GET", at("auth-files"), key, "", 200, R"({"files":[]})"},
           {"", "GET", at("auth-files/models"), key, "", 400, R"({"error":"name is required"})"},
           {"", "GET", at("auth-files/models?name=x"), key, "", 200, R"({"models":[]})"},
           {"", "GET", at("logs"), key, "", 400, R"({"error":"logging to file disabled"})"},
           {"", "GET", at("request-error-logs"), key, "", 200, R"({"files":[]})"},
           {"", "GET", at("request-log-by-id/deadbeef"), key, "", 404, R"({"error":"log directory not found"})"},
           {"", "GET", at("model-definitions/zzz"), key, "", 400, R"({"channel":"zzz","error":"unknown channel"})"},
           {"", "PUT", at("debug"), key, R"({"value":true})", 200, R"({"status":"ok"})"},
           {"", "GET", at("debug"), key, "", 200, R"({"debug":true})"},
           {"", "PUT", at("debug"), key, R"({"value":"x"})", 400, R"({"error":"invalid body"})"},
           {"", "PUT", at("debug"), key, "{}", 400, R"({"error":"invalid body"})"},
         });
  const reply yaml = manage(s.port(), "GET", "config.yaml");
  CHECK(yaml.header("Content-Type") == "application/yaml; charset=utf-8");
  CHECK(yaml.header("Cache-Control") == "no-store");
  CHECK(yaml.body.find("  - \"sk-alice\"\n") != std::string::npos);
  CHECK(manage(s.port(), "GET", "config").body.find(R"("api-keys":["sk-sentinel","sk-alice","sk-bob"])")
        != std::string::npos);
  CHECK(manage(s.port(), "GET", "latest-version").status == 502);
}

TEST_CASE("the list of client keys: every form of a write and its refusals", "[contract]") {
  options o = usual();
  o.reload_run = std::chrono::milliseconds(0); // no write here is to be lost
  const server s{o};
  const std::string path = "/v0/management/api-keys";
  const std::string ok = R"({"status":"ok"})";
  const std::string bad = R"({"error":"invalid body"})";
  const std::string missing = R"({"error":"missing fields"})";
  const std::string neither = R"({"error":"missing index or value"})";
  const auto put = [&](const char* what, const char* body, int status, const std::string& answer) {
    return step{what, "PUT", path, key, body, status, answer};
  };
  const auto patch = [&](const char* what, const char* body, int status, const std::string& answer) {
    return step{what, "PATCH", path, key, body, status, answer};
  };
  const auto remove = [&](const char* what, const char* query, int status, const std::string& answer) {
    return step{what, "DELETE", path + query, key, "", status, answer};
  };
  const auto list = [&](const char* what, const std::string& keys) {
    return step{what, "GET", path, key, "", 200, "{\"api-keys\":" + keys + "}"};
  };
  run(s, {
           list("as configured", R"(["sk-sentinel","sk-alice","sk-bob"])"),
           put("items", R"({"items":["k1","k2"]})", 200, ok),
           list("replaced", R"(["k1","k2"])"),
           put("no items", R"({"items":[]})", 400, bad),
           put("other name", R"({"api-keys":["x"]})", 400, bad),
           put("value", R"({"value":["a"]})", 400, bad),
           put("not text", R"(["a",1])", 400, bad),
           put("broken", "{bad", 400, bad),
           put("trailing", "[] x", 400, bad),
           put("empty body", "", 400, bad),
           list("unchanged", R"(["k1","k2"])"),
           put("kept verbatim", R"(["a","a"," b ","","<\u00e9&>"])", 200, ok),
           list("kept verbatim", "[\"a\",\"a\",\" b \",\"\",\"\\u003c\xC3\xA9\\u0026\\u003e\"]"),
           put("array", R"(["k0","k1","k2"])", 200, ok),
           patch("by index", R"({"index":2,"value":"two"})", 200, ok),
           patch("out of range", R"({"index":9,"value":"z"})", 400, missing),
           patch("negative", R"({"index":-1,"value":"z"})", 400, missing),
           patch("falls through", R"({"index":9,"value":"z","old":"two","new":"2"})", 200, ok),
           patch("replaces", R"({"old":"k1","new":"one"})", 200, ok),
           patch("appends", R"({"old":"absent","new":"three"})", 200, ok),
           patch("idempotent", R"({"old":"x","new":"x"})", 200, ok),
           patch("idempotent", R"({"old":"x","new":"x"})", 200, ok),
           list("changed", R"(["k0","one","2","three","x"])"),
           patch("new only", R"({"new":"y"})", 400, missing),
           patch("value only", R"({"value":"y"})", 400, missing),
           patch("index only", R"({"index":0})", 400, missing),
           patch("nothing", "{}", 400, missing),
           patch("index as text", R"({"index":"1","value":"v"})", 400, bad),
           patch("empty body", "", 400, bad),
           remove("by index", "?index=1", 200, ok),
           remove("by value", "?value=x", 200, ok),
           remove("absent", "?value=absent", 200, ok),
           remove("out of range", "?index=99", 400, neither),
           remove("no number", "?index=abc", 400, neither),
           remove("negative", "?index=-1", 400, neither),
           remove("falls through", "?index=99&value=zzz", 200, ok),
           remove("nothing", "", 400, neither),
           remove("empty", "?value=", 400, neither),
           list("left", R"(["k0","2","three"])"),
           put("all gone", "[]", 200, ok),
           list("null until the reload", "null"),
         });
  CHECK(eventually([&] { return manage(s.port(), "GET", "api-keys").body == R"({"api-keys":[]})"; }));
}

TEST_CASE("every place for a client key is looked at, the first that fits wins", "[contract]") {
  const server s{usual()};
  const std::string chat = "/v1/chat/completions";
  const std::string hi = R"({"model":"team-model","messages":[{"role":"user","content":"hi"}]})";
  struct row {
    headers extra;
    const char* query;
    int status;
    const char* used;
  };
  const std::vector<row> rows{
    {{{"Authorization", "Bearer sk-alice"}}, "", 200, "sk-alice"},
    {{{"Authorization", "sk-alice"}}, "", 200, "sk-alice"},
    {{{"Authorization", "Bearer   sk-alice  "}}, "", 200, "sk-alice"},
    {{{"X-Api-Key", "sk-bob"}}, "", 200, "sk-bob"},
    {{{"X-Goog-Api-Key", "sk-bob"}}, "", 200, "sk-bob"},
    {{}, "?key=sk-bob", 200, "sk-bob"},
    {{}, "?auth_token=sk-bob", 200, "sk-bob"},
    {{{"Authorization", "Bearer nope"}, {"X-Api-Key", "sk-bob"}}, "", 200, "sk-bob"},
    {{{"Authorization", "Bearer sk-alice"}, {"X-Api-Key", "sk-bob"}}, "", 200, "sk-alice"},
    {{{"X-Api-Key", "sk-alice"}, {"X-Goog-Api-Key", "sk-bob"}}, "", 200, "sk-bob"},
    {{{"Authorization", "Bearer sk-alice"}}, "?key=sk-bob", 200, "sk-alice"},
    {{{"Authorization", "Bearer SK-ALICE"}}, "", 401, nullptr},
    {{{"Authorization", "Basic sk-alice"}}, "", 401, nullptr},
    {{{"Authorization", "Bearer "}}, "", 401, nullptr},
  };
  std::map<std::string, int> expected;
  for (const auto& x : rows) {
    INFO((x.extra.empty() ? std::string(x.query) : x.extra[0].first + ": " + x.extra[0].second));
    const reply r = call(s.port(), "POST", chat + x.query, x.extra, hi);
    CHECK(r.status == x.status);
    if (x.used != nullptr)
      ++expected[x.used];
    if (x.used == nullptr)
      CHECK(r.body == R"({"error":"Invalid API key"})");
  }
  const reply none = call(s.port(), "POST", chat, {}, hi);
  CHECK(none.status == 401);
  CHECK(none.body == R"({"error":"Missing API key"})");
  CHECK(none.names() == client_names);
  std::map<std::string, int> counted;
  for (const auto& r : s.oracle_records())
    ++counted[r.what.api];
  CHECK(counted == expected);
}

TEST_CASE("client calls answer in their own form and leave one record for each attempt", "[contract]") {
  const server s{usual()};
  const headers alice{{"Authorization", "Bearer sk-alice"}};
  const auto body = [](const char* prompt, const char* more = "") {
    return std::string(R"({"model":"team-model","messages":[{"role":"user","content":")") + prompt + "\"}]" + more
           + "}";
  };
  const auto post = [&](const char* path, const std::string& text) {
    return call(s.port(), "POST", path, alice, text);
  };
  CHECK(post("/v1/chat/completions", body("in=900 out=120 cached=300 reason=40")).body.find("\"total_tokens\":1020")
        != std::string::npos);
  const reply stream = post("/v1/chat/completions", body("in=50 out=7", ",\"stream\":true"));
  CHECK(stream.header("Content-Type") == "text/event-stream");
  CHECK(stream.body.ends_with("data: [DONE]\n\n"));
  CHECK(post("/v1/messages", body("in=20 out=3")).body.find("\"type\":\"message\"") != std::string::npos);
  CHECK(post("/v1/responses", R"({"model":"team-model","input":"in=21 out=4"})").body.find("\"object\":\"response\"")
        != std::string::npos);
  CHECK(post("/v1beta/models/team-model:generateContent", R"({"contents":[{"parts":[{"text":"in=22 out=4"}]}]})")
          .body.find("\"promptTokenCount\":22")
        != std::string::npos);
  CHECK(post("/v1/chat/completions", body("total=0 in=5 out=1 reason=2")).status == 200);
  CHECK(post("/v1/chat/completions", body("status=429")).status == 429); // both credentials are tried
  // No records: counting, the list of models, an unknown model.
  CHECK(post("/v1/messages/count_tokens", body("hi")).body == R"({"input_tokens":3})");
  CHECK(call(s.port(), "GET", "/v1/models", alice).body.find("\"id\":\"team-model\",\"object\":\"model\"")
        != std::string::npos);
  CHECK(call(s.port(), "GET", "/v1/models").status == 401);
  CHECK(post("/v1/chat/completions", R"({"model":"no-such-model"})").status == 502);

  std::vector<std::int64_t> totals;
  std::vector<std::string> sources;
  for (const auto& r : s.oracle_records()) {
    totals.push_back(r.what.what.tokens.total);
    sources.push_back(r.what.what.source);
    CHECK(r.what.model == "up-model-1");
  }
  CHECK(totals == std::vector<std::int64_t>{1020, 57, 23, 25, 26, 8, 0, 0});
  CHECK(sources
        == std::vector<std::string>{"up-key-A", "up-key-B", "up-key-A", "up-key-B", "up-key-A", "up-key-B", "up-key-A",
                                    "up-key-B"});
  CHECK(s.numbers().failed == 2);
}

TEST_CASE("without client keys anybody may call, and the record is filed under the route", "[contract]") {
  options o = usual();
  o.keys = {"", "  "};
  const server s{o};
  CHECK(call(s.port(), "POST", "/v1/chat/completions", {}, R"({"model":"team-model"})").status == 200);
  CHECK(call(s.port(), "POST", "/v1beta/models/team-model:generateContent", {}, "{}").status == 200);
  const auto records = s.oracle_records();
  REQUIRE(records.size() == 2);
  CHECK(records[0].what.api == "POST /v1/chat/completions");
  CHECK(records[1].what.api == "POST /v1beta/models/*action");
}

TEST_CASE("usage and export of a fresh process, and of one with records", "[contract]") {
  server s{usual()};
  const std::string empty =
    R"("usage":{"total_requests":0,"success_count":0,"failure_count":0,"total_tokens":0,)"
    R"("apis":{},"requests_by_day":{},"requests_by_hour":{},"tokens_by_day":{},"tokens_by_hour":{}}})";
  CHECK(manage(s.port(), "GET", "usage").body == "{\"failed_requests\":0," + empty);
  const reply exported = manage(s.port(), "GET", "usage/export");
  CHECK(exported.body.starts_with("{\"version\":1,\"exported_at\":\""));
  CHECK(exported.body.ends_with("Z\"," + empty));
  CHECK(manage(s.port(), "GET", "usage").names() == managed_names);

  const record one{"sk-<alice>",
                   "m",
                   {*parse_instant("2026-04-02T23:59:58.1234567+08:00"),
                    42,
                    "a@x",
                    "a35e8f28ad4fc014",
                    {1200, 330, 128, 512, 1530},
                    false}};
  record other = one;
  other.what.timestamp = *parse_instant("2026-04-03T00:00:03.5+08:00");
  other.what.failed = true;
  other.what.tokens = {};
  REQUIRE(s.record({one, other}));
  CHECK(
    manage(s.port(), "GET", "usage").body
    == R"({"failed_requests":1,"usage":{"total_requests":2,"success_count":1,"failure_count":1,"total_tokens":1530,)"
       R"("apis":{"sk-\u003calice\u003e":{"total_requests":2,"total_tokens":1530,"models":{"m":{"total_requests":2,)"
       R"("total_tokens":1530,"details":[{"timestamp":"2026-04-02T23:59:58.1234567+08:00","latency_ms":42,)"
       R"("source":"a@x","auth_index":"a35e8f28ad4fc014","tokens":{"input_tokens":1200,"output_tokens":330,)"
       R"("reasoning_tokens":128,"cached_tokens":512,"total_tokens":1530},"failed":false},)"
       R"({"timestamp":"2026-04-03T00:00:03.5+08:00","latency_ms":42,"source":"a@x","auth_index":"a35e8f28ad4fc014",)"
       R"("tokens":{"input_tokens":0,"output_tokens":0,"reasoning_tokens":0,"cached_tokens":0,"total_tokens":0},)"
       R"("failed":true}]}}}},"requests_by_day":{"2026-04-02":1,"2026-04-03":1},"requests_by_hour":{"00":1,"23":1},)"
       R"("tokens_by_day":{"2026-04-02":1530,"2026-04-03":0},"tokens_by_hour":{"00":0,"23":1530}}})");
  s.record(20);
  const reply large = manage(s.port(), "GET", "usage"); // more than 2,048 bytes go out chunked
  CHECK(large.complete);
  CHECK(large.names()
        == std::string(cors)
             + " Content-Type X-Cpa-Build-Date X-Cpa-Commit X-Cpa-Version Connection Transfer-Encoding");
}

} // namespace
} // namespace keyportal::cpa_sim
