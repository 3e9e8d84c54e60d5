// Role by route: what the table lets whom ask. Whatever is not told here is refused.
#include <algorithm>
#include <map>
#include <set>

#include <catch2/catch_test_macros.hpp>

#include "gateway/routes.hpp"
#include "messages/errors.hpp"
#include "tests/unit/gateway/directory.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

/// Who may, by the name of the right: kept apart from the code that decides, on purpose.
const std::map<std::string_view, std::set<std::string>> wanted{
  {"own.account", {"user", "auditor", "admin"}},
  {"own.tokens", {"user", "auditor", "admin"}},
  {"own.usage", {"user", "auditor", "admin", "view"}},
  {"own.keys.read", {"user", "auditor", "admin"}},
  {"own.keys.write", {"user", "auditor", "admin"}},
  {"read.usage", {"auditor", "admin", "control"}},
  {"read.people", {"auditor", "admin", "control"}},
  {"read.keys", {"auditor", "admin", "control"}},
  {"read.policies", {"auditor", "admin", "control"}},
  {"read.prices", {"auditor", "admin", "control"}},
  {"read.nodes", {"user", "auditor", "admin", "control"}},
  {"read.settings", {"auditor", "admin", "control"}},
  {"read.audit", {"auditor", "admin", "control"}},
  {"write.people", {"admin", "control"}},
  {"write.roles", {"admin", "control"}},
  {"write.keys", {"admin", "control"}},
  {"write.policies", {"admin", "control"}},
  {"write.prices", {"admin", "control"}},
  {"write.nodes", {"admin", "control"}},
  {"write.settings", {"admin", "control"}},
  {"read.secrets", {"admin", "control"}},
  {"own.accounts", {"user", "auditor", "admin", "control"}}, // the command line contributes too
  {"read.accounts", {"auditor", "admin", "control"}},
  {"write.accounts", {"admin", "control"}},
};

constexpr const char* everybody[] = {"nobody", "half", "view", "user", "auditor", "admin", "control"};

http_request of(const route& row, const std::string& who) {
  http_request out;
  out.method = std::string(row.method);
  out.path = std::string(row.pattern);
  for (const auto& [place, text] : {std::pair{"{node}", "cpa-1"}, {"{id}", "7"}, {"{name}", "kabc"}})
    if (const auto at = out.path.find(place); at != std::string::npos)
      out.path.replace(at, std::string_view(place).size(), text);
  out.peer = "192.0.2.7";
  if (who == "control")
    out.headers = {{"authorization", "Bearer control"}};
  else if (who == "nobody")
    out.headers = {{"cookie", "__Host-keyportal-before=abc"}, {"x-csrf-token", "csrf before abc"}};
  else
    out.headers = {{"cookie", "__Host-keyportal=" + who}, {"x-csrf-token", "csrf of " + who}};
  return out;
}

struct told {
  int status = 0; ///< 0: it is let in
  std::string code;
};
told ask(const entrance& door, const http_request& request) {
  const auto read = understand(request, door.look(request));
  const auto* refusal = std::get_if<http_response>(&read);
  if (refusal == nullptr)
    return {};
  const auto& body = *refusal->body;
  const auto at = body.find("\"code\":\"") + 8;
  return {refusal->status, body.substr(at, body.find('"', at) - at)};
}

} // namespace

TEST_CASE("every route lets in whom its right says and nobody else") {
  entrance door({secret{"control"}, {}});
  door.know(std::make_shared<test::directory>());
  std::size_t asked = 0;
  for (const auto& row : routes())
    for (const std::string who : everybody) {
      CAPTURE(row.method, row.pattern, who);
      ++asked;
      const auto got = ask(door, of(row, who));
      switch (row.needs.how) {
        case access::open: CHECK(got.status == 0); break;
        case access::inside: CHECK(got.status == (wanted.at("read.settings").contains(who) ? 0 : 404)); break;
        case access::session: CHECK(got.status == (who == "nobody" ? 401 : who == "control" ? 403 : 0)); break;
        case access::listening: // whoever has something of his own to hear of, or may see the nodes
          CHECK(got.status == (who == "nobody" || who == "half" ? 401 : 0));
          break;
        case access::with_right: {
          const auto right = to_text(row.needs.what);
          REQUIRE(wanted.contains(right));
          const bool may = wanted.at(right).contains(who);
          CHECK(got.status == (may ? 0 : who == "nobody" || who == "half" ? 401 : 403));
          if (!may)
            CHECK(got.code
                  == (who == "nobody" ? "sign_in_needed"
                      : who == "half" ? "second_factor_needed"
                                      : "right_missing"));
          break;
        }
      }
    }
  CHECK(asked == routes().size() * std::size(everybody));
}

TEST_CASE("what is open to nobody in particular is on a list") {
  std::set<std::string> open;
  for (const auto& row : routes())
    if (row.needs.how == access::open && row.about != topic::asset && row.about != topic::page)
      open.insert(std::string(row.method) + " " + std::string(row.pattern));
  CHECK(open
        == std::set<std::string>{"GET /healthz", "GET /readyz", "GET /api/v1/session", "POST /api/v1/session",
                                 "POST /api/v1/registration", "POST /api/v1/password/reset",
                                 "POST /api/v1/password/set", "GET /api/v1/sign-in", "GET /api/v1/sign-in/providers",
                                 "GET /sign-in/{name}", "GET /sign-in/{name}/callback", "POST /api/query-by-key"});
}

