// Moments: CPA's own time stamps kept to the nanosecond and with their offset, and our own in UTC.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keyportal {

/// Wall-clock moment in UTC with nanoseconds.
using moment = std::chrono::time_point<std::chrono::system_clock, std::chrono::nanoseconds>;

/// A time stamp as CPA wrote it. `unix_ns` decides identity; `offset_minutes` decides which day and hour CPA counts
/// it under, so both are kept and written back exactly.
struct stamped_time {
  std::int64_t unix_ns = 0;
  std::int16_t offset_minutes = 0;
  bool operator==(const stamped_time&) const = default;
};

/// Reads RFC 3339 with 0 or more fractional digits (those past the ninth are dropped, as Go does) and `Z` or ±hh:mm.
/// Nothing for anything else and for years that 64-bit nanoseconds cannot hold (before 1678, after 2261).
std::optional<stamped_time> parse_rfc3339(std::string_view text);

/// Writes Go's RFC3339Nano: trailing zeros of the fraction trimmed, `Z` for offset 0. Appends to `out`.
void append_rfc3339(std::string& out, const stamped_time& t);
std::string to_rfc3339(const stamped_time& t);

/// UTC with milliseconds and `Z`, for what we say ourselves.
std::string to_rfc3339_ms(moment t);

inline moment moment_of(std::int64_t unix_ns) { return moment{std::chrono::nanoseconds{unix_ns}}; }
inline std::int64_t unix_ns(moment t) { return t.time_since_epoch().count(); }

} // namespace keyportal
