#include "storage/database.hpp"

#include <algorithm>
#include <array>

#include <fmt/core.h>
#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/table_properties_collectors.h>

#include "messages/errors.hpp"
#include "storage/cells.hpp"
#include "storage/keys.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {
namespace {

// In the order of `family`. On disk: names are never changed.
const std::array<std::string, families> family_names{"default",   "records",  "rollups", "outbox",
                                                     "snapshots", "arrivals", "inbox",   "registry"};

rocksdb::DBOptions database_options(const database_setup& how) {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  if (how.env != nullptr)
    options.env = how.env;
  // A crash leaves an unfinished last write, which is dropped; any other damage stops the start (README.md, Recovery).
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  options.paranoid_checks = true;
  // Small: the whole service has 64 MB when idle.
  options.db_write_buffer_size = 3 * how.write_buffer_bytes;
  options.max_total_wal_size = 4 * how.write_buffer_bytes;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.max_manifest_file_size = std::size_t{16} << 20;
  options.keep_log_file_num = 3;
  options.max_log_file_size = std::size_t{1} << 20;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.stats_dump_period_sec = 0; // no work of its own while idle
  options.stats_persist_period_sec = 0;
  return options;
}

rocksdb::ColumnFamilyOptions family_options(family which, const database_setup& how,
                                            const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = how.write_buffer_bytes;
  // A family that is not written to keeps one block of this.
  options.arena_block_size = std::clamp(how.write_buffer_bytes / 8, std::size_t{16} << 10, std::size_t{256} << 10);
  options.max_write_buffer_number = 2;
  options.target_file_size_base = std::uint64_t{16} << 20;
  options.max_bytes_for_level_base = std::uint64_t{64} << 20;
  options.level_compaction_dynamic_level_bytes = true;
  options.compression = rocksdb::kLZ4Compression;
  options.bottommost_compression = rocksdb::kZSTD;
  // Rows are made to be small themselves: higher levels take twice the time for one part in a hundred.
  options.bottommost_compression_opts.enabled = true;
  options.bottommost_compression_opts.level = 1;

  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  table.block_size = std::size_t{8} << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));

  switch (which) {
    case family::meta: break;
    // No hints where ranges are deleted (roll-ups, records, arrivals): RocksDB 7.8 keeps one hint for the list of rows and
    // that of ranges, and writes into the wrong one.
    case family::rollups:
      options.merge_operator = make_cell_merger();
      table.block_size = std::size_t{32} << 10; // read by the run
      break;
    case family::registry:
      options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
      break;
    case family::records:
      // Each record is looked for before it is written, and mostly is not there: filters answer that, in memory too.
      options.memtable_prefix_bloom_size_ratio = 0.05;
      options.memtable_whole_key_filtering = true;
      break;
    case family::outbox:
      options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(1));
      // A queue: without this, reading its head would wade through what was taken off it.
      options.table_properties_collector_factories.push_back(rocksdb::NewCompactOnDeletionCollectorFactory(4096, 2048));
      break;
    case family::arrivals: break;
    case family::inbox:
      // Rows live for milliseconds. Written once and removed with SingleDelete, a row and its removal vanish when the
      // write buffer is flushed; what little is left is sealed already.
      options.memtable_insert_with_hint_prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(5));
      options.compression = rocksdb::kNoCompression;
      options.bottommost_compression = rocksdb::kNoCompression;
      break;
    case family::snapshots:
      options.compression = rocksdb::kNoCompression; // compressed and sealed already
      options.bottommost_compression = rocksdb::kNoCompression;
      break;
  }
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

bool is_lock_held(const std::string& message) {
  return message.find("/LOCK") != std::string::npos
         && (message.find("Resource temporarily unavailable") != std::string::npos
             || message.find("lock hold by current process") != std::string::npos);
}

// A family we do not know was made by a later program.
caf::error refuse_foreign_families(const rocksdb::DBOptions& options, const std::string& path) {
  std::vector<std::string> present;
  if (!rocksdb::DB::ListColumnFamilies(options, path, &present).ok())
    return {}; // not there yet, or damaged: opening will tell
  for (const auto& name : present)
    if (std::find(family_names.begin(), family_names.end(), name) == family_names.end())
      return make_error(errc::storage_newer, fmt::format("{}: unknown family '{}'", path, name));
  return {};
}

