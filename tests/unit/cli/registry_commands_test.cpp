#include "bench.hpp"

using namespace keyportal;
using namespace keyportal::test;
using nlohmann::json;

namespace {

constexpr const char* id = "kabcdefghijklmnopqrstuvwxyz"; // 27 characters
constexpr const char* the_text = "sk-kp-1TheTextOfTheKeyThatIsShownOnce";

/// A portal with Ada and one key of hers.
struct office : bench {
  office() {
    server.answer("GET /api/v1/users/ada@example.com",
                  R"({"id":"uada","email":"ada@example.com","name":"A\u001b[31mda","state":"active","groups":["eu"],
                      "budgets":[{"unit":"tokens","window":"month","amount":1000000}]})");
    server.answer("GET /api/v1/users/uada", R"({"id":"uada","email":"ada@example.com"})");
    server.answer(std::string("GET /api/v1/keys/") + id, key);
    server.answer("GET /api/v1/keys?limit=2&after=kabc", R"({"items":[)" + key + R"(,{"id":"kabd"}]})");
    server.answer("GET /api/v1/keys?state=live&owner=ada@example.com&text=&limit=1000",
                  R"({"items":[)" + key + R"(],"more":false})");
  }
  const std::string key = R"({"id":"kabcdefghijklmnopqrstuvwxyz","shown":"sk-kp-…zzzz","status":"active","state":"live",
                              "owner":"uada","label":"laptop","nodes":["a","b"],"expires_at":null})";
  [[nodiscard]] json sent() const { return json::parse(server.asked().back().body); }
  [[nodiscard]] std::string line() const { return server.asked().empty() ? "" : server.asked().back().line; }
  /// Every command carries the token and a name.
  void check_command(const std::string& expected) const {
    CHECK(line() == expected);
    CHECK(last_head().find(std::string("Authorization: Bearer ") + token) != std::string::npos);
    CHECK(last_head().find("Idempotency-Key: ") != std::string::npos);
  }
};

} // namespace

TEST_CASE_METHOD(office, "people are listed page by page") {
  server.answer("GET /api/v1/users?state=active&text=a%20b&limit=1000",
                R"({"items":[{"id":"u1","email":"one@example.com"}],"more":true})");
  server.answer("GET /api/v1/users?state=active&text=a%20b&limit=1000&after=u1",
                R"({"items":[{"id":"u2","email":"two@example.com","name":"\u202eevil"}],"more":false})");
  REQUIRE(run({"users", "list", "--state", "active", "--text", "a b"}) == exit_done);
  CHECK(has(out, "one@example.com"));
  CHECK(has(out, "two@example.com"));
  CHECK_FALSE(has(out, "\u202e"));
  CHECK(last_head().find("Authorization") != std::string::npos);
  REQUIRE(run({"users", "list", "--state", "active", "--text", "a b", "--json"}) == exit_done);
  CHECK(json::parse(out.str())["items"].size() == 2);
}

TEST_CASE_METHOD(office, "a person is shown with the keys that are the person's") {
  server.answer("GET /api/v1/keys?owner=uada&limit=1000", R"({"items":[)" + key + R"(]})");
  REQUIRE(run({"users", "show", "ada@example.com"}) == exit_done);
  for (const char* text : {"uada", "tokens/month 1,000,000", "laptop", "sk-kp-…zzzz"})
    CHECK(has(out, text));
  CHECK_FALSE(has(out, "\x1b"));
  CHECK(run({"users", "show", "bob@example.com"}) == exit_failed);
}

