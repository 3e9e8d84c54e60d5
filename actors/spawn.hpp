// The system on one page: one line per actor, in the order of messages/actors.hpp, with what each needs to be born.
#pragma once

#include <atomic>
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
#include "actors/nats/lease_keeper.hpp"
#include "actors/publisher/publisher.hpp"
#include "actors/replicator/replicator.hpp"
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

/// What a process of a cluster has besides.
struct cluster_part {
  std::string member;  ///< of this process, from its start to its end
  std::string address; ///< how people call it
  std::string id;      ///< of the cluster, drawn when it was made
  std::string subject; ///< of what its processes say to each other
  std::shared_ptr<const storage::sealer> seal;
  nats::server_settings server;
  cluster::log_opener open;
  std::vector<cluster::duty> duties;
  std::atomic<nats::lease_keeper*> leases{nullptr}; ///< of `keeper`; null before the actors run and after
  std::unique_ptr<nats::lease_keeper> keeper;
  std::atomic<double> stale_s{0}; ///< see replicator_state
  [[nodiscard]] std::optional<std::uint64_t> fence(const std::string& duty) const {
    const auto* now = leases.load();
    return now != nullptr ? now->fence(duty) : std::nullopt;
  }
  [[nodiscard]] bool may_act(const std::string& duty) const { return fence(duty).has_value(); }
};
namespace duties {
inline constexpr const char* publish = "publish";   ///< the outbox, to NATS
inline constexpr const char* schedule = "schedule"; ///< what is due by time: keys that end, budgets
inline constexpr const char* notices = "notices";   ///< who hears of what
inline constexpr const char* accounts = "accounts"; ///< with providers
inline constexpr const char* sign_in = "sign-in";   ///< conversations of several steps
inline constexpr const char* house = "house";       ///< checkpoints, and what they let go
} // namespace duties
std::vector<cluster::duty> duties_of(const settings& configured);

/// What all actors live in and from; outlives them.
struct surroundings {
  settings configured;
  std::shared_ptr<storage::ledger> store;
  metrics* numbers = nullptr;
  key_registry_start registry;           ///< read before any actor runs
  std::shared_ptr<cluster_part> cluster; ///< null: this process is alone
  /// Whether it is this process that sees to the duty now; alone it sees to all. Any thread.
  [[nodiscard]] bool may_act(const std::string& duty) const { return !cluster || cluster->may_act(duty); }
  std::function<moment()> now;
  publisher_settings shipping;
  sink_factory make_sink;
  gateway::gateway_hooks gateway_hooks;
  std::function<std::unique_ptr<delivery_queue>(delivery_queue::callbacks)> make_queue; ///< of notices
  std::function<caf::actor(caf::actor_system&, const shared_actors&)>
    spawn_member;                                                  ///< speaks with the others; may be unset
  std::function<void(std::function<void()> changed)> begin_duties; ///< may be unset
  std::function<caf::error(const shared_actors&)> open_gateway;    ///< begins to listen
  std::function<caf::error(const shared_actors&)> open_compat;     ///< likewise, for other tools; may be unset
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
  replicator_actor replicator; ///< the same, where this process is one of several; else null
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
