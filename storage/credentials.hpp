// The attempts of each upstream credential, for the comparison with what the node counts.
#pragma once

#include <cstdint>
#include <string>

#include <caf/expected.hpp>

#include "storage/row_changes.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

struct credential_place {
  std::uint32_t node = 0;
  std::uint32_t auth_index = 0;
  bool operator==(const credential_place&) const = default;
};
struct place_hash {
  std::size_t operator()(const credential_place& place) const;
};
std::string row_key(const credential_place& place);

using credential_changes = row_changes<credential_place, credential_value, place_hash>;
using credential_table = credential_changes::table;

[[nodiscard]] caf::error add(credential_changes& to, const record_key& key, const record_value& value);

} // namespace keyportal::storage
