// Accounts with providers as JSON. Pure.
#pragma once

#include <nlohmann/json.hpp>

#include "messages/accounts.hpp"

namespace keyportal::gateway {

/// Without anything private: of addresses only the beginning.
nlohmann::json to_json(const account_view& a, const std::string& me);
/// All of it.
nlohmann::json to_full_json(const account_view& a, const std::string& me);
nlohmann::json to_json(const account_login& l);
nlohmann::json to_json(const account_offer& o);
nlohmann::json to_json(const account_windows& w);
/// How many are in which condition, and how each node is.
nlohmann::json sums_of(const account_list& all);

} // namespace keyportal::gateway
