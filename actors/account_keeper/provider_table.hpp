// THE TABLE of providers whose accounts CLIProxyAPI can sign in to: how a login begins, where it ends, and by which
// question one hears of an account's quota. Pure.
#pragma once

#include <chrono>
#include <span>
#include <string>
#include <string_view>

#include "messages/accounts.hpp"

namespace keyportal {

/// Version numbers as 7002064 for 7.2.64; 0: none said.
std::uint32_t version_number(std::string_view version);

struct provider_row {
  std::string_view name;    ///< as the list of accounts has it
  std::string_view session; ///< as CPA's callback wants it
  std::string_view title;
  std::string_view words;                       ///< further names, with blanks between
  std::string_view route;                       ///< what stands before `-auth-url`; empty: no login, only accounts
  std::string_view ends_at;                     ///< where the provider's page ends; empty: a code is typed
  std::uint32_t since = 0, before = UINT32_MAX; ///< versions that offer the login
  std::chrono::seconds lead{0};                 ///< so long before its end a token is renewed; 0: not by itself
  // the question for quota; an empty url: there is none
  std::string_view method, url, headers; ///< headers: lines "Name: value"
  enum class body : std::uint8_t { none, project } sends = body::none;
};

std::span<const provider_row> providers();
/// By any of its names, upper and lower case alike; null: none.
const provider_row* find_provider(std::string_view name);
/// Whether a node of that version offers the login; a version that is not known may.
bool offers_login(const provider_row& row, std::string_view version);

} // namespace keyportal
