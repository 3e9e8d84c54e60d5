#include "storage/rollups.hpp"

namespace keyportal::storage {
namespace {

constexpr std::size_t most_cached = 8192; // some 100 bytes each

std::int32_t floor_div(std::int64_t value, std::int64_t by) {
  return static_cast<std::int32_t>(value / by - (value % by < 0 ? 1 : 0));
}

} // namespace

std::int32_t hour_of(std::int64_t unix_ns) {
  return floor_div(unix_ns, hour_ns);
}

std::int32_t day_of(std::int64_t unix_ns) {
  return floor_div(unix_ns, day_ns);
}

std::size_t rollup_changes::cell_hash::operator()(const cell& c) const {
  std::uint64_t mix = (std::uint64_t{c.node} << 32) ^ static_cast<std::uint32_t>(c.start);
  mix = (mix ^ (mix >> 29)) * 0xbf58476d1ce4e5b9u;
  mix ^= (std::uint64_t{c.client_key} << 33) ^ (std::uint64_t{c.model} << 1) ^ (c.daily ? 1u : 0u);
  mix = (mix ^ (mix >> 32)) * 0x94d049bb133111ebu;
  return mix ^ (mix >> 31);
}

std::string rollup_key(const rollup_changes::cell& where) {
  if (where.daily)
    return encode_key(day_key{where.node, where.start, where.client_key, where.model});
  return encode_key(hour_key{where.node, where.start, where.client_key, where.model});
}

caf::expected<totals*> rollup_changes::at(const cell& where) {
  if (const auto found = changed_.find(where); found != changed_.end())
    return &found->second;
  if (const auto found = cache_->find(where); found != cache_->end())
    return &changed_.emplace(where, found->second).first->second;
  totals before;
  const auto row = db_->get(family::rollups, rollup_key(where));
  if (!row)
    return row.error();
  if (*row && !decode(**row, before))
    return damaged("roll-up");
  return &changed_.emplace(where, before).first->second;
}

caf::error rollup_changes::add(const record_key& key, const record_value& value) {
  cell where{key.node, hour_of(key.at_ns), value.client_key, value.model, false};
  for (const bool daily : {false, true}) {
    if (daily) {
      where.start = day_of(key.at_ns);
      where.daily = true;
    }
    auto sums = at(where);
    if (!sums)
      return sums.error();
    (*sums)->add(value.tokens, value.latency_ms, value.failed);
  }
  return {};
}

void rollup_changes::write_to(rocksdb::WriteBatch& batch) const {
  auto* rollups = db_->handle(family::rollups);
  for (const auto& [where, sums] : changed_)
    batch.Put(rollups, rollup_key(where), encode(sums));
}

void rollup_changes::keep() {
  if (cache_->size() + changed_.size() > most_cached)
    cache_->clear();
  if (changed_.size() <= most_cached)
    for (const auto& [where, sums] : changed_)
      (*cache_)[where] = sums;
}

} // namespace keyportal::storage
