// Cookies and what proxies say: one header a line. Nobody comes from elsewhere by his own word, and a cookie is whole or
// not there.
#include <algorithm>
#include <memory>

#include "gateway/callers.hpp"
#include "gateway/host_rules.hpp"
#include "messages/errors.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/unit/gateway/directory.hpp"

using namespace keyportal;
using namespace keyportal::gateway;

namespace {

const std::vector<network> proxies{*network::read("10.0.0.0/8"), *network::read("2001:db8::/32")};
const network machine = *network::read("127.0.0.0/8");

http_request read(std::string_view lines) {
  http_request out;
  out.method = "POST";
  out.path = "/";
  while (!lines.empty() && out.headers.size() < 50) {
    const auto end = std::min(lines.find('\n'), lines.size());
    const auto line = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    const auto colon = line.find(": ");
    if (colon != std::string_view::npos)
      out.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  return out;
}

void check_place(const http_request& request) {
  const auto place = place_of(request, proxies);
  const auto peer = read_address(request.peer);
  if (!peer || !any_has(proxies, *peer)) {
    must(place.address == (peer ? to_text(*peer) : request.peer), "who is no proxy of ours comes from where he is");
    must(!place.https, "and does not say what is https");
  }
  const auto address = read_address(place.address);
  must(!peer || address.has_value(), "an address is one");
  must(!address || to_text(*address) == place.address, "in one spelling");
}

void check_cookies(const http_request& request) {
  for (const bool is_secure : {true, false})
    for (const auto name : {session_cookie, before_cookie, external_cookie, newcomer_cookie}) {
      const auto text = cookie_of(request, name, {is_secure});
      if (!text)
        continue;
      must(!text->empty() && text->find(';') == std::string::npos, "a cookie ends at a semicolon");
      const auto written = (is_secure ? "__Host-" : "") + std::string(name) + "=" + *text;
      must(std::any_of(
             request.headers.begin(), request.headers.end(),
             [&](const auto& one) { return one.first == "cookie" && one.second.find(written) != std::string::npos; }),
           "a cookie is as it was sent, under its whole name");
      http_request twice = request;
      twice.headers.emplace_back("cookie", written);
      must(!cookie_of(twice, name, {is_secure}), "of two there is none");
    }
}

void check_visitor(const http_request& request, const entrance& door) {
  const auto by = door.look(request);
  const auto peer = read_address(request.peer);
  const bool may_settings = by.who.rights.has(right::read_settings);
  if (by.inside && !may_settings)
    must(place_of(request, proxies).direct && (!peer || machine.has(*peer) || any_has(proxies, *peer)),
         "inside is who comes from inside");
  if (by.by_cookie)
    must(!by.has_bearer && (by.forged || header_of(request, "x-csrf-token") == "csrf of " + by.who.held->name),
         "what changes something by a cookie has its token");
  if (by.who.kind == caller_kind::nobody || (by.who.held && by.who.held->factor == second_factor::pending))
    must(by.who.rights == right_set{}, "nobody, and half a sign-in, may nothing");
  const auto origin = header_of(request, "origin"), host = header_of(request, "host");
  if (!origin.empty() && !by.has_bearer && !same_origin(origin, host))
    must(code_of(by.forged) == errc::wrong_origin, "another page changes nothing");
  if (same_origin(origin, host))
    must(origin.starts_with("http") && !host.empty(), "an origin is one");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto door = [] {
    auto out = std::make_unique<entrance>(entrance_settings{secret{"xB7qv0Zr1m"}, {}, proxies, {machine}, right_set{}});
    out->know(std::make_shared<test::directory>());
    return out;
  }();
  auto request = read({reinterpret_cast<const char*>(data), size});
  for (const auto* peer : {"192.0.2.7", "10.1.2.3", "127.0.0.1", "2001:db8::7", "nonsense"}) {
    request.peer = peer;
    check_place(request);
    check_visitor(request, *door);
  }
  check_cookies(request);
  return 0;
}
