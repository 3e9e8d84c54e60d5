#include "actors/key_registry/registry_draft.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/prices/price_rules.hpp"
#include "messages/json.hpp"
#include "messages/registry_json.hpp"

namespace keyportal {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t most_at_once = 10'000; ///< keys of one command
constexpr std::size_t most_due_at_once = 1'000;
constexpr std::int64_t longest_lifetime_s = 100LL * 366 * 86'400;
constexpr std::uint32_t most_keys_per_user = 10'000;
constexpr std::size_t most_in_list = 64; ///< groups, budgets, models
constexpr std::size_t most_prices = 50'000;
constexpr std::size_t most_access_records = 10'000; ///< at once
constexpr std::size_t most_access_bytes = 16 << 10;

user_id new_user_id(const std::function<void(std::span<std::uint8_t>)>& draw) {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz234567";
  std::array<std::uint8_t, 26> bytes;
  draw(bytes);
  std::string out = "u";
  for (const auto byte : bytes)
    out += letters[byte & 31U];
  return out;
}

caf::error check_budgets(const std::vector<budget>& list) {
  if (list.size() > most_in_list)
    return make_error(errc::bad_request, "too many budgets");
  for (const auto& one : list)
    if (one.amount <= 0)
      return make_error(errc::bad_request, "a budget is above 0");
  return {};
}

caf::expected<std::vector<group_name>> tidy_groups(const std::vector<group_name>& groups) {
  if (groups.size() > most_in_list)
    return make_error(errc::name_refused, "too many groups");
  std::vector<group_name> out;
  for (const auto& group : groups) {
    auto tidy = tidy_group(group);
    if (!tidy)
      return tidy.error();
    if (std::find(out.begin(), out.end(), *tidy) == out.end())
      out.push_back(std::move(*tidy)); // in the order given: the first one with a policy decides
  }
  return out;
}

/// A past or present moment and a lifetime, without running over.
moment later(moment from, std::int64_t seconds) { return from + std::chrono::seconds{seconds}; }

} // namespace

// --- what is touched ------------------------------------------------------------------

client_key* registry_book::draft::key(const key_id& id) {
  if (const auto found = keys_.find(id); found != keys_.end())
    return &found->second.after;
  const auto* there = book_.find(id);
  return there == nullptr ? nullptr : &keys_.emplace(id, touched<client_key>{*there, *there}).first->second.after;
}

user* registry_book::draft::person(const user_id& id) {
  if (const auto found = users_.find(id); found != users_.end())
    return &found->second.after;
  const auto* there = book_.find_user(id);
  return there == nullptr ? nullptr : &users_.emplace(id, touched<user>{*there, *there}).first->second.after;
}

caf::expected<user*> registry_book::draft::active_person(const user_id& id) {
  auto* who = person(id);
  if (who == nullptr)
    return make_error(errc::user_unknown);
  if (who->state != user_state::active)
    return make_error(errc::user_wrong_state);
  return who;
}

caf::error registry_book::draft::check_nodes(const std::vector<node_name>& nodes) const {
  for (const auto& node : nodes)
    if (!book_.rules_.node_groups.contains(node)
        && std::find(book_.rules_.nodes.begin(), book_.rules_.nodes.end(), node) == book_.rules_.nodes.end())
      return make_error(errc::node_unknown);
  return {};
}

std::size_t registry_book::draft::keys_held(const user_id& owner) const {
  const auto counts = [](const client_key& key) {
    return !is_final(key.state) && !key.retires_at; // a key in its time of grace has a successor that counts
  };
  std::size_t held = 0;
  for (const auto* held_now : book_.keys_of(owner)) {
    const auto mine = keys_.find(held_now->id);
    const auto& key = mine == keys_.end() ? *held_now : mine->second.after;
    held += counts(key) ? 1 : 0;
  }
  for (const auto& [id, one] : keys_)
    if (one.after.owner == owner && (!one.before || one.before->owner != owner))
      held += counts(one.after) ? 1 : 0;
  return held;
}

caf::expected<secret> registry_book::draft::fresh_text() {
  key_bits bits;
  book_.vault_.draw(bits);
  return write_key(book_.rules_.prefix, bits);
}

