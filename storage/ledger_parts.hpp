// What a ledger is made of; for the ledger's own files only.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "storage/commit_plan.hpp"
#include "storage/configs.hpp"
#include "storage/database.hpp"
#include "storage/ledger.hpp"
#include "storage/names.hpp"
#include "storage/snapshots.hpp"

namespace keyportal::storage {

struct ledger::parts {
  parts(const settings& with, std::shared_ptr<database> opened, const sealer& seal)
    : how(with), db(std::move(opened)), dictionary(std::make_shared<names>(db, seal)),
      shelf(db, seal, with.snapshots_kept, with.daily_snapshots_kept), configs(db, seal) {}

  settings how;
  std::shared_ptr<database> db;
  std::shared_ptr<names> dictionary;
  mutable snapshot_shelf shelf;
  mutable config_shelf configs;

  // The writer's own.
  credential_table credentials; ///< rows of the last commits
  std::shared_ptr<const pricing> prices;
  bool broken = false; ///< a write failed and nobody knows how much of it is on disk
  int in_vain = 0;     ///< times in a row that RocksDB did not come back, with a disk that can be written

  /// What readers see of the last commit; the writer changes it under the mutex and reads it without.
  mutable std::mutex mutex;
  ledger_memory memory;

  /// Reads `memory` anew from disk.
  [[nodiscard]] caf::error load();
  /// After a failed write: makes RocksDB go on if it can, and believes only what is on disk.
  [[nodiscard]] caf::error mend();
  /// The number of a node; nothing for one the ledger has never heard of.
  [[nodiscard]] std::optional<name_number> number_of(const node_name& node) const;
};

} // namespace keyportal::storage
