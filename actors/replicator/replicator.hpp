// REPLICATOR: stands before the ledger where several processes share all they know. What changes the ledger it proposes to
// the shared log; what comes out of the log, whoever proposed it, it gives to the ledger, in order. What is only read goes to
// the ledger as it is. So every ledger holds the same, under the same sequences.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/cluster/shared_log.hpp"
#include "actors/cluster/shared_message.hpp"
#include "actors/ledger/ledger.hpp"
#include "storage/seal.hpp"

namespace keyportal {

struct replicator_settings {
  std::string member;  ///< of this process, from its start to its end
  std::string cluster; ///< whose log it is: drawn when the cluster was made
  std::shared_ptr<storage::ledger> store;
  std::shared_ptr<const storage::sealer> seal;
  cluster::log_opener open;
  /// Of a duty that this process holds at this moment; nothing when it does not. Any thread.
  std::function<std::optional<std::uint64_t>(const std::string& duty)> fence;
  std::function<moment()> now;
  std::function<void(const std::string& reason, const std::string& id)> on_poison =
    {};                                     ///< a message that nobody can apply
  std::chrono::milliseconds patience{2000}; ///< with commands: then the majority counts as away
};

/// Its listeners are there: it may begin.
struct begin_following {};
struct read_replicator_state {};
struct replicator_state {
  bool linked = false;
  std::string problem;        ///< a sentence; empty while linked
  std::uint64_t applied = 0;  ///< of the log
  std::uint64_t end = 0;      ///< of the log, as last heard
  std::uint64_t proposed = 0; ///< of ours, not seen in the log yet
  std::uint64_t left_out = 0; ///< messages that came too late or made no sense, since the start
  double stale_s = 0;         ///< since it was last known that nothing of the log is missing here
};

using replicator_actor =
  mendable_ledger_actor::extend<caf::replies_to<storage::shared_rows>::with<committed>, caf::reacts_to<begin_following>,
                                caf::replies_to<read_replicator_state>::with<replicator_state>>;

/// Has a thread of its own when `own_thread`; without, tests drive it.
replicator_actor spawn_replicator(caf::actor_system& system, bool own_thread, replicator_settings settings,
                                  writer_actor writer);

/// "node/<name>": seen to by one process at a time.
std::string duty_of_node(const node_name& node);

} // namespace keyportal

// In-process only.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::storage::shared_rows)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::begin_following)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::read_replicator_state)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::replicator_state)
