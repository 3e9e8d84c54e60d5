#include "actors/access/secret_bytes.hpp"

#include <algorithm>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

namespace keyportal {

namespace {

constexpr std::string_view base32_digits = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::string_view spoken_digits = "0123456789abcdefghjkmnpqrstvwxyz";

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::string write(std::span<const std::uint8_t> bytes, std::string_view digits, std::size_t group) {
  std::string out;
  out.reserve(bytes.size() * 2);
  std::uint32_t held = 0;
  int bits = 0;
  std::size_t written = 0;
  const auto put = [&](std::uint32_t value) {
    if (group != 0 && written != 0 && written % group == 0)
      out += '-';
    out += digits[value & 31];
    ++written;
  };
  for (const auto byte : bytes) {
    held = held << 8 | byte;
    for (bits += 8; bits >= 5; bits -= 5)
      put(held >> (bits - 5));
  }
  if (bits > 0)
    put(held << (5 - bits));
  return out;
}

} // namespace

digest sha256(std::string_view text) {
  digest out;
  ::SHA256(bytes_of(text), text.size(), out.data());
  return out;
}

digest keyed_hash(const random_bits& key, std::initializer_list<std::string_view> texts) {
  std::string all;
  for (const auto text : texts) {
    const auto size = static_cast<std::uint64_t>(text.size());
    for (int shift = 56; shift >= 0; shift -= 8)
      all += static_cast<char>(size >> shift);
    all += text;
  }
  digest out{};
  unsigned size = 0;
  ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(all), all.size(), out.data(), &size);
  wipe(all);
  return out;
}

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

bool same_secret(const digest& a, const digest& b) { return ::CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0; }

void wipe(std::string& text) {
  text.resize(text.capacity()); // within the capacity: nothing is moved elsewhere
  ::OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

std::string to_base32(std::span<const std::uint8_t> bytes) { return write(bytes, base32_digits, 0); }

std::optional<std::string> from_base32(std::string_view text) {
  while (text.ends_with('='))
    text.remove_suffix(1);
  std::string out;
  std::uint32_t held = 0;
  int bits = 0;
  std::size_t read = 0;
  for (const char c : text) {
    if (c == ' ' || c == '-')
      continue;
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    const auto value = base32_digits.find(lower);
    if (value == base32_digits.npos)
      return std::nullopt;
    held = held << 5 | static_cast<std::uint32_t>(value);
    ++read;
    if (bits += 5; bits >= 8) {
      bits -= 8;
      out += static_cast<char>(held >> bits & 0xff);
    }
  }
  if (read % 8 == 1 || read % 8 == 3 || read % 8 == 6)
    return std::nullopt; // the last digits make no whole byte
  return out;
}

std::string to_spoken(std::span<const std::uint8_t> bytes) { return write(bytes, spoken_digits, 4); }

std::string from_spoken(std::string_view text, std::size_t longest) {
  std::string out;
  for (const char c : text) {
    if (c == ' ' || c == '-')
      continue;
    if (out.size() == longest)
      break;
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    out += lower == 'o' ? '0' : lower == 'i' || lower == 'l' ? '1' : lower;
  }
  return out;
}

} // namespace keyportal
