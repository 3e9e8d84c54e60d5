// ANALYST: answers questions about usage. Several threads read the disk, so that a long question holds up no short one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <caf/actor_system.hpp>

#include "messages/actors.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

struct analyst_settings {
  std::size_t threads = 2;
  std::string zone = "UTC"; ///< of questions that name none
  std::function<moment()> now;
};

/// One to ask; `own_thread`: those who do the work have a thread each.
analyst_actor spawn_analyst(caf::actor_system& system, bool own_thread, analyst_settings how,
                            std::shared_ptr<const storage::ledger> store);

} // namespace keyportal
