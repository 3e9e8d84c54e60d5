// A command under an idempotency key that was used before: the same one again, or another one by mistake?
#include <algorithm>

#include "actors/key_registry/registry_book.hpp"
#include "actors/key_registry/registry_text.hpp"
#include "actors/prices/price_rules.hpp"
#include "messages/records.hpp"

namespace keyportal {
namespace {

bool fits(const std::optional<std::string>& given, const std::string& kept) {
  return !given || trimmed(*given) == kept;
}
template <class T>
bool fits(const std::optional<T>& given, const T& kept) {
  return !given || *given == kept;
}

std::vector<group_name> each_once(const std::vector<group_name>& groups) {
  std::vector<group_name> out;
  for (const auto& group : groups)
    if (std::find(out.begin(), out.end(), group) == out.end())
      out.push_back(group);
  return out;
}

bool email_fits(const std::string& given, const std::string& kept) {
  const auto tidy = tidy_email(given);
  return tidy && *tidy == kept;
}

/// What was not given came from the policy of then.
bool lifetime_fits(const std::optional<std::int64_t>& given, moment from, const std::optional<moment>& expires_at) {
  if (!given)
    return true;
  return *given == 0 ? !expires_at : expires_at == from + std::chrono::seconds{*given};
}

/// Compares each question with the entry that has its name.
struct comparison {
  const registry_entry& entry;
  const registry_book& book;
  const key_vault& vault;

  [[nodiscard]] const client_key* key(const key_id& id) const { // one that was there before
    for (const auto& c : entry.keys)
      if (c.before && c.after && c.after->id == id)
        return &*c.after;
    return nullptr;
  }
  [[nodiscard]] const user* person(const user_id& id) const {
    for (const auto& c : entry.users)
      if (c.before && c.after && c.after->id == id)
        return &*c.after;
    return nullptr;
  }

