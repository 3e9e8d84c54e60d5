// Prices as people write and read them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "actors/cli/answers.hpp"
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

/// All that the registry has.
caf::expected<std::vector<price>> all_prices(const service& portal);

} // namespace keyportal::cli
