// Bytes on disk: numbers whose encoded form sorts like the number, varints, texts. Every `get` takes what it read from
// the front of `in` and returns false on short or overlong input, leaving `out` unspecified.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace keyportal::storage {

// --- fixed width, big-endian: encoded order = numeric order -------------------

template <std::unsigned_integral T>
void put_fixed(std::string& out, T value) {
  char bytes[sizeof(T)];
  for (std::size_t i = sizeof(T); i-- > 0; value = static_cast<T>(value >> (sizeof(T) > 1 ? 8 : 0)))
    bytes[i] = static_cast<char>(value & 0xff);
  out.append(bytes, sizeof(T));
}

template <std::unsigned_integral T>
[[nodiscard]] bool get_fixed(std::string_view& in, T& out) {
  if (in.size() < sizeof(T))
    return false;
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value = (value << 8) | static_cast<std::uint8_t>(in[i]);
  out = static_cast<T>(value);
  in.remove_prefix(sizeof(T));
  return true;
}

/// Signed numbers sort too: the sign bit is turned over, so that negative ones come first.
template <std::signed_integral T>
void put_fixed(std::string& out, T value) {
  using bits = std::make_unsigned_t<T>;
  put_fixed(out, static_cast<bits>(static_cast<bits>(value) ^ (bits{1} << (sizeof(T) * 8 - 1))));
}

template <std::signed_integral T>
[[nodiscard]] bool get_fixed(std::string_view& in, T& out) {
  using bits = std::make_unsigned_t<T>;
  bits value = 0;
  if (!get_fixed(in, value))
    return false;
  out = static_cast<T>(static_cast<bits>(value ^ (bits{1} << (sizeof(T) * 8 - 1))));
  return true;
}

template <std::size_t N>
void put_bytes(std::string& out, const std::array<std::uint8_t, N>& bytes) {
  out.append(reinterpret_cast<const char*>(bytes.data()), N);
}

template <std::size_t N>
[[nodiscard]] bool get_bytes(std::string_view& in, std::array<std::uint8_t, N>& out) {
  if (in.size() < N)
    return false;
  std::memcpy(out.data(), in.data(), N);
  in.remove_prefix(N);
  return true;
}

// --- varints: 7 bits a byte, the low ones first; small numbers take one byte ----

inline void put_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7)
    out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

[[nodiscard]] inline bool get_varint(std::string_view& in, std::uint64_t& out) {
  out = 0;
  for (unsigned shift = 0, i = 0; i < in.size() && shift < 64; ++i, shift += 7) {
    const auto byte = static_cast<std::uint8_t>(in[i]);
    if (shift == 63 && byte > 1)
      return false; // more than 64 bits
    out |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) {
      in.remove_prefix(i + 1);
      return true;
    }
  }
  return false;
}

/// 32 bits only; refuses what does not fit.
[[nodiscard]] inline bool get_varint(std::string_view& in, std::uint32_t& out) {
  std::uint64_t wide = 0;
  if (!get_varint(in, wide) || wide > UINT32_MAX)
    return false;
  out = static_cast<std::uint32_t>(wide);
  return true;
}

/// Signed numbers of small magnitude, also negative ones, take few bytes.
inline void put_zigzag(std::string& out, std::int64_t value) {
  put_varint(out, (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63));
}

[[nodiscard]] inline bool get_zigzag(std::string_view& in, std::int64_t& out) {
  std::uint64_t bits = 0;
  if (!get_varint(in, bits))
    return false;
  out = static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
  return true;
}

// --- texts: length, then the bytes ----------------------------------------------

inline void put_text(std::string& out, std::string_view text) {
  put_varint(out, text.size());
  out.append(text);
}

[[nodiscard]] inline bool get_text(std::string_view& in, std::string& out) {
  std::uint64_t size = 0;
  if (!get_varint(in, size) || size > in.size())
    return false;
  out.assign(in.substr(0, size));
  in.remove_prefix(size);
  return true;
}

} // namespace keyportal::storage
