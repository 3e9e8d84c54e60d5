#include "actors/cpa/plain_json.hpp"

#include <charconv>
#include <cmath>
#include <cstring>

#include <fmt/format.h>

namespace keyportal::cpa {

namespace {

/// Whether one of eight bytes needs an escape: below blank, '"' or '\'.
bool needs_escape(std::uint64_t eight) {
  constexpr std::uint64_t ones = 0x0101010101010101, high = 0x8080808080808080;
  const auto has_zero = [](std::uint64_t v) { return ((v - ones) & ~v & high) != 0; };
  return ((eight - ones * 0x20) & ~eight & high) != 0 || has_zero(eight ^ ones * '"') || has_zero(eight ^ ones * '\\');
}

template <class Number>
void append_digits(std::string& out, Number number) {
  char text[40];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

} // namespace

void append_plain_text(std::string& out, std::string_view text) {
  out += '"';
  std::size_t at = 0;
  while (at < text.size()) {
    const auto begin = at;
    for (std::uint64_t eight; at + 8 <= text.size(); at += 8) {
      std::memcpy(&eight, text.data() + at, 8);
      if (needs_escape(eight))
        break;
    }
    while (at < text.size() && static_cast<unsigned char>(text[at]) >= 0x20 && text[at] != '"' && text[at] != '\\')
      ++at;
    out.append(text, begin, at - begin);
    if (at == text.size())
      break;
    const char c = text[at++];
    if (c == '"' || c == '\\')
      (out += '\\') += c;
    else
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned>(c));
  }
  out += '"';
}

void append_plain_number(std::string& out, std::int64_t number) { append_digits(out, number); }
void append_plain_number(std::string& out, std::uint64_t number) { append_digits(out, number); }

void append_plain_number(std::string& out, double number) {
  constexpr double within_64_bits = 9.2e18;
  if (std::trunc(number) == number && std::abs(number) < within_64_bits)
    return append_digits(out, static_cast<std::int64_t>(number));
  if (std::abs(number) < within_64_bits)
    return append_digits(out, number);
  // With an exponent, or it would be read again as an integer that is too large.
  char text[40];
  out.append(text, std::to_chars(text, text + sizeof text, number, std::chars_format::scientific).ptr);
}

std::string_view first_bytes(std::string_view text, std::size_t most) {
  if (text.size() <= most)
    return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xc0) == 0x80)
    --most;
  return text.substr(0, most);
}

bool fits(std::string_view name, std::string_view pattern) {
  const bool any_begin = pattern.front() == '*', any_end = pattern.back() == '*';
  if (any_begin)
    pattern.remove_prefix(1);
  if (any_end)
    pattern.remove_suffix(1);
  if (name.size() < pattern.size() || (name.size() > pattern.size() && !any_begin && !any_end))
    return false;
  const char* at = any_begin ? name.data() + name.size() - pattern.size() : name.data();
  for (const char c : pattern)
    if (lower(*at++) != c)
      return false;
  return true;
}

} // namespace keyportal::cpa
