// Days, weeks and months as people count them where they live. The only file that knows the library of time zones.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "messages/usage.hpp"

namespace date {
class time_zone;
}

namespace keyportal {

/// Copied freely; any thread. Moments are those of the years 1700 to 2200.
class calendar {
public:
  /// `bad_request` for a zone that nobody knows.
  static caf::expected<calendar> of(const std::string& zone, bool weeks_begin_on_sunday = false);

  /// Its name; "UTC" where the machine does not say.
  static std::string zone_of_this_machine();

  /// When the bucket that holds `t` begins; not for usage_step::none. Where clocks are changed, an hour may be shorter
  /// and a day has as many hours as it has.
  [[nodiscard]] moment start_of(usage_step step, moment t) const;
  /// When the one after the bucket that holds `t` begins.
  [[nodiscard]] moment next(usage_step step, moment t) const;

  struct local_hour {
    int weekday = 1; ///< Monday is 1
    int hour = 0;
  };
  [[nodiscard]] local_hour hour_at(moment t) const;

  /// How far the clocks there are ahead of UTC, and from when till when it is so much.
  struct clock_span {
    std::int64_t first_ns = 0;
    std::int64_t end_ns = 0; ///< excluded
    std::int32_t ahead_s = 0;
  };
  [[nodiscard]] clock_span clock_at(std::int64_t unix_ns) const;

  /// RFC 3339, "2026-04-02" (midnight here), "30d" (so long before `end`; also "m", "h", "w"), "now", and "today", "week",
  /// "month", "year" (when it began). Nothing for anything else.
  [[nodiscard]] std::optional<moment> read(std::string_view words, moment now, moment end) const;

private:
  calendar(const date::time_zone* zone, bool weeks_begin_on_sunday)
    : zone_(zone), sunday_first_(weeks_begin_on_sunday) {}

  const date::time_zone* zone_;
  bool sunday_first_;
};

/// Moments outside of this are refused.
inline constexpr std::int64_t earliest_ns = -8'520'336'000'000'000'000; // 1700
inline constexpr std::int64_t latest_ns = 7'258'118'400'000'000'000;    // 2200

} // namespace keyportal