caf::expected<client_key*> registry_book::draft::make(key_origin origin, const secret& text) {
  client_key fresh;
  fresh.id = book_.vault_.id_of(text.reveal());
  if (key(fresh.id) != nullptr)
    return make_error(errc::key_exists);
  auto sealed = book_.vault_.seal(text.reveal(), fresh.id);
  if (!sealed)
    return sealed.error();
  fresh.sealed = std::move(*sealed);
  fresh.shown = shown_key(book_.rules_.prefix, text.reveal());
  fresh.origin = origin;
  fresh.guessable = origin != key_origin::made && is_guessable(text.reveal());
  fresh.created_at = now_;
  return &keys_.emplace(fresh.id, touched<client_key>{std::nullopt, fresh}).first->second.after;
}

void registry_book::draft::fill_pool(std::uint64_t count, caf::error& failed) {
  for (; count > 0 && !failed; --count) {
    auto text = fresh_text();
    auto made = text ? make(key_origin::made, *text) : caf::expected<client_key*>{text.error()};
    if (!made)
      failed = made.error();
  }
}

// --- what is told -----------------------------------------------------------------------

void registry_book::draft::tell(event_kind kind, const client_key& key, const std::string& reason) {
  nlohmann::json data = {{"key", key.id},      {"shown", key.shown},          {"owner", key.owner},
                         {"label", key.label}, {"state", to_text(key.state)}, {"at", to_rfc3339_ms(now_)}};
  if (key.expires_at)
    data["expires_at"] = to_rfc3339_ms(*key.expires_at);
  if (key.retires_at)
    data["retires_at"] = to_rfc3339_ms(*key.retires_at);
  if (key.successor)
    data["successor"] = *key.successor;
  if (key.state == key_state::suspended)
    data["why"] = to_text(key.why_suspended);
  if (!reason.empty())
    data["reason"] = reason;
  if (key.renewal)
    data["lifetime_s"] = key.renewal->lifetime_s;
  data["in_force"] = key.in_force;
  events_.push_back({0, kind, {}, now_, dump(data), key.id});
}

void registry_book::draft::tell(event_kind kind, const user& person, const std::string& reason) {
  nlohmann::json data = {{"user", person.id},
                         {"role", to_text(person.role)},
                         {"state", to_text(person.state)},
                         {"groups", person.groups},
                         {"at", to_rfc3339_ms(now_)}};
  if (!reason.empty())
    data["reason"] = reason;
  events_.push_back({0, kind, {}, now_, dump(data), person.id});
}

void registry_book::draft::tell(event_kind kind, const policy& rules) {
  auto data = to_json(rules);
  data["at"] = to_rfc3339_ms(now_);
  events_.push_back({0, kind, {}, now_, dump(data), rules.name});
}

// --- people ----------------------------------------------------------------------------------

caf::error registry_book::draft::work(const add_user& what) {
  auto email = tidy_email(what.email);
  if (!email)
    return email.error();
  auto name = tidy_name("the name", what.name, true);
  if (!name)
    return name.error();
  auto label = tidy_name("the label", what.label, true);
  if (!label)
    return label.error();
  auto groups = tidy_groups(what.groups);
  if (!groups)
    return groups.error();
  if (book_.find_email(*email) != nullptr)
    return make_error(errc::user_exists);
  user fresh;
  fresh.id = new_user_id(book_.vault_.draw);
  fresh.email = std::move(*email);
  fresh.name = std::move(*name);
  fresh.label = std::move(*label);
  fresh.role = what.role;
  fresh.state = what.active ? user_state::active : user_state::pending;
  fresh.groups = std::move(*groups);
  fresh.created_at = now_;
  const auto& made = users_.emplace(fresh.id, touched<user>{std::nullopt, fresh}).first->second.after;
  tell(event_kind::user_registered, made, made.state == user_state::pending ? made.label : std::string{});
  return {};
}

caf::error registry_book::draft::work(const change_user& what) {
  auto* who = person(what.id);
  if (who == nullptr)
    return make_error(errc::user_unknown);
  if (who->state == user_state::deleted)
    return make_error(errc::user_wrong_state);
  if (what.email) {
    auto email = tidy_email(*what.email);
    if (!email)
      return email.error();
    if (const auto* other = book_.find_email(*email); other != nullptr && other->id != who->id)
      return make_error(errc::user_exists);
    who->email = std::move(*email);
  }
  for (const auto& [text, name, to] :
       {std::tuple{&what.name, "the name", &who->name}, {&what.label, "the label", &who->label}}) {
    if (!*text)
      continue;
    auto tidy = tidy_name(name, **text, true);
    if (!tidy)
      return tidy.error();
    *to = std::move(*tidy);
  }
  if (what.groups) {
    auto groups = tidy_groups(*what.groups);
    if (!groups)
      return groups.error();
    if (who->groups != *groups) {
      who->former.push_back({std::exchange(who->groups, std::move(*groups)), now_});
      if (who->former.size() > user::most_former_groups)
        who->former.erase(who->former.begin());
    }
  }
  if (what.budgets) {
    if (auto failed = check_budgets(*what.budgets))
      return failed;
    who->budgets = *what.budgets;
  }
  who->role = what.role.value_or(who->role);
  tell(event_kind::user_changed, *who);
  return {};
}

