// The queue of usage records nobody is subscribed to. No clock, no lock, no input or output.
#pragma once

#include "attempt.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <utility>
#include <vector>

namespace keyportal::cpa_sim {

/// Numbers of records, as inclusive ranges in ascending order.
using record_ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;
/// Adds a number that is not below any added before.
void add_number(record_ranges& ranges, std::uint64_t number);
std::uint64_t count_of(const record_ranges& ranges);

/// First in, first out; who pops takes. Not thread-safe; time is an argument.
class usage_queue {
public:
  using time = std::chrono::steady_clock::time_point;
  struct item {
    std::uint64_t number; ///< of the record in the oracle
    time queued_at;
    attempt what;
  };

  void push(std::uint64_t number, attempt a, time now) { items_.push_back({number, now, std::move(a)}); }
  /// Drops what is older than `keep`; CPA looks only when something is queued or popped.
  record_ranges expire(std::chrono::seconds keep, time now);
  /// The oldest, at most `count`.
  std::vector<item> pop(std::size_t count);
  /// Drops everything, as when the management secret goes.
  record_ranges clear();
  [[nodiscard]] std::size_t size() const { return items_.size(); }

private:
  std::deque<item> items_;
};

/// What the setting means: 60 s when not positive, an hour at most.
std::chrono::seconds retention_of(long configured);

} // namespace keyportal::cpa_sim
