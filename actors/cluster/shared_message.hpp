// What several processes tell each other through their shared log, as bytes: sealed with the installation's key, so that
// whoever may read the stream learns no name, no address and no key.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <caf/expected.hpp>

#include "messages/actors.hpp"
#include "storage/seal.hpp"
#include "storage/shared.hpp"

namespace keyportal::cluster {

/// One change of what all processes hold, as one of them proposes it. Every ledger follows the same log from its beginning
/// and so takes, or leaves out, the same ones in the same order.
struct shared_message {
  std::string from;         ///< member that proposes
  std::uint64_t number = 0; ///< his 1st, 2nd, …
  std::string duty;         ///< for whose holder alone it is; empty: anybody may
  std::uint64_t fence = 0;  ///< of his hold on the duty: once a higher one was seen it comes too late
  /// Of a collection what is its process's own (`inbox_done`, `dead`, `replayed_letters`) is left out, likewise
  /// `dropped_letters` of a journal entry; what is retired is a day's closing only. Prices of an entry are not in it.
  std::variant<collection, journal_entry, append_entry, consumer_progress, outbox_acked, storage::shared_rows,
               reprice_prices>
    what;
};

inline constexpr std::size_t longest_shared_message = 900 * 1024;
/// Unsealed and unpacked; more is refused.
inline constexpr std::size_t longest_unpacked = std::size_t{8} << 20;
/// So many records of a collection fit a message, whatever they hold: what is longer is cut.
inline constexpr std::size_t records_of_a_message = 1000;

/// `body_too_large` for what does not fit.
[[nodiscard]] caf::expected<std::string> encode(const storage::sealer& seal, const shared_message& what);
/// `seal_broken` for what another installation sealed or what was changed; `file_version` for what a later version wrote;
/// `file_malformed` for what nothing of ours wrote.
[[nodiscard]] caf::expected<shared_message> decode(const storage::sealer& seal, std::string_view bytes);

/// In the order of the records; the last one holds all else: marks, counters, facts. So what is remembered of a node is
/// never ahead of its records.
[[nodiscard]] std::vector<collection> in_parts(collection what, std::size_t most_records = records_of_a_message);

} // namespace keyportal::cluster
