// What a price may be, and how it is told and written. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "messages/prices.hpp"

namespace keyportal {

/// A dollar a token, or a request: whatever costs more is a mistake.
inline constexpr std::int64_t highest_rate = 1'000'000'000'000'000;
inline constexpr std::int64_t highest_multiplier_ppm = 1'000'000'000;
inline constexpr std::size_t longest_price_model = 160;
inline constexpr std::size_t longest_price_provider = 40;
inline constexpr std::size_t most_price_steps = 24;

/// In its form: names in lower case and trimmed, full seconds, steps in the order in which they count, `id` filled in.
/// `bad_request` for what makes no sense: no model, no price, a number out of its range, `until` before `from`.
caf::expected<price> tidy_price(price given);

/// Which price it is; `given` is tidy otherwise.
std::string price_id(const price& given);

/// Whether the pattern stands for the name; both in lower case.
bool model_fits(std::string_view pattern, std::string_view name);

std::string lower(std::string_view text);

/// "12.5" with nine digits behind the point at most, as a billion times that; nothing for anything else, negative or
/// above nine million.
std::optional<std::int64_t> nano_of(std::string_view decimal);
/// The other way round: "12.5".
std::string decimal_of(std::int64_t nano);

} // namespace keyportal
