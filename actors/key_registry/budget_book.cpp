#include "actors/key_registry/budget_book.hpp"

#include <algorithm>
#include <ctime>
#include <utility>

namespace keyportal {

namespace {

constexpr moment far_future = moment::max();

std::tm local_of(moment at) {
  const auto t =
    std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(at));
  std::tm out{};
  ::localtime_r(&t, &out);
  return out;
}

/// The window that `local` lies in, or the one `ahead` of it.
moment start_of(budget_window window, std::tm local, int ahead) {
  local.tm_min = local.tm_sec = 0;
  if (window == budget_window::hour) {
    local.tm_hour += ahead;
  } else {
    local.tm_hour = 0;
    if (window == budget_window::day)
      local.tm_mday += ahead;
    else if (window == budget_window::week)
      local.tm_mday += 7 * ahead - (local.tm_wday + 6) % 7;
    else {
      local.tm_mday = 1;
      local.tm_mon += ahead;
    }
    local.tm_isdst = -1; // midnight may be in the other half of the year
  }
  return moment{std::chrono::seconds{std::mktime(&local)}};
}

} // namespace

moment window_start(budget_window window, moment at) {
  return window == budget_window::lifetime ? moment{} : start_of(window, local_of(at), 0);
}

moment next_window_start(budget_window window, moment at) {
  return window == budget_window::lifetime ? far_future : start_of(window, local_of(at), 1);
}

const key_id& budget_book::root_of(const key_id& key) const {
  const auto* there = registry_->find(key);
  if (there == nullptr || !there->predecessor)
    return key;
  const auto known = roots_.find(key);
  if (known != roots_.end())
    return known->second;
  const auto* first = there;
  while (first->predecessor) {
    const auto* before = registry_->find(*first->predecessor);
    if (before == nullptr)
      break;
    first = before;
  }
  return roots_.emplace(key, first->id).first->second;
}

void budget_book::owner_changed(const key_id& key) { recount_ |= scopes_.contains("k" + key); }

void budget_book::recount(moment now) {
  if (!std::exchange(recount_, false))
    return;
  std::vector<std::pair<key_id, counts>> keys;
  for (auto& [scope, all] : scopes_)
    if (scope.front() == 'k')
      keys.emplace_back(scope.substr(1), all);
  std::erase_if(scopes_, [](const auto& one) { return one.first.front() != 'k'; });
  for (const auto& [id, all] : keys) {
    const auto* key = registry_->find(id);
    const auto* owner = key == nullptr ? nullptr : registry_->find_user(key->owner);
    if (owner == nullptr)
      continue;
    for (const auto& scope : {"u" + owner->id, "g" + registry_->policy_of(*owner).name}) {
      auto& sum = scopes_[scope];
      for (std::size_t window = 1; window < all.size(); ++window) {
        const auto began = start(static_cast<budget_window>(window), now);
        if (sum[window].since != began)
          sum[window] = {began, 0, 0, 0};
        if (all[window].since != began)
          continue;
        sum[window].requests += all[window].requests;
        sum[window].tokens += all[window].tokens;
        sum[window].cost_nano += all[window].cost_nano;
      }
    }
  }
}

void budget_book::touch(const key_id& key) { dirty_.insert(key); }

moment budget_book::start(budget_window window, moment now) const {
  auto& one = windows_[static_cast<std::size_t>(window)];
  if (now < one.since || now >= one.until)
    one = {window_start(window, now), next_window_start(window, now)};
  return one.since;
}

void budget_book::count_in(const std::string& scope, moment at, std::int64_t requests, std::int64_t tokens,
                           std::int64_t cost_nano, moment now) {
  auto& all = scopes_[scope];
  for (const auto window :
       {budget_window::hour, budget_window::day, budget_window::week, budget_window::month, budget_window::lifetime}) {
    auto& one = all[static_cast<std::size_t>(window)];
    if (const auto began = start(window, now); one.since != began)
      one = {began, 0, 0, 0};
    if (at < one.since)
      continue; // of an earlier window, which nothing depends on any more
    one.requests += requests;
    one.tokens += tokens;
    one.cost_nano += cost_nano;
  }
}

void budget_book::add(const key_id& key, moment at, std::int64_t requests, std::int64_t tokens, moment now,
                      std::int64_t cost_nano) {
  const auto* there = registry_->find(key);
  if (there == nullptr)
    return; // of a key that the registry does not know
  count_in("k" + root_of(key), at, requests, tokens, cost_nano, now);
  if (const auto* owner = registry_->find_user(there->owner)) {
    count_in("u" + owner->id, at, requests, tokens, cost_nano, now);
    count_in("g" + registry_->policy_of(*owner).name, at, requests, tokens, cost_nano, now);
  }
  dirty_.insert(key);
}

std::int64_t budget_book::used(const std::string& scope, const budget& of, moment now) const {
  const auto found = scopes_.find(scope);
  if (found == scopes_.end())
    return 0;
  const auto& one = found->second[static_cast<std::size_t>(of.window)];
  if (one.since != start(of.window, now))
    return 0;
  return of.unit == budget_unit::requests ? one.requests : of.unit == budget_unit::tokens ? one.tokens : one.cost_nano;
}

