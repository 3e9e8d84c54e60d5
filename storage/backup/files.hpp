// Files and folders that are durable when a call returns. For the backups only.
#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include <unistd.h>

#include <caf/expected.hpp>

namespace keyportal::backup {

class descriptor {
public:
  explicit descriptor(int fd = -1) : fd_(fd) {}
  descriptor(descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~descriptor() {
    if (fd_ >= 0)
      ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

private:
  int fd_;
};

/// `storage_full` or `storage_failed` with the file and errno's reason.
caf::error because(const std::filesystem::path& file);

/// A file of mode 0600 that is being written. Sent to the disk as it grows: a burst at its end would make others wait who
/// sync to the same disk.
class new_file {
public:
  /// Replaces one that is there.
  static caf::expected<new_file> create(const std::filesystem::path& file);
  [[nodiscard]] caf::error write(std::string_view bytes);
  /// On disk when it returns.
  [[nodiscard]] caf::error finish();

private:
  new_file(std::filesystem::path file, descriptor out) : file_(std::move(file)), out_(std::move(out)) {}
  std::filesystem::path file_;
  descriptor out_;
  std::size_t since_sync_ = 0;
};

caf::error make_folder(const std::filesystem::path& folder); ///< mode 0700; with those above it
caf::error sync_folder(const std::filesystem::path& folder);
caf::error rename_file(const std::filesystem::path& from, const std::filesystem::path& to);
/// A folder with all that is in it; one that is not there is no error.
caf::error remove_folder(const std::filesystem::path& folder);

/// Held as long as it lives; others who want it alone are refused (`backup_in_use`). Ends with the process.
class folder_lock {
public:
  static caf::expected<folder_lock> take(const std::filesystem::path& folder, bool alone);

private:
  explicit folder_lock(descriptor held) : held_(std::move(held)) {}
  descriptor held_;
};

} // namespace keyportal::backup
