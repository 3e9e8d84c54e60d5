// KEY KEEPER: keeps one node's client keys in step with the registry.
#pragma once

#include <chrono>
#include <functional>

#include <caf/actor_system.hpp>

#include "actors/telemetry/metrics.hpp"
#include "messages/actors.hpp"

namespace keyportal {

struct key_keeper_settings {
  node_name node;
  std::chrono::milliseconds reconcile_interval{60'000};
  /// Whether to do nothing before the first node_seen: a management key that the poller was refused is not tried again
  /// here, since five wrong ones are a ban.
  bool after_first_look = false;
  std::function<moment()> now; ///< wall clock
};

/// Whom a key keeper talks to.
struct key_keeper_peers {
  key_upstream_actor upstream;
  ledger_actor ledger;
  key_registry_actor registry;
};

/// Announces itself to the registry, does what key_plan says, and tells the registry what was seen to work. `own_thread`:
/// comparing long lists blocks, so in service each keeper has its own; tests run without.
key_keeper_actor spawn_key_keeper(caf::actor_system& system, bool own_thread, key_keeper_settings settings,
                                  key_keeper_peers peers, metrics& numbers);

} // namespace keyportal
