// Questions about usage, answered from the ledger: the plan's rows are read and folded, records are paged through. Reads
// the disk; no actor, no thread, no clock of its own.
#pragma once

#include <memory>
#include <string>

#include <caf/expected.hpp>

#include "actors/analyst/ownership.hpp"
#include "actors/analyst/usage_pieces.hpp"
#include "messages/actors.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// One thread at a time; several of them may share a ledger.
class analysis {
public:
  /// `zone`: of questions that name none.
  analysis(std::shared_ptr<const storage::ledger> store, std::string zone)
    : store_(std::move(store)), zone_(std::move(zone)) {}
  analysis(const analysis&) = delete;
  analysis& operator=(const analysis&) = delete;

  [[nodiscard]] caf::expected<usage_report> answer(const ask_usage& asked, moment now);
  [[nodiscard]] caf::expected<record_page> answer(const ask_records& asked, moment now);

private:
  static constexpr std::size_t most_kept_bytes = std::size_t{48} << 20;
  [[nodiscard]] caf::error follow_registry();
  [[nodiscard]] caf::expected<std::vector<usage_answer_gap>> gaps_in(const std::vector<node_name>& nodes, moment from,
                                                                     moment to) const;
  void tell_unused(const usage_question& question, usage_report& report, const std::vector<std::string>& used) const;
  void show(const std::string& id, shown_names& names) const;

  std::shared_ptr<const storage::ledger> store_;
  std::string zone_;
  ownership owners_;
  const storage::ledger::reading* books_ = nullptr; ///< of the question that is being answered
  name_reader names_ = [this](storage::name_kind kind, storage::name_number number) {
    return books_->text(kind, number);
  };
  kept_usage kept_{most_kept_bytes};
  bool follows_ = false;
};

} // namespace keyportal