TEST_CASE_METHOD(office, "people are added and changed, with nothing sent that was not said") {
  server.answer("POST /api/v1/users", R"({"users":[{"id":"uada","email":"ada@example.com"}]})", 201);
  REQUIRE(run({"users", "add", "ada@example.com", "--name", "Ada", "--group", "eu,staff", "--pending"}) == exit_done);
  check_command("POST /api/v1/users");
  CHECK(sent() == json{{"email", "ada@example.com"}, {"name", "Ada"}, {"groups", {"eu", "staff"}}, {"active", false}});
  server.answer("PATCH /api/v1/users/ada@example.com", R"({"users":[]})");
  REQUIRE(run({"users", "change", "ada@example.com", "--label", "", "--group", "none", "--budget", "tokens/day=5"})
          == exit_done);
  check_command("PATCH /api/v1/users/ada@example.com");
  CHECK(sent()
        == json{{"label", ""},
                {"groups", json::array()},
                {"budgets", {{{"unit", "tokens"}, {"window", "day"}, {"amount", 5}}}}});
  CHECK(has(out, "nothing had to change"));
  CHECK(run({"users", "change", "ada@example.com"}) == exit_wrong_usage);
  for (const char* bad :
       {"tokens=5", "tokens/day", "tokens/day=-5", "tokens/day=5x", "=/", "cost/day=0", "cost/day=1e3"})
    CHECK(run({"users", "change", "ada@example.com", "--budget", bad}) == exit_wrong_usage);
}

TEST_CASE_METHOD(office, "the name of a command can be given, so that asking twice does it once") {
  server.answer("POST /api/v1/users/ada@example.com/state", R"({"users":[{"id":"uada","email":"ada@example.com"}]})");
  REQUIRE(run({"users", "suspend", "ada@example.com", "--command", "once-7"}) == exit_done);
  CHECK(last_head().find("Idempotency-Key: once-7") != std::string::npos);
  CHECK(sent() == json{{"to", "suspended"}});
  REQUIRE(run({"users", "resume", "ada@example.com"}) == exit_done);
  const auto first = last_head();
  REQUIRE(run({"users", "resume", "ada@example.com"}) == exit_done);
  CHECK(last_head() != first);
}

TEST_CASE_METHOD(office, "what cannot be undone is asked first") {
  server.answer("POST /api/v1/users/ada@example.com/state", R"({"users":[{"id":"uada"}]})");
  server.answer(std::string("POST /api/v1/keys/") + id + "/revoke", R"({"keys":[]})");
  server.answer("DELETE /api/v1/policies/eu", "{}");
  at_terminal = true;
  for (const auto& words : std::vector<std::vector<std::string>>{
         {"users", "delete", "ada@example.com"}, {"keys", "revoke", id}, {"policies", "drop", "eu"}}) {
    in.clear();
    in.str("n\n");
    CHECK(run(words) == exit_failed);
    CHECK(line().starts_with("GET ") == (words[0] == "keys"));
    auto sure = words;
    sure.push_back("--yes");
    CHECK(run(sure) == exit_done);
    CHECK_FALSE(line().starts_with("GET "));
  }
}

TEST_CASE_METHOD(office, "a key that is given out is alone on standard output") {
  server.answer("POST /api/v1/keys", R"({"key":")" + std::string(the_text) + R"(","keys":[)" + key + "]}", 201);
  REQUIRE(run({"keys", "assign", "ada@example.com", "--label", "laptop", "--lifetime", "90d", "--node", "a"})
          == exit_done);
  check_command("POST /api/v1/keys");
  CHECK(sent() == json{{"owner", "ada@example.com"}, {"label", "laptop"}, {"lifetime_s", 7'776'000}, {"nodes", {"a"}}});
  CHECK(out.str() == std::string(the_text) + "\n");
  CHECK_FALSE(has(err, the_text));
  CHECK(run({"keys", "assign", "ada@example.com", "--lifetime", "soon"}) == exit_wrong_usage);
  server.answer("POST /api/v1/keys", R"({"code":"pool_empty"})", 503);
  CHECK(run({"keys", "assign", "ada@example.com"}) == exit_failed);
  CHECK(has(err, "pool fill"));
}

TEST_CASE_METHOD(office, "a key is named by its id or by a beginning that no other has") {
  REQUIRE(run({"keys", "show", "kabc"}) == exit_done);
  CHECK(has(out, "laptop"));
  CHECK(has(out, "ada@example.com"));
  REQUIRE(run({"keys", "show", id, "--json"}) == exit_done);
  CHECK(json::parse(out.str())["label"] == "laptop");
  server.answer("GET /api/v1/keys?limit=2&after=kab", R"({"items":[{"id":"kabc"},{"id":"kabd"}]})");
  CHECK(run({"keys", "show", "kab"}) == exit_wrong_usage);
  server.answer("GET /api/v1/keys?limit=2&after=kz", R"({"items":[]})");
  CHECK(run({"keys", "show", "kz"}) == exit_failed);
  CHECK(has(err, "no such key"));
}

