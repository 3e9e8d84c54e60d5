// CHECKER: compares roll-ups with the records, day by day, while the ledger goes on being written; mends what is wrong.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <caf/all.hpp>
#include <nlohmann/json_fwd.hpp>

#include "messages/ids.hpp"

namespace keyportal {

/// Begins, unless one is under way; the answer comes at once and says which it is. Without `mends` nothing is changed.
/// What is mended is mended when the service stops in between.
struct check_ledger {
  bool mends = false;
};
struct read_ledger_check {};
/// Of the last one, or the one under way.
struct ledger_check {
  struct wrong_day {
    node_name node;
    std::string day;        ///< "2026-04-02", UTC
    std::uint64_t rows = 0; ///< of roll-ups that are missing, too many or not what the records come to
  };
  static constexpr std::size_t most_told = 1000;
  bool mends = false;
  bool running = false;
  std::uint64_t days = 0; ///< of all nodes; 0 while they are being looked for
  std::uint64_t days_done = 0;
  std::uint64_t rows_wrong = 0;
  std::uint64_t rows_mended = 0;
  std::uint64_t days_wrong = 0;
  std::vector<wrong_day> wrong; ///< the first `most_told`
  std::string problem;          ///< why it ended early; a sentence
};
/// mends, running, days, days_done, days_wrong, rows_wrong, rows_mended, wrong[{node, day, rows}], problem
nlohmann::json to_json(const ledger_check& c);

using checker_actor = caf::typed_actor<caf::replies_to<check_ledger>::with<ledger_check>,
                                       caf::replies_to<read_ledger_check>::with<ledger_check>>;

/// For the one who writes: makes the roll-ups of a day what its records come to; how many rows were wrong.
struct mend_day {
  node_name node;
  std::int32_t day = 0; ///< since 1970, UTC
};
using mender_actor = caf::typed_actor<caf::replies_to<mend_day>::with<std::uint64_t>>;

} // namespace keyportal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::check_ledger)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::read_ledger_check)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::ledger_check)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::mend_day)
