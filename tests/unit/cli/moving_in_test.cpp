#include <set>

#include "bench.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

constexpr const char* one = "usr_pool_0001_a1b2c3d4e5f6";
constexpr const char* two = "usr_pool_0002_a1b2c3d4e5f6";

/// A portal that knows Bob, and a file with Ada, Bob and two keys.
struct move : bench {
  move() {
    write("user_keys.json",
          R"({"users":{"ada@example.com":{"name":"Ada","api_keys":["usr_pool_0001_a1b2c3d4e5f6"]},
                       "bob@example.com":{"name":"Bob","api_keys":["usr_pool_0002_a1b2c3d4e5f6"]}},"keys":{}})");
    server.answer("GET /api/v1/users/ada@example.com", R"({"code":"user_unknown"})", 404);
    server.answer("GET /api/v1/users/bob@example.com", R"({"id":"ubob","name":"Bob"})");
    server.answer("POST /api/v1/users", R"({"position":1,"users":[{"id":"uada"}]})", 201);
    server.answer("POST /api/v1/keys/import", R"({"position":2,"added":1,"skipped":1})");
  }
  std::vector<std::string> changes() const {
    std::vector<std::string> lines;
    for (const auto& asked : server.asked())
      if (!asked.line.starts_with("GET "))
        lines.push_back(asked.line);
    return lines;
  }
  static std::string word(const canned_server::request& asked) {
    const auto at = asked.head.find("Idempotency-Key: ");
    REQUIRE(at != std::string::npos);
    return asked.head.substr(at + 17, asked.head.find("\r\n", at) - at - 17);
  }
};

} // namespace

TEST_CASE_METHOD(move, "people and keys of the original portal are taken, and it is said exactly what was") {
  REQUIRE(run({"import", "user-keys", file("user_keys.json"), "--json"}) == exit_done);
  const auto report = nlohmann::json::parse(out.str());
  CHECK(report["people"] == nlohmann::json{{"added", 1}, {"changed", 0}, {"known", 1}});
  CHECK(report["keys"] == nlohmann::json{{"added", 1}, {"known", 1}});
  CHECK(changes() == std::vector<std::string>{"POST /api/v1/users", "POST /api/v1/keys/import"});
  const auto sent = nlohmann::json::parse(server.asked().back().body)["keys"];
  CHECK(sent[0] == nlohmann::json{{"text", one}, {"owner", "ada@example.com"}, {"label", ""}});
  CHECK_FALSE(has(out, one));
  CHECK_FALSE(has(err, one));
}

TEST_CASE_METHOD(move, "the same file gives its commands the same names, another one others") {
  REQUIRE(run({"import", "user-keys", file("user_keys.json")}) == exit_done);
  const auto first = word(server.asked().back());
  REQUIRE(run({"import", "user-keys", file("user_keys.json")}) == exit_done);
  CHECK(word(server.asked().back()) == first);
  CHECK(first.size() <= 128);
  write("user_keys.json", R"({"users":{"bob@example.com":{"api_keys":["usr_pool_0002_a1b2c3d4e5f6"]}}})");
  REQUIRE(run({"import", "user-keys", file("user_keys.json")}) == exit_done);
  CHECK(word(server.asked().back()) != first);
}

TEST_CASE_METHOD(move, "a dry run changes nothing and says what would be done") {
  server.answer("POST /api/v1/keys/find", R"({"code":"key_unknown"})", 404);
  REQUIRE(run({"import", "user-keys", file("user_keys.json"), "--dry-run"}) == exit_done);
  for (const auto& line : changes())
    CHECK(line == "POST /api/v1/keys/find");
  CHECK(has(out, "nothing is"));
  CHECK(has(out, "people: 1 added"));
  CHECK(has(out, "keys: 2 added"));
  CHECK_FALSE(has(out, two));
}

TEST_CASE_METHOD(move, "a file with anything wrong in it is refused before anything is asked") {
  write("bad.json", R"({"users":{"ada@example.com":{"name":"<b>"}}})");
  CHECK(run({"import", "user-keys", file("bad.json"), "--yes"}) == exit_failed);
  CHECK(has(err, "users[\"ada@example.com\"].name"));
  CHECK(run({"import", "key-pool", file("user_keys.json")}) == exit_failed);
  CHECK(has(err, "unused is missing"));
  CHECK(run({"import", "user-mapping", file("none.json")}) == exit_failed);
  CHECK(server.asked().empty());
}

TEST_CASE_METHOD(move, "an import that breaks off says how far it came") {
  server.answer("POST /api/v1/keys/import", R"({"code":"storage_full"})", 507);
  CHECK(run({"import", "user-keys", file("user_keys.json")}) == exit_failed);
  CHECK(has(out, "people: 1 added"));
  CHECK(has(err, "run it again"));
  CHECK(has(err, "disk"));
}

TEST_CASE_METHOD(move, "a person is asked first, and told that pooled keys may be known to somebody") {
  write("key_pool.json", R"({"unused":["usr_pool_0003_a1b2c3d4e5f6"],"assigned":{},"total":1})");
  at_terminal = true;
  in.str("n\n");
  CHECK(run({"import", "key-pool", file("key_pool.json")}) == exit_failed);
  CHECK(has(err, "former owners"));
  CHECK(changes().empty());
}

TEST_CASE_METHOD(move, "a mapping adds what is not known of people and leaves the rest") {
  write("user_mapping.json",
        R"({"users":[{"claude_email":"bob@claude.example","feishu_email":"bob@example.com","name":"Robert"}]})");
  server.answer("PATCH /api/v1/users/bob@example.com", R"({"position":3})");
  REQUIRE(run({"import", "user-mapping", file("user_mapping.json")}) == exit_done);
  CHECK(has(out, "people: 0 added, 1 changed"));
  CHECK(nlohmann::json::parse(server.asked().back().body) == nlohmann::json{{"label", "bob@claude.example"}});
}

TEST_CASE_METHOD(move, "many keys go in pieces, each of which is taken whole") {
  std::string pool = R"({"unused":[)";
  for (int i = 0; i < 1200; ++i)
    pool += (i ? "," : "") + ("\"usr_pool_" + std::to_string(10'000 + i) + "_a1b2c3d4e5f6\"");
  write("key_pool.json", pool + R"(],"assigned":{},"total":1200})");
  REQUIRE(run({"import", "key-pool", file("key_pool.json"), "--yes"}) == exit_done);
  REQUIRE(changes().size() == 3);
  std::set<std::string> words;
  std::size_t sent = 0;
  for (const auto& asked : server.asked()) {
    words.insert(word(asked));
    sent += nlohmann::json::parse(asked.body)["keys"].size();
  }
  CHECK(words.size() == 3);
  CHECK(sent == 1200);
}
