// Roll-ups made anew from the records, day by day: to compare, to mend, and to make them in the first place. For the
// ledger's own files only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include <caf/expected.hpp>

#include "storage/database.hpp"
#include "storage/ledger.hpp"
#include "storage/names.hpp"
#include "storage/retirement.hpp"

namespace keyportal::storage {

struct numbered_day {
  name_number node = 0;
  std::int32_t day = 0; ///< since 1970, UTC
  auto operator<=>(const numbered_day&) const = default;
};

/// The days of which there are records, or roll-ups of not before `first_ns` of their node, ascending.
caf::expected<std::vector<numbered_day>> days_with_usage(const database& db, const rocksdb::Snapshot* as_of,
                                                         const std::map<name_number, std::int64_t>& first_ns);

/// The hour of the node's newest record; no_hour: it has none.
caf::expected<std::int32_t> newest_hour(const database& db, name_number node);

using day_visitor = std::function<void(const record_key&, const record_value&, const token_parts&)>;
/// How many rows are missing, too many or wrong. With `mended` not null: what makes them right goes there. Not for days
/// whose records have gone. `visit`, if set, is called for each record.
caf::expected<std::uint64_t> compare_day(const database& db, const names& dictionary, const rocksdb::Snapshot* as_of,
                                         const numbered_day& which, std::int32_t first_minute, std::int32_t open_hour,
                                         rocksdb::WriteBatch* mended, const day_visitor& visit = {});

/// The first of the eight days that share a row with that one.
std::int32_t eight_days_of(std::int32_t day);
/// The same for the rows of eight days, of which `begin` is the first; they are compared with the rows of the days.
/// `wanted`, if set, is asked with the first of them that has rows: false leaves it be.
caf::expected<std::uint64_t> compare_eight_days(const database& db, const rocksdb::Snapshot* as_of, name_number node,
                                                std::int32_t begin, std::int32_t open_hour,
                                                const std::function<bool(std::int32_t first_day)>& wanted,
                                                rocksdb::WriteBatch* mended);

/// Makes all rows of hours and of longer periods anew out of those by hour in the view `all`, and writes those by minute
/// as they are written today. For the migration; may be interrupted and begun again.
caf::error remake_rows(database& db);

} // namespace keyportal::storage
