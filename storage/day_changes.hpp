// Since when the roll-ups of a day are as they are, so that what was made of them can be kept in memory and used again.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "storage/values.hpp"

namespace keyportal::storage {

/// Any thread.
class day_changes {
public:
  using node_day = std::pair<name_number, std::int32_t>; ///< since 1970, UTC
  /// Numbers that ascend with every change. What was read after `now()` has all changes up to it.
  [[nodiscard]] std::uint64_t now() const;
  /// A batch that changes these is about to be written.
  void begin(const std::vector<node_day>& days);
  /// It has been, or never will be.
  void end(const std::vector<node_day>& days);
  /// Nobody knows what changed.
  void forget();
  /// The last change in [first, end); UINT64_MAX while one is under way.
  [[nodiscard]] std::uint64_t last(name_number node, std::int32_t first, std::int32_t end) const;

private:
  mutable std::mutex mutex_;
  std::uint64_t count_ = 1;
  std::uint64_t before_all_ = 1; ///< of days that are not listed
  std::map<node_day, std::uint64_t> days_;
};

} // namespace keyportal::storage