TEST_CASE_METHOD(office, "keys are listed with their owners") {
  REQUIRE(run({"keys", "list", "--state", "live", "--owner", "ada@example.com"}) == exit_done);
  for (const char* text : {"sk-kp-…zzzz", "active", "ada@example.com", "a, b", id})
    CHECK(has(out, text));
}

TEST_CASE_METHOD(office, "every step of a key's life is one command") {
  const std::string path = std::string("/api/v1/keys/") + id;
  for (const char* step : {"renew", "rotate", "suspend", "resume", "revoke", "adopt"})
    server.answer("POST " + path + "/" + step, R"({"keys":[)" + key + "]}");
  server.answer("PATCH " + path, R"({"keys":[)" + key + "]}");
  REQUIRE(run({"keys", "renew", "kabc", "--lifetime", "never"}) == exit_done);
  CHECK(sent() == json{{"lifetime_s", 0}});
  REQUIRE(run({"keys", "rotate", "kabc", "--grace", "1h"}) == exit_done);
  CHECK(sent() == json{{"grace_s", 3600}});
  for (const char* step : {"suspend", "resume", "revoke"}) {
    REQUIRE(run({"keys", step, "kabc"}) == exit_done);
    check_command("POST " + path + "/" + step);
  }
  REQUIRE(run({"keys", "adopt", "kabc", "ada@example.com", "--label", "old"}) == exit_done);
  CHECK(sent() == json{{"owner", "ada@example.com"}, {"label", "old"}});
  REQUIRE(run({"keys", "label", "kabc", "desk"}) == exit_done);
  CHECK(sent() == json{{"label", "desk"}});
  check_command("PATCH " + path);
  REQUIRE(run({"keys", "change", "kabc", "--node", "all"}) == exit_done);
  CHECK(sent() == json{{"nodes", json::array()}});
}

TEST_CASE_METHOD(office, "the text of a key that is looked for is read from standard input and shown nowhere") {
  server.answer("POST /api/v1/keys/find", key);
  in.str(std::string(the_text) + "\r\n");
  REQUIRE(run({"keys", "find"}) == exit_done);
  CHECK(has(out, "laptop"));
  CHECK_FALSE(has(out, the_text));
  CHECK_FALSE(has(err, the_text));
  bool asked = false;
  for (const auto& one : server.asked()) {
    CHECK(one.line.find("sk-kp-1") == std::string::npos);
    asked = asked || one.body == json{{"text", the_text}}.dump();
  }
  CHECK(asked);
  in.clear();
  in.str("\n");
  CHECK(run({"keys", "find"}) == exit_wrong_usage);
}

TEST_CASE_METHOD(office, "the pool is shown and filled") {
  server.answer("GET /api/v1/pool", R"({"keys":{"pooled":41,"live":1234},"made":50,"low_water":10})");
  server.answer("POST /api/v1/pool", R"({"made":12})", 201);
  REQUIRE(run({"pool", "show"}) == exit_done);
  CHECK(has(out, "41"));
  CHECK(has(out, "1,234"));
  REQUIRE(run({"pool", "fill", "12"}) == exit_done);
  CHECK(sent() == json{{"count", 12}});
  CHECK(has(out, "12 made"));
}

