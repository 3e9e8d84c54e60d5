#include "storage/day_changes.hpp"

#include <algorithm>

namespace keyportal::storage {

std::uint64_t day_changes::now() const {
  const std::lock_guard lock{mutex_};
  return count_;
}

void day_changes::begin(const std::vector<node_day>& days) {
  const std::lock_guard lock{mutex_};
  for (const auto& day : days)
    days_[day] = UINT64_MAX;
}

void day_changes::end(const std::vector<node_day>& days) {
  const std::lock_guard lock{mutex_};
  ++count_;
  for (const auto& day : days)
    days_[day] = count_;
}

void day_changes::forget() {
  const std::lock_guard lock{mutex_};
  before_all_ = ++count_;
  days_.clear();
}

std::uint64_t day_changes::last(name_number node, std::int32_t first, std::int32_t end) const {
  const std::lock_guard lock{mutex_};
  auto out = before_all_;
  for (auto at = days_.lower_bound({node, first}); at != days_.end() && at->first < node_day{node, end}; ++at)
    out = std::max(out, at->second);
  return out;
}

} // namespace keyportal::storage
