#include <set>

#include <catch2/catch_test_macros.hpp>

#include "gateway/access_bodies.hpp"
#include "gateway/callers.hpp"
#include "messages/errors.hpp"
#include "tests/unit/gateway/directory.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

using headers = std::vector<std::pair<std::string, std::string>>;

http_request from(std::string peer, headers with = {}) {
  http_request out;
  out.method = "GET";
  out.path = "/";
  out.peer = std::move(peer);
  out.headers = std::move(with);
  return out;
}

const std::vector<network> ours{*network::read("10.0.0.0/8"), *network::read("::1")};

} // namespace

TEST_CASE("networks are read strictly, and both spellings of an IPv4 address are one") {
  for (const char* good : {"10.0.0.0/8", "127.0.0.1", "0.0.0.0/0", "2001:db8::/32", "::1", "::/0", "10.1.2.3/32"})
    CHECK(network::read(good).has_value());
  for (const char* bad : {"", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "10.0.0/8", "2001:db8::1/32",
                          "::/129", "localhost", "10.0.0.0/8 ", "[::1]", "fe80::1%eth0", "10.0.0.0/8x"}) {
    CAPTURE(bad);
    CHECK_FALSE(network::read(bad).has_value());
  }
  CHECK(network::read("10.0.0.0/8")->has(*read_address("::ffff:10.9.8.7")));
  CHECK_FALSE(network::read("10.0.0.0/8")->has(*read_address("11.0.0.0")));
  CHECK_FALSE(network::read("::/0") == network::read("0.0.0.0/0"));
  CHECK(to_text(*read_address("::ffff:10.9.8.7")) == "10.9.8.7");
  CHECK(is_loopback(*read_address("127.9.9.9")));
  CHECK_FALSE(is_loopback(*read_address("128.0.0.1")));
}

TEST_CASE("who hands a request on is believed about where it comes from only if it is one of our proxies") {
  const auto address = [](const http_request& asked) { return place_of(asked, ours).address; };
  CHECK(address(from("10.0.0.1", {{"x-forwarded-for", "203.0.113.9"}})) == "203.0.113.9");
  CHECK(address(from("192.0.2.1", {{"x-forwarded-for", "203.0.113.9"}})) == "192.0.2.1");
  // What the client wrote itself stands before what our proxies wrote.
  CHECK(address(from("10.0.0.1", {{"x-forwarded-for", "127.0.0.1, 203.0.113.9, 10.0.0.2"}})) == "203.0.113.9");
  CHECK(address(from("10.0.0.1", {{"x-forwarded-for", "127.0.0.1"}, {"x-forwarded-for", "203.0.113.9"}}))
        == "203.0.113.9");
  CHECK(address(from("10.0.0.1", {{"x-forwarded-for", "203.0.113.9, unknown"}})) == "10.0.0.1");
  CHECK(address(from("10.0.0.1", {{"x-forwarded-for", "203.0.113.9:4711"}})) == "203.0.113.9");
  CHECK(address(from("::1", {{"forwarded", "for=\"[2001:db8::7]:4711\";proto=https;by=10.0.0.1"}})) == "2001:db8::7");
  CHECK(address(from("::1", {{"forwarded", "for=127.0.0.1, For=203.0.113.9"}})) == "203.0.113.9");
  // One of them is the client's: neither is believed.
  const auto both = from("10.0.0.1", {{"x-forwarded-for", "203.0.113.9"}, {"forwarded", "for=127.0.0.1"}});
  CHECK(address(both) == "10.0.0.1");
  CHECK_FALSE(place_of(both, ours).direct);
  CHECK(address(from("10.0.0.1", {{"x-forwarded-for", "10.0.0.3, 10.0.0.2"}})) == "10.0.0.3"); // all ours
}

