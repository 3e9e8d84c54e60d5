// The counters of a node's upstream credentials, as `/auth-files` and `/api-key-usage` give them. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "messages/ids.hpp"

namespace keyportal::cpa {

/// One upstream credential. `auth_index` is what its records carry; for keys of the configuration, which CPA lists
/// without it, the possible ones are worked out from provider, address and key (contract 3.6 of the accounts page).
struct account_counter {
  std::string name;                      ///< for people: the file's name, or the provider; never a key
  std::vector<std::string> auth_indexes; ///< one, or several possible ones
  std::int64_t ok = 0;
  std::int64_t failed = 0;
};

/// Entries without counters (CPA before v6.9.49) are left out. Errors: node_answer_malformed.
caf::expected<std::vector<account_counter>> read_accounts(const node_name& node, std::string_view auth_files,
                                                          std::string_view api_key_usage, std::string_view version);

} // namespace keyportal::cpa
