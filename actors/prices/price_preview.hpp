// What taking a published price list would change, to be told. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>
#include <nlohmann/json_fwd.hpp>

#include "actors/prices/price_changes.hpp"
#include "actors/prices/price_files.hpp"

namespace keyportal {

/// new[], changed[{before, after}], dropped[], by_hand[], same, without_price, not_understood
nlohmann::json json_of(const price_list& list, const price_changes& changes);

/// The same as a text, with `puts`: the prices to put for all of it to be so. `format` is litellm or models-dev. Errors:
/// those of the list's reader.
caf::expected<std::string> preview_prices(const std::vector<price>& there, std::string_view format,
                                          std::string_view list, const std::string& only, moment now);

} // namespace keyportal
