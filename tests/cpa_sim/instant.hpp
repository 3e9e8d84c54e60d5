// Time stamps as the proxy keeps them: nanoseconds and the offset they were written with; and time zones.
// The stand-in has its own, so that a mistake in the service's time code is not repeated here and hidden.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cpa_sim {

/// A moment and the zone offset it is written in.
struct instant {
  std::int64_t seconds = -62'135'596'800; ///< since 1970 UTC; the default is Go's zero time, 0001-01-01
  std::int32_t nanoseconds = 0;
  std::int32_t offset_seconds = 0;

  bool operator==(const instant&) const = default;
  /// True for Go's zero time in any zone, which CPA treats as "missing".
  [[nodiscard]] bool is_zero() const { return seconds == -62'135'596'800 && nanoseconds == 0; }
  [[nodiscard]] instant in_utc() const { return {seconds, nanoseconds, 0}; }
};

/// RFC 3339 as strictly as Go's encoding/json reads it: `T` and `Z` upper case, fraction after a point, digits past
/// the ninth dropped. Nothing for anything else.
std::optional<instant> parse_instant(std::string_view text);

/// Appends Go's RFC3339Nano: trailing zeros of the fraction trimmed, `Z` for offset 0.
void append_instant(std::string& out, const instant& t);
std::string to_text(const instant& t);

std::string day_of(const instant& t); ///< YYYY-MM-DD by its own wall clock
int hour_of(const instant& t);        ///< 0..23 by its own wall clock

/// Offsets from UTC of one place.
class zone {
public:
  zone() = default; ///< UTC
  /// `UTC`, `Asia/Shanghai`, `+08:00`, or a name that /usr/share/zoneinfo knows. Nothing when unknown.
  static std::optional<zone> named(std::string_view name);
  [[nodiscard]] std::int32_t offset_at(std::int64_t unix_seconds) const;
  /// The wall-clock moment `unix_ns` as this zone writes it.
  [[nodiscard]] instant at(std::int64_t unix_ns) const;

private:
  struct change {
    std::int64_t from;
    std::int32_t offset;
  };
  std::int32_t first_ = 0;
  std::vector<change> changes_; // ascending
};

} // namespace keyportal::cpa_sim
