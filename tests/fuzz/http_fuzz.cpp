// Requests as they come over a socket: however they are cut they are the same, two readers can never differ about where a
// body ends, and who shows nothing may nothing but what is open to anybody.
#include <algorithm>
#include <memory>

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <nlohmann/json.hpp>

#include "gateway/problem.hpp"
#include "gateway/request_head.hpp"
#include "gateway/routes.hpp"
#include "gateway/wire.hpp"
#include "messages/errors.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/gateway/directory.hpp"

using namespace keyportal;
using namespace keyportal::gateway;
namespace http = boost::beast::http;

namespace {

const entrance& door() {
  static const auto made = [] {
    auto out = std::make_unique<entrance>(
      entrance_settings{secret{"xB7qv0Zr1m"}, {}, {*network::read("10.0.0.0/8")}, {*network::read("127.0.0.0/8")}});
    out->know(std::make_shared<test::directory>());
    return out;
  }();
  return *made;
}

void check_answer(const http_response& answer, bool http_1_0) {
  const auto head = response_head(answer, true, http_1_0, moment{});
  must(head.find("\r\n\r\n") == head.size() - 4, "a head has one end");
  must(nlohmann::json::accept(*answer.body), "a refusal is JSON");
  must(answer.status >= 400, "a refusal says so");
}

void check_taken(const http_request& request) {
  must(request.path.starts_with('/'), "a path begins with a slash");
  for (const char c : request.path)
    must((static_cast<unsigned char>(c) >= 0x20 && c != 0x7f && c != '\\') || c == escaped_slash, "a path is plain");
  for (const auto& [name, value] : request.headers) {
    must(std::none_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; }), "names in lower case");
    must(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos, "a value is one line");
  }
  const auto length = header_of(request, "content-length"), coding = header_of(request, "transfer-encoding");
  must(length.empty() || coding.empty(), "a body has one length");
}

/// What is let in, in words.
std::string check_rights(const http_request& request) {
  const auto by = door().look(request);
  const auto rule = rule_for_body(request, by);
  auto read = understand(request, by);
  if (const auto* refusal = std::get_if<http_response>(&read)) {
    check_answer(*refusal, false);
    must(rule.refusal.has_value(), "what will be refused has no large body");
    return "refused " + *refusal->body;
  }
  const auto& asked = std::get<question>(read);
  const auto& needs = asked.row->needs;
  if (by.who.kind == caller_kind::nobody)
    must(needs.how == access::open || (needs.how == access::inside && by.inside), "nobody may what is open");
  if (by.by_cookie && asked.row->method != "GET")
    must(header_of(request, "x-csrf-token") == "csrf of " + by.who.held->name, "a cookie alone changes nothing");
  must(by.who.kind != caller_kind::control || by.has_bearer, "the control token is a Bearer");
  return "asked " + std::string(asked.row->pattern) + " " + asked.name + " " + asked.node + " "
         + std::to_string(asked.id) + " " + std::to_string(asked.limit);
}

/// All requests of a connection, each in words, up to the first that ends it.
std::vector<std::string> told_of(std::string_view bytes, std::uint32_t cuts) {
  static const host_rules hosts("127.0.0.1", {"portal.example"});
  std::vector<std::string> out;
  std::string buffer;
  auto state = cuts;
  const auto more = [&] {
    if (bytes.empty())
      return false;
    state = state * 1664525 + 1013904223;
    const auto n = cuts == 0 ? bytes.size() : std::min<std::size_t>(bytes.size(), 1 + (state >> 16) % (1 + cuts % 64));
    buffer.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    return true;
  };
  for (;;) {
    http::request_parser<http::string_body> parser;
    parser.header_limit(4 << 10);
    parser.body_limit(boost::none);
    /// Until `done`; false: the connection ends here.
    const auto read = [&](auto done) {
      while (!done()) {
        boost::system::error_code error;
        const auto used = parser.put(boost::asio::buffer(buffer), error);
        buffer.erase(0, used);
        if (error && error != http::error::need_more)
          return false; // what is no HTTP may be seen to be none before it is whole, or when it is
        if (!done() && (error || used == 0) && !more())
          return false;
      }
      return true;
    };
    parser.eager(false);
    if (!read([&] { return parser.is_header_done(); }))
      return out;
    http_request request;
    request.peer = "192.0.2.7";
    if (auto refusal = take_head(parser.get(), hosts, {}, request)) {
      check_answer(*refusal, parser.get().version() == 10);
      out.push_back(*refusal->body);
      return out;
    }
    check_taken(request);
    auto words = check_rights(request);
    for (const auto* peer : {"127.0.0.1", "10.1.2.3", "::1", ""}) {
      request.peer = peer;
      check_rights(request);
    }
    parser.body_limit(1000);
    parser.eager(true);
    if (!read([&] { return parser.is_done(); }))
      return out;
    must(parser.get().body().size() <= 1000, "a body is as large as is allowed");
    out.push_back(words + parser.get().body());
    if (!parser.keep_alive() || out.size() > 20)
      return out;
  }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0)
    return 0;
  const std::string_view bytes{reinterpret_cast<const char*>(data) + 1, size - 1};
  const auto whole = told_of(bytes, 0), pieces = told_of(bytes, data[0] | 1U);
  if (whole != pieces)
    for (const auto* told : {&whole, &pieces})
      for (const auto& one : *told)
        std::fprintf(stderr, "fuzz: %s: %s\n", told == &whole ? "whole" : "in pieces", one.substr(0, 300).c_str());
  must(whole == pieces, "cuts change nothing");
  return 0;
}
