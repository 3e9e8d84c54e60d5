#include <set>

#include <catch2/catch_test_macros.hpp>

#include "gateway/problem.hpp"
#include "gateway/routes.hpp"
#include "messages/errors.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

const secret token{"the-control-token"};

http_request request(std::string method, std::string path, std::string authorization = {}) {
  http_request out;
  out.method = std::move(method);
  out.path = std::move(path);
  if (!authorization.empty())
    out.headers.emplace_back("authorization", std::move(authorization));
  return out;
}

int refusal(const http_request& asked, const secret& with = token) {
  const auto read = understand(asked, with);
  const auto* answer = std::get_if<http_response>(&read);
  return answer ? answer->status : 0;
}

question understood(const http_request& asked) {
  const auto read = understand(asked, token);
  REQUIRE(std::holds_alternative<question>(read));
  return std::get<question>(read);
}

std::string filled(std::string_view pattern) {
  std::string out(pattern);
  if (const auto at = out.find("{node}"); at != std::string::npos)
    out.replace(at, 6, "cpa-1");
  if (const auto at = out.find("{id}"); at != std::string::npos)
    out.replace(at, 4, "7");
  if (const auto at = out.find("{name}"); at != std::string::npos)
    out.replace(at, 6, "kabc");
  return out;
}

} // namespace

TEST_CASE("every route of the table leads to itself and to no other") {
  std::set<std::pair<std::string_view, std::string_view>> seen;
  for (const auto& row : routes()) {
    CAPTURE(row.method, row.pattern);
    CHECK(seen.emplace(row.method, row.pattern).second);
    CHECK_FALSE(row.help.empty());
    CHECK(understood(request(std::string(row.method), filled(row.pattern), "Bearer the-control-token")).row == &row);
  }
}

TEST_CASE("whatever changes something or shows client keys needs the control token") {
  for (const auto& row : routes()) {
    CAPTURE(row.method, row.pattern);
    const bool about_people = row.pattern.starts_with("/api/v1/users") || row.pattern.starts_with("/api/v1/keys")
                              || row.pattern.starts_with("/api/v1/audit");
    if (row.method != "GET" || row.about == topic::export_file || row.about == topic::letter
        || row.about == topic::config || about_people)
      CHECK(row.needs == access::control);
    const auto without = refusal(request(std::string(row.method), filled(row.pattern)));
    CHECK(without == (row.needs == access::control ? 401 : 0));
  }
}

TEST_CASE("a wrong, empty or oddly written token is refused") {
  for (const char* bad :
       {"Bearer", "Bearer ", "Bearer the-control-toke", "Bearer the-control-token ", "Bearer THE-CONTROL-TOKEN",
        "the-control-token", "Basic the-control-token", "bearer the-control-token"}) {
    CAPTURE(bad);
    CHECK(refusal(request("POST", "/api/v1/nodes/a/restore", bad)) == 401);
  }
}

TEST_CASE("without a control token nothing that needs one is possible") {
  CHECK(refusal(request("POST", "/api/v1/nodes/a/restore", "Bearer "), secret{}) == 401);
  CHECK_FALSE(same_secret("", secret{}));
}

TEST_CASE("a name may have slashes, a node, a number and a word may not") {
  const auto read = understand(request("GET",
                                       "/api/v1/users/a\x1f"
                                       "b@example.com",
                                       "Bearer the-token"),
                               secret{"the-token"});
  REQUIRE(std::holds_alternative<question>(read));
  CHECK(std::get<question>(read).name == "a/b@example.com");
  CHECK(refusal(request("GET", "/api/v1/nodes/a\x1f"
                               "restarts"))
        == 404);
  CHECK(refusal(request("GET", "/api/v1\x1f"
                               "nodes"))
        == 404);
  CHECK(refusal(request("GET", "/api/v1/nodes/a/snapshots/1\x1f"
                               "2"))
        == 400);
}

TEST_CASE("unknown addresses are 404") {
  for (const char* path :
       {"/nothing", "/apis", "/api/v1", "/api/v1/nodes/", "/api/v1/nodes//restarts", "/api/v1/nodes/a/",
        "/api/v1/nodes/a/restarts/1", "/../etc/passwd", "//", "/index.html", ""}) {
    CAPTURE(path);
    CHECK(refusal(request("GET", path)) == 404);
  }
}

TEST_CASE("a known address with another method is 405 and says what is allowed") {
  const auto allow = [](const char* method, const char* path) {
    const auto read = understand(request(method, path), token);
    const auto& answer = std::get<http_response>(read);
    CHECK(answer.status == 405);
    REQUIRE(answer.headers.size() == 1);
    CHECK(answer.headers[0].first == "Allow");
    return answer.headers[0].second;
  };
  CHECK(allow("DELETE", "/api/v1/summary") == "GET, HEAD");
  CHECK(allow("PUT", "/api/v1/nodes/a/snapshots") == "GET, HEAD, POST");
  CHECK(allow("GET", "/api/v1/nodes/a/restore") == "POST");
  CHECK(allow("OPTIONS", "/") == "GET, HEAD");
  CHECK(allow("GET", "/api/v1/keys/find") == "POST"); // no key of that name is meant
  CHECK(allow("POST", "/api/v1/deadletters/1") == "GET, HEAD, DELETE");
}

