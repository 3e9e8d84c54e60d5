// RETENTION KEEPER: lets raw records go that were kept long enough, and watches the size of the data folder.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>

#include "actors/retention/retention_plan.hpp"
#include "actors/telemetry/metrics.hpp"
#include "messages/store_care.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

struct retention_settings {
  retention_rules rules;
  std::vector<std::string> consumers;  ///< what they have not read stays
  std::function<std::uint64_t()> size; ///< of the data folder, bytes
  std::function<std::uint64_t()> free; ///< left on its disk, bytes
  std::function<moment()> now;
};

/// Reads the ledger on a thread of its own, writes through the ledger's actor, a day of a node at a time, so that nobody
/// waits long. Looks every ten minutes.
retention_actor spawn_retention_keeper(caf::actor_system& system, bool own_thread, retention_settings settings,
                                       ledger_actor ledger, std::shared_ptr<const storage::ledger> store,
                                       metrics& numbers);

} // namespace keyportal
