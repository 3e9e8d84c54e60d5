// How an account is, by what its node says of it, when its token ends, and what its provider answered last. Pure.
#pragma once

#include <optional>
#include <string>

#include "actors/account_keeper/provider_table.hpp"
#include "actors/cpa/account_files.hpp"
#include "messages/accounts.hpp"

namespace keyportal {

struct account_facts {
  const cpa::auth_file* file = nullptr;
  const provider_row* provider = nullptr; ///< null: none of the table
  std::string_view version;               ///< of the node
  std::optional<moment> token_ends;
  int provider_status = 0; ///< of the last question for quota; 0: never asked, or no answer
};
struct account_finding {
  account_condition condition = account_condition::fine;
  std::string why; ///< a sentence without anything private
  std::optional<moment> rests_until;
};

/// First match: off, login needed, not renewed, resting, degraded, fine.
account_finding fold_account(const account_facts& facts, moment now);

/// What the provider said, for those who look after accounts: without tokens, at most 300 bytes.
std::string shown_error(std::string_view message);

} // namespace keyportal
