#include "actors/identity/text_codes.hpp"

#include <array>

#include <openssl/crypto.h>
#include <openssl/sha.h>

namespace keyportal::identity {

namespace {

constexpr std::string_view url_letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string encoded(std::string_view bytes, std::string_view alphabet) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t bits = 0;
  int waiting = 0;
  for (const unsigned char byte : bytes) {
    bits = bits << 8 | byte;
    for (waiting += 8; waiting >= 6; waiting -= 6)
      out.push_back(alphabet[bits >> (waiting - 6) & 63]);
  }
  if (waiting > 0)
    out.push_back(alphabet[bits << (6 - waiting) & 63]);
  return out;
}

constexpr std::array<std::int8_t, 256> values = [] {
  std::array<std::int8_t, 256> all{};
  all.fill(-1);
  for (std::size_t i = 0; i < url_letters.size(); ++i)
    all[static_cast<unsigned char>(url_letters[i])] = static_cast<std::int8_t>(i);
  return all;
}();

bool is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_'
         || c == '~';
}

} // namespace

std::string base64url(std::string_view bytes) { return encoded(bytes, url_letters); }

std::string base64url(std::span<const std::uint8_t> bytes) {
  return base64url(std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

std::string base64(std::string_view bytes) {
  auto out = encoded(bytes, letters);
  out.append((4 - out.size() % 4) % 4, '=');
  return out;
}

std::optional<std::string> from_base64url(std::string_view text) {
  std::string out;
  out.reserve(text.size() * 3 / 4);
  std::uint32_t bits = 0;
  int waiting = 0;
  for (const unsigned char c : text) {
    if (values[c] < 0)
      return std::nullopt;
    bits = bits << 6 | static_cast<std::uint32_t>(values[c]);
    if ((waiting += 6) >= 8)
      out.push_back(static_cast<char>(bits >> (waiting -= 8) & 255));
  }
  // Six bits over are a letter that stands alone; bits that are set and belong to no byte are a second spelling.
  if (waiting >= 6 || (bits & ((1U << waiting) - 1)) != 0)
    return std::nullopt;
  return out;
}

std::string percent_encoded(std::string_view text) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const unsigned char c : text)
    if (is_unreserved(c))
      out.push_back(static_cast<char>(c));
    else
      out.append({'%', digits[c >> 4], digits[c & 15]});
  return out;
}

std::string form_of(parameters all) {
  std::string out;
  for (const auto& [name, value] : all)
    if (!value.empty()) {
      if (!out.empty())
        out.push_back('&');
      out.append(percent_encoded(name)).append("=").append(percent_encoded(value));
    }
  return out;
}

std::string with_query(std::string url, parameters all) {
  const auto question = url.find('?');
  if (question == std::string::npos)
    url.push_back('?');
  else if (question + 1 != url.size() && url.back() != '&')
    url.push_back('&');
  return url.append(form_of(all));
}

std::string sha256(std::string_view text) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(),
         reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

bool same_text(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

} // namespace keyportal::identity
