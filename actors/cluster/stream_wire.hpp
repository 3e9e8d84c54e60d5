// What goes through streams between processes, as bytes: sealed with the installation's key, so that whoever may read the
// stream learns no name, no address and no key.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "messages/actors.hpp"
#include "messages/records.hpp"
#include "storage/seal.hpp"

namespace keyportal::cluster {

/// What one append to the registry's log brings everywhere.
struct registry_message {
  registry_entry
    entry; ///< without position and hash: its place in the stream is the one, the other follows from all before
  std::vector<node_event> events; ///< without sequences: each ledger gives its own
};

/// Records of one node as they were collected.
struct usage_message {
  node_name node;
  std::string from; ///< who published it: he has these records
  std::vector<record_group> groups;
};

inline constexpr std::size_t most_events_of_an_entry = 10'000;
inline constexpr std::size_t most_records_of_a_batch = 20'000;
/// Unsealed and unpacked; more is refused.
inline constexpr std::size_t longest_unpacked = std::size_t{8} << 20;

/// `position`: the one the entry will have. At any other place it cannot be opened.
[[nodiscard]] caf::expected<std::string> encode(const storage::sealer& seal, const registry_message& what,
                                                log_position position);
/// `seal_broken` for what another installation sealed, for another place, or what was changed; `file_version` for what a later
/// version wrote; `file_malformed` for what nothing of ours wrote.
[[nodiscard]] caf::expected<registry_message> decode_registry(const storage::sealer& seal, std::string_view bytes,
                                                              log_position position);

[[nodiscard]] caf::expected<std::string> encode(const storage::sealer& seal, const usage_message& what);
[[nodiscard]] caf::expected<usage_message> decode_usage(const storage::sealer& seal, std::string_view bytes);

/// So much of `what` each that every part fits an entry of a stream; in order, nothing twice.
[[nodiscard]] std::vector<usage_message> in_parts(usage_message what, std::size_t most_records);

} // namespace keyportal::cluster