caf::error registry_book::draft::work(const set_user_state& what) {
  auto* who = person(what.id);
  if (who == nullptr)
    return make_error(errc::user_unknown);
  if (who->state == user_state::deleted || what.to == user_state::pending)
    return who->state == what.to ? caf::error{} : make_error(errc::user_wrong_state);
  if (who->state == what.to)
    return {};
  const auto reason = tidy_name("the reason", what.reason, true);
  if (!reason)
    return reason.error();
  const bool waited = who->state == user_state::pending;
  if (!reason->empty())
    who->label = *reason;
  who->state = what.to;
  for (const auto* there : book_.keys_of(who->id)) {
    auto* mine = key(there->id);
    if (what.to == user_state::deleted && !is_final(mine->state))
      end(*mine, key_state::revoked, event_kind::key_revoked);
    else if (what.to == user_state::suspended && mine->state == key_state::live)
      suspend(*mine, suspension::owner);
    else if (what.to == user_state::suspended && mine->why_suspended == suspension::by_budget)
      suspend(*mine, suspension::owner); // a window that turns must not bring it back; its budget is judged anew later
    else if (what.to == user_state::active && mine->why_suspended == suspension::owner)
      resume(*mine);
  }
  if (what.to == user_state::deleted)
    who->email.clear(); // somebody may come back under it, as somebody new
  tell(what.to == user_state::deleted     ? (waited ? event_kind::user_refused : event_kind::user_deleted)
       : what.to == user_state::suspended ? event_kind::user_suspended
       : waited                           ? event_kind::user_approved
                                          : event_kind::user_resumed,
       *who, *reason);
  return {};
}

// --- policies --------------------------------------------------------------------------------------

caf::error registry_book::draft::work(const put_policy& what) {
  auto fresh = what.what;
  auto name = tidy_group(fresh.name);
  if (!name)
    return name.error();
  for (const auto* budgets : {&fresh.key_budgets, &fresh.user_budgets, &fresh.group_budgets})
    if (auto failed = check_budgets(*budgets))
      return failed;
  if (auto failed = check_nodes(fresh.nodes))
    return failed;
  if (fresh.keys_per_user > most_keys_per_user || fresh.key_lifetime_s < 0 || fresh.key_lifetime_s > longest_lifetime_s
      || fresh.longest_renewal_s < 0 || fresh.longest_renewal_s > longest_lifetime_s
      || fresh.models.size() > most_in_list)
    return make_error(errc::bad_request, "a number of the policy is out of its range");
  for (auto& model : fresh.models) {
    auto tidy = tidy_name("a model", model, false);
    if (!tidy)
      return tidy.error();
    model = std::move(*tidy);
  }
  const auto there = book_.policies_.find(fresh.name);
  if (there != book_.policies_.end()) {
    fresh.told = there->second.told;
    if (fresh == there->second)
      return {};
    policies_[fresh.name] = {there->second, fresh};
  } else {
    policies_[fresh.name] = {std::nullopt, fresh};
  }
  tell(event_kind::policy_changed, fresh);
  return {};
}

caf::error registry_book::draft::work(const drop_policy& what) {
  const auto there = book_.policies_.find(what.name);
  if (there == book_.policies_.end())
    return make_error(errc::policy_unknown);
  if (what.name == "default")
    return make_error(errc::policy_in_use);
  policies_[what.name] = {there->second, std::nullopt};
  tell(event_kind::policy_dropped, there->second);
  return {};
}

// --- keys -------------------------------------------------------------------------------------------------

caf::error registry_book::draft::work(const make_keys& what) {
  if (what.count == 0 || what.count > most_at_once)
    return make_error(errc::bad_request, fmt::format("1 to {} keys at once", most_at_once));
  caf::error failed;
  fill_pool(what.count, failed);
  return failed;
}

