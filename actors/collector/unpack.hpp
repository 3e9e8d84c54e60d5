// From payloads as they came to what the ledger takes: records, dead letters, account errors. Pure.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "messages/actors.hpp"

namespace keyportal {

struct unpacked {
  std::vector<record_group> groups;
  std::vector<dead_letter> dead;
  std::vector<node_event> events;
  std::uint64_t records = 0;
  std::uint64_t notices = 0;                           ///< what CPA says of itself in between; of no further use
  std::unordered_map<std::string, std::size_t> places; ///< in `groups`, by size of the model's name, model and key
};

/// Adds the payloads of one message to `into`. Whatever cannot be understood becomes a dead letter, and so does a record
/// from before `first_ns`, which the ledger would refuse: of a node whose clock is wrong nothing is lost.
void unpack(const node_name& node, moment at, inbox_channel channel, const payload_batch& payloads, unpacked& into,
            std::int64_t first_ns = INT64_MIN);

} // namespace keyportal
