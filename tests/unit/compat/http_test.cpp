// Answers over HTTP, held to what CLIProxyAPI was seen to answer.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <thread>

#include <fmt/format.h>

#include "tool.hpp"

using namespace keyportal;
using namespace keyportal::compat;
using namespace keyportal::compat::test;
using nlohmann::json;

namespace {

bool has(const http_result& result, std::string_view header_line) {
  return result.head.find(fmt::format("\r\n{}\r\n", header_line)) != std::string::npos;
}

} // namespace

TEST_CASE("The key is taken in the three forms, and nowhere else") {
  stage s;
  const auto path = "/v0/management/usage-queue";
  CHECK(http(s.port(), "GET", path, fmt::format("Authorization: Bearer {}\r\n", key)).status == 200);
  CHECK(http(s.port(), "GET", path, fmt::format("Authorization: bEARER {}\r\n", key)).status == 200);
  CHECK(http(s.port(), "GET", path, fmt::format("Authorization: {}\r\n", key)).status == 200);
  CHECK(http(s.port(), "GET", path, fmt::format("X-Management-Key: {}\r\n", key)).status == 200);
  const auto both =
    http(s.port(), "GET", path, fmt::format("Authorization: Bearer wrong\r\nX-Management-Key: {}\r\n", key));
  CHECK(both.status == 401);
  CHECK(both.body == R"({"error":"invalid management key"})");
  const auto none = http(s.port(), "GET", fmt::format("{}?key={}", path, key));
  CHECK(none.status == 401);
  CHECK(none.body == R"({"error":"missing management key"})");
  CHECK(has(none, "X-Cpa-Version: 6.9.49"));
  CHECK(has(none, "Content-Type: application/json; charset=utf-8"));
  CHECK(has(none, "Access-Control-Allow-Origin: *"));
}

TEST_CASE(
  "The sixth failure is told the ban, over HTTP and RESP alike; what a request says of its address is not believed") {
  stage s;
  for (int i = 0; i < 3; ++i)
    CHECK(http(s.port(), "GET", "/v0/management/usage",
               fmt::format("Authorization: x\r\nX-Forwarded-For: 10.0.0.{}\r\n", i))
            .status
          == 401);
  tool t{s.port()};
  t.send(command({"PING"}) + command({"AUTH", "wrong"}) + command({"LPOP", "usage"}));
  CHECK(t.read_until("\r\n") == "-NOAUTH Authentication required.\r\n");
  CHECK(t.read_until("\r\n") == "-ERR invalid management key\r\n");
  CHECK(t.read_until("\r\n") == "-ERR IP banned due to too many failed attempts. Try again in 30m0s\r\n");
  const auto banned = s.get("/v0/management/usage");
  CHECK(banned.status == 403);
  CHECK(banned.body == R"({"error":"IP banned due to too many failed attempts. Try again in 30m0s"})");
}

TEST_CASE("Nobody is banned by what somebody else says of the address") {
  stage s;
  for (int i = 0; i < 20; ++i) {
    CHECK(http(s.port(), "GET", "/v0/management/usage", "Authorization: x\r\nX-Forwarded-For: 127.0.0.1\r\n").status
          == 401);
    CHECK(s.get("/v0/management/usage-queue").status == 200); // a good key forgets it
  }
}

TEST_CASE("Unknown paths are answered as by the version that is shown") {
  stage s;
  for (const auto* path :
       {"/v0/management/nothing", "/v0/management", "/v0/management/", "/nothing", "/v1/models", "/v0/managementx"}) {
    INFO(path);
    const auto out = http(s.port(), "GET", path);
    CHECK(out.status == 404);
    CHECK(out.body == "404 page not found");
    CHECK(has(out, "Content-Type: text/plain"));
    CHECK(out.head.find("X-Cpa") == std::string::npos);
  }
  CHECK(http(s.port(), "POST", "/v0/management/usage-queue", bearer(key)).body == "404 page not found");
  CHECK(http(s.port(), "DELETE", "/v0/management/usage", bearer(key)).status == 404);
  CHECK(http(s.port(), "HEAD", "/v0/management/usage", bearer(key)).status == 404);
  CHECK(http(s.port(), "HEAD", "/v0/management/usage", bearer(key)).body.empty());

  s.back.versions["one"] = "7.2.140";
  CHECK(http(s.port(), "GET", "/v0/management/nothing").status == 401);
  const auto known = s.get("/v0/management/nothing");
  CHECK(known.status == 404);
  CHECK(known.body.empty());
  CHECK(has(known, "X-Cpa-Version: 7.2.140"));
  CHECK(has(known, "X-Cpa-Support-Plugin: 0"));
  CHECK(has(known, "Content-Length: 0"));
  const auto elsewhere = http(s.port(), "GET", "/nothing");
  CHECK(elsewhere.status == 404);
  CHECK(elsewhere.body.empty());
}

