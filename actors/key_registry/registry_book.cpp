#include "actors/key_registry/registry_book.hpp"

#include <algorithm>

#include "actors/key_registry/registry_draft.hpp"

namespace keyportal {

namespace {

constexpr std::uint32_t largest_page = 1000;
const std::vector<const client_key*> no_keys;

bool holds(std::string_view where, std::string_view what) { return where.find(what) != std::string_view::npos; }

} // namespace

std::string_view name_of(const registry_question& what) {
  static constexpr std::string_view names[] = {
    "user.add",       "user.change", "user.state", "policy.put",      "policy.drop",        "pool.fill",
    "key.import",     "key.assign",  "key.renew",  "key.rotate",      "key.suspend",        "key.resume",
    "key.revoke",     "key.change",  "key.adopt",  "key.ask_renewal", "key.answer_renewal", "time.passed",
    "budget.crossed", "node.keys",   "price.put",  "price.drop",      "access.put"};
  static_assert(std::size(names) == std::variant_size_v<registry_question>);
  if (const auto* own = std::get_if<put_access>(&what)) // says itself what it is
    return own->what;
  return names[what.index()];
}

void registry_book::load(registry_image image) {
  position_ = image.position;
  by_email_.clear();
  by_owner_.clear();
  schedule_.clear();
  scheduled_until_ = moment::max();
  keys_.clear();
  users_.clear();
  policies_.clear();
  prices_.clear();
  access_.clear();
  commands_.clear();
  pool_.clear();
  over_budget_.clear();
  active_admins_ = 0;
  counts_ = {};
  origins_ = {};
  changing_ = by_hand_ = renewals_ = 0;
  keys_.reserve(image.keys.size());
  // One by one out of the image: of hundreds of thousands there are never two copies.
  for (; !image.users.empty(); image.users.pop_front())
    put(std::move(image.users.front()));
  for (; !image.keys.empty(); image.keys.pop_front())
    put(std::move(image.keys.front()));
  for (auto& one : image.policies)
    policies_[one.name] = std::move(one);
  for (auto& one : image.prices)
    prices_[one.id] = std::move(one);
  for (auto& one : image.access)
    access_[one.id] = std::move(one);
  for (const auto& [command, position] : image.commands)
    commands_[command] = position;
}

void registry_book::apply(const registry_entry& entry) {
  position_ = entry.position;
  for (const auto& change : entry.users)
    if (change.after)
      put(*change.after);
  for (const auto& change : entry.keys) {
    if (change.before)
      take_out(*change.before);
    if (change.after)
      put(*change.after);
  }
  for (const auto& change : entry.policies) {
    if (change.after)
      policies_[change.after->name] = *change.after;
    else if (change.before)
      policies_.erase(change.before->name);
  }
  for (const auto& change : entry.prices) {
    if (change.after)
      prices_[change.after->id] = *change.after;
    else if (change.before)
      prices_.erase(change.before->id);
  }
  for (const auto& change : entry.access) {
    if (change.after)
      access_[change.after->id] = *change.after;
    else if (change.before)
      access_.erase(change.before->id);
  }
  if (!entry.command.empty())
    commands_[entry.command] = entry.position;
}

void registry_book::count(const client_key& key, int by) {
  counts_[static_cast<std::size_t>(key.state)] += static_cast<std::uint64_t>(by);
  origins_[static_cast<std::size_t>(key.origin)] += static_cast<std::uint64_t>(by);
  changing_ += static_cast<std::uint64_t>(changing(key) ? by : 0);
  by_hand_ += static_cast<std::uint64_t>(key.why_suspended == suspension::by_hand ? by : 0);
  renewals_ += static_cast<std::uint64_t>(key.renewal ? by : 0);
}

namespace {

/// The row of the same id becomes this one, in its place.
template <class Rows, class Row>
const Row& replace(Rows& rows, Row&& row) {
  const auto found = rows.find(row);
  if (found == rows.end())
    return *rows.insert(std::move(row)).first;
  auto taken = rows.extract(found);
  taken.value() = std::move(row);
  return *rows.insert(std::move(taken)).position;
}

} // namespace

void registry_book::put(client_key key) {
  const auto& there = replace(keys_, std::move(key));
  count(there, 1);
  if (there.state == key_state::pooled)
    pool_.insert(there.id);
  if (there.why_suspended == suspension::by_budget)
    over_budget_.insert(there.id);
  if (const auto at = due(there))
    schedule_at(*at, there);
  if (const auto* owner = find_user(there.owner)) {
    auto& mine = by_owner_[owner];
    if (std::find(mine.begin(), mine.end(), &there) == mine.end())
      mine.push_back(&there);
  }
}

void registry_book::take_out(const client_key& key) {
  count(key, -1);
  pool_.erase(key.id);
  over_budget_.erase(key.id);
  if (const auto at = due(key))
    if (const auto* there = find(key.id))
      schedule_.erase({*at, there});
}

void registry_book::put(user person) {
  if (const auto* before = find_user(person.id)) {
    active_admins_ -= is_active_admin(*before) ? 1 : 0;
    if (const auto found = by_email_.find(before); found != by_email_.end() && *found == before)
      by_email_.erase(found);
  }
  const auto& there = replace(users_, std::move(person));
  active_admins_ += is_active_admin(there) ? 1 : 0;
  if (!there.email.empty() && there.state != user_state::deleted)
    by_email_.insert(&there);
}

bool registry_book::belongs_at(const client_key& key, const node_name& node) const {
  if (key.state != key_state::live)
    return false;
  return key.nodes.empty() || std::any_of(key.nodes.begin(), key.nodes.end(), [&](const std::string& one) {
           if (one == node)
             return true;
           const auto group = rules_.node_groups.find(one);
           return group != rules_.node_groups.end()
                  && std::find(group->second.begin(), group->second.end(), node) != group->second.end();
         });
}

client_key registry_book::shown(client_key key) const {
  key.sealed.clear();
  if (key.nodes.empty()) {
    key.nodes = rules_.nodes;
    return key;
  }
  std::vector<node_name> nodes;
  for (const auto& one : key.nodes) {
    const auto group = rules_.node_groups.find(one);
    for (const auto& node : group == rules_.node_groups.end() ? std::vector<node_name>{one} : group->second)
      if (std::find(nodes.begin(), nodes.end(), node) == nodes.end())
        nodes.push_back(node);
  }
  key.nodes = std::move(nodes);
  return key;
}

bool registry_book::changing(const client_key& key) const {
  if (key.state == key_state::external)
    return false;
  return std::any_of(rules_.nodes.begin(), rules_.nodes.end(), [&](const node_name& node) {
    return belongs_at(key, node) != std::binary_search(key.in_force.begin(), key.in_force.end(), node);
  });
}

/// The next moment at which time changes something about the key.
std::optional<moment> registry_book::due(const client_key& key) const {
  if (key.state != key_state::live && key.state != key_state::suspended)
    return std::nullopt;
  auto next = key.retires_at;
  if (key.expires_at) {
    auto at = *key.expires_at;
    for (std::size_t i = 0; i < rules_.reminders.size(); ++i)
      if ((key.reminders >> i & 1U) == 0) {
        at = *key.expires_at - rules_.reminders[i];
        break; // the longest one that was not told comes first
      }
    next = next ? std::min(*next, at) : at;
  }
  return next;
}

log_position registry_book::position_of(const std::string& command) const {
  const auto found = commands_.find(command);
  return found == commands_.end() ? 0 : found->second;
}

caf::expected<command_done> registry_book::answer_again(const registry_entry& entry) const {
  command_done out;
  out.position = entry.position;
  out.replayed = true;
  out.prices = entry.prices.size();
  for (const auto& change : entry.users)
    if (change.after)
      out.users.push_back(*change.after);
  for (const auto& change : entry.keys) {
    if (!change.after)
      continue;
    out.keys.push_back(*change.after);
    // Given out: it is live now and was nobody's before.
    const bool given =
      change.after->state == key_state::live && (!change.before || change.before->state == key_state::pooled);
    if (given && (entry.what == "key.assign" || entry.what == "key.rotate")) {
      auto text = text_of(*change.after);
      if (!text)
        return text.error();
      out.shown.push_back(std::move(*text));
    }
    out.keys.back() = shown(std::move(out.keys.back()));
  }
  return out;
}

std::optional<moment> registry_book::due_at() const {
  if (rules_.pool_size > 0 && pool_.size() < rules_.pool_low_water)
    return moment{};
  const auto& next = upcoming();
  return next.empty() ? std::nullopt : std::optional{next.begin()->first};
}

void registry_book::schedule_at(moment at, const client_key& key) const {
  constexpr std::size_t nearest = 16'384;
  if (at >= scheduled_until_)
    return;
  schedule_.emplace(at, &key);
  if (schedule_.size() < 2 * nearest)
    return;
  const auto until = std::next(schedule_.begin(), nearest)->first;
  if (until == schedule_.begin()->first)
    return; // all at once: they are all the nearest
  while (schedule_.rbegin()->first >= until)
    schedule_.erase(std::prev(schedule_.end()));
  scheduled_until_ = until;
}

const registry_book::schedule& registry_book::upcoming() const {
  if (schedule_.empty() && scheduled_until_ != moment::max()) {
    scheduled_until_ = moment::max();
    for (const auto& key : keys_)
      if (const auto at = due(key))
        schedule_at(*at, key);
  }
  return schedule_;
}

const client_key* registry_book::find(const key_id& id) const {
  const auto found = keys_.find(std::string_view(id));
  return found == keys_.end() ? nullptr : &*found;
}

const user* registry_book::find_user(const user_id& id) const {
  const auto found = users_.find(std::string_view(id));
  return found == users_.end() ? nullptr : &*found;
}

const user* registry_book::find_email(const std::string& email) const {
  const auto found = by_email_.find(std::string_view(email));
  return found == by_email_.end() ? nullptr : *found;
}

caf::expected<const client_key*> registry_book::find_text(std::string_view text) const {
  if (const auto* key = find(vault_.id_of(text)))
    return key;
  return judge_key(rules_.prefix, text) == key_writing::mistyped ? make_error(errc::key_mistyped)
                                                                 : make_error(errc::key_unknown);
}

const policy& registry_book::policy_of(const user& whose) const {
  static const policy built_in = [] {
    policy out;
    out.name = "default";
    return out;
  }();
  for (const auto& group : whose.groups)
    if (const auto found = policies_.find(group); found != policies_.end())
      return found->second;
  const auto found = policies_.find("default");
  return found == policies_.end() ? built_in : found->second;
}

std::vector<policy> registry_book::policies() const {
  std::vector<policy> out;
  for (const auto& [name, one] : policies_)
    out.push_back(one);
  return out;
}

const std::vector<const client_key*>& registry_book::keys_of(const user_id& whose) const {
  const auto found = by_owner_.find(find_user(whose));
  return found == by_owner_.end() ? no_keys : found->second;
}

key_page registry_book::keys(const list_keys& which) const {
  const auto limit = std::clamp(which.limit, 1U, largest_page);
  const auto fits = [&which](const client_key& key) {
    return key.id > which.after && (!which.state || key.state == *which.state)
           && (which.owner.empty() || key.owner == which.owner)
           && (which.waiting != list_keys::wait::renewal || key.renewal)
           && (which.waiting != list_keys::wait::choice || key.why_suspended == suspension::by_hand)
           && (which.text.empty() || holds(key.label, which.text) || holds(key.shown, which.text)
               || holds(key.id, which.text));
  };
  std::vector<const client_key*> found;
  if (!which.owner.empty()) {
    for (const auto* key : keys_of(which.owner))
      if (fits(*key))
        found.push_back(key);
  } else {
    for (const auto& key : keys_)
      if (fits(key))
        found.push_back(&key);
  }
  const auto count = std::min<std::size_t>(limit, found.size());
  std::partial_sort(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(count), found.end(),
                    [](const auto* a, const auto* b) { return a->id < b->id; });
  key_page out;
  out.more = found.size() > count;
  for (std::size_t i = 0; i < count; ++i)
    out.keys.push_back(shown(*found[i]));
  return out;
}

user_page registry_book::users(const list_users& which) const {
  const auto limit = std::clamp(which.limit, 1U, largest_page);
  user_page out;
  for (auto at = users_.upper_bound(std::string_view(which.after)); at != users_.end(); ++at) {
    const auto& one = *at;
    if ((which.state && one.state != *which.state)
        || (!which.text.empty() && !holds(one.email, which.text) && !holds(one.name, which.text)
            && !holds(one.label, which.text)))
      continue;
    if (out.users.size() == limit) {
      out.more = true;
      break;
    }
    out.users.push_back(one);
  }
  return out;
}

price_page registry_book::prices(const list_prices& which) const {
  const auto limit = std::clamp(which.limit, 1U, largest_page);
  price_page out;
  for (auto at = prices_.upper_bound(which.after); at != prices_.end(); ++at) {
    const auto& one = at->second;
    if (!which.text.empty() && !holds(one.model, which.text) && !holds(one.provider, which.text))
      continue;
    if (out.prices.size() == limit) {
      out.more = true;
      break;
    }
    out.prices.push_back(one);
  }
  return out;
}

registry_state registry_book::state() const {
  registry_state out;
  out.position = position_;
  out.users = users_.size();
  out.keys = counts_;
  out.made = origins_[0];
  out.imported = origins_[1];
  out.found = origins_[2];
  out.low_water = rules_.pool_low_water;
  out.changing = changing_;
  out.by_hand = by_hand_;
  out.renewals = renewals_;
  return out;
}

// --- deciding ----------------------------------------------------------------------

caf::expected<registry_book::decision> registry_book::decide(const registry_command& what, moment now) const {
  const auto& command = what.by.command;
  if (command.size() > 128 || !std::all_of(command.begin(), command.end(), [](char c) { return c > ' ' && c <= '~'; }))
    return make_error(errc::bad_request, "an idempotency key is 1 to 128 printable ASCII characters");
  draft out{*this, what.by, now};
  if (auto failed = std::visit([&out](const auto& question) { return out.work(question); }, what.what))
    return failed;
  if (auto failed = out.check_admins())
    return failed;
  return out.finish(name_of(what.what));
}

} // namespace keyportal
