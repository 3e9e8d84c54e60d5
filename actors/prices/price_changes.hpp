// What taking a price list would change. Pure.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "messages/prices.hpp"

namespace keyportal {

struct price_changes {
  std::vector<price> added;                     ///< were not there; hold for all of the past as well
  std::vector<std::pair<price, price>> changed; ///< old → new: the old one holds until now, the new one from now on
  std::vector<price> dropped;                   ///< of this source and not in the list: hold until now
  std::vector<price> by_hand;                   ///< in the list, but one set by hand holds for them: not taken
  std::uint64_t same = 0;
  std::vector<price> puts; ///< what to put for all of it to be so
};

/// `there` is all that the registry has, `list` of one `source`, tidy. What costs were before now stays answerable:
/// nothing of the past is changed. `only` (empty: all) is a pattern of models that the list and what it drops are
/// narrowed to.
price_changes compare_prices(const std::vector<price>& there, const std::vector<price>& list, price_source source,
                             const std::string& only, moment now);

/// "input 3 → 2.5, output 15 → 12": what differs, in dollars for a million tokens.
std::string difference_of(const price& before, const price& after);
/// "input 3, output 15, cache read 0.3; above 200,000: …"
std::string shown_rates(const price& of);

} // namespace keyportal
