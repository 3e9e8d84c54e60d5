// Hourly and daily sums per node × client key × model, kept up as records come in.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include <caf/expected.hpp>

#include "storage/database.hpp"
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
struct rollup_place_hash {
  std::size_t operator()(const rollup_place& place) const;
};
using rollup_table = std::unordered_map<rollup_place, rollup_value, rollup_place_hash>;

/// The two places a record is added up in.
rollup_place hour_place(const record_key& key, name_number client_key);
rollup_place day_place(const record_key& key, name_number client_key);

/// The roll-ups that one commit changes. Each row is read once (from the cache of the last commits or the database),
/// added to in memory and written once, whatever number of records falls into it. One thread.
class rollup_changes {
public:
  /// `cache` outlives this object.
  rollup_changes(const database& db, rollup_table& cache) : db_(&db), cache_(&cache) {}

  [[nodiscard]] caf::error add(const record_key& key, const record_value& value);
  void write_to(rocksdb::WriteBatch& batch) const;
  /// The batch is on disk.
  void keep();

private:
  [[nodiscard]] caf::expected<rollup_value*> at(const rollup_place& place);

  const database* db_;
  rollup_table* cache_;
  rollup_table changed_;
};

} // namespace keyportal::storage
