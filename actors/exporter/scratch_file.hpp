// A file without a name, for what does not fit the memory meant for it. It goes with whoever has it open, however that ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>

#include <caf/expected.hpp>

namespace keyportal {

/// One thread.
class scratch_file {
public:
  /// In that folder; empty: in the system's one for such files.
  static caf::expected<scratch_file> make(const std::filesystem::path& folder);
  scratch_file() = default; ///< none: nothing can be written
  ~scratch_file();
  scratch_file(scratch_file&& other) noexcept;
  scratch_file& operator=(scratch_file&& other) noexcept;

  /// `storage_full`, `storage_failed`.
  [[nodiscard]] caf::error write(std::uint64_t offset, const void* data, std::size_t bytes);
  /// All of these have been written.
  [[nodiscard]] caf::error read(std::uint64_t offset, void* data, std::size_t bytes) const;

private:
  int file_ = -1;
};

} // namespace keyportal
