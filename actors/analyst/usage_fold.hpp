// Rows of roll-ups become a report: told apart, filtered, ranked, cut to the top. Pure; asks for texts by number.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

#include <caf/expected.hpp>

#include "actors/analyst/ownership.hpp"
#include "actors/analyst/usage_plan.hpp"
#include "messages/usage.hpp"
#include "storage/cells.hpp"

namespace keyportal {

/// The text of a name in a cell; for a client key its id.
using name_reader = std::function<caf::expected<std::string>(storage::name_kind, storage::name_number)>;

/// One thing that usage is told apart or filtered by: which of its values a cell has, as a small number.
class usage_dimension {
public:
  /// All arguments outlive it. `wanted` null: every value.
  usage_dimension(usage_by by, const std::vector<std::string>* wanted, const name_reader& names,
                  const ownership& owners);

  /// Where the next cells are: a row of that node and time. `ends_ns`: when the row's time ends.
  void go_to(const node_name& node, std::int64_t ends_ns, const calendar::local_hour& hour);
  /// The number of the cell's value, or -1 where it is filtered out.
  [[nodiscard]] int place_of(const storage::cell_id& id);
  /// Whether all cells with that client key (account) are filtered out, whatever else they are.
  [[nodiscard]] bool leaves_out_key(storage::name_number client_key);
  [[nodiscard]] bool leaves_out_account(storage::name_number account);

  [[nodiscard]] usage_by by() const { return by_; }
  [[nodiscard]] const std::string& text_of(int place) const { return texts_[static_cast<std::size_t>(place)]; }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }
  /// The first thing that went wrong while texts were read.
  [[nodiscard]] const caf::error& failed() const { return failed_; }

private:
  struct known {
    int place = unknown;
    int earlier = out;             ///< of a user or group: before the key had an owner
    std::int64_t since_ns = INT64_MIN;
  };
  static constexpr int out = -1, unknown = -2;
  int place_of_text(const std::string& text);
  int place_of_name(storage::name_kind kind, storage::name_number number);
  known& at(storage::name_number number);
  const known& key_at(storage::name_number client_key);
  int place_of_number(std::uint32_t number);

  usage_by by_;
  const std::vector<std::string>* wanted_;
  const name_reader* names_;
  const ownership* owners_;
  std::vector<known> known_; ///< by number
  std::unordered_map<std::string, int> places_;
  std::vector<std::string> texts_;
  int here_ = out; ///< what all cells of the row have
  std::int64_t ends_ns_ = 0;
  caf::error failed_;
};

class usage_fold {
public:
  /// All arguments outlive it.
  usage_fold(const usage_question& question, const usage_plan& plan, const calendar& zone, const name_reader& names,
             const ownership& owners);

  [[nodiscard]] bool wants_node(const node_name& node) const;
  /// Which leads of rows in that view are worth reading; the filter lives as long as the fold. Null: all.
  [[nodiscard]] const storage::lead_filter* leads(storage::cell_view view);

  /// The cells that come next are of that row. `earlier`: of the plan's `before`.
  void begin_row(const node_name& node, storage::granularity by, std::int32_t start, bool earlier);
  void add(const storage::cell_id& id, const storage::cell_sums& sums);
  /// After all sums: ranks, and says which cells' distributions are wanted. The same rows again, then.
  [[nodiscard]] caf::error rank();
  void add(const storage::cell_id& id, const storage::cell_distributions& distributions);
  /// After rank(): every value of the first dimension that something was used of.
  [[nodiscard]] std::vector<std::string> texts_of_first() const;
  /// Call once. `position`, `gaps`, `names` and what is unused are the caller's.
  [[nodiscard]] caf::expected<usage_report> report();

private:
  struct bins {
    std::vector<std::int64_t> latency, ttft; ///< by bin; empty: none
    void add(const storage::cell_distributions& what);
  };
  struct group {
    int first = -1, second = -1; ///< places in the dimensions
    std::vector<std::pair<std::uint32_t, usage_sums>> buckets; ///< as they came; several of one bucket may be there
    usage_sums before;
    usage_sums all; ///< after rank()
    int rank = -1;  ///< row of the report; -1: below the top
  };
  [[nodiscard]] bool passes(const storage::cell_id& id);
  [[nodiscard]] group* group_of(const storage::cell_id& id);
  [[nodiscard]] usage_amounts amounts(const usage_sums& sums, std::size_t row, std::size_t bucket) const;
  bins& bins_of(std::size_t row, std::size_t bucket);

  const usage_question* question_;
  const usage_plan* plan_;
  const calendar* zone_;
  std::vector<usage_dimension> by_;
  std::vector<usage_dimension> where_;
  storage::lead_filter key_filter_, account_filter_;
  std::vector<signed char> key_known_, account_known_;
  std::vector<std::vector<std::int32_t>> table_; ///< by places: index of the group, -1 where none is
  std::vector<group> groups_;
  group total_;
  std::vector<std::uint32_t> ranked_; ///< the top
  std::uint32_t others_ = 0;
  std::uint32_t bucket_ = 0; ///< of the row
  bool earlier_ = false;
  std::size_t kept_ = 0; ///< sums that are held
  bool too_much_ = false;
  std::vector<bins> distributions_; ///< by row (the top, then the total) and bucket (all together, then each)
};

} // namespace keyportal
