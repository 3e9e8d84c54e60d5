// A TOML file as written values with their lines. The only file that knows the TOML library is toml_file.cpp.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "config/value.hpp"

namespace keyportal {

struct toml_entry {
  std::string key; ///< "name" or "section.name"; "node.<n>.field" in the n-th [[node]], counted from 0;
                   ///< "compat.consumer.<n>.field", "sign_in.provider.<n>.field", "notices.channel.<n>.field" and
                   ///< "notices.rule.<n>.field" likewise
  written_value value;
  std::uint64_t line = 0;
};

struct toml_content {
  std::vector<toml_entry> entries; ///< in no particular order
  std::size_t nodes = 0;           ///< how many [[node]] there are
  std::size_t consumers = 0;       ///< how many [[compat.consumer]] there are
  std::size_t providers = 0;       ///< how many [[sign_in.provider]] there are
  std::size_t channels = 0;        ///< how many [[notices.channel]] there are
  std::size_t rules = 0;           ///< how many [[notices.rule]] there are
  std::string error;               ///< empty when it could be read; holds nothing of the file's text
  std::uint64_t error_line = 0;    ///< 0: unknown
};

/// Files of at most 1 MiB. Never throws.
toml_content read_toml(const std::filesystem::path& file);
toml_content parse_toml(const std::string& text);

} // namespace keyportal
