#include "gateway/registry_bodies.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "messages/price_json.hpp"
#include "messages/registry_json.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;

constexpr std::size_t most_in_list = 1000; ///< nodes, groups: more is a mistake
constexpr std::size_t most_prices = 50'000;

caf::error refused(std::string about) { return make_error(errc::bad_request, std::move(about)); }

/// The fields of one object: each is asked for by name, then `finish` says what was wrong first, or what is left over.
class fields {
public:
  explicit fields(std::string_view body)
    : all_(body.empty() ? json::object() : json::parse(body.begin(), body.end(), nullptr, false)) {
    check();
  }
  /// `where` is put in front of names, as in "keys[3].".
  fields(json object, std::string where) : all_(std::move(object)), where_(std::move(where)) { check(); }

  void text(const char* name, std::string& to, bool needed = false) {
    if (const auto* value = find(name, needed, "a text", [](const json& v) { return v.is_string(); }))
      to = value->get<std::string>();
  }
  void text(const char* name, std::optional<std::string>& to) {
    if (all_.contains(name))
      text(name, to.emplace());
  }
  void boolean(const char* name, bool& to, bool needed = false) {
    if (const auto* value = find(name, needed, "true or false", [](const json& v) { return v.is_boolean(); }))
      to = value->get<bool>();
  }
  /// From `least` to `most`.
  void whole(const char* name, std::optional<std::int64_t>& to, std::int64_t least,
             std::int64_t most = std::numeric_limits<std::int64_t>::max(), bool needed = false) {
    const auto fits = [&](const json& v) {
      return v.is_number_unsigned() ? v.get<std::uint64_t>() <= static_cast<std::uint64_t>(most)
                                        && v.get<std::uint64_t>() >= static_cast<std::uint64_t>(least)
                                    : v.is_number_integer() && v.get<std::int64_t>() >= least; // a negative one
    };
    if (const auto* value = find(name, needed, "a whole number in its range", fits))
      to = value->get<std::int64_t>();
  }
  void texts(const char* name, std::optional<std::vector<std::string>>& to) {
    const auto fits = [](const json& v) {
      return v.is_array() && v.size() <= most_in_list
             && std::all_of(v.begin(), v.end(), [](const json& one) { return one.is_string(); });
    };
    if (const auto* value = find(name, false, "a list of texts", fits))
      to = value->get<std::vector<std::string>>();
  }
  void budgets(const char* name, std::optional<std::vector<budget>>& to) {
    const auto* value = find(name, false, "a list of budgets", [](const json& v) { return v.is_array(); });
    if (value == nullptr)
      return;
    for (std::size_t i = 0; i < value->size(); ++i)
      if (auto wrong = only_known((*value)[i], {"unit", "window", "amount"}, fmt::format("{}[{}].", name, i)))
        return fail(std::move(wrong));
    if (auto read = budgets_from(*value))
      to = std::move(*read);
    else
      fail(name, "a list of {\"unit\",\"window\",\"amount\"}");
  }
  const json* array(const char* name, std::size_t most) {
    return find(name, true, fmt::format("a list of at most {}", most),
                [most](const json& v) { return v.is_array() && v.size() <= most; });
  }
  template <class T, class Read>
  void word(const char* name, std::optional<T>& to, Read read, std::string_view choices, bool needed = false) {
    std::string given;
    if (!all_.contains(name) && !needed)
      return;
    text(name, given, needed);
    to = read(given);
    if (!to)
      fail(name, choices);
  }
  void fail(const char* name, std::string_view wanted) {
    fail(refused(fmt::format("{}{} is {}", where_, name, wanted)));
  }

  [[nodiscard]] caf::error finish() {
    if (!error_)
      error_ = only_known(all_, known_, where_);
    return std::move(error_);
  }

private:
  void check() {
    if (!all_.is_object())
      fail(
        refused(where_.empty() ? "the body is a JSON object" : where_.substr(0, where_.size() - 1) + " is an object"));
  }
  template <class Fits>
  const json* find(const char* name, bool needed, std::string_view wanted, Fits fits) {
    known_.insert(name);
    if (!all_.is_object())
      return nullptr;
    const auto found = all_.find(name);
    if (found == all_.end()) {
      if (needed)
        fail(refused(fmt::format("{}{} is missing", where_, name)));
      return nullptr;
    }
    if (fits(*found))
      return &*found;
    fail(name, wanted);
    return nullptr;
  }
  void fail(caf::error error) {
    if (!error_)
      error_ = std::move(error);
  }
  static caf::error only_known(const json& object, const std::set<std::string>& known, const std::string& where) {
    if (!object.is_object())
      return refused(where.substr(0, where.size() - 1) + " is an object");
    for (const auto& [name, value] : object.items())
      if (!known.contains(name))
        return refused(fmt::format("{}{} is not known here", where, name.substr(0, 60)));
    return {};
  }

  json all_;
  std::string where_;
  std::set<std::string> known_;
  caf::error error_;
};

/// What was read, unless something was wrong.
template <class T>
caf::expected<T> finished(fields& all, T& out) {
  if (auto error = all.finish())
    return error;
  return std::move(out);
}

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

caf::expected<user_state> read_user_state(std::string_view body) {
  fields all(body);
  std::optional<user_state> to;
  all.word("to", to, user_state_of, states, true);
  auto out = to.value_or(user_state::active);
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

} // namespace keyportal::gateway
