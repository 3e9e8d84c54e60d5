// Files of usage: read within bounds, looked into, and written so that they are never half there.
#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <string>

#include "messages/errors.hpp"

namespace keyportal::cli {

inline constexpr std::uint64_t largest_file = 1u << 30;

/// The whole file, or of "-" the whole of `in`; at most `largest_file`. `file_unreadable`.
caf::expected<std::string> read_file(const std::filesystem::path& file, std::istream& in);

/// Puts `content` in place of the file in one step, on disk before it returns, readable by its owner only (usage holds
/// client keys). What was there stays whole when it fails. `file_unreadable`.
caf::error write_file(const std::filesystem::path& file, const std::string& content);

struct usage_file {
  std::uint64_t records = 0;
  std::uint64_t keys = 0;
};
/// Looks into a usage export of version 1 (or without one): `file_malformed`, `file_version`. One pass, no copy.
caf::expected<usage_file> look_into(const std::string& json);

} // namespace keyportal::cli
