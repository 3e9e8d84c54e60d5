#include "actors/access/access_rules.hpp"

#include <algorithm>
#include <array>

namespace keyportal {

namespace {

constexpr right_set own{right::own_account,   right::own_tokens,     right::own_usage,
                        right::own_keys_read, right::own_keys_write, right::own_accounts};
constexpr right_set reading{right::read_usage,    right::read_people, right::read_keys,
                            right::read_policies, right::read_prices, right::read_nodes,
                            right::read_settings, right::read_audit,  right::read_accounts};

constexpr std::array<std::string_view, right_count> right_names{
  "own.account", "own.tokens",     "own.usage",     "own.keys.read", "own.keys.write", "read.usage",
  "read.people", "read.keys",      "read.policies", "read.prices",   "read.nodes",     "read.settings",
  "read.audit",  "write.people",   "write.roles",   "write.keys",    "write.policies", "write.prices",
  "write.nodes", "write.settings", "read.secrets",  "own.accounts",  "read.accounts",  "write.accounts"};

struct scope_row {
  token_scope scope;
  std::string_view name;
  right meant; ///< what it is for: without it the scope is an empty word
  right_set rights;
};
constexpr std::array<scope_row, 7> scopes{{
  {token_scope::read_usage, "read:usage", right::own_usage, {right::own_usage, right::read_usage}},
  {token_scope::read_all, "read:all", right::own_usage,
   reading | right_set{right::own_usage, right::own_keys_read, right::own_accounts}},
  {token_scope::write_keys,
   "write:keys",
   right::own_keys_write,
   {right::own_keys_read, right::own_keys_write, right::read_keys, right::write_keys}},
  {token_scope::write_people, "write:people", right::write_people, {right::read_people, right::write_people}},
  {token_scope::write_prices, "write:prices", right::write_prices, {right::read_prices, right::write_prices}},
  {token_scope::write_nodes,
   "write:nodes",
   right::write_nodes,
   {right::read_nodes, right::write_nodes, right::own_accounts, right::read_accounts, right::write_accounts}},
  {token_scope::admin, "admin", right::write_settings,
   right_set::all().without({right::own_account, right::own_tokens})},
}};

} // namespace

std::string_view to_text(right one) {
  const auto at = static_cast<std::size_t>(one);
  return at < right_names.size() ? right_names[at] : std::string_view{};
}

right_set rights_of(user_role role) {
  switch (role) {
    case user_role::user: return own | right_set{right::read_nodes}; // no secret among people who have keys
    case user_role::auditor: return own | reading;
    case user_role::admin: return right_set::all();
  }
  return {};
}

right_set rights_of_key_view() { return {right::own_usage}; }

std::optional<scope_set> scopes_of(std::string_view text) {
  scope_set out;
  while (!text.empty()) {
    const auto end = std::min(text.find_first_of(" ,"), text.size());
    const auto word = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (word.empty())
      continue;
    bool found = false;
    for (const auto& row : scopes)
      if (row.name == word) {
        out.bits |= scope_set{row.scope}.bits;
        found = true;
      }
    if (!found)
      return std::nullopt;
  }
  if (out.bits == 0)
    return std::nullopt;
  return out;
}

std::string to_text(scope_set set) {
  std::string out;
  for (const auto& row : scopes)
    if (set.has(row.scope))
      out.append(out.empty() ? "" : " ").append(row.name);
  return out;
}

right_set rights_of(scope_set set) {
  right_set out;
  for (const auto& row : scopes)
    if (set.has(row.scope))
      out = out | row.rights;
  return out;
}

bool scopes_fit(user_role role, scope_set set) {
  for (const auto& row : scopes)
    if (set.has(row.scope) && !rights_of(role).has(row.meant))
      return false;
  return true;
}

caf::error need(right_set have, right needed) {
  return have.has(needed) ? caf::error{} : make_error(errc::right_missing, std::string(to_text(needed)));
}

caf::error may_sign_in(user_state state) {
  switch (state) {
    case user_state::active: return caf::none;
    case user_state::pending: return make_error(errc::account_waits);
    case user_state::suspended: return make_error(errc::account_suspended);
    case user_state::deleted: break;
  }
  return make_error(errc::sign_in_refused);
}

caf::error judge_person_change(right_set actor, const person_change& change) {
  if (auto missing = need(actor, right::write_people))
    return missing;
  const bool about_admins = change.role_before != change.role_after || change.role_before == user_role::admin;
  if (about_admins)
    if (auto missing = need(actor, right::write_roles))
      return missing;
  const bool loses = !rights_of(change.role_before).without(rights_of(change.role_after)).empty()
                     || (change.state_before == user_state::active && change.state_after != user_state::active);
  if (change.own && loses && !change.confirmed)
    return make_error(errc::confirmation_needed);
  return caf::none;
}

} // namespace keyportal
