// The course of one restore: compare, import, read back, compare again, until nothing is lacking or patience ends. Pure.
#pragma once

#include <cstdint>

#include "messages/actors.hpp"

namespace keyportal {

class restore_plan {
public:
  /// `retries`: how often what a read-back still finds lacking is imported again.
  explicit restore_plan(int retries) : rounds_left_(retries + 1) {}

  /// The node was read anew; the comparison begins.
  void reading_done() {
    found_ = 0;
    may_import_ = rounds_left_ > 0;
  }
  /// A piece of `records` lacking ones was found. True: import it; false: only count, patience is over.
  bool piece_found(std::uint64_t records) {
    found_ += records;
    return may_import_;
  }
  void piece_imported(const import_answer& answer) { imported_ += static_cast<std::uint64_t>(answer.added); }

  enum class next { read_back, complete, incomplete };
  /// The comparison has gone through the whole ledger.
  next comparison_done() {
    if (first_) {
      lacking_at_first_ = found_;
      first_ = false;
    }
    if (found_ == 0)
      return next::complete;
    if (!may_import_)
      return next::incomplete;
    --rounds_left_;
    return next::read_back;
  }

  [[nodiscard]] std::uint64_t lacking_at_first() const { return lacking_at_first_; }
  [[nodiscard]] std::uint64_t imported() const { return imported_; }
  [[nodiscard]] std::uint64_t still_lacking() const { return found_; }

private:
  int rounds_left_;
  bool first_ = true;
  bool may_import_ = false;
  std::uint64_t found_ = 0;
  std::uint64_t lacking_at_first_ = 0;
  std::uint64_t imported_ = 0;
};

} // namespace keyportal
