#include "gateway/callers.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <random>

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include "gateway/host_rules.hpp"
#include "messages/errors.hpp"

namespace keyportal::gateway {

namespace {

constexpr std::string_view host_prefix = "__Host-";
constexpr std::string_view bearer = "Bearer ";

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos)
    return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// All headers of that name, as if they were one.
std::string joined(const http_request& request, std::string_view name) {
  std::string out;
  for (const auto& [key, value] : request.headers)
    if (key == name)
      out.append(out.empty() ? "" : ",").append(value);
  return out;
}

/// What stands between separators, the last first; blanks around are taken away.
std::vector<std::string_view> backwards(std::string_view text, char separator) {
  std::vector<std::string_view> out;
  for (;;) {
    const auto at = text.rfind(separator);
    out.push_back(trimmed(at == std::string_view::npos ? text : text.substr(at + 1)));
    if (at == std::string_view::npos)
      return out;
    text = text.substr(0, at);
  }
}

/// As a proxy writes it: an address, maybe with a port, IPv6 then in brackets, maybe in quotes.
std::optional<ip_address> read_hop(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"')
    text = text.substr(1, text.size() - 2);
  if (text.starts_with('[')) {
    const auto end = text.find(']');
    return end == std::string_view::npos ? std::nullopt : read_address(text.substr(1, end - 1));
  }
  if (std::count(text.begin(), text.end(), ':') == 1)
    text = text.substr(0, text.find(':'));
  return read_address(text);
}

bool same_word(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) {
           return (x >= 'A' && x <= 'Z' ? char(x + 32) : x) == y;
         });
}

/// One who handed it on, as the one after him says.
struct hop {
  std::optional<ip_address> address;
  bool https = false;
};

std::vector<hop> hops_of_forwarded(std::string_view text) {
  std::vector<hop> out;
  for (const auto element : backwards(text, ',')) {
    hop one;
    for (const auto pair : backwards(element, ';')) {
      const auto equals = std::min(pair.find('='), pair.size());
      const auto name = pair.substr(0, equals);
      const auto value = pair.substr(std::min(equals + 1, pair.size()));
      if (same_word(name, "for"))
        one.address = read_hop(value);
      else if (same_word(name, "proto"))
        one.https = same_word(value, "https");
    }
    out.push_back(one);
  }
  return out;
}

std::vector<hop> hops_of_x_forwarded(std::string_view addresses, std::string_view protocol) {
  std::vector<hop> out;
  if (!addresses.empty())
    for (const auto text : backwards(addresses, ','))
      out.push_back({read_hop(text), false});
  if (out.empty())
    out.emplace_back();
  // What stands last is of the proxy next to us.
  out.front().https = !protocol.empty() && same_word(backwards(protocol, ',').front(), "https");
  return out;
}

/// Never the same twice in this process, and by its random beginning hardly in two.
std::string next_request_id() {
  static const std::uint64_t first = [] {
    std::random_device source;
    return std::uint64_t{source()} << 32 | source();
  }();
  static std::atomic<std::uint64_t> count{0};
  // Weyl sequence: neighbours look different, and all 2^64 come before one comes again.
  return fmt::format("{:016x}", first + 0x9e3779b97f4a7c15 * ++count);
}

} // namespace

std::string_view header_of(const http_request& request, std::string_view name) {
  for (const auto& [key, value] : request.headers)
    if (key == name)
      return value;
  return {};
}

client_place place_of(const http_request& request, std::span<const network> proxies) {
  const auto peer = read_address(request.peer);
  client_place out{peer ? to_text(*peer) : request.peer, false, true};
  const auto forwarded = joined(request, "forwarded");
  const auto addresses = joined(request, "x-forwarded-for");
  const auto protocol = joined(request, "x-forwarded-proto");
  const bool by_one = !forwarded.empty();
  const bool by_other = !addresses.empty() || !protocol.empty();
  if (!by_one && !by_other)
    return out;
  if (!peer || !any_has(proxies, *peer) || (by_one && by_other)) {
    out.direct = false;
    return out;
  }
  const auto hops = by_one ? hops_of_forwarded(forwarded) : hops_of_x_forwarded(addresses, protocol);
  out.https = hops.front().https;
  for (const auto& one : hops) {
    if (!one.address) // hidden, or nonsense: the last one that is known is as far as one can see
      break;
    out.address = to_text(*one.address);
    if (!any_has(proxies, *one.address))
      break;
  }
  return out;
}

// --- cookies -------------------------------------------------------------------------------

std::optional<std::string> cookie_of(const http_request& request, std::string_view name, cookie_rules rules) {
  std::optional<std::string> out;
  for (const auto& [key, value] : request.headers) {
    if (key != "cookie")
      continue;
    for (const auto pair : backwards(value, ';')) {
      const auto equals = pair.find('=');
      auto given = pair.substr(0, equals);
      if (equals == std::string_view::npos || given.starts_with(host_prefix) != rules.secure)
        continue;
      if (rules.secure)
        given.remove_prefix(host_prefix.size());
      if (given != name)
        continue;
      if (out)
        return std::nullopt;
      out = std::string(pair.substr(equals + 1));
    }
  }
  return out && !out->empty() ? out : std::nullopt;
}

