// ACCOUNT KEEPER: one for all nodes. Lets people contribute accounts with providers, and looks after them: how they are, how
// their quota goes, what is to be told of it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <caf/actor_system.hpp>

#include "actors/account_keeper/account_upstream.hpp"
#include "actors/telemetry/metrics.hpp"
#include "messages/accounts.hpp"
#include "storage/account_shelf.hpp"

namespace keyportal {

struct account_keeper_settings {
  std::chrono::milliseconds refresh_interval{60'000};
  std::chrono::milliseconds quota_interval{300'000}; ///< 0: only when somebody asks
  std::vector<std::chrono::milliseconds> reminders;  ///< longest first
  bool everybody = true;                             ///< may contribute; else admins only
  std::function<bool(const node_name&)> answers;     ///< whether the node lets us in; not set: always
  std::function<moment()> now;
  std::function<std::string()> draw; ///< a name nobody can guess
  /// "a" and 26 characters, the same for the same text.
  std::function<account_id(const std::string&)> id_of;
  /// Whether the ledger has this event, though its answer was never heard. Not set: it has not.
  std::function<bool(const node_event&)> is_kept;
  // on disk when they return
  std::function<caf::error(const storage::account_rows_change&)> keep;
  std::function<caf::expected<std::vector<storage::account_row>>(storage::account_row_kind)> kept;
  std::function<bool()> may_act =
    {}; ///< whether it is this process that looks after accounts; any thread. Unset: always
};
struct account_keeper_peers {
  struct node {
    node_name name;
    account_upstream_actor calls;     ///< logins and the folder
    account_upstream_actor questions; ///< to providers
  };
  std::vector<node> nodes;
  ledger_actor ledger;
  key_registry_actor registry;
  analyst_actor analyst; ///< may be null: nothing is known of their use then
};

/// `own_thread` for the real one: it writes to disk.
account_keeper_actor spawn_account_keeper(caf::actor_system& system, bool own_thread, account_keeper_settings settings,
                                          account_keeper_peers peers, metrics& numbers);

} // namespace keyportal
