// Questions about usage, answered from the ledger: the plan's rows are read and folded, records are paged through. Reads
// the disk; no actor, no thread, no clock of its own.
#pragma once

#include <memory>
#include <string>

#include <caf/expected.hpp>

#include "actors/analyst/ownership.hpp"
#include "messages/actors.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// One thread at a time; several of them may share a ledger.
class analysis {
public:
  /// `zone`: of questions that name none.
  analysis(std::shared_ptr<const storage::ledger> store, std::string zone)
    : store_(std::move(store)), zone_(std::move(zone)) {}

  [[nodiscard]] caf::expected<usage_report> answer(const ask_usage& asked, moment now);
  [[nodiscard]] caf::expected<record_page> answer(const ask_records& asked, moment now);

private:
  [[nodiscard]] caf::error follow_registry();
  [[nodiscard]] caf::expected<std::vector<usage_answer_gap>> gaps_in(const std::vector<node_name>& nodes, moment from,
                                                                     moment to) const;
  void tell_unused(const usage_question& question, usage_report& report,
                   const std::vector<std::string>& used) const;
  void show(const std::string& id, shown_names& names) const;

  std::shared_ptr<const storage::ledger> store_;
  std::string zone_;
  ownership owners_;
  bool follows_ = false;
};

} // namespace keyportal
