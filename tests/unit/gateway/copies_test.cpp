#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "gateway/copies.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

const std::string hash(64, 'a');

std::string refusal_of(const std::string& record) {
  const auto read = read_copies(R"({"records":[)" + record + "]}", "cpa");
  return read ? std::string{"taken"} : about_of(read.error());
}
std::string refusal_of_day(const std::string& day) {
  const auto read = read_days(R"({"source":"usage-db","days":[)" + day + "]}", "cpa");
  return read ? std::string{"taken"} : about_of(read.error());
}

} // namespace

TEST_CASE("records of another tool are read with what they say, and their tokens as that tool counts") {
  const auto read = read_copies(
    R"({"dry_run":true,"records":[{"at":"2026-05-04T10:20:30.123456789+08:00","key":" sk-one ","model":"","source":"s",
        "auth_index":"01","failed":true,"latency_ms":7,"provider":"claude","ttft_ms":3,"status_code":429,"tokens_as":"openai",
        "tokens":{"input":100,"output":20,"cached":30,"cache_read":30,"total":120}},
       {"at":"2026-05-04T10:20:31Z","key_sha256":")"
      + hash + R"(","model":"m","tokens":{}}]})",
    "cpa");
  REQUIRE(read);
  CHECK(read->dry_run);
  CHECK(read->node == "cpa");
  REQUIRE(read->groups.size() == 2);
  const auto& one = read->groups[0];
  CHECK(one.client_key.reveal() == "sk-one");
  CHECK(one.model == "unknown");
  REQUIRE(one.details.size() == 1);
  const auto& d = one.details[0];
  CHECK(d.at.offset_minutes == 480);
  CHECK(d.failed);
  CHECK(d.parts.uncached_input == 70); // the cache lies in the input, though the provider is one where it does not
  CHECK(d.parts.cache_read == 30);
  REQUIRE(d.facts);
  CHECK(d.facts->provider == "claude");
  CHECK(d.facts->status_code == 429);
  CHECK(read->groups[1].key_sha256 == hash);
  CHECK_FALSE(read->groups[1].details[0].facts);
}

TEST_CASE("a record that is none is refused by its number and field, without what is in it") {
  const std::string at = R"("at":"2026-05-04T10:20:30Z")";
  CHECK(refusal_of("{" + at + R"(,"key":"k","tokens":{}})") == "taken");
  CHECK(refusal_of("7") == "records[0] is no object");
  CHECK(refusal_of(R"({"key":"k","tokens":{}})").starts_with("records[0].at"));
  CHECK(refusal_of("{" + at + R"(,"tokens":{}})").starts_with("records[0].key"));
  CHECK(
    refusal_of("{" + at + R"(,"key":"k","key_sha256":")" + hash + R"(","tokens":{}})").starts_with("records[0].key"));
  CHECK(refusal_of("{" + at + R"(,"key_sha256":"abc","tokens":{}})").starts_with("records[0].key"));
  CHECK(refusal_of("{" + at + R"(,"key":"sk-secret"})") == "records[0].tokens is missing");
  CHECK(refusal_of("{" + at + R"(,"key":"k","tokens":{"input":"many"}})").starts_with("records[0].tokens.input"));
  CHECK(refusal_of("{" + at + R"(,"key":"k","tokens":{},"sk-secret":1})").find("sk-secret") == std::string::npos);
  CHECK(refusal_of("{" + at + R"(,"key":"k","tokens":{},"model":")" + std::string(9000, 'x') + R"("})")
          .starts_with("records[0].model"));
  for (const char* body : {"", "[]", "{}", R"({"records":{}})", R"({"records":[],"more":1})", "{\"records\":"})
    CHECK_FALSE(read_copies(body, "cpa"));
  std::string many = R"({"records":[)";
  for (std::size_t i = 0; i <= most_copied; ++i)
    many += i == 0 ? "1" : ",1";
  CHECK_FALSE(read_copies(many + "]}", "cpa"));
}

TEST_CASE("days are read with their source, and none that is no day or below nothing") {
  CHECK(refusal_of_day(R"({"date":"2025-11-03","requests":5,"key":"k","owner":"a@example.com"})") == "taken");
  CHECK(refusal_of_day(R"({"date":"2025-02-29"})").starts_with("days[0].date"));
  CHECK(refusal_of_day(R"({"date":"2024-02-29"})") == "taken");
  CHECK(refusal_of_day(R"({"date":"2025-11-03","requests":-1})").starts_with("days[0].requests"));
  CHECK(refusal_of_day(R"({"date":"2025-11-03","tokens":1.5})").starts_with("days[0].tokens"));
  CHECK_FALSE(read_days(R"({"source":"elsewhere","days":[]})", "cpa"));
  CHECK_FALSE(read_days(R"({"days":[]})", "cpa"));
}

TEST_CASE("history is told with its days, and where to go on") {
  history_page page;
  page.days.push_back({{"cpa", *day_of_text("2025-11-03"), history_source::usage_db, "", "", 5, 4, 1, 100, 60, 40}, 2});
  page.next = std::string("\x2f\x00z", 3);
  const auto answer = nlohmann::json::parse(*history_answer(page).body);
  const auto& one = answer["items"][0];
  CHECK(one["date"] == "2025-11-03");
  CHECK(one["source"] == "usage-db");
  CHECK(one["key"].is_null());
  CHECK(one["records"] == 2);
  CHECK(answer["more"] == true);
  question asked;
  asked.after_name = answer["next"].get<std::string>();
  http_request request;
  request.query = {{"node", "cpa"}, {"from", "2025-11-01"}, {"to", "2025-11-30"}};
  const auto which = read_history_query(asked, request);
  REQUIRE(which);
  CHECK(which->after == page.next);
  CHECK(which->from == *day_of_text("2025-11-01"));
  asked.after_name = "no page";
  CHECK_FALSE(read_history_query(asked, request));
  asked.after_name.clear();
  request.query = {{"from", "yesterday"}};
  CHECK_FALSE(read_history_query(asked, request));
}
