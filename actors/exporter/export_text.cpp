#include "actors/exporter/export_text.hpp"

#include <cstring>

#include <fmt/format.h>

#include "messages/json.hpp"

namespace keyportal {

namespace {

constexpr std::string_view replacement = "\xef\xbf\xbd";

/// Bytes of the character that begins there; 0: none does.
std::size_t length_of_utf8(std::string_view text) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto goes_on = [&](std::size_t i) { return i < text.size() && (at(i) & 0xc0U) == 0x80U; };
  const auto first = at(0);
  if (first < 0x80)
    return first == 0 ? 0 : 1;
  if (first >= 0xc2 && first < 0xe0)
    return goes_on(1) ? 2 : 0;
  if (first >= 0xe0 && first < 0xf0) {
    if (!goes_on(1) || !goes_on(2) || (first == 0xe0 && at(1) < 0xa0) || (first == 0xed && at(1) >= 0xa0))
      return 0;
    return 3;
  }
  if (first >= 0xf0 && first < 0xf5) {
    if (!goes_on(1) || !goes_on(2) || !goes_on(3) || (first == 0xf0 && at(1) < 0x90)
        || (first == 0xf4 && at(1) >= 0x90))
      return 0;
    return 4;
  }
  return 0;
}

bool could_be_formula(std::string_view text) {
  if (text.empty())
    return false;
  switch (text[0]) {
    case '=':
    case '+':
    case '-':
    case '@':
    case '\t':
    case '\r':
    case '\n':
    case '\'': return true;
    default: break;
  }
  return text.starts_with("\uff1d") || text.starts_with("\uff0b") || text.starts_with("\uff0d")
         || text.starts_with("\uff20");
}

} // namespace

void append_csv_text(std::string& out, std::string_view text) {
  bool quoted = false, plain = true;
  for (const char c : text) {
    quoted = quoted || c == '"' || c == ',' || c == '\r' || c == '\n' || c == ';' || c == '\t';
    plain = plain && c > 0;
  }
  if (quoted)
    out.push_back('"');
  if (could_be_formula(text))
    out.push_back('\'');
  if (plain && !quoted) {
    out.append(text);
    return;
  }
  while (!text.empty()) {
    const auto length = length_of_utf8(text);
    if (length == 0) {
      out.append(replacement);
      text.remove_prefix(1);
      continue;
    }
    if (text[0] == '"')
      out.push_back('"');
    out.append(text.substr(0, length));
    text.remove_prefix(length);
  }
  if (quoted)
    out.push_back('"');
}

void append_dollars(std::string& out, std::int64_t nano) {
  constexpr std::uint64_t dollar = 1'000'000'000;
  const auto amount = nano < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(nano) : static_cast<std::uint64_t>(nano);
  if (nano < 0)
    out.push_back('-');
  const fmt::format_int whole{amount / dollar};
  out.append(whole.data(), whole.size());
  auto rest = amount % dollar;
  if (rest == 0)
    return;
  char digits[10] = ".";
  for (int i = 9; i >= 1; --i, rest /= 10)
    digits[i] = static_cast<char>('0' + rest % 10);
  std::size_t length = 10;
  while (digits[length - 1] == '0')
    --length;
  out.append(digits, length);
}

void moment_text::append(std::string& out, std::int64_t unix_ns) {
  if (unix_ns < clock_.first_ns || unix_ns >= clock_.end_ns) {
    clock_ = zone_.clock_at(unix_ns);
    clock_.ahead_s -= clock_.ahead_s % 60; // RFC 3339 has no seconds here; zones had some before 1972
    const auto minutes = clock_.ahead_s / 60;
    const auto size = minutes < 0 ? -minutes : minutes;
    suffix_ = minutes == 0 ? "Z" : fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', size / 60, size % 60);
    minute_ = INT64_MIN;
  }
  std::int64_t second = unix_ns / 1'000'000'000, fraction = unix_ns % 1'000'000'000;
  if (fraction < 0) {
    fraction += 1'000'000'000;
    --second;
  }
  second += clock_.ahead_s;
  auto minute = second / 60, rest = second % 60;
  if (rest < 0) {
    rest += 60;
    --minute;
  }
  if (minute != minute_) {
    minute_ = minute;
    std::string text;
    append_rfc3339(text, {minute * 60'000'000'000, 0}); // "2026-04-02T10:20:00Z"
    std::memcpy(prefix_, text.data(), sizeof prefix_);
  }
  char text[sizeof prefix_ + 12];
  std::memcpy(text, prefix_, sizeof prefix_);
  std::size_t length = sizeof prefix_;
  text[length++] = static_cast<char>('0' + rest / 10);
  text[length++] = static_cast<char>('0' + rest % 10);
  if (fraction != 0) {
    text[length] = '.';
    for (std::size_t i = 9; i >= 1; --i, fraction /= 10)
      text[length + i] = static_cast<char>('0' + fraction % 10);
    length += 10;
    while (text[length - 1] == '0')
      --length;
  }
  out.append(text, length);
  out.append(suffix_);
}

// --- rows ------------------------------------------------------------------------------------

row_writer::row_writer(export_format format, std::vector<std::string> columns)
  : json_(format != export_format::csv), columns_(std::move(columns)) {
  for (const auto& name : columns_) {
    auto& text = before_.emplace_back(before_.empty() ? "{" : ",");
    append_json_string(text, name);
    text += ':';
  }
}

std::string row_writer::head(bool byte_order_mark) const {
  std::string out;
  if (json_)
    return out;
  if (byte_order_mark)
    out = "\xef\xbb\xbf";
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    if (i != 0)
      out.push_back(',');
    append_csv_text(out, columns_[i]);
  }
  return out.append("\r\n");
}

std::string row_writer::cell(std::string_view value) const {
  std::string out;
  if (json_)
    append_json_string(out, value);
  else
    append_csv_text(out, value);
  return out;
}

void row_writer::text(std::string& out, std::string_view value) {
  next(out);
  if (json_)
    append_json_string(out, value);
  else
    append_csv_text(out, value);
}

void row_writer::number(std::string& out, std::int64_t value) {
  next(out);
  const fmt::format_int digits{value};
  out.append(digits.data(), digits.size());
}

void row_writer::at(std::string& out, moment_text& zone, std::int64_t unix_ns) {
  next(out);
  if (json_)
    out.push_back('"');
  zone.append(out, unix_ns);
  if (json_)
    out.push_back('"');
}

void row_writer::list(std::string& out, const std::vector<std::string>& values) {
  next(out);
  std::string all;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (i != 0)
      all.push_back(json_ ? ',' : ';');
    if (json_)
      append_json_string(all, values[i]);
    else
      all += values[i];
  }
  if (json_)
    out.append("[").append(all).append("]");
  else
    append_csv_text(out, all);
}

void row_writer::json(std::string& out, std::string_view value) {
  next(out);
  if (json_)
    out.append(value);
  else
    append_csv_text(out, value);
}

void row_writer::end_row(std::string& out) {
  column_ = 0;
  if (json_)
    out.append("}\n", 2);
  else
    out.append("\r\n", 2);
}

} // namespace keyportal
