// The files of the page, built into the program. The table is made by embed.cmake.
#pragma once

#include <span>
#include <string_view>

namespace keyportal::gateway {

struct asset {
  std::string_view path; ///< as asked for
  std::string_view content_type;
  std::string_view etag; ///< quoted
  std::string_view text;
};

std::span<const asset> assets();

} // namespace keyportal::gateway
