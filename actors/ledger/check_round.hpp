// One walk over all days of roll-ups: what comes next, what was found. No actor; reads the ledger it is given.
#pragma once

#include <vector>

#include <caf/expected.hpp>

#include "messages/ledger_check.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// One thread.
class check_round {
public:
  explicit check_round(bool mends) { told_.mends = mends; }

  /// Looks for the days. Takes time in proportion to the roll-ups.
  [[nodiscard]] caf::error begin(const storage::ledger& books);
  [[nodiscard]] bool done() const { return next_ == days_.size(); }
  /// The day that comes next; not when it is done.
  [[nodiscard]] const storage::ledger::usage_day& day() const { return days_[next_]; }
  /// What was found of it; goes on to the one behind it.
  void found(std::uint64_t rows_wrong, std::uint64_t rows_mended);
  /// No more of it.
  void end(std::string problem = {});
  [[nodiscard]] const ledger_check& told() const { return told_; }

private:
  ledger_check told_{.mends = false,
                     .running = true,
                     .days = 0,
                     .days_done = 0,
                     .rows_wrong = 0,
                     .rows_mended = 0,
                     .days_wrong = 0,
                     .wrong = {},
                     .problem = {}};
  std::vector<storage::ledger::usage_day> days_;
  std::size_t next_ = 0;
};

} // namespace keyportal