TEST_CASE("https is what the proxy next to us says, and nobody else") {
  const auto https = [](const char* peer, headers with) { return place_of(from(peer, std::move(with)), ours).https; };
  CHECK(https("10.0.0.1", {{"x-forwarded-for", "203.0.113.9"}, {"x-forwarded-proto", "https"}}));
  CHECK(https("10.0.0.1", {{"x-forwarded-proto", "http, https"}}));
  CHECK_FALSE(https("10.0.0.1", {{"x-forwarded-proto", "https, http"}}));
  CHECK_FALSE(https("192.0.2.1", {{"x-forwarded-proto", "https"}}));
  CHECK(https("10.0.0.1", {{"forwarded", "for=203.0.113.9;proto=https"}}));
  CHECK_FALSE(https("10.0.0.1", {{"forwarded", "proto=https, for=203.0.113.9;proto=http"}}));
}

TEST_CASE("cookies have the prefix __Host- and are Secure but on the machine itself") {
  CHECK(set_cookie(session_cookie, "text", {true}, same_site::strict)
        == "__Host-keyportal=text; Path=/; HttpOnly; SameSite=Strict; Secure");
  CHECK(set_cookie(session_cookie, "text", {false}, same_site::strict)
        == "keyportal=text; Path=/; HttpOnly; SameSite=Strict");
  CHECK(set_cookie(external_cookie, "text", {true}, same_site::lax, std::chrono::seconds{600})
        == "__Host-keyportal-external=text; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=600");
  CHECK(drop_cookie(session_cookie, {true}, same_site::strict).find("Max-Age=0") != std::string::npos);

  entrance door({{}, {}, ours, {}});
  CHECK_FALSE(door.look(from("127.0.0.1")).cookies.secure);
  CHECK(door.look(from("192.0.2.1")).cookies.secure);
  CHECK(door.look(from("127.0.0.1", {{"x-forwarded-for", "203.0.113.9"}})).cookies.secure); // a proxy nobody configured
  CHECK(door.look(from("::1", {{"x-forwarded-for", "203.0.113.9"}, {"x-forwarded-proto", "https"}})).cookies.secure);
}

TEST_CASE("a cookie is found by its whole name, and not at all when it is there twice") {
  const auto found = [](const char* header, bool secure) {
    return cookie_of(from("127.0.0.1", {{"cookie", header}}), session_cookie, {secure}).value_or("none");
  };
  CHECK(found("a=b; keyportal=text; c=d", false) == "text");
  CHECK(found("__Host-keyportal=text", true) == "text");
  CHECK(found("keyportal=text", true) == "none"); // anybody on a subdomain can set that
  CHECK(found("__Host-keyportal=text", false) == "none");
  CHECK(found("keyportal=one; keyportal=two", false) == "none");
  CHECK(found("keyportal=", false) == "none");
  CHECK(found("xkeyportal=text; keyportal-before=x", false) == "none");
  CHECK(found(";;;=;keyportal", false) == "none");
}

TEST_CASE("random texts are long, of their alphabet, and never the same") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i)
    CHECK(seen.insert(random_text().reveal()).second);
  CHECK(seen.begin()->size() == 52);
  CHECK(seen.begin()->find_first_not_of("abcdefghijklmnopqrstuvwxyz234567") == std::string::npos);
}

