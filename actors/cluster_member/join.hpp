// How a process becomes part of a cluster, before its ledger is opened: which cluster it is, and with which key all of it is
// sealed.
#pragma once

#include <memory>
#include <string>

#include <caf/expected.hpp>

#include "actors/nats/jetstream_log.hpp"
#include "actors/nats/kv_table.hpp"
#include "config/settings.hpp"
#include "storage/ledger.hpp"
#include "storage/seal.hpp"

namespace keyportal {

/// Where everything of a cluster lies at the NATS servers.
struct cluster_places {
  nats::table_settings table;
  nats::log_settings log;
  nats::log_settings checkpoints;
  std::string subject; ///< of what its processes say to each other; they add to it
};
cluster_places places_of(const settings& s);

struct cluster_identity {
  std::string member;  ///< of this process, from its start to its end
  std::string cluster; ///< drawn when it was made
  std::shared_ptr<const storage::sealer> seal;
  bool begins_with_checkpoint = false; ///< there was something before the log's first message
};

/// Makes the cluster when there is none of that name, and the key file of the data folder when it has none. Waits for NATS as
/// long as it takes, says so in the log, and gives up when `stopped` says so. `cluster_secret_wrong`, `cluster_foreign`.
caf::expected<cluster_identity> join(const settings& s, const std::function<bool()>& stopped);

/// Whether the opened ledger may follow the cluster's log, and from where. One that has something and never followed a log may
/// only where the log is empty: it is what the cluster begins with, and others begin with its checkpoint.
struct joining {
  bool is_founder = false; ///< gives a checkpoint of what it has before anybody else joins
  bool needs_checkpoint = false;
};
caf::expected<joining> check_history(const storage::ledger& store, const cluster_identity& who, const settings& s);

/// That the cluster begins with what one process had.
caf::error say_begins_with_checkpoint(const settings& s);

} // namespace keyportal
