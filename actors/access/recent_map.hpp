// A table of bounded size that strangers may fill: what was used least lately goes first.
#pragma once

#include <cstddef>
#include <list>
#include <unordered_map>
#include <utility>

#include "actors/access/secret_bytes.hpp"

namespace keyportal {

/// By keyed hashes, so that nobody can choose names that collide, and no name of a person lies in memory. All O(1). One
/// thread.
template <class Value>
class recent_map {
public:
  explicit recent_map(std::size_t most) : most_(most == 0 ? 1 : most) {}

  /// Nothing when it is not there. Does not count as use.
  [[nodiscard]] const Value* look(const digest& key) const {
    const auto found = places_.find(key);
    return found == places_.end() ? nullptr : &found->second->second;
  }
  [[nodiscard]] Value* find(const digest& key) {
    const auto found = places_.find(key);
    if (found == places_.end())
      return nullptr;
    order_.splice(order_.begin(), order_, found->second);
    return &found->second->second;
  }
  /// Makes it when it is not there; then the one that was used least lately goes if there are too many.
  Value& at(const digest& key) {
    if (auto* value = find(key))
      return *value;
    if (places_.size() == most_) {
      places_.erase(order_.back().first);
      order_.pop_back();
    }
    order_.emplace_front(key, Value{});
    places_.emplace(key, order_.begin());
    return order_.front().second;
  }
  void erase(const digest& key) {
    const auto found = places_.find(key);
    if (found == places_.end())
      return;
    order_.erase(found->second);
    places_.erase(found);
  }
  [[nodiscard]] std::size_t size() const { return places_.size(); }

private:
  using row = std::pair<digest, Value>;
  std::size_t most_;
  std::list<row> order_; ///< used last in front
  std::unordered_map<digest, typename std::list<row>::iterator, digest_hash> places_;
};

} // namespace keyportal
