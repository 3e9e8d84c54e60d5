// The rows of a plan in pieces, and what pieces come to: kept in memory as long as nothing in them changes, so asking
// again, or for a range that has moved on a little, reads only what is new.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <caf/expected.hpp>

#include "actors/analyst/usage_plan.hpp"
#include "actors/analyst/usage_shape.hpp"
#include "storage/cell_sums.hpp"
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

/// All pieces of one shape.
class usage_pieces {
public:
  usage_pieces(std::vector<usage_by> by, usage_filter where, std::vector<node_name> nodes, const calendar& zone,
               const name_reader& names, const ownership& owners, std::size_t most_bytes)
    : shape_(std::move(by), std::move(where), zone, names, owners), nodes_(std::move(nodes)), most_bytes_(most_bytes) {}

  [[nodiscard]] usage_shape& shape() { return shape_; }
  [[nodiscard]] const std::vector<node_name>& nodes() const { return nodes_; }
  using sums_visitor = std::function<caf::error(const usage_piece&, const piece_sums&)>;
  using bins_visitor = std::function<caf::error(const usage_piece&, const piece_bins&)>;
  /// Calls `visit` for each piece, in their order. What is not in memory is read in few goes: pieces that follow each other
  /// in one, since rows of neighbouring keys lie together, not those of a day.
  [[nodiscard]] caf::error each_sums(const storage::ledger::reading& books, const usage_plan& plan,
                                     const std::vector<usage_piece>& pieces, const sums_visitor& visit);
  /// `ranked`: the groups that are rows of the report, in their order.
  [[nodiscard]] caf::error each_bins(const storage::ledger::reading& books, const usage_plan& plan,
                                     const std::vector<usage_piece>& pieces, const std::vector<std::uint32_t>& ranked,
                                     const bins_visitor& visit);
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  void forget();

private:
  using place = std::tuple<storage::granularity, std::int32_t, std::int32_t>;
  template <class What>
  struct kept {
    std::uint64_t stamp = 0; ///< of the reading that it was made from
    What what;
  };
  using some_pieces = std::span<const usage_piece>;
  [[nodiscard]] caf::error add_up(const storage::ledger::reading& books, storage::cell_view view, some_pieces pieces,
                                  std::vector<piece_sums>& to);
  [[nodiscard]] caf::error add_up(const storage::ledger::reading& books, storage::cell_view view, some_pieces pieces,
                                  const std::vector<std::uint32_t>& ranked, std::vector<piece_bins>& to);
  template <class Place, class Add>
  caf::error each_row(const storage::ledger::reading& books, storage::cell_view view, some_pieces pieces,
                      storage::cell_part part, Place place_of, Add add);
  [[nodiscard]] bool still_right(const storage::ledger::reading& books, std::uint64_t stamp, const row_run& rows) const;
  template <class What, class Make, class Visit>
  caf::error find_or_make(std::map<place, kept<What>>& all, const storage::ledger::reading& books,
                          const std::vector<usage_piece>& pieces, const Make& make, const Visit& visit);

  usage_shape shape_;
  std::vector<node_name> nodes_;
  std::size_t most_bytes_; ///< kept
  std::map<place, kept<piece_sums>> sums_;
  std::map<place, kept<piece_bins>> bins_;
  std::vector<std::uint32_t> ranked_; ///< that `bins_` are of
  std::size_t bytes_ = 0;
  storage::row_adder adder_;
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