caf::error registry_book::draft::work(const import_keys& what) {
  if (what.keys.size() > most_at_once)
    return make_error(errc::bad_request, fmt::format("at most {} keys at once", most_at_once));
  for (std::size_t i = 0; i < what.keys.size(); ++i) {
    const auto& one = what.keys[i];
    const auto about = [i](const caf::error& e) { return make_error(code_of(e), fmt::format("key {}", i + 1)); };
    if (!can_be_key(one.text.reveal()))
      return make_error(errc::key_refused, fmt::format("key {}", i + 1));
    const auto id = book_.vault_.id_of(one.text.reveal());
    if (const auto* known = key(id); known != nullptr && known->state != key_state::external) {
      ++done_.skipped;
      continue;
    }
    auto* fresh = key(id);
    if (fresh == nullptr) {
      auto made = make(key_origin::imported, one.text);
      if (!made)
        return about(made.error());
      fresh = *made;
    }
    if (one.owner.empty()) {
      fresh->state = key_state::pooled;
      fresh->created_at = one.created_at.value_or(fresh->created_at);
      continue;
    }
    const auto* owner = person(one.owner);
    if (owner == nullptr || owner->state == user_state::deleted)
      return make_error(errc::user_unknown, fmt::format("key {}", i + 1));
    // What people have already stays theirs, whatever the policy says now.
    if (auto failed = give(*fresh, *owner, one.label, std::nullopt, std::nullopt))
      return about(failed);
    if (owner->state != user_state::active)
      suspend(*fresh, suspension::owner);
    fresh->created_at = one.created_at.value_or(fresh->created_at);
  }
  return {};
}

/// 0: never. Reminders that would be due already are taken as told.
void registry_book::draft::expire_after(client_key& key, std::int64_t lifetime_s) const {
  key.reminders = 0;
  key.expires_at.reset();
  if (lifetime_s == 0)
    return;
  key.expires_at = later(now_, lifetime_s);
  for (std::size_t i = 0; i < book_.rules_.reminders.size(); ++i)
    if (*key.expires_at - book_.rules_.reminders[i] <= now_)
      key.reminders |= 1U << i;
}

// A script that takes and ends keys, or replaces them, never holds more than it may, and would use up the pool all the same.
caf::error registry_book::draft::check_pace(const user_id& owner) const {
  const auto* person = book_.find_user(owner);
  if (by_.who != owner || person == nullptr)
    return {};
  constexpr std::uint64_t always = 10;
  const auto allowed = std::max(always, std::uint64_t{2} * book_.policy_of(*person).keys_per_user);
  std::uint64_t taken = 0;
  for (const auto* one : book_.keys_of(owner))
    taken += one->assigned_at && *one->assigned_at > now_ - std::chrono::hours{1} ? 1 : 0;
  if (taken < allowed)
    return {};
  return make_error(errc::too_many_requests, fmt::format("at most {} new keys an hour", allowed));
}

/// Makes it the owner's, with what the policy says of new keys.
caf::error registry_book::draft::give(client_key& key, const user& owner, std::string label,
                                      std::optional<std::int64_t> lifetime_s,
                                      std::optional<std::vector<node_name>> nodes) {
  auto tidy = tidy_name("the label", label, true);
  if (!tidy)
    return tidy.error();
  const auto& rules = book_.policy_of(owner);
  const auto lifetime = lifetime_s.value_or(rules.key_lifetime_s);
  if (lifetime < 0 || lifetime > longest_lifetime_s)
    return make_error(errc::bad_request, "the lifetime");
  key.nodes = nodes.value_or(rules.nodes);
  if (auto failed = check_nodes(key.nodes))
    return failed;
  key.state = key_state::live;
  key.owner = owner.id;
  key.label = std::move(*tidy);
  key.assigned_at = now_;
  expire_after(key, lifetime);
  tell(event_kind::key_assigned, key);
  return {};
}

caf::error registry_book::draft::work(const assign_key& what) {
  const auto owner = active_person(what.owner);
  if (!owner)
    return owner.error();
  if (keys_held(what.owner) >= book_.policy_of(**owner).keys_per_user)
    return make_error(errc::key_limit_reached);
  if (auto failed = check_pace(what.owner))
    return failed;
  if (book_.pool_.empty())
    return make_error(errc::pool_empty);
  if (const auto low = book_.rules_.pool_low_water; low > 0 && book_.pool_.size() == low)
    events_.push_back({0,
                       event_kind::pool_low,
                       {},
                       now_,
                       dump({{"pooled", low - 1},
                             {"low_water", low},
                             {"refilled", book_.rules_.pool_size > 0},
                             {"at", to_rfc3339_ms(now_)}}),
                       "pool"});
  auto* given = key(*book_.pool_.begin());
  shown_.push_back(given->id);
  return give(*given, **owner, what.label, what.lifetime_s, what.nodes);
}

