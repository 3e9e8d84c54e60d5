#include <catch2/catch_test_macros.hpp>

#include "actors/cli/legacy_files.hpp"
#include "messages/errors.hpp"

using namespace keyportal;
using namespace keyportal::cli;

namespace {

const std::string users = R"({"version":"1.0",
  "users":{"Ada@Example.com":{"email":"ada@example.com","name":"Ada","api_keys":["usr_pool_0001_a1b2c3d4e5f6","usr_pool_0002_a1b2c3d4e5f6"],
                              "created_at":"2025-11-03T10:20:30.123456"},
           "bob@example.com":{"name":null,"api_keys":[]}},
  "keys":{"usr_pool_0001_a1b2c3d4e5f6":{"email":"ada@example.com","label":"laptop","created_at":"2025-11-03 10:20:30"}}})";

/// The reason of a refusal, which never holds a key.
template <class Read>
std::string refusal(Read read, const std::string& text) {
  const auto file = read(text);
  REQUIRE_FALSE(file);
  CHECK(code_of(file.error()) == errc::file_malformed);
  CHECK(about_of(file.error()).find("usr_pool_") == std::string::npos);
  return about_of(file.error());
}

/// The text with one piece in place of another.
std::string with(std::string text, const std::string& piece, const std::string& other) {
  const auto at = text.find(piece);
  REQUIRE(at != std::string::npos);
  return text.replace(at, piece.size(), other);
}

} // namespace

TEST_CASE("user_keys.json gives its people and their keys") {
  const auto file = read_user_keys(users);
  REQUIRE(file);
  REQUIRE(file->people.size() == 2);
  CHECK(file->people[0].email == "ada@example.com");
  CHECK(file->people[0].name == "Ada");
  CHECK(file->people[1].name.empty());
  REQUIRE(file->keys.size() == 2);
  CHECK(file->keys[0].text.reveal() == "usr_pool_0001_a1b2c3d4e5f6");
  CHECK(file->keys[0].owner == "ada@example.com");
  CHECK(file->keys[0].label == "laptop");
  CHECK(file->keys[0].created_at == "2025-11-03T10:20:30Z");
  CHECK(file->keys[1].label.empty());
  CHECK(file->remarks.size() == 1);
  CHECK(read_user_keys(R"({"users":{}})")->people.empty());
}

TEST_CASE("key_pool.json gives nobody's keys and somebody's") {
  const auto file = read_key_pool(
    R"({"unused":["usr_pool_0003_a1b2c3d4e5f6"],"assigned":{"usr_pool_0004_a1b2c3d4e5f6":"Ada@example.com"},"total":3})");
  REQUIRE(file);
  REQUIRE(file->keys.size() == 2);
  CHECK(file->keys[0].owner.empty());
  CHECK(file->keys[1].owner == "ada@example.com");
  CHECK(file->people.size() == 1);
  CHECK(file->remarks.size() == 1); // it says three
}

TEST_CASE("user_mapping.json gives people by their Feishu addresses, else by the others") {
  const auto file = read_user_mapping(R"({"users":[
    {"claude_email":"a@claude.example","feishu_email":"ada@example.com","name":"Ada"},
    {"claude_email":"bob@example.com","feishu_email":null,"name":"Bob"}]})");
  REQUIRE(file);
  CHECK(file->people[0].email == "ada@example.com");
  CHECK(file->people[0].label == "a@claude.example");
  CHECK(file->people[1].email == "bob@example.com");
  CHECK(file->people[1].label.empty());
  CHECK(refusal(read_user_mapping, R"({"users":[{"name":"x"}]})") == "users[0] has no address");
  CHECK(refusal(read_user_mapping, R"({"users":[{"claude_email":"a@b.c"},{"feishu_email":"A@b.c"}]})")
        == "users[1]: \"a@b.c\" stands twice");
}

