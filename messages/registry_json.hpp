// People, keys and policies as JSON: in events, answers and the audit. No text of a key is ever in it.
#pragma once

#include <optional>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "messages/actors.hpp"

namespace keyportal {

std::string_view to_text(user_role r);     // user, auditor, admin
std::string_view to_text(user_state s);    // pending, active, suspended, deleted
std::string_view to_text(key_state s);     // pooled, live, suspended, expired, rotated, revoked, external
std::string_view to_text(key_origin o);    // made, imported, found
std::string_view to_text(suspension s);    // none, admin, budget, owner, by_hand
std::string_view to_text(renewal_rule r);  // none, self, approval
std::string_view to_text(budget_unit u);   // requests, tokens, cost
std::string_view to_text(budget_window w); // hour, day, week, month, lifetime

/// As people see a key: live ones are "activating" until they work at all of `nodes`, then "active"; ended or suspended
/// ones that still work somewhere are "revoking".
std::string_view shown_state(const client_key& key);

nlohmann::json to_json(const budget& b);     // unit, window, amount
nlohmann::json to_json(const budget_use& u); // of (key, user, group), unit, window, amount, used, since
nlohmann::json
to_json(const user& u); // id, email, name, label, role, state, groups[], budgets[], created_at, changed_at
nlohmann::json to_json(
  const policy&
    p); // name, keys_per_user, key_lifetime_s, longest_renewal_s, renewal, key_budgets[], user_budgets[], group_budgets[], nodes[], models[]
nlohmann::json to_json(
  const client_key&
    k); // id, shown, state, status, origin, why_suspended, owner, label, created_at, changed_at, assigned_at|null, expires_at|null, retires_at|null, successor, predecessor, budgets[], nodes[], in_force[], renewal|null{asked_at, lifetime_s, reason}
nlohmann::json to_json(
  const registry_state& s); // position, users, keys{…}, made, imported, found, low_water, changing, by_hand, renewals
nlohmann::json
to_json(const node_keys& n); // wanted, changing, external, taken_away, open, drift, in_step_at|null, problem
/// Who, what, from, at, and per object what was before and is after: only the fields that differ.
nlohmann::json to_json(const registry_entry& e);
nlohmann::json to_json(const config_info& c); // node, number, at, bytes, sha256

/// Nothing when the text names none.
std::optional<user_role> role_of(std::string_view text);
std::optional<user_state> user_state_of(std::string_view text);
std::optional<key_state> key_state_of(std::string_view text);
/// bad_request with the field's name when something is missing, of another type or out of range.
caf::expected<policy> policy_from(const nlohmann::json& json);
caf::expected<std::vector<budget>> budgets_from(const nlohmann::json& json);

} // namespace keyportal
