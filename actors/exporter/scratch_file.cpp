#include "actors/exporter/scratch_file.hpp"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>

#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include "messages/errors.hpp"

namespace keyportal {

namespace {

caf::error failed(const char* what, int number) {
  return make_error(number == ENOSPC || number == EDQUOT ? errc::storage_full : errc::storage_failed,
                    fmt::format("{} a temporary file: {}", what, std::strerror(number)));
}

} // namespace

caf::expected<scratch_file> scratch_file::make(const std::filesystem::path& folder) {
  std::error_code ignored;
  const auto where = folder.empty() ? std::filesystem::temp_directory_path(ignored) : folder;
  scratch_file out;
  out.file_ = ::open(where.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (out.file_ < 0) { // not every file system can do that
    auto name = (where / "scratch.XXXXXX").string();
    out.file_ = ::mkostemp(name.data(), O_CLOEXEC);
    if (out.file_ < 0)
      return failed("making", errno);
    ::unlink(name.c_str());
  }
  return out;
}

scratch_file::~scratch_file() {
  if (file_ >= 0)
    ::close(file_);
}

scratch_file::scratch_file(scratch_file&& other) noexcept : file_(std::exchange(other.file_, -1)) {}

scratch_file& scratch_file::operator=(scratch_file&& other) noexcept {
  std::swap(file_, other.file_);
  return *this;
}

caf::error scratch_file::write(std::uint64_t offset, const void* data, std::size_t bytes) {
  for (const auto* from = static_cast<const char*>(data); bytes > 0;) {
    const auto done = ::pwrite(file_, from, bytes, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return failed("writing", done == 0 ? ENOSPC : errno);
    from += done;
    offset += static_cast<std::uint64_t>(done);
    bytes -= static_cast<std::size_t>(done);
  }
  return {};
}

caf::error scratch_file::read(std::uint64_t offset, void* data, std::size_t bytes) const {
  for (auto* to = static_cast<char*>(data); bytes > 0;) {
    const auto done = ::pread(file_, to, bytes, static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return failed("reading", done == 0 ? EIO : errno);
    to += done;
    offset += static_cast<std::uint64_t>(done);
    bytes -= static_cast<std::size_t>(done);
  }
  return {};
}

} // namespace keyportal
