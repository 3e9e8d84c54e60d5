#include "gateway/compat/key_guard.hpp"

#include <algorithm>

#include "gateway/compat/go_text.hpp"
#include "gateway/routes.hpp"

namespace keyportal::compat {

namespace {

constexpr int failures_to_ban = 5;
constexpr auto ban = std::chrono::minutes(30);
constexpr auto memory = std::chrono::hours(2);
constexpr std::size_t most_addresses = 4096;

} // namespace

key_guard::behaviour& key_guard::behaviour_of(const std::string& address, clock::time_point now) {
  if (addresses_.size() >= most_addresses && !addresses_.contains(address)) {
    std::erase_if(addresses_, [&](const auto& one) {
      return now - one.second.last > memory && !(one.second.banned_until && *one.second.banned_until > now);
    });
    if (addresses_.size() >= most_addresses) { // somebody has thousands of addresses: forget who was quiet longest
      const auto oldest = std::min_element(addresses_.begin(), addresses_.end(),
                                           [](const auto& a, const auto& b) { return a.second.last < b.second.last; });
      addresses_.erase(oldest);
    }
  }
  return addresses_[address];
}

key_guard::verdict key_guard::judge(std::string_view key, const std::string& address, clock::time_point now) {
  const consumer* who = nullptr;
  if (!key.empty())
    for (const auto& one : consumers_) // all of them, so that the time taken tells nothing
      if (gateway::same_secret(key, one.key) && who == nullptr)
        who = &one;
  const std::lock_guard lock(mutex_);
  const auto known = addresses_.find(address);
  if (known != addresses_.end()) {
    auto& tried = known->second;
    if (tried.banned_until && *tried.banned_until > now) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*tried.banned_until - now);
      return {nullptr, 403, "IP banned due to too many failed attempts. Try again in " + go_duration(left), true};
    }
    if (who || tried.banned_until || now - tried.last > memory)
      addresses_.erase(known);
  }
  if (who)
    return {who, 0, {}, false};
  auto& tried = behaviour_of(address, now);
  tried.last = now;
  if (++tried.failures >= failures_to_ban)
    tried.banned_until = now + ban;
  return {nullptr, 401, key.empty() ? "missing management key" : "invalid management key", false};
}

} // namespace keyportal::compat
