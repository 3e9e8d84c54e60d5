// Which records a question is about, decided by what records have in common: once for each kind of an hour, and for whole
// days where nothing fits.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "actors/analyst/usage_shape.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// One question. All arguments outlive it; it stays where it is once it has aimed.
class record_filter {
public:
  record_filter() = default;
  record_filter(const record_filter&) = delete;
  record_filter& operator=(const record_filter&) = delete;

  /// `bad_request` for a filter that makes no sense of records.
  [[nodiscard]] caf::error prepare(const record_question& question, const storage::ledger::reading& books,
                                   const ownership& owners);
  [[nodiscard]] bool wants_node(const node_name& node) const;
  /// The text is in no name at all.
  [[nodiscard]] bool finds_nothing() const { return has_text_ && named_.empty(); }
  /// Tells the walk what is wanted.
  void aim(storage::ledger::reading::record_walk& walk);
  /// What went wrong while names were read.
  [[nodiscard]] caf::error failed() const;

private:
  [[nodiscard]] bool has(storage::name_number number) const { return named_.contains(number); }

  const std::vector<std::string>* nodes_ = nullptr;
  std::vector<usage_dimension> where_;
  name_reader names_;
  bool has_text_ = false;
  bool beyond_cells_ = false;                      ///< the text is in a name that cells do not tell apart
  std::unordered_set<storage::name_number> named_; ///< names that the text is in
  bool keys_ = false, accounts_ = false;
  std::int32_t hour_ = INT32_MIN; ///< that kinds are of
  storage::lead_filter leads_;
};

} // namespace keyportal
