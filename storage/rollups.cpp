#include "storage/rollups.hpp"

#include <algorithm>
#include <string>
#include <utility>

namespace keyportal::storage {
namespace {

constexpr std::size_t most_cached = 4096; // some kilobyte each, with ten models

std::int32_t floor_div(std::int64_t value, std::int64_t by) {
  return static_cast<std::int32_t>(value / by - (value % by < 0 ? 1 : 0));
}

std::string row_key(const rollup_place& place) {
  if (place.daily)
    return encode_key(day_key{place.node, place.start, place.client_key});
  return encode_key(hour_key{place.node, place.start, place.client_key});
}

} // namespace

std::int32_t hour_of(std::int64_t unix_ns) { return floor_div(unix_ns, hour_ns); }

std::int32_t day_of(std::int64_t unix_ns) { return floor_div(unix_ns, day_ns); }

std::size_t rollup_place_hash::operator()(const rollup_place& place) const {
  std::uint64_t mix = (std::uint64_t{place.node} << 32) ^ static_cast<std::uint32_t>(place.start);
  mix = (mix ^ (mix >> 29)) * 0xbf58476d1ce4e5b9u;
  mix ^= (std::uint64_t{place.client_key} << 1) ^ (place.daily ? 1u : 0u);
  mix = (mix ^ (mix >> 32)) * 0x94d049bb133111ebu;
  return mix ^ (mix >> 31);
}

rollup_place hour_place(const record_key& key, name_number client_key) {
  return {key.node, hour_of(key.at_ns), client_key, false};
}

rollup_place day_place(const record_key& key, name_number client_key) {
  return {key.node, day_of(key.at_ns), client_key, true};
}

caf::expected<rollup_value*> rollup_changes::at(const rollup_place& place) {
  if (const auto found = changed_.find(place); found != changed_.end())
    return &found->second;
  if (const auto found = cache_->find(place); found != cache_->end())
    return &changed_.emplace(place, found->second).first->second;
  rollup_value before;
  const auto row = db_->get(family::rollups, row_key(place));
  if (!row)
    return row.error();
  if (*row && !decode(**row, before))
    return damaged("roll-up");
  return &changed_.emplace(place, std::move(before)).first->second;
}

caf::error rollup_changes::add(const record_key& key, const record_value& value) {
  for (const auto& place : {hour_place(key, value.client_key), day_place(key, value.client_key)}) {
    const auto row = at(place);
    if (!row)
      return row.error();
    (*row)->of(value.model).add(value.tokens, value.latency_ms, value.failed);
  }
  return {};
}

void rollup_changes::write_to(rocksdb::WriteBatch& batch) const {
  // In the order of their keys: each then goes into the memtable next to the one before, which is much cheaper.
  std::vector<std::pair<std::string, const rollup_value*>> rows;
  rows.reserve(changed_.size());
  for (const auto& [place, value] : changed_)
    rows.emplace_back(row_key(place), &value);
  std::sort(rows.begin(), rows.end());
  auto* rollups = db_->handle(family::rollups);
  for (const auto& [key, value] : rows)
    batch.Put(rollups, key, encode(*value));
}

void rollup_changes::keep() {
  if (cache_->size() + changed_.size() > most_cached)
    cache_->clear();
  if (changed_.size() <= most_cached)
    for (auto& [place, value] : changed_)
      (*cache_)[place] = std::move(value);
}

} // namespace keyportal::storage
