// What a ledger is made of; for the ledger's own files only.
#pragma once

#include <memory>
#include <mutex>
#include <optional>

#include "storage/account_shelf.hpp"
#include "storage/commit_plan.hpp"
#include "storage/configs.hpp"
#include "storage/database.hpp"
#include "storage/day_changes.hpp"
#include "storage/ledger.hpp"
#include "storage/names.hpp"
#include "storage/notices.hpp"
#include "storage/sha256.hpp"
#include "storage/snapshots.hpp"

namespace keyportal::storage {

/// Client keys by their SHA-256, read when they are first asked for.
struct key_hashes {
  struct one {
    sha256_hash hash{};
    name_number name = 0; ///< of the dictionary, or
    std::string id;       ///< of the registry
  };
  std::vector<one> keys;              ///< ascending by hash
  log_position registry = UINT64_MAX; ///< that the keys of the registry are of
  name_number last_name = 0;

  [[nodiscard]] caf::error read(const database& db, const names& dictionary, log_position registry_now);
};

/// Reads which events are kept.
caf::error load_events(const database& db, const view& as_of, kept_events& out);

struct ledger::parts {
  parts(const settings& with, std::shared_ptr<database> opened, const sealer& seal)
    : how(with), db(std::move(opened)), dictionary(std::make_shared<names>(db, seal)),
      shelf(db, seal, with.snapshots_kept, with.daily_snapshots_kept), configs(db, seal),
      told(std::make_shared<notice_shelf>(db, seal, with.sync)), accounts(db, seal) {}

  settings how;
  std::shared_ptr<database> db;
  std::shared_ptr<names> dictionary;
  mutable snapshot_shelf shelf;
  mutable config_shelf configs;
  std::shared_ptr<notice_shelf> told;
  account_shelf accounts;

  mutable std::mutex history_mutex; // days are kept by one at a time: it compares with what is there
  mutable std::mutex hashes_mutex;
  mutable key_hashes hashes;

  // The writer's own.
  credential_table credentials; ///< rows of the last commits
  std::shared_ptr<const pricing> prices;
  bool broken = false; ///< a write failed and nobody knows how much of it is on disk
  int in_vain = 0;     ///< times in a row that RocksDB did not come back, with a disk that can be written

  /// What readers see of the last commit; the writer changes it under the mutex and reads it without.
  mutable std::mutex mutex;
  ledger_memory memory;
  std::shared_ptr<day_changes> changed = std::make_shared<day_changes>();

  /// Reads `memory` anew from disk.
  [[nodiscard]] caf::error load();
  /// After a failed write: makes RocksDB go on if it can, and believes only what is on disk.
  [[nodiscard]] caf::error mend();
  /// The number of a node; nothing for one the ledger has never heard of.
  [[nodiscard]] std::optional<name_number> number_of(const node_name& node) const;
  /// Records of the node from before this moment may have gone.
  [[nodiscard]] std::int64_t first_ns_of(name_number node) const;
  struct moments {
    std::unordered_map<name_number, std::int64_t> by_node;
    [[nodiscard]] std::int64_t of(name_number node) const {
      const auto found = by_node.find(node);
      return found == by_node.end() ? INT64_MIN : found->second;
    }
  };
  /// The same of all nodes that have such a moment. Read it after a view was taken.
  [[nodiscard]] moments first_moments() const;
};

} // namespace keyportal::storage
