// COLLECTOR: takes one node's records out of its queue. What comes is durable before it is looked into.
#pragma once

#include <chrono>
#include <functional>

#include <caf/actor_system.hpp>

#include "actors/collector/collect_plan.hpp"
#include "actors/collector/tap.hpp"
#include "actors/telemetry/metrics.hpp"
#include "messages/actors.hpp"

namespace keyportal {

struct collector_settings {
  node_name node;
  collect_setting setting = collect_setting::automatic;
  std::chrono::milliseconds pop_interval{1'000}; ///< over HTTP, where each pop costs the node a management call
  std::function<moment()> now;                   ///< wall clock
  std::function<std::int64_t()> first_ns = {};   ///< records from before are too old; not set: none are
};

/// Whom a collector talks to.
struct collector_peers {
  upstream_actor upstream;
  ledger_actor ledger;
  tap_factory make_tap;
};

/// `own_thread`: decoding blocks, so in service each collector has its own; tests run without.
collector_actor spawn_collector(caf::actor_system& system, bool own_thread, collector_settings settings,
                                collector_peers peers, metrics& numbers);

} // namespace keyportal