bool budget_book::exhausted(const std::string& scope, const std::vector<budget>& budgets, moment now) const {
  return std::any_of(budgets.begin(), budgets.end(),
                     [&](const budget& one) { return used(scope, one, now) >= one.amount; });
}

bool budget_book::exhausted(const client_key& key, moment now) const {
  const auto scope = "k" + root_of(key.id);
  if (exhausted(scope, key.budgets, now))
    return true;
  const auto* owner = registry_->find_user(key.owner);
  if (owner == nullptr)
    return false;
  const auto& rules = registry_->policy_of(*owner);
  return exhausted(scope, rules.key_budgets, now) || exhausted("u" + owner->id, owner->budgets, now)
         || exhausted("u" + owner->id, rules.user_budgets, now)
         || exhausted("g" + rules.name, rules.group_budgets, now);
}

template <class Tell>
bool budget_book::judge(const std::string& scope, const std::vector<budget>& budgets,
                        const std::vector<budget_mark>& told, moment now, Tell&& tell) const {
  bool all = false;
  for (const auto& one : budgets) {
    const auto amount = used(scope, one, now);
    const auto percent = amount >= one.amount                     ? 100U
                         : amount >= one.amount - one.amount / 20 ? 95U
                         : amount >= one.amount - one.amount / 5  ? 80U
                                                                  : 0U;
    all |= percent == 100;
    const auto since = start(one.window, now);
    const bool known = std::any_of(told.begin(), told.end(), [&](const budget_mark& m) {
      return m.of == one && m.window_start == since && m.percent >= percent;
    });
    if (percent > 0 && !known)
      tell(budget_mark{one, since, percent});
  }
  return all;
}

budgets_crossed budget_book::judge(moment now) {
  recount(now);
  budgets_crossed out;
  std::unordered_set<std::string> users, groups;
  const auto suspend = [&out](const client_key& key) {
    if (key.state == key_state::live && std::find(out.suspend.begin(), out.suspend.end(), key.id) == out.suspend.end())
      out.suspend.push_back(key.id);
  };
  const auto suspend_all_of = [&](const user& whose) {
    for (const auto* key : registry_->keys_of(whose.id))
      suspend(*key);
  };
  for (const auto& id : dirty_) {
    const auto* key = registry_->find(id);
    if (key == nullptr || is_final(key->state))
      continue;
    const auto* owner = registry_->find_user(key->owner);
    auto budgets = key->budgets;
    if (owner != nullptr) {
      const auto& more = registry_->policy_of(*owner).key_budgets;
      budgets.insert(budgets.end(), more.begin(), more.end());
    }
    if (judge("k" + root_of(id), budgets, key->told, now, [&](budget_mark m) { out.keys.emplace_back(id, m); }))
      suspend(*key);
    if (owner != nullptr) {
      users.insert(owner->id);
      if (exhausted(*key, now))
        suspend(*key); // it was assigned or resumed while its owner or group was above
    }
  }
  dirty_.clear();
  for (const auto& id : users) {
    const auto& one = *registry_->find_user(id);
    const auto& rules = registry_->policy_of(one);
    auto budgets = one.budgets;
    budgets.insert(budgets.end(), rules.user_budgets.begin(), rules.user_budgets.end());
    if (judge("u" + id, budgets, one.told, now, [&](budget_mark m) { out.users.emplace_back(id, m); }))
      suspend_all_of(one);
    if (!rules.group_budgets.empty())
      groups.insert(rules.name);
  }
  for (const auto& rules : registry_->policies()) {
    if (!groups.contains(rules.name)
        || !judge("g" + rules.name, rules.group_budgets, rules.told, now,
                  [&](budget_mark m) { out.groups.emplace_back(rules.name, m); }))
      continue;
    for (const auto& key : registry_->all_keys())
      if (const auto* owner = registry_->find_user(key.owner);
          owner != nullptr && registry_->policy_of(*owner).name == rules.name)
        suspend(key);
  }
  for (const auto& id : registry_->over_budget())
    if (!exhausted(*registry_->find(id), now))
      out.resume.push_back(id);
  return out;
}

std::vector<budget_use> budget_book::uses_of(const key_id& key, moment now) {
  recount(now);
  std::vector<budget_use> out;
  const auto* there = registry_->find(key);
  if (there == nullptr)
    return out;
  const auto take = [&](budget_use::scope of, const std::string& scope, const std::vector<budget>& budgets) {
    for (const auto& one : budgets)
      out.push_back({of, one, start(one.window, now), used(scope, one, now)});
  };
  const auto mine = "k" + root_of(key);
  using of = budget_use::scope;
  take(of::key, mine, there->budgets);
  if (const auto* owner = registry_->find_user(there->owner)) {
    const auto& rules = registry_->policy_of(*owner);
    take(of::key, mine, rules.key_budgets);
    take(of::user, "u" + owner->id, owner->budgets);
    take(of::user, "u" + owner->id, rules.user_budgets);
    take(of::group, "g" + rules.name, rules.group_budgets);
  }
  return out;
}

} // namespace keyportal