TEST_CASE("Health, home and preflight need no key") {
  stage s;
  CHECK(http(s.port(), "GET", "/healthz").body == R"({"status":"ok"})");
  CHECK(http(s.port(), "HEAD", "/healthz").status == 200);
  CHECK(http(s.port(), "GET", "/node/one/healthz").status == 200);
  CHECK(
    http(s.port(), "GET", "/").body
    == R"({"endpoints":["POST /v1/chat/completions","POST /v1/completions","GET /v1/models"],"message":"CLI Proxy API Server"})");
  const auto preflight = http(s.port(), "OPTIONS", "/v0/management/usage");
  CHECK(preflight.status == 204);
  CHECK(has(preflight, "Access-Control-Allow-Headers: *"));
  CHECK(preflight.head.find("Content-Length") == std::string::npos);
}

TEST_CASE("A name that nobody gave us is refused") {
  stage s{false};
  s.settings.hosts = {"keyportal.example"};
  s.open();
  for (const auto& [host, status] :
       {std::pair{"evil.example", 421}, {"keyportal.example:80", 200}, {"localhost", 200}}) {
    tool t{s.port()};
    t.send(fmt::format("GET /healthz HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host));
    CHECK(t.read_to_end().starts_with(fmt::format("HTTP/1.1 {}", status)));
  }
}

TEST_CASE("The queue is popped by count, with CLIProxyAPI's rules for it") {
  stage s;
  s.add(6);
  CHECK(json::parse(s.get("/v0/management/usage-queue").body).size() == 1);
  for (const auto* wrong : {"0", "-1", "abc", "1.5", "1e3", "0x2", "99999999999999999999"}) {
    const auto out = s.get(fmt::format("/v0/management/usage-queue?count={}", wrong));
    CHECK(out.status == 400);
    CHECK(out.body == R"({"error":"count must be a positive integer"})");
  }
  CHECK(json::parse(s.get("/v0/management/usage-queue?count=").body).size() == 1);
  CHECK(json::parse(s.get("/v0/management/usage-queue?count=%201%20").body)[0]["tokens"]["input_tokens"] == 3);
  CHECK(json::parse(s.get("/v0/management/usage-queue?count=+1").body).size() == 1);
  CHECK(json::parse(s.get("/v0/management/usage-queue?count=1000000").body).size() == 2);
  CHECK(s.get("/v0/management/usage-queue?count=5").body == "[]");
  CHECK(json::parse(s.get("/v0/management/usage-queue?count=9", second_key).body).size() == 6);
}

TEST_CASE("Usage of all nodes together is the sum of each; a prefix names one") {
  stage s{false};
  s.back.configured = {"one", "two"};
  s.open();
  s.add(30, "one");
  s.add(12, "two");
  const auto all = json::parse(s.get("/v0/management/usage").body)["usage"];
  const auto one = json::parse(s.get("/node/one/v0/management/usage").body)["usage"];
  const auto two = json::parse(s.get("/node/two/v0/management/usage").body)["usage"];
  for (const auto* field : {"total_requests", "success_count", "failure_count", "total_tokens"})
    CHECK(all[field].get<int>() == one[field].get<int>() + two[field].get<int>());
  CHECK(one["total_requests"] == 30);
  CHECK(all["apis"]["sk-alice"]["models"]["gpt-5.4"]["details"].size() == 42);
  CHECK(s.get("/node/three/v0/management/usage").status == 404);
  CHECK(s.get("/node/../v0/management/usage").status == 404);
}

TEST_CASE("A consumer that is for one node sees nothing else") {
  stage s{false};
  s.back.configured = {"one", "two"};
  s.settings.consumers[1].node = "two";
  s.open();
  s.add(3, "one");
  s.add(2, "two");
  CHECK(json::parse(s.get("/v0/management/usage", second_key).body)["usage"]["total_requests"] == 2);
  CHECK(s.get("/node/one/v0/management/usage", second_key).status == 404);
  CHECK(s.get("/node/two/v0/management/usage", second_key).status == 200);
  CHECK(json::parse(s.get("/v0/management/usage-queue?count=9", second_key).body).size() == 2);
}

TEST_CASE("A large answer comes in chunks and is whole") {
  stage s;
  s.add(20'000);
  const auto out = s.get("/v0/management/usage");
  CHECK(out.status == 200);
  CHECK(has(out, "Transfer-Encoding: chunked"));
  CHECK(json::parse(out.body)["usage"]["apis"]["sk-alice"]["models"]["gpt-5.4"]["details"].size() == 20'000);
  tool old{s.port()};
  old.send(fmt::format("GET /v0/management/usage HTTP/1.0\r\n{}\r\n", bearer(key)));
  const auto text = old.read_to_end();
  CHECK(text.find("chunked") == std::string::npos);
  CHECK(json::parse(text.substr(text.find("\r\n\r\n")))["usage"]["total_requests"] == 20'000);
}

TEST_CASE("An export is imported again: into an empty ledger all, into the same one nothing") {
  stage s;
  s.add(500);
  const auto exported = s.get("/v0/management/usage/export");
  CHECK(json::parse(exported.body)["version"] == 1);
  const auto again = http(s.port(), "POST", "/v0/management/usage/import", bearer(key), exported.body);
  CHECK(again.body == R"({"added":0,"failed_requests":50,"skipped":500,"total_requests":500})");
  CHECK(s.back.restored.empty());
  stage other;
  CHECK(http(other.port(), "POST", "/v0/management/usage/import", bearer(key), exported.body).body
        == R"({"added":500,"failed_requests":50,"skipped":0,"total_requests":500})");
  CHECK(other.back.restored == std::vector<node_name>{"one"});
  const auto copy = json::parse(other.get("/v0/management/usage").body)["usage"];
  CHECK(copy == json::parse(exported.body)["usage"]);
  // What /usage answers can be posted too, in chunks as well.
  tool t{other.port()};
  const auto body = s.get("/v0/management/usage").body;
  t.send(fmt::format(
    "POST /v0/management/usage/import HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: "
    "chunked\r\nExpect: 100-continue\r\n{}\r\n",
    bearer(key)));
  CHECK(t.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
  for (std::size_t at = 0; at < body.size(); at += 999)
    t.send(fmt::format("{:x}\r\n{}\r\n", std::min<std::size_t>(999, body.size() - at), body.substr(at, 999)));
  t.send("0\r\n\r\n");
  CHECK(t.read_to_end().ends_with(R"({"added":0,"failed_requests":50,"skipped":500,"total_requests":500})"));
}

TEST_CASE("What was popped and kept can be imported; what is known already adds nothing") {
  stage s;
  s.add(20);
  const auto popped = s.get("/v0/management/usage-queue?count=100").body;
  CHECK(http(s.port(), "POST", "/v0/management/usage/import", bearer(key), popped).body
        == R"({"added":0,"failed_requests":2,"skipped":20,"total_requests":20})");
  stage other;
  CHECK(http(other.port(), "POST", "/v0/management/usage/import", bearer(key), popped).body
        == R"({"added":20,"failed_requests":2,"skipped":0,"total_requests":20})");
  CHECK(http(other.port(), "POST", "/v0/management/usage/import", bearer(key), R"([{"no":"record"}])").body
        == R"({"error":"invalid json"})");
}

TEST_CASE("An import is refused with CLIProxyAPI's words") {
  stage s;
  const auto post = [&](std::string_view body) {
    return http(s.port(), "POST", "/v0/management/usage/import", bearer(key), body);
  };
  CHECK(post("").body == R"({"error":"invalid json"})");
  CHECK(post("[]").status == 400);
  CHECK(post(R"({"version":2})").body == R"({"error":"unsupported version"})");
  CHECK(post("{}").body == R"({"added":0,"failed_requests":0,"skipped":0,"total_requests":0})");
  CHECK(post(R"({"usage":{"apis":{"portal-boot-1":{}}}})").status == 200);
  CHECK(json::parse(s.get("/v0/management/usage").body)["usage"]["apis"].contains("portal-boot-1"));
  CHECK(http(s.port(), "PUT", "/v0/management/usage/import", bearer(key), "{}").status == 404);
  s.back.configured = {"one", "two"};
  CHECK(post("{}").status == 400);
  CHECK(http(s.port(), "POST", "/node/two/v0/management/usage/import", bearer(key), "{}").status == 200);
}

TEST_CASE("Other management calls go to the node only when that is allowed, without our key and without addresses") {
  stage s;
  CHECK(s.get("/v0/management/api-keys").status == 404);
  s.close();
  s.settings.pass_through = true;
  s.open();
  CHECK(http(s.port(), "GET", "/v0/management/api-keys").status == 401);
  const auto out = http(s.port(), "PATCH", "/v0/management/api-keys?x=%2Fa", bearer(key), R"({"old":"a","new":"a"})");
  CHECK(out.status == 200);
  CHECK(out.body == R"({"api-keys":["k"]})");
  REQUIRE(s.back.passed
          == std::vector<std::string>{R"(one PATCH /v0/management/api-keys?x=%2Fa {"old":"a","new":"a"})"});
  CHECK(http(s.port(), "PUT", "/v0/management/config.yaml", bearer(key), " \n").status == 400);
  CHECK(http(s.port(), "GET", "/v0/man%61gement/api-keys", bearer(key)).status == 404);
  s.back.configured = {"one", "two"};
  CHECK(s.get("/v0/management/api-keys").status == 404);
  CHECK(s.get("/node/two/v0/management/api-keys").status == 200);
  CHECK(s.back.passed.back() == "two GET /v0/management/api-keys ");
}

TEST_CASE("Requests may be split anywhere and follow each other on one connection") {
  stage s;
  s.add(3);
  const auto one =
    fmt::format("GET /v0/management/usage-queue?count=1 HTTP/1.1\r\nHost: localhost\r\n{}\r\n", bearer(key));
  tool t{s.port()};
  for (const char c : one)
    t.send({&c, 1});
  CHECK(t.read_until("\"}]").find("\"input_tokens\":1,") != std::string::npos);
  t.send(one + one + one);
  CHECK(t.read_until("\"}]").find("\"input_tokens\":2,") != std::string::npos);
  CHECK(t.read_until("\"}]").find("\"input_tokens\":3,") != std::string::npos);
  CHECK(t.read_until("[]").find("200 OK") != std::string::npos);
}

TEST_CASE("What is no HTTP is told so, plainly") {
  stage s;
  for (const auto* text : {"PING\r\n\r\n", "PING\r\n", "GET\r\n\r\n", "GET / HTTP/1.1\r\n\r\n",
                           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"}) {
    INFO(text);
    tool t{s.port()};
    t.send(text);
    CHECK(t.read_to_end()
          == "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n400 Bad "
             "Request");
  }
  tool t{s.port()};
  t.send("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(100'000, 'x'));
  CHECK(t.read_to_end().starts_with("HTTP/1.1 431"));
}

TEST_CASE("A ledger that cannot be read is said to be so, and nothing is lost by it") {
  stage s;
  s.add(2);
  s.back.broken = true;
  CHECK(s.get("/v0/management/usage-queue").status >= 500);
  CHECK(s.get("/v0/management/usage").status >= 500);
  s.back.broken = false;
  CHECK(json::parse(s.get("/v0/management/usage-queue?count=9").body).size() == 2);
}