std::string set_cookie(std::string_view name, std::string_view text, cookie_rules rules, same_site site,
                       std::optional<std::chrono::seconds> lasts) {
  auto out = fmt::format("{}{}={}; Path=/; HttpOnly; SameSite={}", rules.secure ? host_prefix : "", name, text,
                         site == same_site::strict ? "Strict" : "Lax");
  if (rules.secure)
    out += "; Secure";
  if (lasts)
    out += fmt::format("; Max-Age={}", lasts->count());
  return out;
}

std::string drop_cookie(std::string_view name, cookie_rules rules, same_site site) {
  return set_cookie(name, "", rules, site, std::chrono::seconds{0});
}

secret random_text() {
  random_bits bits{};
  if (RAND_bytes(bits.data(), static_cast<int>(bits.size())) != 1)
    throw std::runtime_error("no random numbers"); // answered 500
  return secret{to_base32(bits)};
}

// --- who it is --------------------------------------------------------------------------------

void entrance::know(std::shared_ptr<caller_directory> callers) {
  const std::lock_guard lock(mutex_);
  callers_ = std::move(callers);
}

std::shared_ptr<caller_directory> entrance::callers() const {
  const std::lock_guard lock(mutex_);
  return callers_;
}

void entrance::find(const http_request& request, caller_directory* callers, visitor& into) const {
  const auto given = header_of(request, "authorization");
  if (!given.empty()) {
    into.has_bearer = true;
    if (!given.starts_with(bearer)) {
      into.unknown = make_error(errc::not_authorised);
      return;
    }
    const auto token = given.substr(bearer.size());
    if (same_secret(token, settings_.control_token)) {
      into.who.kind = caller_kind::control;
      into.who.rights = right_set::all();
    } else if (callers != nullptr && token.starts_with("kpt_")) {
      auto found = callers->by_token(token);
      if (found)
        into.who = std::move(*found);
      else
        into.unknown = found.error();
    } else {
      into.unknown = make_error(errc::not_authorised);
    }
    return;
  }
  if (callers == nullptr)
    return;
  const auto text = cookie_of(request, session_cookie, into.cookies);
  if (!text)
    return;
  if (auto found = callers->by_session(*text)) {
    into.who = std::move(*found);
    into.by_cookie = true;
  } else {
    into.unknown = make_error(errc::session_ended);
  }
}

visitor entrance::look(const http_request& request) const {
  visitor out;
  const auto place = place_of(request, settings_.proxies);
  const auto address = read_address(place.address);
  out.from = {place.address, std::string(header_of(request, "user-agent").substr(0, 512)), next_request_id()};
  out.https = place.https || request.encrypted;
  out.cookies.secure = out.https || !place.direct || !address || !is_loopback(*address);
  out.origin = fmt::format("{}://{}", out.https ? "https" : "http", header_of(request, "host"));
  const auto callers = this->callers();
  find(request, callers.get(), out);
  const auto& who = out.who;
  const bool pending = who.held && who.held->factor == second_factor::pending;
  if (pending)
    out.unknown = make_error(errc::second_factor_needed);
  const bool near = place.direct && address && any_has(settings_.inside, *address);
  out.who.rights = who.rights | settings_.anonymous | (near ? settings_.anonymous_inside : right_set{});
  out.inside = near || who.rights.has(right::read_settings);
  out.forged = forgery_of(request, out, callers.get());
  return out;
}

caf::error forgery_of(const http_request& request, const visitor& by, const caller_directory* callers) {
  if (request.method == "GET" || request.method == "HEAD" || by.has_bearer)
    return {};
  const auto site = header_of(request, "sec-fetch-site");
  if (!site.empty() && site != "same-origin" && site != "none")
    return make_error(errc::wrong_origin, "the browser says that another site asks");
  const auto origin = header_of(request, "origin");
  if (!origin.empty() && !same_origin(origin, header_of(request, "host")))
    return make_error(errc::wrong_origin, std::string(origin.substr(0, 100)));
  if (callers == nullptr)
    return {};
  const auto given = header_of(request, "x-csrf-token");
  if (by.by_cookie)
    return by.who.held && callers->is_csrf_of(*by.who.held, given) ? caf::error{} : make_error(errc::csrf_missing);
  const auto before = cookie_of(request, before_cookie, by.cookies);
  return before && callers->is_csrf_before(*before, given) ? caf::error{} : make_error(errc::csrf_missing);
}

std::string tag_of(const session& s) { return to_base32(s.id); }

bool same_secret(std::string_view given, const secret& wanted) {
  if (wanted.empty())
    return false;
  // Digests have one length, so that of the token does not show either.
  std::array<unsigned char, SHA256_DIGEST_LENGTH> a{}, b{};
  SHA256(reinterpret_cast<const unsigned char*>(given.data()), given.size(), a.data());
  SHA256(reinterpret_cast<const unsigned char*>(wanted.reveal().data()), wanted.reveal().size(), b.data());
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace keyportal::gateway
