// A file that grows while it is received, under a name of its own until it is whole.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "messages/errors.hpp"

namespace keyportal::cli {

/// FILE.part, readable by its owner only. Errors are `file_unreadable`.
class part_file {
public:
  explicit part_file(std::filesystem::path file) : file_(std::move(file)) {}
  ~part_file();
  part_file(const part_file&) = delete;
  part_file& operator=(const part_file&) = delete;

  /// `anew`: what is there is thrown away; else it is gone on with.
  [[nodiscard]] caf::error open(bool anew);
  [[nodiscard]] std::uint64_t size() const { return size_; }
  /// Not for an empty one.
  [[nodiscard]] caf::expected<char> last_byte() const;
  [[nodiscard]] caf::error append(std::string_view bytes);
  /// Gives it its name, in one step; on disk when it returns.
  [[nodiscard]] caf::error finish();

private:
  [[nodiscard]] std::filesystem::path part() const;
  [[nodiscard]] caf::error failed() const;

  std::filesystem::path file_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

} // namespace keyportal::cli
