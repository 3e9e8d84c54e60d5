// Files as they fail: writes and syncs that do not succeed, a disk that is full, power that goes.
#pragma once

#include <filesystem>
#include <memory>

#include <rocksdb/env.h>

namespace keyportal::storage::test {

class faulty_file_system;

/// Put `env()` into `settings::env`. Without a fault it does what the machine's own does.
class faulty_files {
public:
  faulty_files();
  ~faulty_files();
  [[nodiscard]] rocksdb::Env* env() const { return env_.get(); }

  enum class fault { none, io_error, disk_full, sync_fails };
  /// From now on, for logs (`*.log`) only or for all files.
  void set(fault what, bool logs_only = false);
  /// Takes from every file what was not synced, as if the power had gone. The database must be closed.
  void cut_power();
  [[nodiscard]] std::uint64_t syncs() const;

private:
  std::shared_ptr<faulty_file_system> files_;
  std::unique_ptr<rocksdb::Env> env_;
};

} // namespace keyportal::storage::test