caf::expected<client_key*> registry_book::draft::renewable(const key_id& id) {
  auto* mine = key(id);
  if (mine == nullptr)
    return make_error(errc::key_unknown);
  if ((mine->state != key_state::live && mine->state != key_state::suspended) || mine->retires_at)
    return make_error(errc::key_wrong_state);
  return mine;
}

const policy& registry_book::draft::policy_of(const client_key& key) const {
  static const policy nobodys;
  const auto* owner = book_.find_user(key.owner);
  return owner == nullptr ? nobodys : book_.policy_of(*owner);
}

caf::error registry_book::draft::work(const renew_key& what) {
  auto found = renewable(what.key);
  if (!found)
    return found.error();
  auto* mine = *found;
  const auto& rules = policy_of(*mine);
  const auto lifetime = what.lifetime_s.value_or(rules.key_lifetime_s);
  if (lifetime < 0 || lifetime > longest_lifetime_s)
    return make_error(errc::bad_request, "the lifetime");
  if (by_.who == mine->owner) {
    const auto longest = rules.longest_renewal_s > 0 ? rules.longest_renewal_s : rules.key_lifetime_s;
    if (rules.renewal != renewal_rule::self || (longest > 0 && (lifetime == 0 || lifetime > longest)))
      return make_error(errc::renewal_refused);
  }
  expire_after(*mine, lifetime);
  mine->renewal.reset();
  tell(event_kind::key_renewed, *mine);
  return {};
}

caf::error registry_book::draft::work(const ask_renewal& what) {
  auto found = renewable(what.key);
  if (!found)
    return found.error();
  auto* mine = *found;
  if (!mine->expires_at)
    return make_error(errc::key_wrong_state);
  const auto& rules = policy_of(*mine);
  if (rules.renewal == renewal_rule::none)
    return make_error(errc::renewal_refused);
  const auto lifetime = what.lifetime_s.value_or(rules.key_lifetime_s);
  if (lifetime < 0 || lifetime > longest_lifetime_s)
    return make_error(errc::bad_request, "the lifetime");
  auto reason = tidy_name("the reason", what.reason, false);
  if (!reason)
    return reason.error();
  mine->renewal = renewal_request{now_, lifetime, std::move(*reason)};
  tell(event_kind::key_renewal_asked, *mine, mine->renewal->reason);
  return {};
}

caf::error registry_book::draft::work(const answer_renewal& what) {
  auto found = renewable(what.key);
  if (!found)
    return found.error();
  auto* mine = *found;
  if (!mine->renewal)
    return make_error(errc::renewal_not_asked);
  if (by_.who == mine->owner)
    return make_error(errc::not_authorised);
  auto reason = tidy_name("the reason", what.reason, true);
  if (!reason)
    return reason.error();
  if (what.approve)
    expire_after(*mine, mine->renewal->lifetime_s);
  mine->renewal.reset();
  tell(what.approve ? event_kind::key_renewed : event_kind::key_renewal_refused, *mine, *reason);
  return {};
}

caf::error registry_book::draft::work(const rotate_key& what) {
  auto* old = key(what.key);
  if (old == nullptr)
    return make_error(errc::key_unknown);
  if (old->state != key_state::live)
    return make_error(errc::key_wrong_state);
  if (what.grace_s < 0 || what.grace_s > book_.rules_.longest_grace_s)
    return make_error(errc::bad_request, fmt::format("the grace is at most {} s", book_.rules_.longest_grace_s));
  // At most two work at once.
  const auto* before = !old->predecessor ? nullptr : book_.find(*old->predecessor);
  if (old->retires_at || (before != nullptr && !is_final(before->state)))
    return make_error(errc::rotation_running);
  if (auto failed = check_pace(old->owner))
    return failed;
  auto text = fresh_text();
  if (!text)
    return text.error();
  auto made = make(key_origin::made, *text);
  if (!made)
    return made.error();
  old = key(what.key);
  auto& fresh = **made;
  fresh.state = key_state::live;
  fresh.owner = old->owner;
  fresh.label = old->label;
  fresh.assigned_at = now_;
  fresh.expires_at = old->expires_at; // a rotation is no renewal
  fresh.reminders = old->reminders;
  fresh.renewal = std::exchange(old->renewal, {});
  fresh.budgets = old->budgets;
  fresh.nodes = old->nodes;
  fresh.predecessor = old->id;
  old->successor = fresh.id;
  auto ends = later(now_, what.grace_s);
  if (old->expires_at)
    ends = std::min(ends, *old->expires_at);
  if (ends <= now_)
    end(*old, key_state::rotated, event_kind::key_rotated);
  else {
    old->retires_at = ends;
    tell(event_kind::key_rotated, *old);
  }
  tell(event_kind::key_assigned, fresh);
  shown_.push_back(fresh.id);
  return {};
}

