#include "actors/analyst/ownership.hpp"

#include <algorithm>

namespace keyportal {

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
    days_[key.id] = static_cast<std::int32_t>(std::chrono::floor<std::chrono::days>(since).time_since_epoch().count());
}

void ownership::put(const user& who) {
  shown_[who.id] = who.email;
  groups_[who.id] = who.groups;
}

const ownership::owner* ownership::owner_of(const key_id& key) const {
  const auto found = owners_.find(key);
  return found == owners_.end() ? nullptr : &found->second;
}

std::string ownership::group_of(const user_id& user) const {
  if (user.empty())
    return {};
  if (const auto found = groups_.find(user); found != groups_.end())
    for (const auto& group : found->second)
      if (policies_.contains(group))
        return group;
  return "default";
}

std::vector<std::int32_t> ownership::days_of_change() const {
  std::vector<std::int32_t> out;
  out.reserve(days_.size());
  for (const auto& [key, day] : days_)
    out.push_back(day);
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
