// Who asks: by the control token, a session's cookie or an API token; and from where. What a request says about itself is
// believed here or nowhere.
#pragma once

#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/access.hpp"
#include "messages/http.hpp"
#include "messages/networks.hpp"

namespace keyportal::gateway {

// --- where a request comes from. Pure ------------------------------------------------

struct client_place {
  std::string address; ///< of the client, as far as it is known; empty: unknown
  bool https = false;  ///< a proxy that is believed says so
  bool direct = true;  ///< nobody says that it was forwarded, or a proxy that is believed does
};

/// The other end, or who is behind it where that is a proxy of ours: then the last address of X-Forwarded-For (or
/// Forwarded, RFC 7239) that is none of our proxies. Where both headers are there neither is believed: a proxy sets one of
/// them, and the client the other.
client_place place_of(const http_request& request, std::span<const network> proxies);

/// The header's value, empty if it is not there. Names are in lower case.
std::string_view header_of(const http_request& request, std::string_view name);

// --- cookies. Pure ----------------------------------------------------------------------

/// Of a session; its text is the session's.
inline constexpr std::string_view session_cookie = "keyportal";
/// Before there is a session: CSRF tokens are bound to it.
inline constexpr std::string_view before_cookie = "keyportal-before";
/// Ties a sign-in at another place to the browser that began it; SameSite=Lax, since one comes back from elsewhere.
inline constexpr std::string_view external_cookie = "keyportal-external";
/// An identity of elsewhere that is nobody's yet, for the registration that follows.
inline constexpr std::string_view newcomer_cookie = "keyportal-newcomer";

enum class same_site : std::uint8_t { strict, lax };
/// How this request's cookies are: named `__Host-…` and Secure, unless it is plain HTTP from the machine itself.
struct cookie_rules {
  bool secure = true;
};
/// The cookie's text; nothing where it is missing, empty or there more than once.
std::optional<std::string> cookie_of(const http_request& request, std::string_view name, cookie_rules rules);
/// The value of a Set-Cookie: HttpOnly, Path=/, no Domain. Without `lasts` it goes with the browser.
std::string set_cookie(std::string_view name, std::string_view text, cookie_rules rules, same_site site,
                       std::optional<std::chrono::seconds> lasts = {});
/// Takes it away.
std::string drop_cookie(std::string_view name, cookie_rules rules, same_site site);

/// 256 bits of the system's random source as 52 characters of [a-z2-7].
secret random_text();

// --- who it is ------------------------------------------------------------------------------

/// One request's sender.
struct visitor {
  caller who; ///< `rights`: with those that anybody has
  access_origin from;
  bool https = false;     ///< to us, or to a proxy that is believed
  bool inside = false;    ///< may read what is not for the public: metrics, the documentation
  bool by_cookie = false; ///< so it needs a CSRF token to change anything
  bool has_bearer = false;
  cookie_rules cookies;
  std::string origin; ///< "https://name:port" by which it asked
  caf::error unknown; ///< why nobody: what was given is wrong or over
  caf::error forged;  ///< why it may change nothing; unset: it may
};

struct entrance_settings {
  secret control_token; ///< empty: nobody has it
  right_set anonymous;  ///< of whoever reaches the address
  std::vector<network> proxies = {};
  std::vector<network> inside = {}; ///< besides those who may read the settings
  right_set anonymous_inside = {};  ///< of whoever reaches it from there, without a proxy
};

/// Tells who sends a request. Any thread.
class entrance {
public:
  explicit entrance(entrance_settings settings) : settings_(std::move(settings)) {}

  /// Who else there is besides the holder of the control token and nobody.
  void know(std::shared_ptr<caller_directory> callers);
  [[nodiscard]] std::shared_ptr<caller_directory> callers() const;
  [[nodiscard]] const secret& control_token() const { return settings_.control_token; }

  [[nodiscard]] visitor look(const http_request& request) const;

private:
  void find(const http_request& request, caller_directory* callers, visitor& into) const;
  const entrance_settings settings_;
  mutable std::mutex mutex_;
  std::shared_ptr<caller_directory> callers_;
};

/// Why a request that changes something is not taken for that visitor's own wish: wrong_origin, csrf_missing; unset: it
/// is. What reads, and what comes with a Bearer token, is never asked. `callers` null: only the origin counts.
caf::error forgery_of(const http_request& request, const visitor& by, const caller_directory* callers);

/// What tells the sockets of one session from others.
std::string tag_of(const session& s);

/// Compares in a time that does not tell where the two differ. Nothing is the same as an empty secret.
bool same_secret(std::string_view given, const secret& wanted);

} // namespace keyportal::gateway
