// Sums kept up as records come in: hourly and daily ones per node × client key × model, attempts per credential.
#pragma once

#include <cstdint>
#include <string>

#include <caf/expected.hpp>

#include "storage/row_changes.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

/// Full hours or days since 1970 in UTC; moments before it have negative numbers.
std::int32_t hour_of(std::int64_t unix_ns);
std::int32_t day_of(std::int64_t unix_ns);
inline constexpr std::int64_t hour_ns = 3'600'000'000'000;
inline constexpr std::int64_t day_ns = 24 * hour_ns;

/// A row of roll-ups, whichever period it is of.
struct rollup_place {
  std::uint32_t node = 0;
  std::int32_t start = 0;
  std::uint32_t client_key = 0;
  bool daily = false;
  bool operator==(const rollup_place&) const = default;
};
/// The attempts of one credential of one node.
struct credential_place {
  std::uint32_t node = 0;
  std::uint32_t auth_index = 0;
  bool operator==(const credential_place&) const = default;
};
struct place_hash {
  std::size_t operator()(const rollup_place& place) const;
  std::size_t operator()(const credential_place& place) const;
};
std::string row_key(const rollup_place& place);
std::string row_key(const credential_place& place);

/// The two places a record is added up in.
rollup_place hour_place(const record_key& key, name_number client_key);
rollup_place day_place(const record_key& key, name_number client_key);

using rollup_changes = row_changes<rollup_place, rollup_value, place_hash>;
using rollup_table = rollup_changes::table;
using credential_changes = row_changes<credential_place, credential_value, place_hash>;
using credential_table = credential_changes::table;

[[nodiscard]] caf::error add(rollup_changes& to, const record_key& key, const record_value& value,
                             const token_parts& parts);
[[nodiscard]] caf::error add(credential_changes& to, const record_key& key, const record_value& value);

} // namespace keyportal::storage
