// POLLER: looks at one node, hands on what is new, remembers only what is durable.
#pragma once

#include <functional>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/poller/poll_plan.hpp"
#include "actors/telemetry/metrics.hpp"
#include "messages/actors.hpp"

namespace keyportal {

struct poller_settings {
  node_name node;
  std::string url; ///< shown to people; without credentials
  poll_settings poll;
  std::chrono::milliseconds audit_interval{10'000}; ///< between looks at the counters of a node without `/usage`
  bool boot_marker = false;                         ///< keep a marker in the node
  bool mend_settings = false;                       ///< change at the node what keeps it from recording
  std::function<moment()> now;                      ///< wall clock
};

/// Whom a poller talks to.
struct poller_peers {
  upstream_actor upstream;
  restart_detector_actor detector;
  ledger_actor ledger;
  snapshot_keeper_actor keeper;
  feed_actor feed;
  collector_actor collector;
  key_keeper_actor keys = {}; ///< may be unset
};

/// `own_thread`: decoding a large answer blocks, so in service each poller has its own; tests run without.
poller_actor spawn_poller(caf::actor_system& system, bool own_thread, poller_settings settings, poller_peers peers,
                          metrics& numbers);

} // namespace keyportal
