// The files of the pages, built into the program. The table is made by embed.mjs.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace keyportal::gateway {

struct asset {
  std::string_view path; ///< as asked for; "/index.html" is asked for by the addresses of pages
  std::string_view content_type;
  std::string_view etag; ///< quoted
  std::string_view text; ///< in gzip when `compressed`
  bool compressed = false;
  bool immutable = false; ///< its name has a hash of its contents
};

std::span<const asset> assets();

/// Null where there is none of that path.
const asset* find_asset(std::string_view path);

/// As it was before it was compressed.
std::string plain_text(const asset& file);

} // namespace keyportal::gateway
