#include "usage_queue.hpp"

#include <algorithm>

namespace keyportal::cpa_sim {

void add_number(record_ranges& ranges, std::uint64_t number) {
  if (!ranges.empty() && ranges.back().second + 1 == number) {
    ++ranges.back().second;
  } else {
    ranges.emplace_back(number, number);
  }
}

std::uint64_t count_of(const record_ranges& ranges) {
  std::uint64_t count = 0;
  for (const auto& [first, last] : ranges)
    count += last - first + 1;
  return count;
}

record_ranges usage_queue::expire(std::chrono::seconds keep, time now) {
  record_ranges gone;
  for (; !items_.empty() && items_.front().queued_at < now - keep; items_.pop_front())
    add_number(gone, items_.front().number);
  return gone;
}

std::vector<usage_queue::item> usage_queue::pop(std::size_t count) {
  std::vector<item> taken;
  count = std::min(count, items_.size());
  taken.reserve(count);
  for (; count > 0; --count, items_.pop_front())
    taken.push_back(std::move(items_.front()));
  return taken;
}

record_ranges usage_queue::clear() {
  record_ranges gone;
  for (const auto& i : items_)
    add_number(gone, i.number);
  items_.clear();
  return gone;
}

std::chrono::seconds retention_of(long configured) {
  return std::chrono::seconds(configured <= 0 ? 60 : std::min(configured, 3600L));
}

} // namespace keyportal::cpa_sim
