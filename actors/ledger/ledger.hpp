// LEDGER: the only writer of the database. Blocks on the disk, so in service it has a thread of its own.
#pragma once

#include <functional>
#include <memory>

#include <caf/actor_system.hpp>
#include <caf/allowed_unsafe_message_type.hpp>

#include "actors/telemetry/metrics.hpp"
#include "messages/actors.hpp"
#include "messages/ledger_check.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

/// What others know of it, and who checks it.
using mendable_ledger_actor = ledger_actor::extend_with<mender_actor>;

/// A message of the log that several processes share, as writes of one batch. Taken only behind `after`, the message that was
/// applied before it; else registry_conflict, and nothing is done. What makes no sense (bad_request) is left out, alone.
struct apply_shared {
  std::uint64_t after = 0;
  storage::shared_progress progress; ///< with this message; goes into the same batch
  std::vector<storage::ledger::write> writes;
};
using writer_actor = mendable_ledger_actor::extend<caf::replies_to<apply_shared>::with<committed>>;

/// Copies out of another tool as records: with the texts of keys that are known, and with ids as details of `/usage`.
caf::expected<collection> collected(const storage::ledger& store, copy_records& m);

/// All that waits is committed together: while one batch is being synced, the next one gathers in the mailbox.
/// `alone`: nobody else writes the same; else totals are told by whoever brings the records.
writer_actor spawn_ledger(caf::actor_system& system, bool own_thread, std::shared_ptr<storage::ledger> store,
                          std::function<moment()> now, metrics& numbers, bool alone = true);

} // namespace keyportal

// In-process only.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::apply_shared)
