// API tokens of scripts: made once, shown once, kept as a hash, with scopes and an end. Pure.
#pragma once

#include <string>
#include <string_view>

#include "actors/access/access_rules.hpp"
#include "actors/access/token_text.hpp"
#include "messages/secret.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

inline constexpr std::chrono::hours longest_token_life{366 * 24};

struct api_token {
  std::string id; ///< "t" and 26 base32 characters; tells nothing about the token
  digest hash{};  ///< what it is looked up by
  user_id owner;
  std::string label;
  scope_set scopes;
  moment created{};
  moment until{};
  moment last_used{}; ///< at most an hour old; 1970: never
  bool revoked = false;
  bool operator==(const api_token&) const = default;
};
struct fresh_token {
  secret shown;
  api_token kept;
};

/// Two of `random_bits`: for the token and for its id. scope_refused when no scope is given, one does not fit the owner's role,
/// or the end is not within a year from now.
caf::expected<fresh_token> make_api_token(const random_bits& key, const random_bits& bits, const random_bits& id_bits,
                                          user_id owner, user_role role, scope_set scopes, std::string label,
                                          moment now, moment until);

/// What `kept` allows now, after it was found by the hash of `text`; `owner` as it is now. token_mistyped, token_refused
/// (also when the owner may not sign in any more).
caf::expected<right_set> rights_of_token(const api_token& kept, const random_bits& key, std::string_view text,
                                         user_role owner_role, user_state owner_state, moment now);

/// True when `last_used` was set and is to be stored: at most once an hour.
bool touch_token(api_token& kept, moment now);

} // namespace keyportal
