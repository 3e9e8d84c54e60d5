#include "storage/credentials.hpp"

namespace keyportal::storage {

std::size_t place_hash::operator()(const credential_place& place) const {
  std::uint64_t mix = (std::uint64_t{place.node} << 32 | place.auth_index) * 0xbf58476d1ce4e5b9u;
  mix = (mix ^ (mix >> 32)) * 0x94d049bb133111ebu;
  return mix ^ (mix >> 31);
}

std::string row_key(const credential_place& place) { return encode_key(credential_key{place.node, place.auth_index}); }

caf::error add(credential_changes& to, const record_key& key, const record_value& value) {
  const auto row = to.at({key.node, value.auth_index});
  if (!row)
    return row.error();
  ++(value.failed ? (*row)->failed : (*row)->ok);
  return {};
}

} // namespace keyportal::storage
