#include "messages/accounts.hpp"

#include "messages/account_words.hpp"

namespace keyportal {

std::string_view to_text(account_condition c) {
  switch (c) {
    case account_condition::fine: return "fine";
    case account_condition::degraded: return "degraded";
    case account_condition::resting: return "resting";
    case account_condition::not_renewed: return "not_renewed";
    case account_condition::login_needed: return "login_needed";
    case account_condition::off: return "off";
    case account_condition::gone: return "gone";
  }
  return "unknown";
}

std::string_view to_text(login_stage s) {
  switch (s) {
    case login_stage::waiting: return "waiting";
    case login_stage::finishing: return "finishing";
    case login_stage::testing: return "testing";
    case login_stage::done: return "done";
    case login_stage::failed: return "failed";
    case login_stage::cancelled: return "cancelled";
  }
  return "unknown";
}

std::string shown_address(std::string_view address) {
  const auto at = address.find('@');
  if (address.empty() || at == std::string_view::npos || at == 0)
    return address.empty() ? "" : "***";
  return std::string(address.substr(0, 1)) + "***" + std::string(address.substr(at));
}

} // namespace keyportal
