#include "instant.hpp"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>

namespace keyportal::cpa_sim {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// The `count` digits at `at`, or -1.
int number(std::string_view text, std::size_t at, std::size_t count) {
  int value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (i >= text.size() || !is_digit(text[i]))
      return -1;
    value = value * 10 + (text[i] - '0');
  }
  return value;
}

void append_padded(std::string& out, int value, int width) {
  char digits[10];
  for (int i = width - 1; i >= 0; --i) {
    digits[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  out.append(digits, static_cast<std::size_t>(width));
}

struct wall_clock {
  std::chrono::year_month_day day;
  int second_of_day;
};

wall_clock wall(const instant& t) {
  using namespace std::chrono;
  const sys_seconds local{seconds{t.seconds + t.offset_seconds}};
  const auto day = floor<days>(local);
  return {year_month_day{day}, static_cast<int>((local - day).count())};
}

void append_day(std::string& out, const std::chrono::year_month_day& day) {
  append_padded(out, int{day.year()}, 4);
  out += '-';
  append_padded(out, static_cast<int>(unsigned{day.month()}), 2);
  out += '-';
  append_padded(out, static_cast<int>(unsigned{day.day()}), 2);
}

std::optional<std::int32_t> parse_offset(std::string_view text) {
  if (text == "Z")
    return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':')
    return std::nullopt;
  const int hours = number(text, 1, 2);
  const int minutes = number(text, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59)
    return std::nullopt;
  const int offset = hours * 3600 + minutes * 60;
  return text[0] == '-' ? -offset : offset;
}

std::int64_t big_endian(std::string_view bytes, std::size_t at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < width; ++i)
    value = (value << 8) | static_cast<unsigned char>(bytes[at + i]);
  if (width == 4)
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(value));
  return static_cast<std::int64_t>(value);
}

} // namespace

std::optional<instant> parse_instant(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[10] != 'T' || text[13] != ':' || text[16] != ':') {
    return std::nullopt;
  }
  const int year = number(text, 0, 4);
  const int month = number(text, 5, 2);
  const int day = number(text, 8, 2);
  const int hour = number(text, 11, 2);
  const int minute = number(text, 14, 2);
  const int second = number(text, 17, 2);
  if (year < 0 || month < 1 || day < 1 || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0
      || second > 59) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year{year}, std::chrono::month{static_cast<unsigned>(month)},
                                         std::chrono::day{static_cast<unsigned>(day)}};
  if (!date.ok())
    return std::nullopt;
  std::size_t at = 19;
  std::int32_t nanoseconds = 0;
  if (text[at] == '.') {
    std::int32_t unit = 100'000'000;
    const std::size_t first = ++at;
    for (; at < text.size() && is_digit(text[at]); ++at, unit /= 10)
      nanoseconds += (text[at] - '0') * unit;
    if (at == first)
      return std::nullopt;
  }
  const auto offset = parse_offset(text.substr(at));
  if (!offset)
    return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return instant{days * 86'400 + hour * 3600 + minute * 60 + second - *offset, nanoseconds, *offset};
}

void append_instant(std::string& out, const instant& t) {
  const auto [day, second] = wall(t);
  append_day(out, day);
  out += 'T';
  append_padded(out, second / 3600, 2);
  out += ':';
  append_padded(out, second / 60 % 60, 2);
  out += ':';
  append_padded(out, second % 60, 2);
  if (t.nanoseconds != 0) {
    out += '.';
    append_padded(out, t.nanoseconds, 9);
    while (out.back() == '0')
      out.pop_back();
  }
  if (t.offset_seconds == 0) {
    out += 'Z';
    return;
  }
  out += t.offset_seconds < 0 ? '-' : '+';
  const int minutes = std::abs(t.offset_seconds) / 60;
  append_padded(out, minutes / 60, 2);
  out += ':';
  append_padded(out, minutes % 60, 2);
}

std::string to_text(const instant& t) {
  std::string out;
  append_instant(out, t);
  return out;
}

std::string day_of(const instant& t) {
  std::string out;
  append_day(out, wall(t).day);
  return out;
}

int hour_of(const instant& t) { return wall(t).second_of_day / 3600; }

std::optional<zone> zone::named(std::string_view name) {
  zone result;
  if (name.empty() || name == "UTC" || name == "Z")
    return result;
  if (name == "Asia/Shanghai") { // the proxy's own image has it; must work without tzdata
    result.first_ = 8 * 3600;
    return result;
  }
  if (const auto offset = parse_offset(name)) {
    result.first_ = *offset;
    return result;
  }
  const bool plain = name.size() < 64 && name.find("..") == std::string_view::npos && name[0] != '/'
                     && std::all_of(name.begin(), name.end(), [](unsigned char c) {
                          return std::isalnum(c) != 0 || c == '/' || c == '_' || c == '-' || c == '+';
                        });
  if (!plain)
    return std::nullopt;
  std::ifstream file("/usr/share/zoneinfo/" + std::string(name), std::ios::binary);
  const std::string data{std::istreambuf_iterator<char>(file), {}};
  // A TZif file: a 32-bit block that is skipped, then the 64-bit block that is read.
  constexpr std::size_t header = 44;
  const auto counts = [&data](std::size_t at, std::size_t i) {
    return static_cast<std::size_t>(big_endian(data, at + 20 + 4 * i, 4));
  };
  if (data.size() < header || data.compare(0, 4, "TZif") != 0)
    return std::nullopt;
  const std::size_t second =
    header + counts(0, 3) * 5 + counts(0, 4) * 6 + counts(0, 5) + counts(0, 2) * 8 + counts(0, 1) + counts(0, 0);
  if (data.size() < second + header || data.compare(second, 4, "TZif") != 0)
    return std::nullopt;
  const std::size_t times = counts(second, 3);
  const std::size_t types = counts(second, 4);
  const std::size_t time_at = second + header;
  const std::size_t index_at = time_at + times * 8;
  const std::size_t type_at = index_at + times;
  if (types == 0 || times > data.size() || types > data.size() || type_at + types * 6 > data.size())
    return std::nullopt;
  const auto offset_of = [&](std::size_t type) {
    return static_cast<std::int32_t>(big_endian(data, type_at + std::min(type, types - 1) * 6, 4));
  };
  result.first_ = offset_of(0);
  for (std::size_t i = 0; i < times; ++i) {
    result.changes_.push_back(
      {big_endian(data, time_at + i * 8, 8), offset_of(static_cast<unsigned char>(data[index_at + i]))});
  }
  return result;
}

std::int32_t zone::offset_at(std::int64_t unix_seconds) const {
  const auto after = std::upper_bound(changes_.begin(), changes_.end(), unix_seconds,
                                      [](std::int64_t at, const change& c) { return at < c.from; });
  return after == changes_.begin() ? first_ : std::prev(after)->offset;
}

instant zone::at(std::int64_t unix_ns) const {
  constexpr std::int64_t giga = 1'000'000'000;
  std::int64_t seconds = unix_ns / giga;
  std::int64_t rest = unix_ns % giga;
  if (rest < 0) {
    rest += giga;
    --seconds;
  }
  return {seconds, static_cast<std::int32_t>(rest), offset_at(seconds)};
}

} // namespace keyportal::cpa_sim
