#include "actors/identity/http_caller.hpp"

#include <future>

#include <catch2/catch_test_macros.hpp>

#include "messages/errors.hpp"
#include "server.hpp"

using namespace keyportal;
using namespace keyportal::identity;
using namespace keyportal::identity::test;

namespace {

caf::expected<http_answer> asked(http_caller& caller, http_call call) {
  auto promise = std::make_shared<std::promise<caf::expected<http_answer>>>();
  auto future = promise->get_future();
  caller.ask(std::move(call), [promise](auto answer) { promise->set_value(std::move(answer)); });
  REQUIRE(future.wait_for(std::chrono::seconds{30}) == std::future_status::ready);
  return future.get();
}

std::string answer_of(const std::string& status, const std::string& body, const std::string& more = {}) {
  return "HTTP/1.1 " + status + "\r\nContent-Type: application/json\r\n" + more
         + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

} // namespace

TEST_CASE("a call is made as it stands, and any status is an answer") {
  small_server server(answer_of("418 Teapot", R"({"a":1})"));
  http_caller caller;
  const auto answer = asked(
    caller, {server.url() + "/token?x=1", "application/x-www-form-urlencoded", secret{"a=b"}, secret{"Basic abc"}});
  REQUIRE(answer);
  CHECK(answer->status == 418);
  CHECK(answer->content_type == "application/json");
  CHECK(answer->body == R"({"a":1})");
  const auto heard = server.heard();
  CHECK(heard.starts_with("POST /token?x=1 HTTP/1.1\r\n"));
  CHECK(heard.find("\r\nAuthorization: Basic abc\r\n") != std::string::npos);
  CHECK(heard.find("\r\nContent-Type: application/x-www-form-urlencoded\r\n") != std::string::npos);
  CHECK(heard.find("\r\nAccept: application/json\r\n") != std::string::npos);
  CHECK(heard.ends_with("\r\n\r\na=b"));
}

TEST_CASE("a redirect is an answer and is not followed") {
  small_server elsewhere(answer_of("200 OK", "{}"));
  small_server server(answer_of("302 Found", "", "Location: " + elsewhere.url() + "/\r\n"));
  http_caller caller;
  const auto answer = asked(caller, {server.url() + "/", {}, {}, secret{"Bearer t"}});
  REQUIRE(answer);
  CHECK(answer->status == 302);
  CHECK(server.heard().starts_with("GET / HTTP/1.1\r\n"));
  CHECK(elsewhere.heard().empty());
}

TEST_CASE("an answer is as large as allowed and no larger, whether it says so or not") {
  http_caller::bounds most;
  most.answer_bytes = 1000;
  http_caller caller(most);
  for (const auto& [size, fine] : {std::pair{1000, true}, std::pair{1001, false}, std::pair{1'000'000, false}}) {
    const std::string body(static_cast<std::size_t>(size), 'x');
    for (const auto& text : {answer_of("200 OK", body), "HTTP/1.1 200 OK\r\n\r\n" + body}) {
      small_server server(text);
      const auto answer = asked(caller, {server.url() + "/", {}, {}, {}});
      CHECK(answer.operator bool() == fine);
      if (!answer)
        CHECK(code_of(answer.error()) == errc::provider_answer_wrong);
    }
  }
}

TEST_CASE("half an answer, none, and what is no HTTP are told") {
  http_caller::bounds most;
  most.timeout = std::chrono::milliseconds{300};
  http_caller caller(most);
  for (const std::string text : {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "", "SSH-2.0-x\r\n"}) {
    INFO(text);
    small_server server(text);
    const auto answer = asked(caller, {server.url() + "/secret-path", {}, {}, {}});
    REQUIRE_FALSE(answer);
    CHECK(code_of(answer.error()) == errc::provider_answer_wrong);
    CHECK(about_of(answer.error()).find("secret-path") == std::string::npos);
  }
  small_server slow("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n", small_server::afterwards::keeps_silent);
  const auto answer = asked(caller, {slow.url() + "/", {}, {}, {}});
  REQUIRE_FALSE(answer);
  CHECK(code_of(answer.error()) == errc::provider_unreachable);
}

TEST_CASE("TLS is spoken where the address says so, and nobody is believed without a certificate") {
  small_server server(answer_of("200 OK", "{}"));
  http_caller caller;
  auto url = server.url();
  url.replace(0, 4, "https");
  const auto answer = asked(caller, {url + "/", "application/json", secret{"{}"}, secret{"Bearer the-token"}});
  REQUIRE_FALSE(answer);
  CHECK(server.heard().find("the-token") == std::string::npos);
}

TEST_CASE("plain http to another machine, and addresses that lead to this one, are not asked") {
  http_caller caller;
  for (const auto* url :
       {"http://192.0.2.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "https://169.254.169.254/latest",
        "https://[fe80::1]/", "https://0.0.0.0:1/", "https://[::ffff:127.0.0.1]:1/"}) {
    INFO(url);
    const auto answer = asked(caller, {url, {}, {}, {}});
    REQUIRE_FALSE(answer);
    INFO(render(answer.error()));
    CHECK((code_of(answer.error()) == errc::provider_answer_wrong
           || about_of(answer.error()).find("leads to this machine") != std::string::npos));
  }
}

TEST_CASE("calls that must wait are bounded, and all are told when the caller ends") {
  std::vector<errc> told;
  std::mutex mutex;
  {
    small_server silent("", small_server::afterwards::keeps_silent);
    http_caller::bounds most;
    most.threads = 1;
    most.waiting = 3;
    http_caller caller(most);
    for (int i = 0; i < 20; ++i)
      caller.ask({silent.url() + "/", {}, {}, {}}, [&](caf::expected<http_answer> answer) {
        const std::lock_guard guard(mutex);
        told.push_back(answer ? errc::none : code_of(answer.error()));
      });
    const std::lock_guard guard(mutex);
    CHECK(told.size() >= 16); // one is under way at most
    for (const auto code : told)
      CHECK(code == errc::too_many_requests);
  }
  CHECK(told.size() == 20);
  CHECK(told.back() == errc::shutting_down);
}
