// Prices of models: what the registry holds of them. Plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "messages/ids.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

/// Who said so. On disk.
enum class price_source : std::uint8_t { by_hand = 1, imported = 2, litellm = 3, models_dev = 4 };

/// Billionths of a US dollar, for a million tokens: what costs less than a billionth a token has a price too. Not set:
/// see `price`.
struct price_rates {
  std::optional<std::int64_t> input = {}, output = {}, cache_read = {}, cache_write = {}, reasoning = {};
  std::optional<std::int64_t> request = {};        ///< billionths of a US dollar for a request
  std::optional<std::int64_t> multiplier_ppm = {}; ///< of all together, in millionths
  bool operator==(const price_rates&) const = default;
};

/// What other rates hold, for which requests.
struct price_step {
  std::string tier = {};  ///< "priority", "flex", "batch", …; empty: of all
  std::int64_t above = 0; ///< of requests with more input tokens than this, cached ones included; 0: of all
  price_rates rates = {};
  bool operator==(const price_step&) const = default;
};

/// A model's price from some time on. Source, provider, `from` and model tell it from others.
/// Rates come from `rates`; each step that fits puts its own in their place, those with a higher `above` later, and at
/// the same `above` those of a tier later. What is still not set then: cache_read and cache_write cost what input does,
/// reasoning what output does, the multiplier is 1, all others are 0.
struct price {
  std::string id;
  std::string model;                           ///< in lower case; * stands for any characters
  std::string provider;                        ///< likewise, without *; empty: any
  std::optional<moment> from = {}, until = {}; ///< [from, until), full seconds; not set: always
  price_source source = price_source::by_hand;
  price_rates rates = {};
  std::vector<price_step> steps = {}; ///< in the order in which they count
  moment set_at{};
  bool operator==(const price&) const = default;
};

/// What a reprice changed of one record.
struct cost_change {
  key_id key;
  moment at{};
  std::int64_t by_nano = 0;
};

} // namespace keyportal
