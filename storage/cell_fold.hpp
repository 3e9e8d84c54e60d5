// Cells as flat lists: sorted and added up without a hash table or a list of bins for each of them. What a commit adds
// to roll-ups and what a merge of rows comes to is worked out with these. For the ledger's own files only.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "storage/cell_rows.hpp"

namespace keyportal::storage {

/// Some kinds in their order, and where in it the one with each number is.
struct kinds_in_order {
  std::vector<kind_of_cell> kinds;
  std::vector<std::uint32_t> rank_of;
};

/// Kinds by number, in the order of their first appearance.
class kind_numbers {
public:
  std::uint32_t number_of(const kind_of_cell& kind);
  [[nodiscard]] kinds_in_order ranked() const;
  [[nodiscard]] std::size_t size() const { return kinds_.size(); }
  void clear();

private:
  struct hash {
    std::size_t operator()(const kind_of_cell& kind) const;
  };
  std::unordered_map<kind_of_cell, std::uint32_t, hash> numbers_;
  std::vector<kind_of_cell> kinds_;
};

/// Of views that tell nothing but the outcome: kind 0 and kind 1.
std::span<const kind_of_cell> outcomes();

using bin_count = bin_counts::value_type;

struct flat_cells {
  struct cell {
    std::uint32_t place = 0; ///< where the cell is, as its owner numbers places
    name_number client_key = 0;
    name_number account = 0;
    std::uint32_t kind = 0; ///< a number of kind_numbers, a place in their order, or of outcomes()
    std::uint32_t latency = 0, ttft = 0, end = 0; ///< its bins: from where on, and where they end
  };
  std::vector<cell> cells;
  std::vector<cell_sums> sums; ///< of each cell; none at all where only distributions are of interest
  std::vector<bin_count> bins; ///< of each cell ascending

  void clear();
};

/// What cells are folded into. Not set: as it is.
struct projection {
  cell_view view = cell_view::all;                    ///< whether keys and accounts are told apart
  const std::vector<std::uint32_t>* places = nullptr; ///< of each place that which it is part of
  const std::vector<std::uint32_t>* kinds = nullptr;  ///< likewise of each kind
};
constexpr std::uint32_t nowhere = UINT32_MAX; ///< a place whose cells are left out

/// Adds up what is the same by `how`; in the order of place, key, account and kind. O(n log n) for n cells.
flat_cells fold(const flat_cells& from, const projection& how);
/// Adds `more` to `to`, unsorted.
void append(flat_cells& to, const flat_cells& more);

/// Adds the cells of a row; those whose lead is not wanted too. False: the bytes are damaged.
[[nodiscard]] bool append_sums(std::string_view bytes, cell_view view, std::uint32_t place, kind_numbers& kinds,
                               flat_cells& to);
[[nodiscard]] bool append_distributions(std::string_view bytes, cell_view view, std::uint32_t place,
                                        kind_numbers& kinds, flat_cells& to);

/// Writes cells, which are in the order of lead, account and kind, as a row. Keeps its memory for the next one.
/// One thread.
class row_writer {
public:
  /// `kinds`: what the numbers of kinds mean, ascending.
  row_writer(cell_view view, std::span<const kind_of_cell> kinds) : view_(view), kinds_(kinds) {}
  /// Of those that have any.
  std::string sums(std::span<const flat_cells::cell> cells, std::span<const cell_sums> sums);
  std::string distributions(std::span<const flat_cells::cell> cells, const std::vector<bin_count>& bins);
  /// Whether the last row that was written has cells.
  [[nodiscard]] bool any() const { return !written_.empty(); }

private:
  void put_head(std::string& out, bool with_bytes);

  cell_view view_;
  std::span<const kind_of_cell> kinds_;
  std::vector<const flat_cells::cell*> written_;
  std::vector<const cell_sums*> amounts_;
  std::vector<std::uint32_t> bytes_; ///< of each that is written
  std::vector<std::uint32_t> used_, place_of_;
  std::vector<std::uint64_t> column_;
  std::string blocks_;
};

} // namespace keyportal::storage
