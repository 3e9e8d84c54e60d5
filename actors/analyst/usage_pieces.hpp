// The rows of a plan in pieces, and what pieces come to: kept in memory as long as nothing in them changes, so asking
// again, or for a range that has moved on a little, reads only what is new.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/expected.hpp>

#include "actors/analyst/usage_plan.hpp"
#include "actors/analyst/usage_shape.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// Rows that are added up together.
struct usage_piece {
  row_run rows;
  std::uint32_t bucket = 0;
  bool earlier = false; ///< of the plan's `before`
};

/// In the order of the plan. None lies in two buckets. Longer ones are cut where it is the same for every range: so that
/// other ranges have pieces in common with this one.
std::vector<usage_piece> pieces_of(const usage_plan& plan, usage_step step);

/// By group.
using piece_sums = std::vector<std::pair<std::uint32_t, usage_sums>>;
/// By row of the report; the last one, whose number is that of the rows, is of all groups below the top.
using piece_bins = std::vector<std::pair<std::uint32_t, storage::cell_distributions>>;

/// All pieces of one shape. What it gives lives until the next call.
class usage_pieces {
public:
  usage_pieces(std::vector<usage_by> by, usage_filter where, std::vector<node_name> nodes, const calendar& zone,
               const name_reader& names, const ownership& owners, std::size_t most_bytes)
    : shape_(std::move(by), std::move(where), zone, names, owners), nodes_(std::move(nodes)), most_bytes_(most_bytes) {}

  [[nodiscard]] usage_shape& shape() { return shape_; }
  [[nodiscard]] const std::vector<node_name>& nodes() const { return nodes_; }
  [[nodiscard]] caf::expected<const piece_sums*> sums(const storage::ledger::reading& books, storage::cell_view view,
                                                      const row_run& rows);
  /// `ranked`: the groups that are rows of the report, in their order.
  [[nodiscard]] caf::expected<const piece_bins*> bins(const storage::ledger::reading& books, storage::cell_view view,
                                                      const row_run& rows, const std::vector<std::uint32_t>& ranked);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  void forget();

private:
  using place = std::tuple<storage::granularity, std::int32_t, std::int32_t>;
  template <class What>
  struct kept {
    std::uint64_t stamp = 0; ///< of the reading that it was made from
    What what;
  };
  [[nodiscard]] caf::error add_up(const storage::ledger::reading& books, storage::cell_view view, const row_run& rows,
                                  piece_sums& to);
  [[nodiscard]] caf::error add_up(const storage::ledger::reading& books, storage::cell_view view, const row_run& rows,
                                  const std::vector<std::uint32_t>& ranked, piece_bins& to);
  [[nodiscard]] bool still_right(const storage::ledger::reading& books, std::uint64_t stamp, const row_run& rows) const;
  template <class What, class Make>
  caf::expected<const What*> find_or_make(std::map<place, kept<What>>& all, What& instead,
                                          const storage::ledger::reading& books, const row_run& rows, Make make);

  usage_shape shape_;
  std::vector<node_name> nodes_;
  std::size_t most_bytes_; ///< kept
  std::map<place, kept<piece_sums>> sums_;
  std::map<place, kept<piece_bins>> bins_;
  std::vector<std::uint32_t> ranked_; ///< that `bins_` are of
  std::size_t bytes_ = 0;
  piece_sums last_sums_; ///< those that are not kept
  piece_bins last_bins_;
  std::vector<std::int32_t> index_; ///< of groups in the piece that is added up; -1 for those that are not in it
};

/// The shapes asked for last. One thread.
class kept_usage {
public:
  explicit kept_usage(std::size_t most_bytes) : most_bytes_(most_bytes) {}
  /// Lives until the next call. `names` and `owners` outlive this object.
  [[nodiscard]] usage_pieces& of(const usage_question& question, std::vector<node_name> nodes, const calendar& zone,
                                 const name_reader& names, const ownership& owners);
  /// The one that `of` gave last is worth nothing.
  void drop_last();

private:
  std::size_t most_bytes_;
  std::list<std::pair<std::string, std::unique_ptr<usage_pieces>>> all_; ///< the one asked for last comes first
};

} // namespace keyportal
