#include "actors/cli/table.hpp"

#include <algorithm>
#include <ctime>
#include <iterator>

#include <fmt/format.h>

#include "messages/timestamp.hpp"

namespace keyportal::cli {

namespace {

struct range {
  char32_t first;
  char32_t last;
};
// The blocks that matter for names, models and sentences; not the whole of Unicode.
constexpr range wide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0x33ff},  {0x3400, 0x4dbf},
                          {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},  {0xac00, 0xd7a3},
                          {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},  {0xffe0, 0xffe6},
                          {0x1f300, 0x1f64f}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd}};
constexpr range zero[] = {{0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x064b, 0x065f},
                          {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x20d0, 0x20ff},
                          {0x302a, 0x302d}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}};
// Marks that change the direction of the text around them: a name must not turn a line about.
constexpr range turning[] = {{0x061c, 0x061c}, {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x2069}};

template <std::size_t N>
bool within(const range (&ranges)[N], char32_t c) {
  return std::any_of(std::begin(ranges), std::end(ranges), [c](const range& r) { return c >= r.first && c <= r.last; });
}

/// Takes one character off the front; false for a byte that is no UTF-8, which is taken all the same.
bool take(std::string_view& text, char32_t& c) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  const std::size_t length = first < 0x80                    ? 1
                             : first >= 0xc2 && first < 0xe0 ? 2
                             : first >= 0xe0 && first < 0xf0 ? 3
                             : first >= 0xf0 && first < 0xf5 ? 4
                                                             : 0;
  bool good = length > 0 && length <= text.size();
  c = length == 1 ? first : first & (0x7fu >> length);
  for (std::size_t i = 1; good && i < length; ++i) {
    good = (byte(i) & 0xc0u) == 0x80u;
    c = (c << 6) | (byte(i) & 0x3fu);
  }
  constexpr char32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
  good = good && c >= least[length] && c <= 0x10ffff && !(c >= 0xd800 && c <= 0xdfff);
  text.remove_prefix(good ? length : 1);
  return good;
}

} // namespace

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    char32_t c = 0;
    width += !take(text, c) ? 1 : within(zero, c) ? 0 : within(wide, c) ? 2 : 1;
  }
  return width;
}

std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    char32_t c = 0;
    const auto before = text;
    if (!take(text, c))
      out.push_back('?');
    else if (c < 0x20 || (c >= 0x7f && c < 0xa0) || within(turning, c))
      out.push_back(' ');
    else
      out.append(before.substr(0, before.size() - text.size()));
  }
  return out;
}

void table::add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  for (auto& cell : cells)
    cell = printable(cell);
  rows_.push_back(std::move(cells));
}

std::string table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    widths.push_back(display_width(columns_[i].head));
    for (const auto& row : rows_)
      widths[i] = std::max(widths[i], display_width(row[i]));
  }
  std::string out;
  const auto line = [&](auto cell_of) {
    std::string one;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_of(i);
      const std::string blanks(widths[i] - display_width(cell), ' ');
      one += i == 0 ? "" : "  ";
      one += columns_[i].align == side::right ? blanks + cell : cell + blanks;
    }
    one.erase(one.find_last_not_of(' ') + 1);
    out += one + "\n";
  };
  line([&](std::size_t i) -> const std::string& { return columns_[i].head; });
  for (const auto& row : rows_)
    line([&](std::size_t i) -> const std::string& { return row[i]; });
  return out;
}

std::string grouped(std::int64_t number) {
  auto digits = fmt::format("{}", number);
  const std::size_t sign = number < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > static_cast<std::ptrdiff_t>(sign); at -= 3)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024)
    return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  const char* const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  std::size_t unit = 0;
  for (; value >= 1023.95 && unit + 1 < std::size(units); ++unit)
    value /= 1024;
  return fmt::format("{:.1f} {}", value, units[unit]);
}

std::string local_time(std::string_view rfc3339) {
  if (rfc3339.empty())
    return "-";
  const auto parsed = parse_rfc3339(rfc3339);
  if (!parsed)
    return std::string(rfc3339);
  const std::time_t seconds = parsed->unix_ns / 1'000'000'000 - (parsed->unix_ns % 1'000'000'000 < 0 ? 1 : 0);
  std::tm parts{};
  if (localtime_r(&seconds, &parts) == nullptr)
    return std::string(rfc3339);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

} // namespace keyportal::cli