caf::error check_schema(database& db, const std::string& path) {
  const auto key = encode_key(schema_key{});
  auto found = db.get(family::meta, key);
  if (!found)
    return found.error();
  if (!*found) {
    rocksdb::WriteBatch batch;
    batch.Put(db.handle(family::meta), key, encode_number(schema_version));
    return db.write(batch, true);
  }
  std::uint32_t version = 0;
  if (!decode_number(**found, version))
    return damaged("schema");
  if (version > schema_version)
    return make_error(errc::storage_newer,
                      fmt::format("{}: schema {}, this program knows {}", path, version, schema_version));
  return {};
}

} // namespace

caf::error to_error(const rocksdb::Status& status) {
  if (status.ok())
    return {};
  const auto text = status.ToString();
  if (status.IsNoSpace())
    return make_error(errc::storage_full, text);
  if (status.IsCorruption())
    return make_error(errc::storage_corrupt, text);
  if (status.IsIOError() && is_lock_held(text))
    return make_error(errc::storage_in_use, text);
  return make_error(errc::storage_failed, text);
}

caf::error damaged(std::string_view what) {
  return make_error(errc::storage_corrupt, fmt::format("a row of kind '{}' cannot be read", what));
}

caf::expected<std::shared_ptr<database>> database::open_store(const database_setup& how) {
  const auto path = how.folder.string();
  const auto db_options = database_options(how);
  if (auto foreign = refuse_foreign_families(db_options, path))
    return foreign;
  const auto cache = rocksdb::NewLRUCache(how.block_cache_bytes, 2);
  std::vector<rocksdb::ColumnFamilyDescriptor> wanted;
  for (std::size_t i = 0; i < family_names.size(); ++i)
    wanted.emplace_back(family_names[i], family_options(static_cast<family>(i), how, cache));
  std::shared_ptr<database> result{new database};
  rocksdb::DB* raw = nullptr;
  if (auto failed = to_error(rocksdb::DB::Open(db_options, path, wanted, &result->handles_, &raw)))
    return failed;
  result->db_.reset(raw);
  if (auto failed = check_schema(*result, path))
    return failed;
  return result;
}

database::~database() {
  if (!db_)
    return;
  for (auto* handle : handles_)
    db_->DestroyColumnFamilyHandle(handle);
  db_->Close(); // an error here has nobody to go to: all that was acknowledged is in the log
}

caf::expected<std::optional<std::string>> database::get(family where, std::string_view key,
                                                        const rocksdb::Snapshot* as_of) const {
  rocksdb::ReadOptions options;
  options.snapshot = as_of;
  std::string value;
  const auto status = db_->Get(options, handle(where), rocksdb::Slice(key.data(), key.size()), &value);
  if (status.IsNotFound())
    return std::optional<std::string>{};
  if (!status.ok())
    return to_error(status);
  return std::optional<std::string>{std::move(value)};
}

caf::error database::write(rocksdb::WriteBatch& batch, bool sync) {
  rocksdb::WriteOptions options;
  options.sync = sync;
  return to_error(db_->Write(options, &batch));
}

namespace {

/// Rows of one batch, whatever family they are of.
class row_list : public rocksdb::WriteBatch::Handler {
public:
  rocksdb::Status PutCF(std::uint32_t, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    out.rows.push_back({key.ToString(), value.ToString()});
    return rocksdb::Status::OK();
  }
  rocksdb::Status DeleteCF(std::uint32_t, const rocksdb::Slice& key) override {
    out.rows.push_back({key.ToString(), std::nullopt});
    return rocksdb::Status::OK();
  }
  shared_rows out;
};

} // namespace

caf::error database::write_shared(rocksdb::WriteBatch& batch, bool sync) {
  if (!take_rows_)
    return write(batch, sync);
  row_list list;
  if (auto failed = to_error(batch.Iterate(&list)))
    return failed;
  return take_rows_(std::move(list.out));
}

caf::error database::each(family where, const std::string& prefix, const std::string& from, const visitor& visit,
                          const rocksdb::Snapshot* as_of, bool newest_first) const {
  const auto end = prefix_end(prefix);
  const rocksdb::Slice lower{prefix};
  const rocksdb::Slice upper{end};
  rocksdb::ReadOptions options;
  options.snapshot = as_of;
  options.iterate_lower_bound = &lower;
  options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> row{db_->NewIterator(options, handle(where))};
  if (newest_first)
    row->SeekToLast();
  else
    row->Seek(from.empty() ? prefix : from);
  for (bool stop = false; row->Valid() && !stop; newest_first ? row->Prev() : row->Next())
    if (auto failed = visit(row->key().ToStringView(), row->value().ToStringView(), stop))
      return failed;
  return to_error(row->status());
}

} // namespace keyportal::storage
