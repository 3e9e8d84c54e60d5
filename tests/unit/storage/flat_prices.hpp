// Prices for tests of storage: every attempt costs the same.
#pragma once

#include <string>

#include "messages/pricing.hpp"

namespace keyportal::storage::test {

class flat_prices final : public pricing {
public:
  /// With a model: only its attempts have a price.
  explicit flat_prices(std::int64_t nano, std::string model = {}) : nano_(nano), model_(std::move(model)) {}
  [[nodiscard]] std::optional<std::int64_t> cost_of(const priced_attempt& what) const override {
    return model_.empty() || what.model == model_ ? std::optional{nano_} : std::nullopt;
  }

private:
  std::int64_t nano_;
  std::string model_;
};

} // namespace keyportal::storage::test
