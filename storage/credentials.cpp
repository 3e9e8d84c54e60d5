#include "storage/rollups.hpp"

namespace keyportal::storage {
namespace {

std::int32_t floor_div(std::int64_t value, std::int64_t by) {
  return static_cast<std::int32_t>(value / by - (value % by < 0 ? 1 : 0));
}

std::size_t mixed(std::uint64_t first, std::uint64_t second) {
  std::uint64_t mix = (first ^ (first >> 29)) * 0xbf58476d1ce4e5b9u;
  mix ^= second;
  mix = (mix ^ (mix >> 32)) * 0x94d049bb133111ebu;
  return mix ^ (mix >> 31);
}

} // namespace

std::int32_t hour_of(std::int64_t unix_ns) { return floor_div(unix_ns, hour_ns); }

std::int32_t day_of(std::int64_t unix_ns) { return floor_div(unix_ns, day_ns); }

std::size_t place_hash::operator()(const rollup_place& place) const {
  return mixed((std::uint64_t{place.node} << 32) ^ static_cast<std::uint32_t>(place.start),
               (std::uint64_t{place.client_key} << 1) ^ (place.daily ? 1u : 0u));
}

std::size_t place_hash::operator()(const credential_place& place) const { return mixed(place.node, place.auth_index); }

std::string row_key(const rollup_place& place) {
  if (place.daily)
    return encode_key(day_key{place.node, place.start, place.client_key});
  return encode_key(hour_key{place.node, place.start, place.client_key});
}

std::string row_key(const credential_place& place) { return encode_key(credential_key{place.node, place.auth_index}); }

rollup_place hour_place(const record_key& key, name_number client_key) {
  return {key.node, hour_of(key.at_ns), client_key, false};
}

rollup_place day_place(const record_key& key, name_number client_key) {
  return {key.node, day_of(key.at_ns), client_key, true};
}

caf::error add(rollup_changes& to, const record_key& key, const record_value& value, const token_parts& parts) {
  for (const auto& place : {hour_place(key, value.client_key), day_place(key, value.client_key)}) {
    const auto row = to.at(place);
    if (!row)
      return row.error();
    (*row)->of(value.model).add(value.tokens, parts, value.latency_ms, value.failed);
  }
  return {};
}

caf::error add(credential_changes& to, const record_key& key, const record_value& value) {
  const auto row = to.at({key.node, value.auth_index});
  if (!row)
    return row.error();
  ++(value.failed ? (*row)->failed : (*row)->ok);
  return {};
}

} // namespace keyportal::storage
