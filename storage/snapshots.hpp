// Export files kept in the database: compressed, cut into pieces, sealed, checked when read.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "messages/events.hpp"
#include "storage/database.hpp"
#include "storage/seal.hpp"

namespace keyportal::storage {

/// Which snapshots of one node to drop: all but the `newest` newest and the newest one of each of the last `daily` days
/// (UTC) that have any. `kept` is newest first.
std::vector<std::uint64_t> snapshots_to_drop(const std::vector<snapshot_info>& kept, int newest, int daily);

/// Any thread.
class snapshot_shelf {
public:
  snapshot_shelf(std::shared_ptr<database> db, sealer seal, int newest, int daily)
    : db_(std::move(db)), seal_(std::move(seal)), newest_(newest), daily_(daily) {}

  [[nodiscard]] caf::expected<snapshot_info> keep(snapshot_info info, const std::string& json);
  [[nodiscard]] caf::expected<std::vector<snapshot_info>> list(const node_name& node) const;
  [[nodiscard]] caf::expected<std::string> read(std::uint64_t id) const;

private:
  [[nodiscard]] caf::error drop(rocksdb::WriteBatch& batch, const snapshot_info& added) const;

  std::shared_ptr<database> db_;
  sealer seal_;
  int newest_;
  int daily_;
  std::mutex mutex_; // one is kept at a time: it gives the id and drops old ones
};

} // namespace keyportal::storage
