#include "gateway/registry_bodies.hpp"

#include <charconv>
#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gateway/body_fields.hpp"
#include "messages/price_json.hpp"
#include "messages/registry_json.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;

caf::error refused(std::string about) { return make_error(errc::bad_request, std::move(about)); }

constexpr std::size_t most_prices = 50'000;

constexpr std::string_view roles = "user, auditor or admin";
constexpr std::string_view states = "active, suspended or deleted";
constexpr std::int64_t longest_s = std::numeric_limits<std::int32_t>::max() * std::int64_t{10};

} // namespace

caf::expected<add_user> read_add_user(std::string_view body) {
  fields all(body);
  add_user out;
  std::optional<user_role> role;
  std::optional<std::vector<std::string>> groups;
  all.text("email", out.email, true);
  all.text("name", out.name);
  all.text("label", out.label);
  all.word("role", role, role_of, roles);
  all.texts("groups", groups);
  all.boolean("active", out.active);
  out.role = role.value_or(out.role);
  out.groups = std::move(groups).value_or(std::vector<std::string>{});
  return finished(all, out);
}

caf::expected<change_user> read_change_user(std::string_view body) {
  fields all(body);
  change_user out;
  all.text("email", out.email);
  all.text("name", out.name);
  all.text("label", out.label);
  all.word("role", out.role, role_of, roles);
  all.texts("groups", out.groups);
  all.budgets("budgets", out.budgets);
  return finished(all, out);
}

caf::expected<set_user_state> read_user_state(std::string_view body) {
  fields all(body);
  std::optional<user_state> to;
  set_user_state out;
  all.word("to", to, user_state_of, states, true);
  all.text("reason", out.reason);
  out.to = to.value_or(user_state::active);
  return finished(all, out);
}

caf::expected<assignment> read_assign_key(std::string_view body) {
  fields all(body);
  assignment out;
  all.text("owner", out.owner, true);
  all.text("label", out.what.label);
  all.whole("lifetime_s", out.what.lifetime_s, 0, longest_s);
  all.texts("nodes", out.what.nodes);
  return finished(all, out);
}

caf::expected<renew_key> read_renew_key(std::string_view body) {
  fields all(body);
  renew_key out;
  all.whole("lifetime_s", out.lifetime_s, 0, longest_s);
  return finished(all, out);
}

caf::expected<rotate_key> read_rotate_key(std::string_view body) {
  fields all(body);
  rotate_key out;
  std::optional<std::int64_t> grace;
  all.whole("grace_s", grace, 0, longest_s);
  out.grace_s = grace.value_or(0);
  return finished(all, out);
}

caf::expected<adoption> read_adopt_key(std::string_view body) {
  fields all(body);
  adoption out;
  all.text("owner", out.owner, true);
  all.text("label", out.label);
  return finished(all, out);
}

caf::expected<ask_renewal> read_ask_renewal(std::string_view body) {
  fields all(body);
  ask_renewal out;
  all.whole("lifetime_s", out.lifetime_s, 0, longest_s);
  all.text("reason", out.reason, true);
  return finished(all, out);
}

caf::expected<answer_renewal> read_answer_renewal(std::string_view body) {
  fields all(body);
  answer_renewal out;
  all.boolean("approve", out.approve, true);
  all.text("reason", out.reason);
  return finished(all, out);
}

caf::expected<change_key> read_change_key(std::string_view body) {
  fields all(body);
  change_key out;
  all.text("label", out.label);
  all.budgets("budgets", out.budgets);
  all.texts("nodes", out.nodes);
  return finished(all, out);
}

caf::expected<secret> read_find_key(std::string_view body) {
  fields all(body);
  std::string text;
  all.text("text", text, true);
  if (text.empty())
    all.fail("text", "the key's text");
  secret out{std::move(text)};
  return finished(all, out);
}

caf::expected<import_list> read_import_keys(std::string_view body) {
  fields all(body);
  import_list out;
  if (const auto* keys = all.array("keys", most_imported))
    for (std::size_t i = 0; i < keys->size(); ++i) {
      fields each((*keys)[i], fmt::format("keys[{}].", i));
      import_list::one one;
      std::string text, created_at;
      each.text("text", text, true);
      each.text("owner", one.owner);
      each.text("label", one.what.label);
      each.text("created_at", created_at);
      if (!created_at.empty()) {
        if (const auto at = parse_rfc3339(created_at))
          one.what.created_at = moment_of(at->unix_ns);
        else
          each.fail("created_at", "a moment as in 2026-04-02T00:00:00Z");
      }
      if (auto wrong = each.finish())
        return wrong;
      one.what.text = secret{std::move(text)};
      out.keys.push_back(std::move(one));
    }
  return finished(all, out);
}

