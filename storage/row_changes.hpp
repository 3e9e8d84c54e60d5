// Rows that many commits add to: read once (from the cache of the last commits or the database), added to in memory,
// written once, whatever number of records falls into them.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/expected.hpp>

#include "storage/database.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

/// The rows of one kind that one commit changes. `row_key(place)` is where they lie. One thread.
template <class Place, class Value, class Hash>
class row_changes {
public:
  using table = std::unordered_map<Place, Value, Hash>;
  static constexpr std::size_t most_cached = 4096; // roll-ups have some kilobyte each, with ten models

  /// `kind` is for errors. All arguments outlive this object.
  row_changes(const database& db, family where, std::string_view kind, table& cache)
    : db_(&db), where_(where), kind_(kind), cache_(&cache) {}

  /// The row as it is now, a new one if there is none; what is done to it will be written. Valid until the next call.
  [[nodiscard]] caf::expected<Value*> at(const Place& place) {
    if (const auto found = changed_.find(place); found != changed_.end())
      return &found->second;
    if (const auto found = cache_->find(place); found != cache_->end())
      return &changed_.emplace(place, found->second).first->second;
    Value before;
    const auto row = db_->get(where_, row_key(place));
    if (!row)
      return row.error();
    if (*row && !decode(**row, before))
      return damaged(kind_);
    return &changed_.emplace(place, std::move(before)).first->second;
  }

  void write_to(rocksdb::WriteBatch& batch) const {
    // In the order of their keys: each then goes into the memtable next to the one before, which is much cheaper.
    std::vector<std::pair<std::string, const Value*>> rows;
    rows.reserve(changed_.size());
    for (const auto& [place, value] : changed_)
      rows.emplace_back(row_key(place), &value);
    std::sort(rows.begin(), rows.end());
    for (const auto& [key, value] : rows)
      batch.Put(db_->handle(where_), key, encode(*value));
  }

  /// The batch is on disk.
  void keep() {
    if (cache_->size() + changed_.size() > most_cached)
      cache_->clear();
    if (changed_.size() <= most_cached)
      for (auto& [place, value] : changed_)
        (*cache_)[place] = std::move(value);
  }

private:
  const database* db_;
  family where_;
  std::string_view kind_;
  table* cache_;
  table changed_;
};

} // namespace keyportal::storage