TEST_CASE("HEAD is taken where GET is") { CHECK(understood(request("HEAD", "/healthz")).row->about == topic::health); }

TEST_CASE("a name that no node can have is an unknown node") {
  for (const char* path : {"/api/v1/nodes/UPPER", "/api/v1/nodes/a b", "/api/v1/nodes/..",
                           "/api/v1/nodes/abcdefghijabcdefghijabcdefghijabc"}) {
    CAPTURE(path);
    CHECK(refusal(request("GET", path)) == 404);
  }
}

TEST_CASE("a snapshot's id is a number or now") {
  CHECK(understood(request("GET", "/api/v1/nodes/a/snapshots/42")).id == 42);
  CHECK(understood(request("GET", "/api/v1/nodes/a/snapshots/now")).id == 0);
  CHECK(understood(request("GET", "/api/v1/nodes/a/snapshots/18446744073709551615")).id == ~std::uint64_t{0});
  for (const char* bad : {"x", "-1", "1x", "18446744073709551616", "0x1", " 1"})
    CHECK(refusal(request("GET", std::string("/api/v1/nodes/a/snapshots/") + bad)) == 400);
}

TEST_CASE("a dead letter's id is a number from 1 on") {
  const auto at = [](std::string id) {
    return request("GET", "/api/v1/deadletters/" + id, "Bearer the-control-token");
  };
  CHECK(understood(at("42")).id == 42);
  CHECK(understood(at("18446744073709551615")).id == ~std::uint64_t{0});
  for (const char* bad : {"0", "now", "x", "-1", "1x", "18446744073709551616"})
    CHECK(refusal(at(bad)) == 400);
}

TEST_CASE("a kept config's number is one from 1 on") {
  const auto at = [](std::string id) {
    return request("GET", "/api/v1/nodes/a/configs/" + id, "Bearer the-control-token");
  };
  CHECK(understood(at("42")).id == 42);
  for (const char* bad : {"0", "now", "x", "-1"})
    CHECK(refusal(at(bad)) == 400);
}

TEST_CASE("people and keys are named in the address, and their lists are read on behind a name") {
  auto asked = request("GET", "/api/v1/users/someone@example.com", "Bearer the-control-token");
  CHECK(understood(asked).name == "someone@example.com");
  for (const char* path : {"/api/v1/users", "/api/v1/keys"}) {
    asked.path = path;
    asked.query = {{"after", "kabc"}};
    CHECK(understood(asked).after_name == "kabc");
  }
  asked.path = "/api/v1/audit";
  CHECK(refusal(asked) == 400);
}

TEST_CASE("a list is read on behind any number") {
  auto asked = request("GET", "/api/v1/deadletters");
  CHECK(understood(asked).after == 0);
  asked.query = {{"after", "18446744073709551615"}, {"limit", "7"}};
  CHECK(understood(asked).after == ~std::uint64_t{0});
  CHECK(understood(asked).limit == 7);
  for (const char* bad : {"-1", "", "x", "18446744073709551616"}) {
    CAPTURE(bad);
    asked.query = {{"after", bad}};
    CHECK(refusal(asked) == 400);
  }
}

TEST_CASE("a limit is a number from 1 to 1000") {
  auto asked = request("GET", "/api/v1/nodes/a/restarts");
  CHECK(understood(asked).limit == 100);
  asked.query = {{"limit", "1000"}};
  CHECK(understood(asked).limit == 1000);
  for (const char* bad : {"0", "1001", "-1", "", "ten", "4294967297"}) {
    CAPTURE(bad);
    asked.query = {{"limit", bad}};
    CHECK(refusal(asked) == 400);
  }
}

TEST_CASE("only an import with the right token may send a large body") {
  const auto rule = [](http_request head) { return rule_for_body(head, token); };
  const auto allowed = rule(request("POST", "/api/v1/nodes/a/import", "Bearer the-control-token"));
  CHECK(allowed.most_bytes == 64u << 20);
  CHECK_FALSE(allowed.refusal);
  for (const auto& head :
       {request("POST", "/api/v1/nodes/a/import", "Bearer wrong"), request("POST", "/api/v1/nodes/a/import"),
        request("POST", "/nothing"), request("PUT", "/")}) {
    CAPTURE(head.path);
    const auto refused = rule(head);
    CHECK(refused.most_bytes == 4096);
    REQUIRE(refused.refusal);
    CHECK(refused.refusal->status >= 400);
  }
  CHECK(rule(request("GET", "/")).most_bytes == 4096);
}
