// Prices as people write and read them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/cli/answers.hpp"
#include "actors/cli/usage_sources.hpp"
#include "config/command_line.hpp"
#include "messages/actors.hpp"

namespace keyportal::cli {

/// A day ("2026-04-02", its beginning in UTC) or an RFC 3339 moment; not set for an empty text. `bad_request` with the
/// option's name.
caf::expected<std::optional<moment>> moment_of_words(const std::string& option, const std::string& text);
/// What `prices set` was given. `bad_request`.
caf::expected<price> price_of_words(const price_words& words);
/// An amount in the currency that costs are shown in: "12.34 USD", with more digits where it is small.
std::string money_text(const settings& values, std::int64_t nano);

/// Sets them, all or none.
caf::expected<nlohmann::json> send_prices(const context& here, const service& portal, const std::vector<price>& prices);
/// Prices of another tool: those it does not mention stay, those set by hand come before them.
struct moved_prices {
  std::uint64_t added = 0; ///< with those that changed
  std::uint64_t known = 0;
  std::uint64_t by_hand = 0; ///< not taken, since set by hand here
  std::uint64_t refused = 0; ///< no prices, or 0 for everything
};
caf::expected<moved_prices> move_prices_in(const context& here, const service& portal,
                                           const std::vector<peer_price>& peers, moment now, bool dry_run);

/// All that the registry has.
caf::expected<std::vector<price>> all_prices(const service& portal);

} // namespace keyportal::cli