TEST_CASE_METHOD(office, "a policy is changed in what is given and keeps the rest") {
  server.answer("GET /api/v1/policies", R"({"items":[{"name":"eu","keys_per_user":2,"key_lifetime_s":86400,
    "renewal":"self","nodes":["a"],"key_budgets":[]}]})");
  server.answer("PUT /api/v1/policies/eu", "{}");
  server.answer("PUT /api/v1/policies/us", "{}");
  REQUIRE(run({"policies", "list"}) == exit_done);
  CHECK(has(out, "1 d"));
  REQUIRE(run({"policies", "show", "eu"}) == exit_done);
  REQUIRE(run({"policies", "set", "eu", "--keys-per-user", "5", "--node", "all", "--renewal", "approval",
               "--key-budget", "requests/hour=10"})
          == exit_done);
  CHECK(sent()["keys_per_user"] == 5);
  CHECK(sent()["key_lifetime_s"] == 86400);
  CHECK(sent()["nodes"].empty());
  CHECK(sent()["renewal"] == "approval");
  CHECK(sent()["key_budgets"][0]["window"] == "hour");
  REQUIRE(run({"policies", "set", "us", "--lifetime", "90d"}) == exit_done);
  CHECK(sent() == json{{"name", "us"}, {"key_lifetime_s", 7'776'000}});
  CHECK(run({"policies", "show", "other"}) == exit_failed);
}

TEST_CASE_METHOD(office, "nodes that drift and keys that wait for a choice are one list, and a failure") {
  server.answer("GET /api/v1/nodes", R"({"items":[{"node":"one"},{"node":"two"}]})");
  server.answer("GET /api/v1/nodes/one/keys",
                R"({"changing":0,"taken_away":0,"open":false,"drift":false,"problem":""})");
  server.answer("GET /api/v1/nodes/two/keys",
                R"({"changing":0,"taken_away":0,"open":false,"drift":false,"problem":""})");
  server.answer("GET /api/v1/keys?waiting=choice&limit=1000", R"({"items":[],"more":false})");
  CHECK(run({"keys", "drift"}) == exit_done);
  CHECK(has(out, "as they should be"));
  server.answer("GET /api/v1/nodes/two/keys",
                R"({"changing":3,"taken_away":0,"open":false,"drift":true,"problem":"its config.yaml is empty"})");
  CHECK(run({"keys", "drift"}) == exit_failed);
  CHECK(has(out, "its config.yaml is empty"));
  server.answer("GET /api/v1/nodes/two/keys",
                R"({"changing":0,"taken_away":0,"open":false,"drift":false,"problem":""})");
  server.answer("GET /api/v1/keys?waiting=choice&limit=1000",
                R"({"items":[{"id":"kabc","shown":"sk-kp…1234","owner":"","label":"laptop"}],"more":false})");
  CHECK(run({"keys", "drift"}) == exit_failed);
  CHECK(has(out, "laptop"));
  CHECK(has(out, "keys resume"));
}

TEST_CASE_METHOD(office, "renewals are listed, asked for and decided") {
  server.answer("GET /api/v1/keys?waiting=renewal&limit=1000",
                R"({"items":[{"id":"kabc","shown":"sk-kp…1234","owner":"","expires_at":null,
                   "renewal":{"asked_at":"2026-04-02T00:00:00.000Z","lifetime_s":2592000,"reason":"late"}}],"more":false})");
  REQUIRE(run({"keys", "renewals", "list"}) == exit_done);
  CHECK(has(out, "30 d"));
  CHECK(has(out, "late"));
  const auto id = "k" + std::string(26, 'a');
  server.answer("GET /api/v1/keys/" + id, R"({"id":")" + id + R"("})");
  server.answer("POST /api/v1/keys/" + id + "/renewal", "{}");
  server.answer("POST /api/v1/keys/" + id + "/renewal/answer", "{}");
  REQUIRE(run({"keys", "renewals", "ask", id, "--reason", "late", "--lifetime", "30d"}) == exit_done);
  CHECK(sent() == json{{"reason", "late"}, {"lifetime_s", 2'592'000}});
  REQUIRE(run({"keys", "renewals", "approve", id}) == exit_done);
  CHECK(sent() == json{{"approve", true}, {"reason", ""}});
  REQUIRE(run({"keys", "renewals", "refuse", id, "--reason", "no"}) == exit_done);
  CHECK(sent() == json{{"approve", false}, {"reason", "no"}});
}

