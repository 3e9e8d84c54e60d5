// Who may call the management API: the decision order of 6.9.38 and later, and the ban.
#pragma once

#include "http.hpp"

#include <chrono>
#include <cstddef>
#include <map>
#include <string>

namespace keyportal::cpa_sim {

using steady_time = std::chrono::steady_clock::time_point;

/// The address CPA believes a request comes from: the left-most X-Forwarded-For when all its items are addresses,
/// else X-Real-Ip, else the peer. Anybody can forge it.
std::string believed_address(const request& r);

/// The key a management call shows: `Authorization` (Bearer or raw), else X-Management-Key.
std::string shown_management_key(const request& r);

/// Failures and bans by address. Not thread-safe; time is an argument.
class management_auth {
public:
  management_auth(std::string secret, bool allow_remote, bool ban_localhost = true)
    : secret_(std::move(secret)), allow_remote_(allow_remote), ban_localhost_(ban_localhost) {}

  /// Empty when the call may go on; else status and body are in `refusal`.
  struct refusal {
    int status = 0; ///< 0: let in
    std::string error;
  };
  /// What is refused whatever key is shown: a ban, a remote caller, no secret.
  refusal before_key(const std::string& address, steady_time now);
  /// The whole decision; counts a failure or forgets earlier ones.
  refusal check(const std::string& address, const std::string& key, steady_time now);

  void set_secret(std::string secret) { secret_ = std::move(secret); }
  [[nodiscard]] std::size_t banned(steady_time now) const;

private:
  struct tries {
    int failures = 0;
    steady_time banned_until{};
  };
  bool counted(const std::string& address) const;

  std::string secret_;
  bool allow_remote_;
  bool ban_localhost_;
  std::map<std::string, tries> by_address_;
};

/// A duration as Go writes it, rounded to seconds: 30m0s, 4m5s, 59s.
std::string go_duration(std::chrono::nanoseconds d);

} // namespace keyportal::cpa_sim