TEST_CASE("what changes something by a cookie needs the session's own token and our origin") {
  entrance door({secret{"control"}, {}});
  door.know(std::make_shared<test::directory>());
  const auto forged = [&](headers with, std::string method = "POST") {
    auto asked = from("127.0.0.1", std::move(with));
    asked.method = std::move(method);
    asked.headers.emplace_back("host", "127.0.0.1:8390");
    const auto error = door.look(asked).forged;
    return error ? std::string(row_of(code_of(error)).name) : "taken";
  };
  const std::pair<std::string, std::string> user{"cookie", "keyportal=user"}, good{"x-csrf-token", "csrf of user"};
  CHECK(forged({user, good}) == "taken");
  CHECK(forged({user}) == "csrf_missing");
  CHECK(forged({user, {"x-csrf-token", "csrf of other"}}) == "csrf_missing");
  CHECK(forged({user, {"x-csrf-token", ""}}) == "csrf_missing");
  CHECK(forged({user}, "GET") == "taken");
  CHECK(forged({user}, "DELETE") == "csrf_missing");
  CHECK(forged({user, good, {"sec-fetch-site", "same-origin"}}) == "taken");
  CHECK(forged({user, good, {"sec-fetch-site", "none"}}) == "taken");
  for (const char* site : {"cross-site", "same-site", "nonsense"})
    CHECK(forged({user, good, {"sec-fetch-site", site}}) == "wrong_origin");
  CHECK(forged({user, good, {"origin", "http://127.0.0.1:8390"}}) == "taken");
  for (const char* origin : {"null", "http://evil.example", "http://127.0.0.1:8391"})
    CHECK(forged({user, good, {"origin", origin}}) == "wrong_origin");
  // No browser sends this by itself.
  CHECK(forged({user, {"authorization", "Bearer control"}}) == "taken");
  // Signing in, too: before there is a session the token is bound to a random cookie.
  CHECK(forged({{"cookie", "keyportal-before=abc"}, {"x-csrf-token", "csrf before abc"}}) == "taken");
  CHECK(forged({{"cookie", "keyportal-before=abc"}, {"x-csrf-token", "csrf before abd"}}) == "csrf_missing");
  CHECK(forged({{"x-csrf-token", "csrf before "}}) == "csrf_missing");
  CHECK(forged({}) == "csrf_missing");
}

TEST_CASE("who it is: the control token, a session, a token, or nobody, and why") {
  entrance door({secret{"control"}, {right::read_nodes}, {}, {*network::read("127.0.0.1")}});
  door.know(std::make_shared<test::directory>());
  const auto look = [&](headers with) { return door.look(from("127.0.0.1", std::move(with))); };
  CHECK(look({{"authorization", "Bearer control"}}).who.rights == right_set::all());
  CHECK(look({{"cookie", "keyportal=auditor"}}).who.subject == "uauditor");
  CHECK(look({{"cookie", "keyportal=user"}}).who.rights.has(right::read_nodes));
  CHECK_FALSE(look({{"cookie", "keyportal=user"}}).who.rights.has(right::read_usage));
  CHECK(look({{"authorization", "Bearer kpt_admin=read:usage"}}).who.kind == caller_kind::token);
  CHECK(code_of(look({{"authorization", "Bearer kpt_x=nothing"}}).unknown) == errc::token_refused);
  CHECK(code_of(look({{"authorization", "Bearer wrong"}}).unknown) == errc::not_authorised);
  CHECK(code_of(look({{"cookie", "keyportal=gone"}}).unknown) == errc::session_ended);
  CHECK(code_of(look({{"cookie", "keyportal=half"}}).unknown) == errc::second_factor_needed);
  CHECK(look({{"cookie", "keyportal=half"}}).who.rights == right_set{right::read_nodes}); // as anybody
  CHECK(look({}).who.rights == right_set{right::read_nodes});
  CHECK(look({}).inside);
  CHECK_FALSE(door.look(from("192.0.2.1")).inside);
  CHECK_FALSE(look({{"x-forwarded-for", "127.0.0.1"}}).inside);
  auto far = from("192.0.2.1", {{"authorization", "Bearer control"}});
  CHECK(door.look(far).inside);
}

TEST_CASE("after signing in one comes back to a page of ours and to no other") {
  CHECK(safe_return("/usage?from=7d#chart") == "/usage?from=7d#chart");
  for (const char* bad : {"", "//evil.example", "/\\evil.example", "https://evil.example", "usage",
                          "/a\r\nSet-Cookie: x", "/a b", "javascript:alert(1)", "/\tx", "/\"><script>"})
    CHECK(safe_return(bad) == "/");
}
