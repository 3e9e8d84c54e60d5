#include "messages/registry_json.hpp"

#include <algorithm>
#include <iterator>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/json.hpp"
#include "messages/price_json.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

namespace {

constexpr std::string_view roles[] = {"user", "auditor", "admin"};
constexpr std::string_view user_states[] = {"pending", "active", "suspended", "deleted"};
constexpr std::string_view key_states[] = {"pooled", "live", "suspended", "expired", "rotated", "revoked", "external"};
constexpr std::string_view origins[] = {"made", "imported", "found"};
constexpr std::string_view suspensions[] = {"none", "admin", "budget", "owner", "by_hand"};
constexpr std::string_view renewals[] = {"none", "self", "approval"};
constexpr std::string_view scopes[] = {"key", "user", "group"};
constexpr std::string_view units[] = {"", "requests", "tokens", "cost"};
constexpr std::string_view windows[] = {"", "hour", "day", "week", "month", "lifetime"};

template <class Value, std::size_t Size>
std::string_view text_of(Value value, const std::string_view (&names)[Size]) {
  const auto at = static_cast<std::size_t>(value);
  return at < Size ? names[at] : "unknown";
}

template <class Value, std::size_t Size>
std::optional<Value> value_of(std::string_view text, const std::string_view (&names)[Size]) {
  const auto found = std::find(std::begin(names), std::end(names), text);
  return found == std::end(names) || text.empty() ? std::nullopt
                                                  : std::optional{static_cast<Value>(found - std::begin(names))};
}

template <class T>
nlohmann::json list_of(const std::vector<T>& list) {
  auto out = nlohmann::json::array();
  for (const auto& one : list)
    out.push_back(to_json(one));
  return out;
}

nlohmann::json time_or_null(const std::optional<moment>& at) {
  return at ? nlohmann::json(to_rfc3339_ms(*at)) : nlohmann::json(nullptr);
}

nlohmann::json renewal_or_null(const rare<renewal_request>& r) {
  if (!r)
    return nullptr;
  return {{"asked_at", to_rfc3339_ms(r->asked_at)}, {"lifetime_s", r->lifetime_s}, {"reason", r->reason}};
}

template <class T>
nlohmann::json to_json(const change_of<T>& change, std::string_view id) {
  const auto before = change.before ? keyportal::to_json(*change.before) : nlohmann::json::object();
  const auto after = change.after ? keyportal::to_json(*change.after) : nlohmann::json::object();
  nlohmann::json out = {{"id", id}, {"before", nlohmann::json::object()}, {"after", nlohmann::json::object()}};
  for (const auto& [name, value] : before.items())
    if (!after.contains(name) || after[name] != value)
      out["before"][name] = value;
  for (const auto& [name, value] : after.items())
    if (!before.contains(name) || before[name] != value)
      out["after"][name] = value;
  return out;
}

caf::error wrong(std::string_view field) { return make_error(errc::bad_request, std::string{field}); }

} // namespace

std::string_view to_text(user_role r) { return text_of(r, roles); }
std::string_view to_text(user_state s) { return text_of(s, user_states); }
std::string_view to_text(key_state s) { return text_of(s, key_states); }
std::string_view to_text(key_origin o) { return text_of(o, origins); }
std::string_view to_text(suspension s) { return text_of(s, suspensions); }
std::string_view to_text(renewal_rule r) { return text_of(r, renewals); }
std::string_view to_text(budget_unit u) { return text_of(u, units); }
std::string_view to_text(budget_window w) { return text_of(w, windows); }
std::optional<user_role> role_of(std::string_view text) { return value_of<user_role>(text, roles); }
std::optional<user_state> user_state_of(std::string_view text) { return value_of<user_state>(text, user_states); }
std::optional<key_state> key_state_of(std::string_view text) { return value_of<key_state>(text, key_states); }

