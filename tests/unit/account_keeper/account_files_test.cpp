// What `/auth-files` says, of every version, and when a token ends.
#include <catch2/catch_test_macros.hpp>

#include "actors/cpa/account_files.hpp"
#include "messages/errors.hpp"

using namespace keyportal;
using namespace keyportal::cpa;

TEST_CASE("a list of accounts is read with what each version has of it") {
  const auto got = read_auth_files("n1", R"json({"files":[
    {"name":"codex-b.json","provider":"codex","email":"b@example.com","auth_index":"11","status":"error",
     "status_message":"usage_limit_reached","unavailable":true,"next_retry_after":"2026-08-22T10:45:00+08:00",
     "modtime":"2026-08-22T09:00:00.5Z","size":145,"id_token":{"plan_type":"plus","chatgpt_account_id":"acct"}},
    {"name":"claude-a.json","type":"anthropic","account":"a@example.com","auth_index":7,"disabled":true},
    {"name":"gemini-c.json","provider":"gemini","account":"c@example.com (my-project)","runtime_only":true},
    {"provider":"claude"}]
})json");
  REQUIRE(got);
  REQUIRE(got->size() == 3);
  const auto& claude = got->at(0);
  CHECK(claude.name == "claude-a.json");
  CHECK(claude.provider == "claude");
  CHECK(claude.email == "a@example.com");
  CHECK(claude.auth_index == "7");
  CHECK(claude.disabled);
  const auto& codex = got->at(1);
  CHECK(codex.plan == "plus");
  CHECK(codex.chatgpt_id == "acct");
  CHECK(codex.unavailable);
  CHECK(codex.size == 145);
  REQUIRE(codex.rests_until);
  CHECK(to_rfc3339_ms(*codex.rests_until) == "2026-08-22T02:45:00.000Z");
  const auto& gemini = got->at(2);
  CHECK(gemini.provider == "gemini-cli");
  CHECK(gemini.project == "my-project");
  CHECK(gemini.runtime_only);
  CHECK(read_auth_files("n1", R"({"files":null})")->empty());
}

TEST_CASE("what is no list of accounts is refused whole") {
  for (const char* body : {"", "[]", "{}", R"({"files":{}})", R"({"files":[1]})", R"({"files":[{"name":"a"})"}) {
    CAPTURE(body);
    const auto got = read_auth_files("n1", body);
    REQUIRE_FALSE(got);
    CHECK(code_of(got.error()) == errc::node_answer_malformed);
    CHECK(about_of(got.error()).starts_with("n1"));
  }
}

TEST_CASE("a token's end is found wherever and however CPA writes it") {
  const auto ends = [](const char* text) {
    const auto at = read_token_times(text).ends;
    return at ? to_rfc3339_ms(*at) : std::string{};
  };
  const std::string then = "2026-08-22T09:15:02.000Z";
  CHECK(ends(R"({"expired":"2026-08-22T17:15:02+08:00"})") == then);
  CHECK(ends(R"({"expires_at":1787390102})") == then);
  CHECK(ends(R"({"expiry":1787390102000})") == then);
  CHECK(ends(R"({"expires":"1787390102"})") == then);
  CHECK(ends(R"({"expire":"2026-08-22 09:15:02"})") == then);
  CHECK(ends(R"({"expire":"2026-08-22 09:15"})") == "2026-08-22T09:15:00.000Z");
  CHECK(ends(R"({"token":{"expiry":"2026-08-22T09:15:02Z","access_token":"x"}})") == then);
  CHECK(ends(R"({"expired":"soon"})").empty());
  CHECK(ends(R"({"expired":-5})").empty());
  CHECK(ends(R"({"expired":1e300})").empty());
  CHECK(ends("no json").empty());
  const auto times = read_token_times(R"({"timestamp":1787390102000,"project_id":"p"})");
  CHECK(to_rfc3339_ms(*times.refreshed) == then);
  CHECK(times.project == "p");
}
