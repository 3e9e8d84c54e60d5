// SNAPSHOT KEEPER: makes snapshots of one node's usage, and puts back into the node what the ledger holds and it lacks.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include <caf/actor_system.hpp>

#include "actors/telemetry/metrics.hpp"
#include "messages/actors.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

struct keeper_settings {
  node_name node;
  std::chrono::milliseconds snapshot_interval{300'000};
  bool restore_enabled = true;
  std::size_t piece_records = 20'000; ///< per import; CPA goes through all it holds for each one
  int retries = 3;
  std::function<moment()> now;
};

struct keeper_peers {
  upstream_actor upstream;
  ledger_actor ledger;
  feed_actor feed;
};

/// `store` is read only (and snapshots are written to it): all from this actor's thread, beside the ledger's.
snapshot_keeper_actor spawn_snapshot_keeper(caf::actor_system& system, bool own_thread, keeper_settings settings,
                                            keeper_peers peers, std::shared_ptr<storage::ledger> store,
                                            metrics& numbers);

} // namespace keyportal