std::string_view shown_state(const client_key& key) {
  const auto in_force = [&key](const node_name& node) {
    return std::binary_search(key.in_force.begin(), key.in_force.end(), node);
  };
  if (key.state == key_state::live)
    return !key.in_force.empty() && std::all_of(key.nodes.begin(), key.nodes.end(), in_force) ? "active" : "activating";
  if (key.state != key_state::external && key.state != key_state::pooled && !key.in_force.empty())
    return key.state == key_state::suspended ? "suspending" : "revoking";
  return to_text(key.state);
}

nlohmann::json to_json(const budget& b) {
  return {{"unit", to_text(b.unit)}, {"window", to_text(b.window)}, {"amount", b.amount}};
}

nlohmann::json to_json(const budget_use& u) {
  auto out = to_json(u.limit);
  out["of"] = text_of(u.of, scopes);
  out["used"] = u.used;
  out["since"] = to_rfc3339_ms(u.since);
  return out;
}

nlohmann::json to_json(const user& u) {
  return {{"id", u.id},
          {"email", u.email},
          {"name", u.name},
          {"label", u.label},
          {"role", to_text(u.role)},
          {"state", to_text(u.state)},
          {"groups", u.groups},
          {"budgets", list_of(u.budgets)},
          {"created_at", to_rfc3339_ms(u.created_at)},
          {"changed_at", to_rfc3339_ms(u.changed_at)}};
}

nlohmann::json to_json(const policy& p) {
  return {{"name", p.name},
          {"keys_per_user", p.keys_per_user},
          {"key_lifetime_s", p.key_lifetime_s},
          {"longest_renewal_s", p.longest_renewal_s},
          {"renewal", to_text(p.renewal)},
          {"key_budgets", list_of(p.key_budgets)},
          {"user_budgets", list_of(p.user_budgets)},
          {"group_budgets", list_of(p.group_budgets)},
          {"nodes", p.nodes},
          {"models", p.models}};
}

nlohmann::json to_json(const client_key& k) {
  return {{"id", k.id},
          {"shown", k.shown},
          {"state", to_text(k.state)},
          {"status", shown_state(k)},
          {"origin", to_text(k.origin)},
          {"guessable", k.guessable},
          {"why_suspended", to_text(k.why_suspended)},
          {"owner", k.owner},
          {"label", k.label},
          {"created_at", to_rfc3339_ms(k.created_at)},
          {"changed_at", to_rfc3339_ms(k.changed_at)},
          {"assigned_at", time_or_null(k.assigned_at)},
          {"expires_at", time_or_null(k.expires_at)},
          {"retires_at", time_or_null(k.retires_at)},
          {"successor", k.successor ? *k.successor : key_id{}},
          {"predecessor", k.predecessor ? *k.predecessor : key_id{}},
          {"budgets", list_of(k.budgets)},
          {"nodes", k.nodes},
          {"in_force", k.in_force},
          {"renewal", renewal_or_null(k.renewal)}};
}

nlohmann::json to_json(const registry_state& s) {
  auto keys = nlohmann::json::object();
  for (std::size_t i = 0; i < s.keys.size(); ++i)
    keys[std::string{key_states[i]}] = s.keys[i];
  return {{"position", s.position},   {"users", s.users},       {"keys", keys},
          {"made", s.made},           {"imported", s.imported}, {"found", s.found},
          {"low_water", s.low_water}, {"changing", s.changing}, {"by_hand", s.by_hand},
          {"renewals", s.renewals}};
}

nlohmann::json to_json(const node_keys& n) {
  return {{"wanted", n.wanted},
          {"changing", n.changing},
          {"external", n.external},
          {"taken_away", n.taken_away},
          {"open", n.open},
          {"drift", n.drift},
          {"in_step_at", time_or_null(n.in_step_at)},
          {"problem", n.problem}};
}

