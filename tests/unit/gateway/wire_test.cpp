#include <catch2/catch_test_macros.hpp>

#include "gateway/wire.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {
bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }
} // namespace

TEST_CASE("every answer carries the strict headers and does not say what made it") {
  const auto head = response_head({}, true, false, moment{});
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"));
  CHECK(has(head, "\r\nX-Content-Type-Options: nosniff\r\n"));
  CHECK(has(head, "\r\nReferrer-Policy: no-referrer\r\n"));
  CHECK(has(head, "default-src 'self'"));
  CHECK(has(head, "frame-ancestors 'none'"));
  CHECK_FALSE(has(head, "unsafe-inline"));
  CHECK(has(head, "\r\nCache-Control: no-store\r\n"));
  CHECK_FALSE(has(head, "\r\nServer:"));
  CHECK_FALSE(has(head, "Access-Control-Allow"));
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("an answer may have a cache rule of its own") {
  http_response answer;
  answer.headers.emplace_back("Cache-Control", "no-cache");
  const auto head = response_head(answer, true, false, moment{});
  CHECK(has(head, "Cache-Control: no-cache\r\n"));
  CHECK_FALSE(has(head, "no-store"));
}

TEST_CASE("a page that may be shown in frames says in whose, and stays as strict in all else") {
  const std::vector<std::string> origins = {"https://a.example", "https://b.example:8443"};
  http_response answer;
  answer.headers.emplace_back("Content-Security-Policy", policy_with_frames(origins));
  const auto head = response_head(answer, true, false, moment{});
  CHECK(has(head, "frame-ancestors 'self' https://a.example https://b.example:8443\r\n"));
  CHECK(has(head, "base-uri 'none'"));
  CHECK_FALSE(has(head, "frame-ancestors 'none'"));
  CHECK(has(head, "\r\nX-Content-Type-Options: nosniff\r\n"));
}

TEST_CASE("a header that would break out of its line is left out") {
  http_response answer;
  answer.headers.emplace_back("X-Name", "a\r\nSet-Cookie: b");
  answer.content_type = "text/plain\r\nX-Other: 1";
  const auto head = response_head(answer, true, false, moment{});
  CHECK_FALSE(has(head, "Set-Cookie"));
  CHECK_FALSE(has(head, "X-Other"));
}

TEST_CASE("the connection header follows the version of the request") {
  CHECK_FALSE(has(response_head({}, true, false, moment{}), "Connection:"));
  CHECK(has(response_head({}, true, true, moment{}), "Connection: keep-alive\r\n"));
  CHECK(has(response_head({}, false, false, moment{}), "Connection: close\r\n"));
}

TEST_CASE("answers without body say no length") {
  http_response answer;
  answer.status = 304;
  const auto head = response_head(answer, true, false, moment{});
  CHECK_FALSE(has(head, "Content-Length"));
  CHECK_FALSE(has(head, "\r\nContent-Type:"));
}
