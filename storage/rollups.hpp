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

/// The sums that one commit changes. Each is read once (from the cache of the last commits or the database), added to
/// in memory and written once, whatever number of records falls into it. One thread.
class rollup_changes {
public:
  struct cell {
    std::uint32_t node = 0;
    std::int32_t start = 0;
    std::uint32_t client_key = 0;
    std::uint32_t model = 0;
    bool daily = false;
    bool operator==(const cell&) const = default;
  };
  struct cell_hash {
    std::size_t operator()(const cell& c) const;
  };
  using table = std::unordered_map<cell, totals, cell_hash>;

  /// `cache` outlives this object.
  rollup_changes(const database& db, table& cache) : db_(&db), cache_(&cache) {}

  [[nodiscard]] caf::error add(const record_key& key, const record_value& value);
  void write_to(rocksdb::WriteBatch& batch) const;
  /// The batch is on disk.
  void keep();

private:
  [[nodiscard]] caf::expected<totals*> at(const cell& where);

  const database* db_;
  table* cache_;
  table changed_;
};

/// The bytes of a cell's key.
std::string rollup_key(const rollup_changes::cell& where);

} // namespace keyportal::storage