caf::expected<make_keys> read_make_keys(std::string_view body) {
  fields all(body);
  make_keys out;
  std::optional<std::int64_t> count;
  all.whole("count", count, 1, 10'000, true);
  out.count = static_cast<std::uint32_t>(count.value_or(0));
  return finished(all, out);
}

caf::expected<policy> read_policy(std::string_view body, const group_name& name) {
  // Looked at for the budgets' fields; the rest is read where every policy is.
  const auto given = body.empty() ? json::object() : json::parse(body.begin(), body.end(), nullptr, false);
  if (!given.is_object())
    return refused("the body is a JSON object");
  for (const auto& [field, value] : given.items())
    if (field.size() > 60)
      return refused(field.substr(0, 60) + " is not known here");
  json budgets = json::object();
  for (const char* field : {"key_budgets", "user_budgets", "group_budgets"})
    if (given.contains(field))
      budgets[field] = given[field];
  fields all(budgets, {});
  for (const char* field : {"key_budgets", "user_budgets", "group_budgets"}) {
    std::optional<std::vector<budget>> unused;
    all.budgets(field, unused);
  }
  if (auto wrong = all.finish())
    return wrong;
  auto out = policy_from(given);
  if (!out)
    return out.error();
  if (!out->name.empty() && out->name != name)
    return refused("name is another one than in the address");
  out->name = name;
  return out;
}

caf::expected<put_prices> read_put_prices(std::string_view body) {
  fields all(body);
  put_prices out;
  if (const auto* given = all.array("prices", most_prices))
    for (std::size_t i = 0; i < given->size(); ++i) {
      auto one = price_from((*given)[i]);
      if (!one)
        return refused(fmt::format("prices[{}]: {}", i, about_of(one.error())));
      out.prices.push_back(std::move(*one));
    }
  return finished(all, out);
}

caf::expected<drop_prices> read_drop_prices(std::string_view body) {
  fields all(body);
  drop_prices out;
  if (const auto* given = all.array("ids", most_prices))
    for (const auto& id : *given) {
      if (!id.is_string())
        all.fail("ids", "a list of texts");
      else
        out.ids.push_back(id.get<std::string>());
    }
  return finished(all, out);
}

caf::expected<reprice_prices> read_reprice_order(std::string_view body) {
  fields all(body);
  reprice_prices out;
  std::string from, to;
  all.text("from", from);
  all.text("to", to);
  all.boolean("dry_run", out.dry_run);
  for (const auto& [name, text, place] : {std::tuple{"from", &from, &out.from}, {"to", &to, &out.to}}) {
    if (text->empty())
      continue;
    if (const auto at = parse_rfc3339(*text))
      *place = moment_of(at->unix_ns);
    else
      all.fail(name, "a moment as in 2026-04-02T00:00:00Z");
  }
  return finished(all, out);
}

caf::expected<bool> read_mend(std::string_view body) {
  bool out = false;
  if (body.empty())
    return out;
  fields all(body);
  all.boolean("mend", out);
  return finished(all, out);
}

caf::error read_nothing(std::string_view body) { return fields(body).finish(); }

caf::expected<verify_audit> read_audit_mark(std::string_view text) {
  verify_audit out;
  if (text.empty())
    return out;
  const auto refused = [] {
    return make_error(errc::bad_request, "last is POSITION:HASH, the hash in 64 hexadecimal digits");
  };
  const auto colon = text.find(':');
  if (colon == text.npos || text.size() - colon - 1 != 2 * out.hash.size())
    return refused();
  const auto* const end = text.data() + colon;
  if (const auto [at, wrong] = std::from_chars(text.data(), end, out.position);
      wrong != std::errc{} || at != end || out.position == 0)
    return refused();
  for (std::size_t i = 0; i < out.hash.size(); ++i) {
    const auto* const digits = end + 1 + 2 * i;
    if (const auto [at, wrong] = std::from_chars(digits, digits + 2, out.hash[i], 16);
        wrong != std::errc{} || at != digits + 2)
      return refused();
  }
  return out;
}

} // namespace keyportal::gateway
