#include "actors/key_registry/key_text.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <zlib.h>

namespace keyportal {

namespace {

constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr char version = '1';
constexpr std::size_t random_size = 43; // 62^43 > 2^256
constexpr std::size_t check_size = 6;   // 62^6 > 2^32

/// The number in base 62, most significant digit first.
template <std::size_t Size>
std::string base62(std::array<std::uint8_t, Size> number, std::size_t size) {
  std::string out(size, '0');
  for (std::size_t at = size; at-- > 0;) {
    std::uint32_t rest = 0;
    for (auto& byte : number) {
      const std::uint32_t value = rest << 8 | byte;
      byte = static_cast<std::uint8_t>(value / 62);
      rest = value % 62;
    }
    out[at] = digits[rest];
  }
  return out;
}

std::string check_digits(std::string_view text) {
  const auto crc = ::crc32(0, reinterpret_cast<const Bytef*>(text.data()), static_cast<uInt>(text.size()));
  return base62<4>({static_cast<std::uint8_t>(crc >> 24), static_cast<std::uint8_t>(crc >> 16),
                    static_cast<std::uint8_t>(crc >> 8), static_cast<std::uint8_t>(crc)},
                   check_size);
}

} // namespace

secret write_key(std::string_view prefix, const key_bits& bits) {
  std::string text;
  text.reserve(prefix.size() + 2 + random_size + check_size);
  text.append(prefix).append(1, '-').append(1, version).append(base62(bits, random_size));
  text += check_digits(text);
  return secret{std::move(text)};
}

key_writing judge_key(std::string_view prefix, std::string_view text) {
  const auto head = fmt::format("{}-{}", prefix, version);
  if (!text.starts_with(head))
    return key_writing::foreign;
  const auto body = text.substr(head.size());
  const bool plain = std::all_of(body.begin(), body.end(), [](char c) { return digits.find(c) != digits.npos; });
  // Keys of other programs may begin alike; only what has nearly our length was meant to be ours.
  constexpr std::size_t size = random_size + check_size;
  if (!plain || body.size() < size - 4 || body.size() > size + 4)
    return key_writing::foreign;
  if (body.size() != size
      || check_digits(text.substr(0, text.size() - check_size)) != text.substr(text.size() - check_size))
    return key_writing::mistyped;
  return key_writing::ours;
}

bool can_be_key(std::string_view text) {
  if (text.size() < 8 || text.size() > 512 || text.starts_with("your-api-key"))
    return false;
  return std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; });
}

bool is_guessable(std::string_view text) {
  constexpr double enough = 112;
  double bits = 0;
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = std::min(text.find_first_of("-_.:", begin), text.size());
    const auto part = text.substr(begin, end - begin);
    begin = end + 1;
    bool digit = false, lower = false, upper = false, beyond_hex = false, other = false;
    std::set<char> different;
    for (const char c : part) {
      digit |= c >= '0' && c <= '9';
      lower |= c >= 'a' && c <= 'z';
      upper |= c >= 'A' && c <= 'Z';
      beyond_hex |= (c >= 'g' && c <= 'z') || (c >= 'G' && c <= 'Z');
      other |= (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z');
      different.insert(c);
    }
    // Letters of one case only are a word, few digits a counter or a date, and what repeats itself is nothing.
    const bool word = !digit && !other && !(lower && upper) && part.size() < 16;
    const bool counter = digit && !lower && !upper && !other && part.size() < 12;
    if (word || counter || different.size() * 4 < part.size())
      continue;
    const double kinds =
      (digit ? 10 : 0) + (lower ? (beyond_hex ? 26 : 6) : 0) + (upper ? (beyond_hex ? 26 : 6) : 0) + (other ? 10 : 0);
    bits += static_cast<double>(part.size()) * std::log2(std::max(kinds, 2.0));
  }
  return bits < enough;
}

std::string shown_key(std::string_view prefix, std::string_view text) {
  if (text.size() < 16)
    return masked(text);
  const bool made = judge_key(prefix, text) == key_writing::ours;
  return fmt::format("{}{}", made ? text.substr(0, prefix.size() + 1) : text.substr(0, 3), masked(text));
}

} // namespace keyportal