TEST_CASE_METHOD(office, "the newest of the audit is listed, and what is wanted of all of it") {
  server.answer("GET /api/v1/pool", R"({"position":150})");
  server.answer("GET /api/v1/audit?limit=100&after=50&what=&about=",
                R"({"items":[{"position":150,"who":"cli","what":"key.suspend","at":"2026-04-02T00:00:00.000Z",
                   "keys":[{"id":"kabc","before":{"state":"live"},"after":{"state":"suspended"}}]}],
                   "next":150,"more":true})");
  server.answer("GET /api/v1/audit?limit=100&after=150&what=&about=", R"({"items":[],"next":150,"more":false})");
  REQUIRE(run({"audit", "list"}) == exit_done);
  CHECK(has(out, "kabc: state live → suspended"));
  server.answer("GET /api/v1/audit?limit=2&after=0&what=key.&about=uada",
                R"({"items":[{"position":1},{"position":2}],"next":2,"more":true})");
  server.answer("GET /api/v1/audit?limit=2&after=2&what=key.&about=uada",
                R"({"items":[{"position":9}],"next":20,"more":false})");
  REQUIRE(run({"audit", "list", "--limit", "2", "--what", "key.", "--about", "ada@example.com", "--json"})
          == exit_done);
  const auto items = json::parse(out.str())["items"];
  REQUIRE(items.size() == 2);
  CHECK(items[1]["position"] == 9);
}

TEST_CASE_METHOD(office, "the audit is proved, or the command fails") {
  server.answer("GET /api/v1/audit/verify", R"({"position":2500})");
  REQUIRE(run({"audit", "verify"}) == exit_done);
  CHECK(has(out, "2,500"));
  server.answer("GET /api/v1/audit/verify", R"({"code":"audit_broken","detail":"entry 7"})", 500);
  CHECK(run({"audit", "verify"}) == exit_failed);
  CHECK(has(err, "entry 7"));
}

TEST_CASE_METHOD(office, "a node's keys are shown, and an open node is a failure") {
  server.answer("GET /api/v1/nodes/a/keys",
                R"({"wanted":7,"changing":1,"open":false,"problem":"it \u001b[31msleeps"})");
  REQUIRE(run({"node", "keys", "a"}) == exit_done);
  CHECK(has(out, "sleeps"));
  CHECK_FALSE(has(out, "\x1b"));
  server.answer("GET /api/v1/nodes/a/keys", R"({"open":true})");
  CHECK(run({"node", "keys", "a"}) == exit_failed);
  CHECK(has(out, "without a key"));
  const auto before = server.asked().size();
  CHECK(run({"node", "keys", "../x"}) == exit_failed);
  CHECK(server.asked().size() == before);
}

TEST_CASE_METHOD(office, "kept configs are listed, shown, compared and given back") {
  server.answer("GET /api/v1/nodes/a/configs",
                R"({"items":[{"number":4,"bytes":2048,"sha256":"beef"},{"number":3,"bytes":10}]})");
  server.answer("GET /api/v1/nodes/a/configs/4", "port: 8317\nkeys:\n  - x\n");
  server.answer("GET /api/v1/nodes/a/configs/3", "port: 8317\nkeys:\n  - \x1b[31my\n");
  server.answer("POST /api/v1/nodes/a/configs/3/restore", R"({"number":3})");
  REQUIRE(run({"node", "config", "list", "a"}) == exit_done);
  CHECK(has(out, "2.0 KiB"));
  REQUIRE(run({"node", "config", "show", "a"}) == exit_done);
  CHECK(out.str() == "port: 8317\nkeys:\n  - x\n");
  CHECK(has(err, "holds keys"));
  REQUIRE(run({"node", "config", "diff", "a"}) == exit_done);
  CHECK(has(out, "+   - x"));
  out_at_terminal = true;
  REQUIRE(run({"node", "config", "diff", "a", "3", "4"}) == exit_done);
  CHECK_FALSE(has(out, "\x1b"));
  at_terminal = true;
  in.str("n\n");
  CHECK(run({"node", "config", "restore", "a", "3"}) == exit_failed);
  REQUIRE(run({"node", "config", "restore", "a", "3", "--yes"}) == exit_done);
  CHECK(line() == "POST /api/v1/nodes/a/configs/3/restore");
}