void registry_book::draft::end(client_key& key, key_state how, event_kind told) {
  key.state = how;
  key.why_suspended = suspension::none;
  key.retires_at.reset();
  key.renewal.reset();
  tell(told, key);
}

void registry_book::draft::suspend(client_key& key, suspension why) {
  key.state = key_state::suspended;
  key.why_suspended = why;
  tell(event_kind::key_suspended, key);
}

void registry_book::draft::resume(client_key& key) {
  key.state = key_state::live;
  key.why_suspended = suspension::none;
  tell(event_kind::key_resumed, key);
}

caf::error registry_book::draft::work(const suspend_key& what) {
  auto* mine = key(what.key);
  if (mine == nullptr)
    return make_error(errc::key_unknown);
  if (mine->state == key_state::suspended && what.why == suspension::by_admin
      && mine->why_suspended != suspension::by_admin) {
    suspend(*mine, suspension::by_admin); // nothing but a person resumes it now
    return {};
  }
  if (mine->state == key_state::suspended)
    return {};
  if (mine->state != key_state::live)
    return make_error(errc::key_wrong_state);
  suspend(*mine, what.why);
  return {};
}

caf::error registry_book::draft::work(const resume_key& what) {
  auto* mine = key(what.key);
  if (mine == nullptr)
    return make_error(errc::key_unknown);
  if (mine->state == key_state::live)
    return {};
  const auto* owner = book_.find_user(mine->owner);
  if (mine->state != key_state::suspended || owner == nullptr || owner->state != user_state::active)
    return make_error(errc::key_wrong_state);
  resume(*mine);
  return {};
}

caf::error registry_book::draft::work(const revoke_key& what) {
  auto* mine = key(what.key);
  if (mine == nullptr)
    return make_error(errc::key_unknown);
  if (is_final(mine->state))
    return mine->state == key_state::revoked ? caf::error{} : make_error(errc::key_wrong_state);
  end(*mine, key_state::revoked, event_kind::key_revoked);
  return {};
}

caf::error registry_book::draft::work(const change_key& what) {
  auto* mine = key(what.key);
  if (mine == nullptr)
    return make_error(errc::key_unknown);
  if (mine->state != key_state::live && mine->state != key_state::suspended)
    return make_error(errc::key_wrong_state);
  if (what.label) {
    auto tidy = tidy_name("the label", *what.label, true);
    if (!tidy)
      return tidy.error();
    mine->label = std::move(*tidy);
  }
  if (what.budgets) {
    if (auto failed = check_budgets(*what.budgets))
      return failed;
    mine->budgets = *what.budgets;
  }
  if (what.nodes) {
    if (auto failed = check_nodes(*what.nodes))
      return failed;
    mine->nodes = *what.nodes;
  }
  tell(event_kind::key_changed, *mine);
  return {};
}

caf::error registry_book::draft::work(const adopt_key& what) {
  auto* found = key(what.key);
  if (found == nullptr)
    return make_error(errc::key_unknown);
  if (found->state != key_state::external)
    return make_error(errc::key_wrong_state);
  const auto owner = active_person(what.owner);
  if (!owner)
    return owner.error();
  const auto in_force = found->in_force;
  if (auto failed = give(*found, **owner, what.label, std::nullopt, std::nullopt))
    return failed;
  found->in_force = in_force;
  tell(event_kind::key_adopted, *found);
  return {};
}

// --- what happens by itself ------------------------------------------------------------------------------------

void registry_book::draft::pass_time_of(client_key& key) {
  if (key.expires_at && *key.expires_at <= now_)
    return end(key, key_state::expired, event_kind::key_expired);
  if (key.retires_at && *key.retires_at <= now_)
    return end(key, key_state::rotated, event_kind::key_rotated);
  if (!key.expires_at)
    return;
  bool tells = false;
  const auto& reminders = book_.rules_.reminders;
  for (std::size_t i = 0; i < reminders.size(); ++i)
    if ((key.reminders >> i & 1U) == 0 && *key.expires_at - reminders[i] <= now_) {
      key.reminders |= 1U << i;
      tells = true; // once, also when several became due while nobody looked
    }
  if (tells)
    tell(event_kind::key_expiring, key);
}

