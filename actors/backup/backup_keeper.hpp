// BACKUP KEEPER: makes backups of the running service, by itself and when asked, proves them and thins them out.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>

#include <caf/actor_system.hpp>

#include "actors/telemetry/metrics.hpp"
#include "messages/store_care.hpp"
#include "storage/backup/repository.hpp"
#include "storage/ledger.hpp"

namespace keyportal {

struct backup_keeper_settings {
  std::filesystem::path folder; ///< empty: no backups
  backup::key_source key;
  std::filesystem::path ledger;          ///< its folder
  std::chrono::milliseconds interval{0}; ///< 0: only when asked
  backup::keep_rules keep;
  std::function<moment()> now;
};

/// The work is done on threads of its own (one for what takes long, one for lists), so the state is told at once.
backup_actor spawn_backup_keeper(caf::actor_system& system, bool own_thread, backup_keeper_settings settings,
                                 ledger_actor ledger, std::shared_ptr<const storage::ledger> store, metrics& numbers);

} // namespace keyportal
