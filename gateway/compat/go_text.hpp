// Texts as CLIProxyAPI's language writes them, so that answers compare byte by byte. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace keyportal::compat {

/// Appends a JSON string as Go's encoder does: `<`, `>`, `&` and the two line separators escaped, all else in UTF-8;
/// bytes that are no UTF-8 become \ufffd.
void append_go_string(std::string& out, std::string_view text);

/// `{"error":text}`.
std::string error_body(std::string_view text);

/// "29m58s", "30m0s", "1h0m0s", "59s": rounded to seconds, half up.
std::string go_duration(std::chrono::milliseconds span);

/// A positive integer as Go's strconv.Atoi takes it (blanks around it cut off, a sign allowed); 0 for anything else.
std::int64_t positive_number(std::string_view text);

} // namespace keyportal::compat