caf::error registry_book::draft::work(const pass_time&) {
  std::size_t count = 0;
  for (const auto& [at, due] : book_.upcoming()) {
    if (at > now_ || ++count > most_due_at_once)
      break;
    pass_time_of(*key(due->id));
  }
  const auto left = book_.pool_.size();
  caf::error failed;
  if (book_.rules_.pool_size > left && left < book_.rules_.pool_low_water)
    fill_pool(std::min<std::uint64_t>(book_.rules_.pool_size - left, most_due_at_once), failed);
  return failed;
}

caf::error registry_book::draft::work(const budgets_crossed& what) {
  const auto mark = [](std::vector<budget_mark>& told, const budget_mark& fresh) {
    std::erase_if(told, [&fresh](const budget_mark& one) {
      return one.of == fresh.of || one.window_start < fresh.window_start - 24h * 400; // and what is long past
    });
    told.push_back(fresh);
  };
  const auto event = [this](event_kind kind, const std::string& about, const user_id& owner, const budget_mark& m) {
    events_.push_back({0,
                       kind,
                       {},
                       now_,
                       dump({{"about", about},
                             {"owner", owner},
                             {"percent", m.percent},
                             {"unit", to_text(m.of.unit)},
                             {"window", to_text(m.of.window)},
                             {"amount", m.of.amount},
                             {"window_start", to_rfc3339_ms(m.window_start)},
                             {"at", to_rfc3339_ms(now_)}}),
                       about});
  };
  for (const auto& [id, m] : what.keys)
    if (auto* one = key(id)) {
      mark(one->told, m);
      event(event_kind::key_budget, id, one->owner, m);
    }
  for (const auto& [id, m] : what.users)
    if (auto* one = person(id)) {
      mark(one->told, m);
      event(event_kind::user_budget, id, id, m);
    }
  for (const auto& [name, m] : what.groups)
    if (const auto there = book_.policies_.find(name); there != book_.policies_.end()) {
      auto& change = policies_.try_emplace(name, change_of<policy>{there->second, there->second}).first->second;
      mark(change.after->told, m);
      event(event_kind::policy_budget, name, {}, m);
    }
  for (const auto& id : what.suspend)
    if (auto* one = key(id); one != nullptr && one->state == key_state::live)
      suspend(*one, suspension::by_budget);
  for (const auto& id : what.resume)
    if (auto* one = key(id);
        one != nullptr && one->state == key_state::suspended && one->why_suspended == suspension::by_budget)
      resume(*one);
  return {};
}

caf::error registry_book::draft::work(const key_sighting& what) {
  const auto everywhere = [this](const client_key& key) {
    return std::all_of(book_.rules_.nodes.begin(), book_.rules_.nodes.end(), [this, &key](const node_name& node) {
      return !book_.belongs_at(key, node) || std::binary_search(key.in_force.begin(), key.in_force.end(), node);
    });
  };
  for (const auto& one : what.keys) {
    auto* seen = key(one.key);
    if (seen == nullptr)
      continue;
    const auto place = std::lower_bound(seen->in_force.begin(), seen->in_force.end(), what.node);
    const bool there = place != seen->in_force.end() && *place == what.node;
    if (there == one.works)
      continue;
    if (one.works)
      seen->in_force.insert(place, what.node);
    else
      seen->in_force.erase(place);
    if (one.works && seen->state == key_state::live && everywhere(*seen))
      tell(event_kind::key_active, *seen);
    if (!one.works && seen->state == key_state::revoked && seen->in_force.empty())
      tell(event_kind::key_revoked, *seen);
  }
  for (const auto& text : what.strangers) {
    if (!can_be_key(text.reveal()))
      continue; // an operator's own, of whatever shape: nothing that we could write back
    const auto id = book_.vault_.id_of(text.reveal());
    auto* known = key(id);
    if (known == nullptr) {
      auto made = make(key_origin::found, text);
      if (!made)
        return made.error();
      known = *made;
      known->state = key_state::external;
      tell(event_kind::key_found, *known);
    }
    const auto place = std::lower_bound(known->in_force.begin(), known->in_force.end(), what.node);
    if (place == known->in_force.end() || *place != what.node)
      known->in_force.insert(place, what.node);
  }
  for (const auto& id : what.taken_away) {
    auto* one = key(id);
    if (one == nullptr)
      continue;
    std::erase(one->in_force, what.node);
    if (one->state == key_state::live)
      suspend(*one, suspension::by_hand);
  }
  return {};
}

// --- prices -------------------------------------------------------------------------------------------------------

