// What a ledger holds of each node and day, short enough to be compared over a network.
#pragma once

#include <nlohmann/json.hpp>

#include "storage/ledger.hpp"

namespace keyportal {

/// position, registry, days[{node, day, records, ids, requests, tokens, cost_nano}]. `ids` is the same for the same records, in
/// whatever order they came; the last three are of the roll-ups. Reads every record's key.
caf::expected<nlohmann::json> summary_of(const storage::ledger& store);

/// What differs among several: sentences; none: they are equal. Only ledgers at the same position can be compared, so an
/// answer names the positions first.
std::vector<std::string> differences(const std::vector<std::pair<std::string, nlohmann::json>>& all);

} // namespace keyportal