  bool operator()(const add_user& what) const {
    if (entry.users.size() != 1 || !entry.users[0].after)
      return false;
    const auto& made = *entry.users[0].after;
    return email_fits(what.email, made.email) && trimmed(what.name) == made.name && trimmed(what.label) == made.label
           && what.role == made.role && (made.state == user_state::active) == what.active
           && each_once(what.groups) == made.groups;
  }
  bool operator()(const change_user& what) const {
    const auto* who = person(what.id);
    return who != nullptr && (!what.email || email_fits(*what.email, who->email)) && fits(what.name, who->name)
           && fits(what.label, who->label) && fits(what.role, who->role) && fits(what.budgets, who->budgets)
           && (!what.groups || each_once(*what.groups) == who->groups);
  }
  bool operator()(const set_user_state& what) const {
    const auto* who = person(what.id);
    return who != nullptr && who->state == what.to && (what.reason.empty() || trimmed(what.reason) == who->label);
  }
  bool operator()(const put_policy& what) const {
    if (entry.policies.size() != 1 || !entry.policies[0].after)
      return false;
    auto kept = *entry.policies[0].after;
    kept.told = what.what.told;
    for (std::size_t i = 0; i < kept.models.size() && i < what.what.models.size(); ++i)
      if (trimmed(what.what.models[i]) == kept.models[i])
        kept.models[i] = what.what.models[i];
    return kept == what.what;
  }
  bool operator()(const drop_policy& what) const {
    return entry.policies.size() == 1 && !entry.policies[0].after && entry.policies[0].before->name == what.name;
  }
  bool operator()(const make_keys& what) const { return entry.keys.size() == what.count; }
  /// What was known before is not in the entry; what nobody knows now was not in the command.
  bool operator()(const import_keys& what) const {
    std::size_t found = 0;
    for (const auto& one : what.keys) {
      const auto id = vault.id_of(one.text.reveal());
      const auto at = std::find_if(entry.keys.begin(), entry.keys.end(),
                                   [&id](const auto& c) { return c.after && c.after->id == id; });
      if (at == entry.keys.end()) {
        if (book.find(id) == nullptr)
          return false;
        continue;
      }
      ++found;
      if (at->after->owner != one.owner || at->after->label != (one.owner.empty() ? "" : trimmed(one.label)))
        return false;
    }
    return found >= entry.keys.size();
  }
  bool operator()(const assign_key& what) const {
    if (entry.keys.size() != 1 || !entry.keys[0].after)
      return false;
    const auto& given = *entry.keys[0].after;
    return given.owner == what.owner && given.label == trimmed(what.label)
           && lifetime_fits(what.lifetime_s, entry.at, given.expires_at) && fits(what.nodes, given.nodes);
  }
  bool operator()(const renew_key& what) const {
    const auto* mine = key(what.key);
    return mine != nullptr && lifetime_fits(what.lifetime_s, entry.at, mine->expires_at);
  }
  bool operator()(const rotate_key& what) const {
    const auto* old = key(what.key);
    if (old == nullptr)
      return false;
    auto until = entry.at + std::chrono::seconds{what.grace_s};
    if (old->expires_at)
      until = std::min(until, *old->expires_at);
    return until <= entry.at ? old->state == key_state::rotated : old->retires_at == until;
  }
  bool operator()(const suspend_key& what) const { return key(what.key) != nullptr; }
  bool operator()(const resume_key& what) const { return key(what.key) != nullptr; }
  bool operator()(const revoke_key& what) const { return key(what.key) != nullptr; }
  bool operator()(const change_key& what) const {
    const auto* mine = key(what.key);
    return mine != nullptr && fits(what.label, mine->label) && fits(what.budgets, mine->budgets)
           && fits(what.nodes, mine->nodes);
  }
  bool operator()(const adopt_key& what) const {
    const auto* found = key(what.key);
    return found != nullptr && found->owner == what.owner && found->label == trimmed(what.label);
  }
  /// What was so already is not in the entry.
  bool operator()(const put_prices& what) const {
    std::size_t found = 0;
    for (const auto& given : what.prices) {
      auto asked = tidy_price(given);
      if (!asked)
        return false;
      const auto at = std::find_if(entry.prices.begin(), entry.prices.end(),
                                   [&](const auto& c) { return c.after && c.after->id == asked->id; });
      if (at == entry.prices.end()) {
        if (!book.prices().contains(asked->id))
          return false;
        continue;
      }
      ++found;
      asked->set_at = at->after->set_at;
      if (*asked != *at->after)
        return false;
    }
    return found == entry.prices.size();
  }
  bool operator()(const drop_prices& what) const {
    return std::all_of(entry.prices.begin(), entry.prices.end(), [&](const auto& c) {
      return !c.after && std::find(what.ids.begin(), what.ids.end(), c.before->id) != what.ids.end();
    });
  }
  bool operator()(const ask_renewal& what) const {
    const auto* mine = key(what.key);
    return mine != nullptr && mine->renewal && mine->renewal->reason == trimmed(what.reason)
           && (!what.lifetime_s || mine->renewal->lifetime_s == *what.lifetime_s);
  }
  bool operator()(const answer_renewal& what) const {
    for (const auto& c : entry.keys)
      if (c.before && c.after && c.after->id == what.key)
        return c.before->renewal && !c.after->renewal && what.approve == (c.after->expires_at != c.before->expires_at);
    return false;
  }
  // Our own have no idempotency key.
  bool operator()(const pass_time&) const { return false; }
  bool operator()(const budgets_crossed&) const { return false; }
  bool operator()(const key_sighting&) const { return false; }
  bool operator()(const put_access&) const { return false; }
};

} // namespace

bool registry_book::answers(const registry_entry& entry, const registry_command& what) const {
  return entry.who == what.by.who && entry.what == name_of(what.what)
         && std::visit(comparison{entry, *this, vault_}, what.what);
}

} // namespace keyportal
