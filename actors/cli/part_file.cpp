#include "actors/cli/part_file.hpp"

#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

namespace keyportal::cli {

part_file::~part_file() {
  if (descriptor_ >= 0)
    ::close(descriptor_);
}

std::filesystem::path part_file::part() const { return file_.string() + ".part"; }

caf::error part_file::failed() const {
  return make_error(errc::file_unreadable, fmt::format("{} ({})", file_.string(), std::strerror(errno)));
}

caf::error part_file::open(bool anew) {
  const auto flags = O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | (anew ? O_TRUNC : 0);
  descriptor_ = ::open(part().c_str(), flags, 0600);
  struct stat found {};
  if (descriptor_ < 0 || ::fchmod(descriptor_, 0600) != 0 || ::fstat(descriptor_, &found) != 0)
    return failed();
  size_ = static_cast<std::uint64_t>(found.st_size);
  return {};
}

caf::expected<char> part_file::last_byte() const {
  char out = 0;
  if (::pread(descriptor_, &out, 1, static_cast<off_t>(size_) - 1) != 1)
    return failed();
  return out;
}

caf::error part_file::append(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto written = ::write(descriptor_, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      return failed();
    bytes.remove_prefix(static_cast<std::size_t>(written));
    size_ += static_cast<std::uint64_t>(written);
  }
  return {};
}

caf::error part_file::finish() {
  if (::fsync(descriptor_) != 0 || ::rename(part().c_str(), file_.c_str()) != 0)
    return failed();
  const auto folder = file_.has_parent_path() ? file_.parent_path() : std::filesystem::path(".");
  const int parent = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool kept = parent >= 0 && ::fsync(parent) == 0; // else the new name may be gone after a power cut
  if (parent >= 0)
    ::close(parent);
  return kept ? caf::error{} : failed();
}

} // namespace keyportal::cli
