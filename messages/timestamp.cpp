#include "messages/timestamp.hpp"

#include <fmt/format.h>

namespace keyportal {

namespace {

/// Days since 1970-01-01 of a civil date (proleptic Gregorian).
constexpr std::int64_t days_from_civil(int y, unsigned m, unsigned d) {
  return std::chrono::sys_days{std::chrono::year{y} / static_cast<int>(m) / static_cast<int>(d)}
    .time_since_epoch()
    .count();
}

/// Reads exactly `n` digits at `p`; -1 if they are not all digits.
int digits(const char* p, int n) {
  int value = 0;
  for (int i = 0; i < n; ++i) {
    const unsigned c = static_cast<unsigned char>(p[i]) - '0';
    if (c > 9)
      return -1;
    value = value * 10 + static_cast<int>(c);
  }
  return value;
}

void put(char* p, int value, int n) {
  for (int i = n - 1; i >= 0; --i, value /= 10)
    p[i] = static_cast<char>('0' + value % 10);
}

} // namespace

std::optional<stamped_time> parse_rfc3339(std::string_view text) {
  // 2026-04-02T23:59:58[.fraction](Z|+08:00)
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':')
    return std::nullopt;
  const char* p = text.data();
  const int year = digits(p, 4), month = digits(p + 5, 2), day = digits(p + 8, 2);
  const int hour = digits(p + 11, 2), minute = digits(p + 14, 2), second = digits(p + 17, 2);
  if (year < 1678 || year > 2261 || minute < 0 || minute > 59 || hour < 0 || hour > 23 || second < 0 || second > 59)
    return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (month < 0 || day < 0 || !date.ok())
    return std::nullopt;

  std::size_t at = 19;
  std::int64_t nanoseconds = 0;
  if (text[at] == '.') {
    const std::size_t first = ++at;
    for (; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at)
      if (at - first < 9)
        nanoseconds = nanoseconds * 10 + (text[at] - '0');
    if (at == first)
      return std::nullopt;
    for (std::size_t n = at - first; n < 9; ++n)
      nanoseconds *= 10;
  }

  stamped_time t;
  if (at + 1 == text.size() && text[at] == 'Z') {
    t.offset_minutes = 0;
  } else if (at + 6 == text.size() && (text[at] == '+' || text[at] == '-') && text[at + 3] == ':') {
    const int oh = digits(p + at + 1, 2), om = digits(p + at + 4, 2);
    if (oh < 0 || oh > 23 || om < 0 || om > 59)
      return std::nullopt;
    t.offset_minutes = static_cast<std::int16_t>((text[at] == '-' ? -1 : 1) * (oh * 60 + om));
  } else {
    return std::nullopt;
  }
  const std::int64_t seconds = days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) * 86400
                               + hour * 3600 + minute * 60 + second - std::int64_t{t.offset_minutes} * 60;
  t.unix_ns = seconds * 1'000'000'000 + nanoseconds;
  return t;
}

void append_rfc3339(std::string& out, const stamped_time& t) {
  std::int64_t seconds = t.unix_ns / 1'000'000'000;
  std::int64_t nanoseconds = t.unix_ns % 1'000'000'000;
  if (nanoseconds < 0) {
    nanoseconds += 1'000'000'000;
    --seconds;
  }
  const std::int64_t local = seconds + std::int64_t{t.offset_minutes} * 60;
  std::int64_t day = local / 86400, rest = local % 86400;
  if (rest < 0) {
    rest += 86400;
    --day;
  }
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  char text[36] = "0000-00-00T00:00:00";
  put(text, static_cast<int>(date.year()), 4);
  put(text + 5, static_cast<int>(static_cast<unsigned>(date.month())), 2);
  put(text + 8, static_cast<int>(static_cast<unsigned>(date.day())), 2);
  put(text + 11, static_cast<int>(rest / 3600), 2);
  put(text + 14, static_cast<int>(rest / 60 % 60), 2);
  put(text + 17, static_cast<int>(rest % 60), 2);
  std::size_t n = 19;
  if (nanoseconds != 0) {
    text[n] = '.';
    put(text + n + 1, static_cast<int>(nanoseconds), 9);
    n += 10;
    while (text[n - 1] == '0')
      --n;
  }
  if (t.offset_minutes == 0) {
    text[n++] = 'Z';
  } else {
    const int magnitude = t.offset_minutes < 0 ? -t.offset_minutes : t.offset_minutes;
    text[n] = t.offset_minutes < 0 ? '-' : '+';
    put(text + n + 1, magnitude / 60, 2);
    text[n + 3] = ':';
    put(text + n + 4, magnitude % 60, 2);
    n += 6;
  }
  out.append(text, n);
}

std::string to_rfc3339(const stamped_time& t) {
  std::string out;
  append_rfc3339(out, t);
  return out;
}

std::string to_rfc3339_ms(moment t) {
  // Rounded down, so that a moment never shows as later than it was.
  const auto ms = std::chrono::floor<std::chrono::milliseconds>(t);
  const auto day = std::chrono::floor<std::chrono::days>(ms);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss time{ms - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), time.hours().count(),
                     time.minutes().count(), time.seconds().count(), time.subseconds().count());
}

} // namespace keyportal
