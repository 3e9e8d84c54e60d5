// Which rows of roll-ups answer a question: days inside, hours at the edges, minutes where there are any. Pure.
#pragma once

#include <cstdint>
#include <vector>

#include <caf/expected.hpp>

#include "actors/analyst/calendar.hpp"
#include "messages/usage.hpp"
#include "storage/cells.hpp"

namespace keyportal {

/// Rows of one width whose start (since 1970, UTC, in units of that width) lies in [first, end).
struct row_run {
  storage::granularity by = storage::granularity::day;
  std::int32_t first = 0;
  std::int32_t end = 0;
  bool operator==(const row_run&) const = default;
};

struct usage_plan {
  moment from{}, to{}; ///< what the rows cover: the question's, rounded
  bool exact = true;   ///< no border was moved to an hour's
  std::vector<moment> starts;
  bool with_keys = false; ///< the question needs to know the key or its owner
  bool with_accounts = false;
  bool with_kinds = false; ///< the model or what goes with it
  /// No row lies across a border of a bucket, nor of what else the question tells apart by time. Ascending.
  std::vector<row_run> rows;
  std::vector<row_run> before; ///< of the same span of time before; none unless that is asked for
  moment before_from{};

  /// The view of rows of that width that says enough.
  [[nodiscard]] storage::cell_view view_of(storage::granularity by) const;
};

/// What the ledger has, and what must not be read in one piece.
struct plan_limits {
  std::int32_t first_minute = INT32_MIN;    ///< rows by minute begin there
  std::vector<std::int32_t> days_to_divide; ///< ascending; read by the hour
};

inline constexpr std::size_t most_buckets = 5000;
inline constexpr std::uint32_t most_rows = 1000;

/// `bad_request` for what makes no sense or is too much.
caf::expected<usage_plan> plan_usage(const usage_question& question, const calendar& zone, const plan_limits& limits);
/// Parts of it: whether a filter makes sense.
caf::error check(const usage_filter& where);

} // namespace keyportal
