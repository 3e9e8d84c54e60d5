// Price lists that others publish, as prices. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "messages/prices.hpp"

namespace keyportal {

struct price_list {
  std::vector<price> prices;        ///< tidy, without `from` and `until`, each id once
  std::uint64_t without_price = 0;  ///< entries that say no price for tokens or requests, or 0 for all
  std::vector<std::string> refused; ///< names of entries that cannot be understood, the first few
  std::uint64_t refused_count = 0;
};

/// LiteLLM's model_prices_and_context_window.json. A name with a seller in front ("azure/gpt-5") becomes a price for
/// that provider; of the makers themselves, and where a name stands without a seller, one for any provider.
/// `file_malformed` for what is no such file or holds no price.
caf::expected<price_list> read_litellm(std::string_view json);

/// models.dev's api.json, likewise.
caf::expected<price_list> read_models_dev(std::string_view json);

} // namespace keyportal