TEST_CASE("whatever changes something takes no session without its CSRF token") {
  entrance door({secret{"control"}, {}});
  door.know(std::make_shared<test::directory>());
  for (const auto& row : routes()) {
    if (row.method == "GET")
      continue;
    for (const std::string who : {"user", "admin", "half", "nobody"}) {
      CAPTURE(row.method, row.pattern, who);
      auto request = of(row, who);
      const bool may = ask(door, request).status == 0;
      request.headers.pop_back();
      if (may)
        CHECK(ask(door, request).code == "csrf_missing");
      request.headers.emplace_back("x-csrf-token", "csrf of other");
      if (may)
        CHECK(ask(door, request).code == "csrf_missing");
    }
  }
}

TEST_CASE("anonymous people may what is configured, which is status at most") {
  entrance door({secret{"control"}, {right::read_nodes}});
  door.know(std::make_shared<test::directory>());
  for (const auto& row : routes()) {
    if (row.needs.how != access::with_right)
      continue;
    CAPTURE(row.method, row.pattern);
    CHECK(ask(door, of(row, "nobody")).status == (row.needs.what == right::read_nodes ? 0 : 401));
    const bool only_says_what_to_ask_instead = row.about == topic::original_notices;
    if (row.needs.what == right::read_nodes && !only_says_what_to_ask_instead)
      CHECK(row.method == "GET");
  }
}

TEST_CASE("people who did not sign in see the status from inside, where it is so, and nothing through a proxy") {
  entrance door({secret{"control"}, {}, {}, {*network::read("127.0.0.0/8")}, {right::read_nodes}});
  door.know(std::make_shared<test::directory>());
  http_request request;
  request.method = "GET";
  request.path = "/api/v1/nodes";
  request.peer = "127.0.0.1";
  CHECK(ask(door, request).status == 0);
  request.headers = {{"x-forwarded-for", "127.0.0.1"}};
  CHECK(ask(door, request).status == 401);
  request.headers = {};
  request.peer = "192.0.2.7";
  CHECK(ask(door, request).status == 401);
}

TEST_CASE("a token may what its scopes and its owner may, and makes no other token") {
  entrance door({secret{"control"}, {}});
  door.know(std::make_shared<test::directory>());
  const auto status = [&](const std::string& token, const char* method, const char* path) {
    http_request request;
    request.method = method;
    request.path = path;
    request.headers = {{"authorization", "Bearer kpt_" + token}};
    return ask(door, request).status;
  };
  CHECK(status("admin=read:usage", "GET", "/api/v1/usage") == 0);
  CHECK(status("admin=read:usage", "GET", "/api/v1/users") == 403);
  CHECK(status("admin=read:usage", "POST", "/api/v1/keys") == 403);
  CHECK(status("user=read:usage", "GET", "/api/v1/usage") == 403);
  CHECK(status("user=read:usage", "GET", "/api/v1/me/usage") == 0);
  CHECK(status("user=admin", "GET", "/api/v1/users") == 403);
  CHECK(status("admin=admin", "GET", "/api/v1/users") == 0);
  CHECK(status("admin=admin", "POST", "/api/v1/tokens") == 403);
  CHECK(status("admin=admin", "POST", "/api/v1/password") == 403);
  CHECK(status("admin=nonsense", "GET", "/api/v1/usage") == 401);
}

TEST_CASE("a token of any scope and owner is let in by every route that both of them may, and by no other") {
  // Kept apart from the code that decides, on purpose. Nothing is about one's own account or tokens.
  const std::set<std::string_view> reading{"read.usage", "read.people",   "read.keys",  "read.policies", "read.prices",
                                           "read.nodes", "read.settings", "read.audit", "read.accounts"};
  auto all_reading = reading;
  all_reading.insert({"own.usage", "own.keys.read", "own.accounts"});
  std::set<std::string_view> all;
  for (const auto& [right, who] : wanted)
    if (right != "own.account" && right != "own.tokens")
      all.insert(right);
  const std::map<std::string, std::set<std::string_view>> of_scope{
    {"read:usage", {"own.usage", "read.usage"}},
    {"read:all", all_reading},
    {"write:keys", {"own.keys.read", "own.keys.write", "read.keys", "write.keys"}},
    {"write:people", {"read.people", "write.people"}},
    {"write:prices", {"read.prices", "write.prices"}},
    {"write:nodes", {"read.nodes", "write.nodes", "own.accounts", "read.accounts", "write.accounts"}},
    {"admin", all},
  };
  entrance door({secret{"control"}, {}});
  door.know(std::make_shared<test::directory>());
  for (const auto& row : routes())
    for (const std::string owner : {"user", "auditor", "admin"})
      for (const auto& [scope, rights] : of_scope) {
        CAPTURE(row.method, row.pattern, owner, scope);
        auto request = of(row, "nobody");
        request.headers = {{"authorization", "Bearer kpt_" + owner + "=" + scope}};
        const auto got = ask(door, request);
        const auto may = [&](std::string_view right) {
          return rights.contains(right) && wanted.at(right).contains(owner);
        };
        switch (row.needs.how) {
          case access::open: CHECK(got.status == 0); break;
          case access::inside: CHECK(got.status == (may("read.settings") ? 0 : 404)); break;
          case access::session: CHECK(got.status == 403); break;
          case access::listening: CHECK(got.status == (may("own.usage") || may("read.nodes") ? 0 : 403)); break;
          case access::with_right: CHECK(got.status == (may(to_text(row.needs.what)) ? 0 : 403)); break;
        }
      }
}
