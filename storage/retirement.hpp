// What goes when raw records have been kept long enough; for the ledger's own files only. Others hand it on unseen.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "messages/ids.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

/// Two steps, each a commit of its own. First a node's days before `first_ns` are closed: what comes of them later is
/// refused. Then, day by day, `check_day` adds up the records of a closed day, which nothing can change any more; if the
/// roll-ups say the same, the rows go in one batch with what has to be remembered of them.
struct retirement {
  struct counted_day {
    std::int32_t day = 0; ///< since 1970, UTC
    std::uint64_t records = 0;
    node_value::gone_records gone;
    std::map<name_number, credential_value> credentials; ///< by auth index; `ok` and `failed` only
    std::vector<sequence_range> arrivals; ///< rows (by their last sequence) of which no record has a row then
  };
  node_name node;
  std::int64_t first_ns = INT64_MIN; ///< at the least, from now on
  std::optional<counted_day> day;    ///< that goes
};

/// Records of a day lie in [first, end).
struct record_span_of_day {
  std::string first;
  std::string end;
};
record_span_of_day records_of_day(name_number node, std::int32_t day);

/// When a day (since 1970, UTC) begins; stops at the ends of 64 bits.
std::int64_t begin_of_day(std::int32_t day);

} // namespace keyportal::storage
