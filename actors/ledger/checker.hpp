// CHECKER: compares roll-ups with the records on a thread of its own; what it finds wrong, the ledger mends.
#pragma once

#include <memory>

#include <caf/actor_system.hpp>

#include "messages/ledger_check.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

checker_actor spawn_checker(caf::actor_system& system, bool own_thread, std::shared_ptr<const storage::ledger> store,
                            mender_actor mender);

} // namespace keyportal
