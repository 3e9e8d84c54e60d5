// What pieces come to becomes a report: ranked, cut to the top. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "actors/analyst/usage_pieces.hpp"
#include "actors/analyst/usage_plan.hpp"
#include "messages/usage.hpp"

namespace keyportal {

class usage_fold {
public:
  /// All arguments outlive it.
  usage_fold(const usage_question& question, const usage_plan& plan, const usage_shape& shape);

  /// `bad_request` when it becomes too much.
  [[nodiscard]] caf::error add(const usage_piece& piece, const piece_sums& sums);
  /// After all sums.
  [[nodiscard]] caf::error rank();
  /// The groups that are rows of the report, in their order.
  [[nodiscard]] const std::vector<std::uint32_t>& ranked() const { return ranked_; }
  void add(const usage_piece& piece, const piece_bins& bins);
  /// After rank(): every value of the first dimension that something was used of.
  [[nodiscard]] std::vector<std::string> texts_of_first() const;
  /// Call once. `position`, `gaps`, `names` and what is unused are the caller's.
  [[nodiscard]] usage_report report();

private:
  struct bins {
    std::vector<std::int64_t> latency, ttft; ///< by bin; empty: none
    void add(const storage::cell_distributions& what);
  };
  struct group {
    std::vector<std::pair<std::uint32_t, usage_sums>> buckets; ///< ascending
    usage_sums before;
    usage_sums all; ///< after rank(), where there are buckets
  };
  [[nodiscard]] usage_amounts amounts(const usage_sums& sums, std::size_t row, std::size_t bucket) const;
  bins& bins_of(std::size_t row, std::size_t bucket);

  const usage_question* question_;
  const usage_plan* plan_;
  const usage_shape* shape_;
  std::vector<group> groups_;
  group total_;
  std::vector<std::uint32_t> ranked_; ///< the top
  std::uint32_t others_ = 0;
  std::size_t kept_ = 0;            ///< sums that are held
  std::vector<bins> distributions_; ///< by row (the top, then the total) and bucket (all together, then each)
};

} // namespace keyportal
