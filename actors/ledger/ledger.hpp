// LEDGER: the only writer of the database. Blocks on the disk, so in service it has a thread of its own.
#pragma once

#include <functional>
#include <memory>

#include <caf/actor_system.hpp>

#include "actors/telemetry/metrics.hpp"
#include "messages/actors.hpp"
#include "messages/ledger_check.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// What others know of it, and who checks it.
using mendable_ledger_actor = ledger_actor::extend_with<mender_actor>;

/// All that waits is committed together: while one batch is being synced, the next one gathers in the mailbox.
mendable_ledger_actor spawn_ledger(caf::actor_system& system, bool own_thread, std::shared_ptr<storage::ledger> store,
                                   std::function<moment()> now, metrics& numbers);

} // namespace keyportal
