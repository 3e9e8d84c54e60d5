#include "actors/analyst/ownership.hpp"

#include <algorithm>

namespace keyportal {

namespace {
std::int32_t day_of(moment at) {
  return static_cast<std::int32_t>(std::chrono::floor<std::chrono::days>(at).time_since_epoch().count());
}
} // namespace

ownership::ownership(const registry_image& image) : position_(image.position) {
  for (const auto& one : image.keys)
    put(one);
  for (const auto& one : image.users)
    put(one);
  for (const auto& one : image.policies)
    policies_.insert(one.name);
}

void ownership::take(const registry_entry& entry) {
  position_ = entry.position;
  for (const auto& change : entry.keys) {
    if (change.after)
      put(*change.after);
    else if (change.before)
      working_.erase(change.before->id); // what it used stays its owner's
  }
  for (const auto& change : entry.users)
    if (change.after)
      put(*change.after);
  for (const auto& change : entry.policies) {
    if (change.after)
      policies_.insert(change.after->name);
    else if (change.before)
      policies_.erase(change.before->name);
  }
}

void ownership::put(const client_key& key) {
  shown_[key.id] = key.label.empty() ? key.shown : key.label;
  if (key.state == key_state::live)
    working_.insert(key.id);
  else
    working_.erase(key.id);
  if (key.owner.empty())
    return;
  const auto since = key.assigned_at.value_or(moment{});
  owners_[key.id] = {key.owner, since};
  // A key of our own making works nowhere before it is somebody's.
  if (key.origin != key_origin::made)
    days_[key.id] = day_of(since);
}

void ownership::put(const user& who) {
  shown_[who.id] = who.email;
  groups_[who.id] = {who.groups, who.former};
}

const ownership::owner* ownership::owner_of(const key_id& key) const {
  const auto found = owners_.find(key);
  return found == owners_.end() ? nullptr : &found->second;
}

const group_name& ownership::deciding(const std::vector<group_name>& all) const {
  static const group_name of_all = "default";
  const auto found = std::find_if(all.begin(), all.end(), [&](const auto& one) { return policies_.contains(one); });
  return found == all.end() ? of_all : *found;
}

std::vector<ownership::membership> ownership::memberships_of(const user_id& user) const {
  std::vector<membership> out(1);
  if (user.empty())
    return out;
  const auto found = groups_.find(user);
  if (found == groups_.end()) {
    out.front().group = deciding({});
    return out;
  }
  const auto& [now, before] = found->second;
  for (std::size_t n = 0; n <= before.size(); ++n) {
    const auto& group = deciding(n < before.size() ? before[n].groups : now);
    if (n == 0)
      out.front().group = group;
    else if (out.back().group != group)
      out.push_back({group, before[n - 1].until});
  }
  return out;
}

std::vector<std::int32_t> ownership::days_of_change() const {
  std::vector<std::int32_t> out;
  out.reserve(days_.size());
  for (const auto& [key, day] : days_)
    out.push_back(day);
  for (const auto& [who, all] : groups_)
    for (const auto& one : all.before)
      out.push_back(day_of(one.until));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

const std::string& ownership::shown(const std::string& id) const {
  static const std::string nothing;
  const auto found = shown_.find(id);
  return found == shown_.end() ? nothing : found->second;
}

std::set<user_id> ownership::people_with_keys() const {
  std::set<user_id> out;
  for (const auto& key : working_)
    if (const auto* whose = owner_of(key))
      out.insert(whose->user);
  return out;
}

} // namespace keyportal
