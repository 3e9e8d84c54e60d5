// Adding up very many rows of cells without looking at each cell as a whole: of a cell only the amounts that are not 0 are
// added, as they lie in the row.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "storage/cells.hpp"

namespace keyportal::storage {

/// Where the cells of rows belong. One thread.
class cell_places {
public:
  virtual ~cell_places() = default;
  /// A row begins; its kinds, without key and account. Lives until the next row.
  virtual void begin_row(std::span<const cell_id> kinds) = 0;
  /// The place of a cell: its lead, its account (or what stands in its place; 0 where the view has neither) and the
  /// number of its kind. Negative: it is left out.
  virtual std::int32_t place_of(name_number lead, name_number second, std::uint32_t kind) = 0;
};

/// What was added up at one place.
class added_sums {
public:
  [[nodiscard]] cell_sums sums() const;
  /// Of the requests those that failed.
  [[nodiscard]] std::int64_t failed() const { return amounts_[failed_at]; }

private:
  friend class row_adder;
  static constexpr std::size_t failed_at = sizeof(cell_sums) / sizeof(std::int64_t);
  std::array<std::int64_t, failed_at + 1> amounts_{}; ///< as in rows: see take_what_follows in cell_rows.cpp
};

/// Bins of what was added up at one place, by number; wrapping round.
struct added_bins {
  std::vector<std::int64_t> latency, ttft;
};
[[nodiscard]] bin_counts counts_of(const std::vector<std::int64_t>& bins);

/// Keeps its memory from one row to the next. One thread.
class row_adder {
public:
  row_adder();
  ~row_adder();
  row_adder(const row_adder&) = delete;
  row_adder& operator=(const row_adder&) = delete;

  /// Adds the cells of a row whose lead and kind are wanted (null: all are) and that have a place; `to` grows with the
  /// places. False: the bytes are damaged; some of it may have been added.
  [[nodiscard]] bool add_sums(std::string_view row, cell_view view, const lead_filter* leads, const kind_filter* kinds,
                              cell_places& places, std::vector<added_sums>& to);
  [[nodiscard]] bool add_bins(std::string_view row, cell_view view, const lead_filter* leads, const kind_filter* kinds,
                              cell_places& places, std::vector<added_bins>& to);

private:
  struct memory;
  std::unique_ptr<memory> memory_;
};

} // namespace keyportal::storage
