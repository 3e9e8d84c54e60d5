// When raw records may go, and what the size of the data folder means. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "messages/timestamp.hpp"

namespace keyportal {

struct retention_rules {
  std::chrono::seconds keep{0}; ///< 0: for ever
  std::uint64_t max_bytes = 0;  ///< of the data folder; 0: no limit
};

class retention_plan {
public:
  enum class room : std::uint8_t { fine, near, full };

  explicit retention_plan(retention_rules rules) : rules_(rules) {}

  /// Days (since 1970, UTC) before this one have been kept long enough; INT32_MIN: none have.
  [[nodiscard]] std::int32_t first_kept_day(moment now) const {
    return rules_.keep.count() == 0 ? INT32_MIN : day_of(now - rules_.keep);
  }
  /// Days before this one may go for want of room: never yesterday's or today's.
  [[nodiscard]] std::int32_t first_young_day(moment now) const { return day_of(now) - 1; }

  /// Near from 80 % on, full from 95 %; over only below 75 and 90 %, so that nothing is told over and over.
  room measured(std::uint64_t bytes) {
    if (rules_.max_bytes == 0)
      return now_ = room::fine;
    const auto share = static_cast<double>(bytes) / static_cast<double>(rules_.max_bytes);
    if (share >= 0.95 || (now_ == room::full && share >= 0.90))
      now_ = room::full;
    else
      now_ = share >= 0.80 || (now_ != room::fine && share >= 0.75) ? room::near : room::fine;
    return now_;
  }

  /// An hour must pass before what came lately may go: an import of an old file is under way perhaps, of which a part
  /// would be refused when its days are closed. `position`: of the ledger now. Gives up to where all may go; 0: nothing.
  std::uint64_t settled(std::chrono::steady_clock::time_point now, std::uint64_t position) {
    if (!noted_ || now - noted_at_ >= std::chrono::hours{1}) {
      settled_ = noted_ ? noted_position_ : 0;
      noted_ = true;
      noted_at_ = now;
      noted_position_ = position;
    }
    return settled_;
  }

private:
  static std::int32_t day_of(moment at) {
    return static_cast<std::int32_t>(
      std::chrono::floor<std::chrono::duration<std::int64_t, std::ratio<86'400>>>(at.time_since_epoch()).count());
  }

  retention_rules rules_;
  room now_ = room::fine;
  bool noted_ = false;
  std::chrono::steady_clock::time_point noted_at_{};
  std::uint64_t noted_position_ = 0;
  std::uint64_t settled_ = 0;
};

} // namespace keyportal
