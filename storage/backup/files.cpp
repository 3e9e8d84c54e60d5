#include "storage/backup/files.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <fmt/core.h>

#include "messages/errors.hpp"

namespace keyportal::backup {

namespace {
constexpr std::size_t sync_every = std::size_t{4} << 20;
}

caf::error because(const std::filesystem::path& file) {
  return make_error(errno == ENOSPC || errno == EDQUOT ? errc::storage_full : errc::storage_failed,
                    fmt::format("{}: {}", file.string(), std::strerror(errno)));
}

caf::expected<new_file> new_file::create(const std::filesystem::path& file) {
  ::unlink(file.c_str());
  descriptor out{::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600)};
  if (out.get() < 0)
    return because(file);
  return new_file{file, std::move(out)};
}

caf::error new_file::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(out_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return because(file_);
    bytes.remove_prefix(static_cast<std::size_t>(n));
    since_sync_ += static_cast<std::size_t>(n);
  }
  if (since_sync_ < sync_every)
    return {};
  since_sync_ = 0;
  return ::fdatasync(out_.get()) == 0 ? caf::error{} : because(file_);
}

caf::error new_file::finish() { return ::fsync(out_.get()) == 0 ? caf::error{} : because(file_); }

caf::error make_folder(const std::filesystem::path& folder) {
  std::error_code problem;
  if (std::filesystem::is_directory(folder, problem))
    return {};
  if (folder.has_parent_path() && folder.parent_path() != folder)
    if (auto failed = make_folder(folder.parent_path()))
      return failed;
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST)
    return because(folder);
  return folder.has_parent_path() ? sync_folder(folder.parent_path()) : caf::error{};
}

caf::error sync_folder(const std::filesystem::path& folder) {
  const descriptor at{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (at.get() < 0)
    return because(folder);
  // Some file systems cannot; they have nothing to make durable.
  return ::fsync(at.get()) == 0 || errno == EINVAL ? caf::error{} : because(folder);
}

caf::error rename_file(const std::filesystem::path& from, const std::filesystem::path& to) {
  return ::rename(from.c_str(), to.c_str()) == 0 ? caf::error{} : because(to);
}

caf::error remove_folder(const std::filesystem::path& folder) {
  std::error_code problem;
  std::filesystem::remove_all(folder, problem);
  return problem ? make_error(errc::storage_failed, fmt::format("{}: {}", folder.string(), problem.message()))
                 : caf::error{};
}

caf::expected<folder_lock> folder_lock::take(const std::filesystem::path& folder, bool alone) {
  const auto file = folder / "lock";
  descriptor held{::open(file.c_str(), (alone ? O_RDWR | O_CREAT : O_RDONLY) | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (held.get() < 0) {
    if (!alone) // read from where nothing can be written
      return folder_lock{descriptor{}};
    return because(file);
  }
  if (::flock(held.get(), (alone ? LOCK_EX : LOCK_SH) | LOCK_NB) == 0)
    return folder_lock{std::move(held)};
  return errno == EWOULDBLOCK ? make_error(errc::backup_in_use, folder.string()) : because(file);
}

} // namespace keyportal::backup
