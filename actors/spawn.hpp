// The system on one page: one line per actor, in the order of messages/actors.hpp, with what each needs to be born.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <vector>

#include <caf/actor_system.hpp>

#include "actors/account_keeper/account_upstream.hpp"
#include "actors/cpa/account_client.hpp"
#include "actors/cpa/key_client.hpp"
#include "actors/cpa/management_client.hpp"
#include "actors/feed/feed.hpp"
#include "actors/key_registry/key_registry.hpp"
#include "actors/notifier/delivery_queue.hpp"
#include "actors/publisher/publisher.hpp"
#include "actors/telemetry/metrics.hpp"
#include "config/settings.hpp"
#include "gateway/gateway.hpp"
#include "messages/access.hpp"
#include "messages/accounts.hpp"
#include "messages/actors.hpp"
#include "messages/exports.hpp"
#include "messages/notices.hpp"
#include "messages/store_care.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

struct shared_actors;

/// What all actors live in and from; outlives them.
struct surroundings {
  settings configured;
  std::shared_ptr<storage::ledger> store;
  metrics* numbers = nullptr;
  key_registry_start registry; ///< read before any actor runs
  std::function<moment()> now;
  publisher_settings shipping;
  sink_factory make_sink;
  gateway::gateway_hooks gateway_hooks;
  std::function<std::unique_ptr<delivery_queue>(delivery_queue::callbacks)> make_queue; ///< of notices
  std::function<caf::error(const shared_actors&)> open_gateway;                         ///< begins to listen
  std::function<caf::error(const shared_actors&)> open_compat; ///< likewise, for other tools; may be unset
};

/// The actors of one node, and the client whose calls can be stopped.
struct node_actors {
  node_name name;
  std::shared_ptr<cpa::management_client> client;
  upstream_actor upstream;
  restart_detector_actor detector;
  snapshot_keeper_actor keeper;
  collector_actor collector;
  poller_actor poller;
  std::shared_ptr<cpa::key_client> key_client;
  key_upstream_actor key_upstream;
  key_keeper_actor keys;
};

/// The actors there is one of.
struct shared_actors {
  ledger_actor ledger;
  publisher_actor publisher;
  live_feed_actor feed;
  key_registry_actor registry;
  auditor_actor auditor;
  analyst_actor analyst;
  checker_actor checker;
  exporter_actor exporter;
  backup_actor backups;
  retention_actor retention;
  authenticator_actor authenticator;
  account_keeper_actor accounts;
  std::map<node_name, std::shared_ptr<cpa::key_watch>> key_watches;  ///< of every node
  std::vector<std::shared_ptr<cpa::account_client>> account_clients; ///< two of each node, with
  std::vector<account_upstream_actor> account_upstreams;             ///< an actor each
  std::shared_ptr<caller_directory> callers;
  notifier_actor notifier;
  gateway_actor gateway;
};

shared_actors spawn_shared(caf::actor_system& system, const surroundings& around);
node_actors spawn_node(caf::actor_system& system, const surroundings& around, const node_settings& node,
                       const shared_actors& shared);

} // namespace keyportal