TEST_CASE("a file that is no JSON is refused with its line, and its text is not repeated") {
  CHECK(refusal(read_user_keys, "{\n\"users\":{},\n\"usr_pool_0001_a1b2c3d4e5f6\n}") == "line 3 is no JSON");
  CHECK(refusal(read_user_keys, "") == "line 1 is no JSON");
  CHECK(refusal(read_user_keys, "[]") == "it is no JSON object");
  CHECK(refusal(read_user_keys, "{\"users\":{}}\n{}") == "line 2 is no JSON");
  CHECK(refusal(read_user_keys, "{\"users\":{\"\xff@b.c\":{}}}").starts_with("line 1"));
  CHECK(refusal(read_user_keys, std::string(100'000, '[')).size() < 100);
  CHECK(refusal(read_user_keys, std::string(100'000, '[') + std::string(100'000, ']')) == "it is nested too deeply");
  CHECK(refusal(read_user_keys, R"({"users":{},"users":{"a@b.c":{}}})") == "an object has the same name twice");
}

TEST_CASE("whatever is wrong in user_keys.json is refused as a whole, with its place") {
  const auto refused = [](const std::string& piece, const std::string& other) {
    return refusal(read_user_keys, with(users, piece, other));
  };
  CHECK(refused("\"name\":\"Ada\"", "\"name\":7") == "users[\"Ada@Example.com\"].name is not a text");
  CHECK(refused("\"Ada\"", "\"<b>Ada</b>\"").starts_with("users[\"Ada@Example.com\"].name: "));
  CHECK(refused("\"Ada\"", "\"=1+1\"").find("formula") != std::string::npos);
  CHECK(refused("\"Ada\"", "\"\\u202eadA\"").find("direction") != std::string::npos);
  CHECK(refused("\"Ada\"", "\"" + std::string(10'000, 'x') + "\"").find("longer") != std::string::npos);
  CHECK(refused("bob@example.com", "bob").find("no e-mail address") != std::string::npos);
  CHECK(refused("bob@example.com", std::string(10'000, 'b')).size() < 300);
  CHECK(refused("bob@example.com", "ADA@example.com").find("stands twice") != std::string::npos);
  CHECK(
    refused("\"email\":\"ada@example.com\",\"name\"", "\"email\":\"eve@example.com\",\"name\"").find("another address")
    != std::string::npos);
  CHECK(refused("[\"usr_pool_0001_a1b2c3d4e5f6\"", "[\"with blank\"").find("api_keys[0] cannot be a key")
        != std::string::npos);
  CHECK(refused("\"usr_pool_0002_a1b2c3d4e5f6\"", "\"usr_pool_0001_a1b2c3d4e5f6\"").find("listed twice")
        != std::string::npos);
  CHECK(refused("[]", "[\"usr_pool_0001_a1b2c3d4e5f6\"]").find("listed twice") != std::string::npos);
  CHECK(refused("{\"email\":\"ada@example.com\",\"label\"", "{\"email\":\"bob@example.com\",\"label\"")
          .find("does not list it")
        != std::string::npos);
  CHECK(refused("\"usr_pool_0001_a1b2c3d4e5f6\":{", "\"usr_pool_0009_a1b2c3d4e5f6\":{").starts_with("keys, entry 1 ("));
  CHECK(refused("2025-11-03 10:20:30", "yesterday").find("created_at is no moment") != std::string::npos);
  CHECK(refused("\"users\":{", "\"people\":{") == "users is missing");
  CHECK(refused("[]", "{}").find("api_keys is not a list") != std::string::npos);
  CHECK(code_of(read_user_keys(with(users, "\"1.0\"", "\"2.0\"")).error()) == errc::file_version);
}

TEST_CASE("whatever is wrong in key_pool.json is refused as a whole, with its place") {
  CHECK(refusal(read_key_pool, R"({"unused":["usr_pool_0003_a1b2c3d4e5f6","usr_pool_0003_a1b2c3d4e5f6"]})")
          .starts_with("unused[1] ("));
  CHECK(refusal(read_key_pool, R"({"unused":[7]})") == "unused[0] cannot be a key");
  CHECK(refusal(read_key_pool, R"({"unused":["your-api-key-1"]})") == "unused[0] cannot be a key");
  CHECK(refusal(read_key_pool, R"({"unused":{}})") == "unused is not a list");
  CHECK(refusal(read_key_pool, R"({"unused":[],"assigned":{"usr_pool_0004_a1b2c3d4e5f6":"ada"}})")
          .starts_with("assigned, entry 1 ("));
  CHECK(refusal(read_key_pool,
                R"({"unused":["usr_pool_0004_a1b2c3d4e5f6"],"assigned":{"usr_pool_0004_a1b2c3d4e5f6":"a@b.c"}})")
          .find("stands twice")
        != std::string::npos);
  CHECK(refusal(read_key_pool, R"({"unused":[],"total":"three"})") == "total is no number");
}
