// Sign-ins that were begun here and are not back yet from the place where people prove who they are.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include <caf/expected.hpp>

#include "messages/secret.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::identity {

/// One sign-in on its way.
struct login_attempt {
  std::string provider;  ///< its configured name
  secret state;          ///< comes back with the browser; 256 bits, as are the next two
  secret nonce;          ///< comes back in the proof of identity
  secret verifier;       ///< of PKCE: shown only to the provider itself, with the code
  std::string return_to; ///< a path of ours
  std::string link_to;   ///< whose account the identity is to be added to; empty: it is to sign somebody in
  moment began_at{};
};

/// Of PKCE, for the method S256.
std::string challenge_of(const secret& verifier);

/// Whether a browser may be sent there afterwards: a plain path of ours with or without a query, 1024 characters at most.
/// Nothing that any browser or proxy could take for another host: no "//", no backslash, no dots as a part, no such thing
/// escaped, no control characters.
bool is_local_path(std::string_view path);

/// A value for the cookie that ties a sign-in to its browser, of 32 random bytes.
secret prelogin_cookie(std::span<const std::uint8_t, 32> random);

/// No thread, no clock, no I/O. Bounded: of too many, the oldest of the same origin goes, then the oldest of all, so that
/// nobody who only begins can keep others from signing in unless he has many addresses.
class attempt_book {
public:
  struct bounds {
    std::size_t attempts = 10'000;
    std::size_t of_one_origin = 50;
    std::chrono::nanoseconds lifetime = std::chrono::minutes{10};
  };
  struct wish {
    std::string provider;
    std::string return_to; ///< empty: "/"
    std::string link_to;
    std::string origin; ///< where the browser is: its address, or its network for IPv6
    secret cookie;      ///< the browser's pre-login cookie
  };

  attempt_book() : attempt_book(bounds{}) {}
  explicit attempt_book(bounds most) : bounds_(most) {}

  /// `random` must come from the system's random source. Errors: return_to_refused; bad_request for a cookie of less than
  /// 22 characters. O(log n).
  caf::expected<login_attempt> begin(wish w, std::span<const std::uint8_t, 96> random, moment now);

  /// The attempt that this state and cookie belong to, once: whatever comes of it, the state is used up.
  /// Error: sign_in_expired, without telling which of the reasons. O(log n); the time it takes tells nothing about states.
  caf::expected<login_attempt> take(std::string_view provider, std::string_view state, std::string_view cookie,
                                    moment now);

  [[nodiscard]] std::size_t size() const { return attempts_.size(); }

private:
  struct entry {
    login_attempt attempt;
    std::string state_hash;
    std::string cookie_hash;
    std::string origin;
  };
  using place = std::list<entry>::iterator;

  void drop_old(moment now);
  void drop(place at);

  bounds bounds_;
  std::list<entry> attempts_; ///< oldest first
  std::unordered_map<std::string, place> by_state_hash_;
  std::map<std::string, std::list<place>> by_origin_; ///< oldest first
};

} // namespace keyportal::identity
