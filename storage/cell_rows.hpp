// What the rows of cells and the sieves have in common; for the ledger's own files only.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <tuple>

#include "storage/cells.hpp"

namespace keyportal::storage {

/// Sums are packed so many cells at a time.
inline constexpr std::size_t block_cells = 128;

/// What cells of many leads have in common is in a row once.
struct kind_of_cell {
  name_number model = 0, alias = 0, provider = 0, endpoint = 0;
  std::int32_t status = 0;
  bool failed = false;
  explicit kind_of_cell(const cell_id& id = {})
    : model(id.model), alias(id.alias), provider(id.provider), endpoint(id.endpoint), status(id.status),
      failed(id.failed) {}
  [[nodiscard]] auto order() const { return std::tie(model, alias, provider, endpoint, status, failed); }
  bool operator<(const kind_of_cell& other) const { return order() < other.order(); }
  bool operator==(const kind_of_cell& other) const { return order() == other.order(); }
  void into(cell_id& id) const;
};
void put(std::string& out, const kind_of_cell& kind);
[[nodiscard]] bool get(std::string_view& in, kind_of_cell& kind);

/// Of a sieve the kinds that `wanted` (not set: all) lets pass, and their entries; asks it once for each kind, of those only
/// that `lead`, asked before with client key and account, lets pass: the others are not looked at.
[[nodiscard]] bool decode_wanted(std::string_view bytes,
                                 const std::function<bool(name_number client_key, name_number account)>& lead,
                                 const std::function<bool(const sieve_kind&)>& wanted, sieve_row& row);

} // namespace keyportal::storage
