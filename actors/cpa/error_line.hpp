// What an upstream said when it refused, as one short line. Pure.
#pragma once

#include <string>
#include <string_view>

namespace keyportal::cpa {

inline constexpr std::size_t longest_error_line = 200; ///< bytes

/// The message of a JSON body (`error.message`, `message`, `detail` or `error`), else its first line; cut at a whole
/// character. Words that are numbers or ids become "…", so that the same refusal is the same line.
std::string error_line(std::string_view body);

} // namespace keyportal::cpa
