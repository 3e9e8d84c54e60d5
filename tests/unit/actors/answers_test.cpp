#include "actors/cpa/answers.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;
using namespace std::chrono_literals;

TEST_CASE("Each status of a management answer has its meaning") {
  const auto code = [](long status, std::string_view body) {
    return code_of(cpa::judge_management_answer("n", status, body));
  };
  CHECK(code(200, "{}") == errc::none);
  CHECK(code(401, R"({"error":"invalid management key"})") == errc::node_wrong_key);
  CHECK(code(403, R"({"error":"IP banned due to too many failed attempts. Try again in 29m58s"})")
        == errc::node_banned);
  CHECK(code(403, R"({"error":"remote management disabled"})") == errc::node_forbidden);
  CHECK(code(403, "<html>") == errc::node_forbidden);
  CHECK(code(404, "404 page not found") == errc::node_without_usage);
  CHECK(code(400, R"({"error":"invalid json"})") == errc::node_import_refused);
  CHECK(code(500, "") == errc::node_failed);
}

TEST_CASE("The length of a ban is read as Go writes it") {
  const auto left = [](std::string text) {
    return cpa::ban_left(cpa::judge_management_answer(
      "n", 403, R"({"error":"IP banned due to too many failed attempts. Try again in )" + text + "\"}"));
  };
  CHECK(left("29m58s") == 29min + 58s);
  CHECK(left("59s") == 59s);
  CHECK(left("30m0s") == 30min);
  CHECK(left("") == 30min);
  CHECK(left("99999999h") == 30min);
}

TEST_CASE("A foreign body is never quoted") {
  const auto e = cpa::judge_management_answer("n", 500, "secret sk-abcdef");
  CHECK(render(e).find("sk-abcdef") == std::string::npos);
}

TEST_CASE("An import's answer needs all of its numbers") {
  const auto good = cpa::read_import_answer("n", R"({"added":2,"failed_requests":1,"skipped":3,"total_requests":5})");
  REQUIRE(good);
  CHECK(good->added == 2);
  CHECK(good->skipped == 3);
  CHECK(good->counters.requests == 5);
  for (const auto* body :
       {"", "[]", "{}", R"({"added":"2","failed_requests":1,"skipped":3,"total_requests":5})", "\xff"})
    CHECK(code_of(cpa::read_import_answer("n", body).error()) == errc::node_answer_malformed);
}
