// What CPA's token counts mean for each provider, brought into one form. Pure.
#pragma once

#include <optional>
#include <string_view>

#include "messages/records.hpp"

namespace keyportal {

/// CPA's own division of a record's tokens (`token_breakdown`, from 7.2.97).
struct token_breakdown {
  enum class quality : std::uint8_t { complete, inconsistent, unclassified };
  quality how = quality::unclassified;
  token_parts parts;
};

/// Everything a record says about its tokens.
struct token_evidence {
  std::string_view provider; ///< empty in details of `/usage`, which has none
  std::string_view model;
  token_counts raw;                ///< as recorded, before `normalise`
  std::int64_t cache_read = 0;     ///< from 7.0.3
  std::int64_t cache_creation = 0; ///< from 7.0.3
  std::optional<token_breakdown> breakdown;
};

/// The same tokens as parts whose sum is comparable over versions and providers. CPA's own division wins when there is
/// one. Else the provider's name decides, and the model's where the provider tells nothing (details of `/usage`; before
/// 7.2.21 the provider of an OpenAI-compatible upstream is whatever its owner called it):
///   claude     input excludes what the cache gave and took, so the three are added
///   gemini     cache lies in input, reasoning beside output
///   the others cache lies in input, reasoning in output
/// A part larger than the whole it lies in makes all of it `unclassified`. What CPA's total has above the parts is
/// `unclassified` too, but not where the total is CPA's own stopgap for a provider that sent none. Before 7.1.26 the
/// total of claude is smaller than the parts, and no version needs to be known for that.
/// Negative counts stay negative; sums stop at the ends of 64 bits.
token_parts normalise_tokens(const token_evidence& evidence);

/// The same where only the model and the counts are known: details of `/usage`, and of files.
token_parts parts_by_model(std::string_view model, const token_counts& raw);

} // namespace keyportal
