#include "faulty_files.hpp"

#include <atomic>
#include <map>
#include <mutex>

#include <rocksdb/file_system.h>

namespace keyportal::storage::test {

using rocksdb::FSWritableFile;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

class faulty_file_system : public rocksdb::FileSystemWrapper {
public:
  faulty_file_system() : FileSystemWrapper(rocksdb::FileSystem::Default()) {}
  const char* Name() const override { return "faulty"; }

  IOStatus NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                           std::unique_ptr<FSWritableFile>* result, IODebugContext* context) override;
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options,
                      IODebugContext* context) override {
    const std::lock_guard lock{mutex_};
    auto status = FileSystemWrapper::RenameFile(from, to, options, context);
    if (status.ok())
      if (auto moved = synced_.extract(from)) {
        moved.key() = to;
        synced_.erase(to);
        synced_.insert(std::move(moved));
      }
    return status;
  }

  [[nodiscard]] IOStatus check(const std::string& name, bool is_sync) const {
    using fault = faulty_files::fault;
    const auto now = fault_.load();
    if (now == fault::none || (logs_only_ && !name.ends_with(".log")))
      return IOStatus::OK();
    if (now == fault::disk_full)
      return IOStatus::NoSpace("no space left, says the test");
    if (now == fault::sync_fails && !is_sync)
      return IOStatus::OK();
    return IOStatus::IOError("broken, says the test");
  }
  void note_synced(const std::string& name, std::uint64_t size) {
    const std::lock_guard lock{mutex_};
    synced_[name] = size;
    ++syncs_;
  }

  std::atomic<faulty_files::fault> fault_{faulty_files::fault::none};
  std::atomic<bool> logs_only_{false};
  std::mutex mutex_;
  std::map<std::string, std::uint64_t> synced_; // files written through us and how much of them is safe
  std::uint64_t syncs_ = 0;
};

namespace {

class faulty_file : public rocksdb::FSWritableFileOwnerWrapper {
public:
  faulty_file(std::unique_ptr<FSWritableFile>&& file, std::string name, faulty_file_system& of)
    : FSWritableFileOwnerWrapper(std::move(file)), name_(std::move(name)), of_(of) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* context) override {
    auto status = of_.check(name_, false);
    if (status.ok())
      status = FSWritableFileOwnerWrapper::Append(data, options, context);
    if (status.ok())
      size_ += data.size();
    return status;
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* context) override {
    return Append(data, options, context);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* context) override { return synced(options, context); }
  IOStatus Fsync(const IOOptions& options, IODebugContext* context) override { return synced(options, context); }

private:
  IOStatus synced(const IOOptions& options, IODebugContext* context) {
    auto status = of_.check(name_, true);
    if (status.ok())
      status = FSWritableFileOwnerWrapper::Sync(options, context);
    if (status.ok())
      of_.note_synced(name_, size_);
    return status;
  }

  std::string name_;
  faulty_file_system& of_;
  std::uint64_t size_ = 0;
};

} // namespace

IOStatus faulty_file_system::NewWritableFile(const std::string& name, const rocksdb::FileOptions& options,
                                             std::unique_ptr<FSWritableFile>* result, IODebugContext* context) {
  if (auto status = check(name, false); !status.ok())
    return status;
  std::unique_ptr<FSWritableFile> file;
  auto status = FileSystemWrapper::NewWritableFile(name, options, &file, context);
  if (!status.ok())
    return status;
  {
    const std::lock_guard lock{mutex_};
    synced_[name] = 0;
  }
  *result = std::make_unique<faulty_file>(std::move(file), name, *this);
  return status;
}

faulty_files::faulty_files() : files_(std::make_shared<faulty_file_system>()), env_(rocksdb::NewCompositeEnv(files_)) {}
faulty_files::~faulty_files() = default;

void faulty_files::set(fault what, bool logs_only) {
  files_->logs_only_ = logs_only;
  files_->fault_ = what;
}

void faulty_files::cut_power() {
  const std::lock_guard lock{files_->mutex_};
  for (const auto& [name, size] : files_->synced_) {
    std::error_code ignored;
    if (std::filesystem::exists(name, ignored) && std::filesystem::file_size(name, ignored) > size)
      std::filesystem::resize_file(name, size);
  }
  files_->synced_.clear();
}

std::uint64_t faulty_files::syncs() const {
  const std::lock_guard lock{files_->mutex_};
  return files_->syncs_;
}

} // namespace keyportal::storage::test
