// How fast a channel may be used, and when to come again after it failed. Pure.
#pragma once

#include <chrono>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "messages/timestamp.hpp"

namespace keyportal {

/// What a channel's makers publish, less a fifth: what is counted here leaves a little later there. 0: no limit.
struct pace_limits {
  int per_second = 0;
  int per_minute = 0;
  int per_second_each = 0; ///< to one recipient
};
pace_limits published_limits(std::string_view channel_kind);

/// Counts what was begun within the last minute.
class pace_book {
public:
  explicit pace_book(pace_limits most) : most_(most) {}
  /// When the next one may begin: `now`, or later.
  [[nodiscard]] moment next(const std::string& recipient, moment now) const;
  void took(const std::string& recipient, moment now);

private:
  pace_limits most_;
  std::deque<moment> begun_;
  std::map<std::string, std::deque<moment>> begun_for_;
};

/// After that many failures in a row: 2 s, 4 s, … 15 min, each a quarter more or less. `chance` is from 0 to 1.
std::chrono::milliseconds backoff(std::size_t failures, double chance);

} // namespace keyportal
