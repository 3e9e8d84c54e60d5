// The one door to RocksDB: opens it, lists its families, maps its errors. Nothing else in the project opens a database.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include "storage/shared.hpp"

namespace keyportal::storage {

/// The order of the families in `database`; their names are in database.cpp and on disk.
enum class family : std::uint8_t { meta, records, rollups, outbox, snapshots, arrivals, inbox, registry };
inline constexpr std::size_t families = 8;

/// The layout this program reads and writes. One that says more is refused, one that says less is migrated (migrate.cpp).
inline constexpr std::uint32_t schema_version = 5;

caf::error to_error(const rocksdb::Status& status);
/// A row whose bytes do not mean anything: `what` says which kind of row.
caf::error damaged(std::string_view what);

struct database_setup {
  std::filesystem::path folder;
  std::size_t block_cache_bytes = 0;
  std::size_t write_buffer_bytes = 0;
  rocksdb::Env* env = nullptr; ///< null: the machine's own
};

/// An open database. All methods: any thread.
class database {
public:
  /// Opens or makes the database in `folder` (whose parent exists). `storage_in_use` when another process or handle
  /// has it, `storage_newer` for a later schema, `storage_corrupt` for damage that a crash cannot explain.
  static caf::expected<std::shared_ptr<database>> open_store(const database_setup& how);
  ~database();
  database(const database&) = delete;
  database& operator=(const database&) = delete;

  /// Nothing when there is no such row.
  [[nodiscard]] caf::expected<std::optional<std::string>> get(family where, std::string_view key,
                                                              const rocksdb::Snapshot* as_of = nullptr) const;
  /// All or nothing. `sync`: on disk when this returns without an error.
  [[nodiscard]] caf::error write(rocksdb::WriteBatch& batch, bool sync);

  /// What others should have as well: to whoever takes it, else like `write`.
  [[nodiscard]] caf::error write_shared(rocksdb::WriteBatch& batch, bool sync);
  void share_rows(std::function<caf::error(shared_rows)> take) { take_rows_ = std::move(take); }

  /// Calls `visit(key, value)` for the rows that begin with `prefix`, from `from` on (empty: from the first), in
  /// order, until it returns an error or sets `stop`. A row visited lives only during the call.
  using visitor = std::function<caf::error(std::string_view key, std::string_view value, bool& stop)>;
  [[nodiscard]] caf::error each(family where, const std::string& prefix, const std::string& from, const visitor& visit,
                                const rocksdb::Snapshot* as_of = nullptr, bool newest_first = false) const;

  [[nodiscard]] rocksdb::DB& raw() const { return *db_; }
  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(family where) const {
    return handles_[static_cast<std::size_t>(where)];
  }

private:
  database() = default;
  std::unique_ptr<rocksdb::DB> db_;
  std::vector<rocksdb::ColumnFamilyHandle*> handles_;
  std::function<caf::error(shared_rows)> take_rows_;
};

/// A consistent view, released at the end of its life. Must not outlive the database.
class view {
public:
  explicit view(const database& db) : db_(&db), snapshot_(db.raw().GetSnapshot()) {}
  ~view() { db_->raw().ReleaseSnapshot(snapshot_); }
  view(const view&) = delete;
  view& operator=(const view&) = delete;
  [[nodiscard]] const rocksdb::Snapshot* get() const { return snapshot_; }

private:
  const database* db_;
  const rocksdb::Snapshot* snapshot_;
};

} // namespace keyportal::storage