caf::error registry_book::draft::work(const put_prices& what) {
  for (const auto& given : what.prices) {
    auto fresh = tidy_price(given);
    if (!fresh)
      return fresh.error();
    fresh->set_at = now_;
    if (prices_.contains(fresh->id))
      return make_error(errc::bad_request, fmt::format("{}: twice in one list", fresh->model));
    const auto there = book_.prices_.find(fresh->id);
    if (there == book_.prices_.end()) {
      prices_[fresh->id] = {std::nullopt, *fresh};
      continue;
    }
    auto same = *fresh;
    same.set_at = there->second.set_at;
    if (same != there->second)
      prices_[fresh->id] = {there->second, *fresh};
  }
  const auto added = std::count_if(prices_.begin(), prices_.end(), [](const auto& one) { return !one.second.before; });
  if (book_.prices_.size() + static_cast<std::size_t>(added) > most_prices)
    return make_error(errc::bad_request, fmt::format("there may be {} prices at most", most_prices));
  return {};
}

caf::error registry_book::draft::work(const drop_prices& what) {
  for (const auto& id : what.ids)
    if (const auto there = book_.prices_.find(id); there != book_.prices_.end())
      prices_[id] = {there->second, std::nullopt};
  return {};
}

// --- credentials --------------------------------------------------------------------------------------------------

caf::error registry_book::draft::work(const put_access& what) {
  if (what.what.empty() || what.put.size() + what.drop.size() > most_access_records)
    return make_error(errc::bad_request, "access");
  if (what.upon && *what.upon < book_.position_)
    return make_error(errc::registry_conflict);
  user_id made;
  if (what.person) {
    if (auto failed = work(*what.person))
      return failed;
    made = users_.begin()->first; // nobody else is touched
  }
  const auto change = [this](const std::string& id, std::optional<access_record> after) {
    const auto there = book_.access_.find(id);
    auto& to = access_[id];
    if (there != book_.access_.end())
      to.before = there->second;
    to.after = std::move(after);
  };
  for (auto one : what.put) {
    if (one.id.empty() || one.id.size() > 255 || one.sealed.size() > most_access_bytes)
      return make_error(errc::bad_request, "an access record");
    if (one.owner.empty())
      one.owner = made;
    const auto id = one.id; // which is moved away with the rest
    change(id, std::move(one));
  }
  for (const auto& id : what.drop)
    if (book_.access_.contains(id))
      change(id, std::nullopt);
  return {};
}

// --- the end of it ------------------------------------------------------------------------------------------------

caf::error registry_book::draft::check_admins() const {
  auto left = book_.active_admins_;
  for (const auto& [id, one] : users_) {
    left -= one.before && is_active_admin(*one.before) ? 1 : 0;
    left += is_active_admin(one.after) ? 1 : 0;
  }
  return book_.active_admins_ > 0 && left == 0 ? make_error(errc::last_admin) : caf::error{};
}

registry_book::decision registry_book::draft::finish(std::string_view what) {
  auto entry = std::make_shared<registry_entry>();
  entry->position = book_.position_ + 1;
  entry->at = now_;
  entry->who = by_.who;
  entry->from = by_.from;
  entry->command = by_.command;
  entry->what = what;
  for (auto& [id, one] : users_) {
    if (one.before && *one.before == one.after)
      continue;
    one.after.changed_at = now_;
    done_.users.push_back(one.after);
    entry->users.push_back({std::move(one.before), std::move(one.after)});
  }
  for (auto& [id, one] : keys_) {
    if (one.before && *one.before == one.after)
      continue;
    one.after.changed_at = now_;
    done_.keys.push_back(book_.shown(one.after));
    entry->keys.push_back({std::move(one.before), std::move(one.after)});
  }
  for (auto& [name, one] : policies_)
    entry->policies.push_back(std::move(one));
  done_.prices = prices_.size();
  for (auto& [id, one] : prices_)
    entry->prices.push_back(std::move(one));
  for (auto& [id, one] : access_)
    if (one.before || one.after)
      entry->access.push_back(std::move(one));
  decision out;
  out.done = std::move(done_);
  out.done.position = book_.position_;
  out.events = std::move(events_);
  if (entry->users.empty() && entry->keys.empty() && entry->policies.empty() && entry->prices.empty()
      && entry->access.empty())
    return out;
  for (const auto& id : shown_)
    for (const auto& change : entry->keys)
      if (change.after->id == id)
        if (auto text = book_.text_of(*change.after))
          out.done.shown.push_back(std::move(*text));
  out.done.position = entry->position;
  out.entry = std::move(entry);
  return out;
}

} // namespace keyportal
