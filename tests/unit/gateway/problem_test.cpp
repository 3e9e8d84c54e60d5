#include <catch2/catch_test_macros.hpp>
#include <caf/sec.hpp>
#include <nlohmann/json.hpp>

#include "gateway/problem.hpp"
#include "messages/errors.hpp"

using namespace keyportal;
using keyportal::gateway::problem;

TEST_CASE("every error of the list becomes problem details with its own code and status") {
  for (auto row = error_rows_begin(); row != error_rows_end(); ++row) {
    if (row->code == errc::none)
      continue;
    CAPTURE(row->name);
    const auto answer = problem(make_error(row->code, "cpa-1"));
    CHECK(answer.status == row->http_status);
    CHECK(answer.content_type == "application/problem+json");
    const auto body = nlohmann::json::parse(*answer.body);
    CHECK(body.at("code") == row->name);
    CHECK(body.at("title") == row->sentence);
    CHECK(body.at("status") == row->http_status);
    CHECK(body.at("detail") == "cpa-1");
    CHECK(body.at("type") == "urn:keyportal:problem:" + std::string(row->name));
  }
}

TEST_CASE("errors of the actor library become ours") {
  CHECK(problem(caf::sec::request_timeout).status == 504);
  CHECK(problem(caf::sec::request_receiver_down).status == 503);
  CHECK(problem(caf::sec::unexpected_message).status == 500);
}

TEST_CASE("what an error is about cannot break the JSON") {
  const auto answer = problem(make_error(errc::bad_request, "\"}\xff\n<script>"));
  CHECK(nlohmann::json::parse(*answer.body).at("detail").get<std::string>().starts_with("\"}"));
}
