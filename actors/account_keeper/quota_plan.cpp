#include "actors/account_keeper/quota_plan.hpp"

#include <algorithm>

namespace keyportal {

namespace {

/// The same for the same account, in [0, 1): so that not all are asked at once.
double place_of(const account_id& id) {
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : id)
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  hash ^= hash >> 32;
  return static_cast<double>(hash & 0xffffffU) / 16'777'216.0;
}

} // namespace

bool quota_plan::busy(const node_name& node) const {
  const auto found = under_way_.find(node);
  return found != under_way_.end() && found->second > 0;
}

void quota_plan::there(const account_id& id, const node_name& node, std::int64_t stamp, time now) {
  auto [at, fresh] = entries_.try_emplace(id);
  auto& e = at->second;
  e.node = node;
  const bool changed = !fresh && e.stamp != stamp;
  e.stamp = stamp;
  if (interval_.count() <= 0)
    return;
  // The first time within a minute or the interval, whichever is shorter.
  const auto first = std::min<std::chrono::milliseconds>(interval_, std::chrono::seconds{60});
  const auto spread = std::chrono::duration_cast<std::chrono::nanoseconds>(first * place_of(id));
  if (fresh || (changed && !e.due)) {
    e.due = now + spread;
    e.failures = 0;
  }
}

void quota_plan::gone(const account_id& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end())
    return;
  if (found->second.under_way)
    --under_way_[found->second.node];
  entries_.erase(found);
}

bool quota_plan::hurry(const account_id& id, time now) {
  const auto found = entries_.find(id);
  if (found == entries_.end())
    return false;
  auto& e = found->second;
  if (e.under_way || (e.last && now - *e.last < least_between))
    return false;
  e.due = now;
  return true;
}

std::optional<account_id> quota_plan::next(const node_name& node, time now) const {
  if (busy(node))
    return std::nullopt;
  const entry* best = nullptr;
  const account_id* id = nullptr;
  for (const auto& [key, e] : entries_) {
    if (e.node != node || e.under_way || !e.due || *e.due > now || (e.last && now - *e.last < least_between))
      continue;
    if (best == nullptr || *e.due < *best->due) {
      best = &e;
      id = &key;
    }
  }
  return id == nullptr ? std::nullopt : std::optional(*id);
}

std::optional<quota_plan::time> quota_plan::wake_at() const {
  std::optional<time> out;
  for (const auto& [key, e] : entries_) {
    if (e.under_way || !e.due || busy(e.node))
      continue;
    const auto at = e.last ? std::max(*e.due, *e.last + least_between) : *e.due;
    if (!out || at < *out)
      out = at;
  }
  return out;
}

void quota_plan::asked(const account_id& id, time now) {
  const auto found = entries_.find(id);
  if (found == entries_.end())
    return;
  found->second.under_way = true;
  found->second.last = now;
  ++under_way_[found->second.node];
}

void quota_plan::answered(const account_id& id, outcome how, time now) {
  const auto found = entries_.find(id);
  if (found == entries_.end())
    return;
  auto& e = found->second;
  if (e.under_way)
    --under_way_[e.node];
  e.under_way = false;
  e.failures = how == outcome::told ? 0 : std::min(e.failures + 1, 10);
  if (interval_.count() <= 0 || how == outcome::refused) {
    e.due.reset();
    return;
  }
  std::chrono::nanoseconds pause = std::max<std::chrono::nanoseconds>(interval_, least_between);
  if (how != outcome::told) { // twice as long each time, at least a minute when it is asked for
    if (how == outcome::slow_down)
      pause = std::max<std::chrono::nanoseconds>(pause, std::chrono::minutes{1});
    for (int i = 0; i < e.failures && pause < longest_pause; ++i)
      pause *= 2;
    pause = std::max<std::chrono::nanoseconds>(std::min<std::chrono::nanoseconds>(pause, longest_pause), interval_);
  }
  // In step with itself: what was due then is due an interval later, so that the spread stays.
  const auto was = e.due.value_or(now);
  e.due = how == outcome::told && was + pause > now && now - was < pause ? was + pause : now + pause;
}

} // namespace keyportal
