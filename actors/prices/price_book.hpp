// A set of prices, made ready for being asked often.
#pragma once

#include <memory>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "messages/prices.hpp"
#include "messages/pricing.hpp"

namespace keyportal {

/// Of the prices that are for the model (else for the alias), the provider and the moment: one set by hand comes before
/// others, then the one with the later `from`, then the more exact one (a name before a pattern, with a provider before
/// without, more letters before fewer), then the one set later.
///
/// The cost is the sum over all kinds of tokens of count and rate, plus that of the request, times the multiplier;
/// worked out exactly and rounded once, halves up. Counts below 0 are 0; unclassified tokens cost what input does.
/// A failed attempt without tokens costs nothing, whatever the model, and the request is not charged either.
class price_book final : public pricing {
public:
  explicit price_book(std::vector<price> prices);
  ~price_book() override;

  [[nodiscard]] std::optional<std::int64_t> cost_of(const priced_attempt& what) const override;
  /// The one that counts; null when there is none. Lives as long as the book.
  [[nodiscard]] const price* find(const priced_attempt& what) const;
  [[nodiscard]] std::size_t size() const { return prices_.size(); }

private:
  using candidates = std::vector<const price*>; ///< in the order in which they count
  [[nodiscard]] std::shared_ptr<const candidates> candidates_for(const priced_attempt& what) const;
  void add_fitting(std::string_view name, std::string_view provider, candidates& to) const;

  std::vector<price> prices_;
  std::unordered_map<std::string, std::vector<const price*>> by_name_; ///< those that are no patterns
  std::vector<const price*> patterns_;
  mutable std::shared_mutex mutex_;
  mutable std::unordered_map<std::string, std::shared_ptr<const candidates>> found_; ///< by model, alias and provider
};

/// The rates that hold for an attempt, every one of them set.
price_rates rates_for(const price& of, std::string_view tier, std::int64_t input_tokens);

} // namespace keyportal