nlohmann::json to_json(const registry_entry& e) {
  nlohmann::json out = {{"position", e.position},
                        {"at", to_rfc3339_ms(e.at)},
                        {"who", e.who},
                        {"from", e.from},
                        {"what", e.what},
                        {"command", e.command},
                        {"users", nlohmann::json::array()},
                        {"keys", nlohmann::json::array()},
                        {"policies", nlohmann::json::array()},
                        {"prices", nlohmann::json::array()},
                        {"access", nlohmann::json::array()}};
  std::string hash;
  for (const auto byte : e.hash)
    fmt::format_to(std::back_inserter(hash), "{:02x}", byte);
  out["hash"] = hash;
  for (const auto& c : e.users)
    out["users"].push_back(to_json(c, c.after ? c.after->id : c.before->id));
  for (const auto& c : e.keys)
    out["keys"].push_back(to_json(c, c.after ? c.after->id : c.before->id));
  for (const auto& c : e.policies)
    out["policies"].push_back(to_json(c, c.after ? c.after->name : c.before->name));
  for (const auto& c : e.prices)
    out["prices"].push_back(to_json(c, c.after ? c.after->id : c.before->id));
  for (const auto& c : e.access) { // neither what is in it nor what it is found by
    const auto& one = c.after ? *c.after : *c.before;
    out["access"].push_back({{"kind", one.id.substr(0, one.id.find('/'))},
                             {"owner", one.owner},
                             {"change", !c.before ? "made"
                                        : c.after ? "changed"
                                                  : "gone"}});
  }
  return out;
}

nlohmann::json to_json(const config_info& c) {
  return {
    {"node", c.node}, {"number", c.number}, {"at", to_rfc3339_ms(c.at)}, {"bytes", c.bytes}, {"sha256", c.sha256}};
}

caf::expected<std::vector<budget>> budgets_from(const nlohmann::json& json) {
  if (!json.is_array())
    return wrong("budgets");
  std::vector<budget> out;
  for (const auto& one : json) {
    if (!one.is_object() || !one.contains("amount") || !one["amount"].is_number_integer())
      return wrong("budgets");
    const auto unit = value_of<budget_unit>(
      one.contains("unit") && one["unit"].is_string() ? one["unit"].get<std::string>() : "", units);
    const auto window = value_of<budget_window>(
      one.contains("window") && one["window"].is_string() ? one["window"].get<std::string>() : "", windows);
    if (!unit || !window)
      return wrong("budgets");
    out.push_back({*unit, *window, one["amount"].get<std::int64_t>()});
  }
  return out;
}

caf::expected<policy> policy_from(const nlohmann::json& json) {
  if (!json.is_object())
    return wrong("the policy");
  policy out;
  for (const auto& [field, value] : json.items()) {
    const bool whole = value.is_number_integer() && value.get<std::int64_t>() >= 0;
    if (field == "name" && value.is_string())
      out.name = value.get<std::string>();
    else if (field == "keys_per_user" && whole && value.get<std::int64_t>() <= 1'000'000)
      out.keys_per_user = value.get<std::uint32_t>();
    else if (field == "key_lifetime_s" && whole)
      out.key_lifetime_s = value.get<std::int64_t>();
    else if (field == "longest_renewal_s" && whole)
      out.longest_renewal_s = value.get<std::int64_t>();
    else if (const auto rule = field == "renewal" && value.is_string()
                                 ? value_of<renewal_rule>(value.get<std::string>(), renewals)
                                 : std::nullopt)
      out.renewal = *rule;
    else if (field == "key_budgets" || field == "user_budgets" || field == "group_budgets") {
      auto budgets = budgets_from(value);
      if (!budgets)
        return wrong(field);
      (field == "key_budgets"    ? out.key_budgets
       : field == "user_budgets" ? out.user_budgets
                                 : out.group_budgets) = std::move(*budgets);
    } else if ((field == "nodes" || field == "models") && value.is_array()
               && std::all_of(value.begin(), value.end(), [](const auto& v) { return v.is_string(); }))
      (field == "nodes" ? out.nodes : out.models) = value.get<std::vector<std::string>>();
    else
      return wrong(field);
  }
  return out;
}

} // namespace keyportal
