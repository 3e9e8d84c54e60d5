#include "actors/access/totp.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "actors/access/secret_bytes.hpp"

namespace keyportal {

namespace {

std::string percent(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'
                       || c == '.' || c == '_' || c == '~';
    if (plain)
      out += c;
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string upper(std::string text) {
  for (auto& c : text)
    if (c >= 'a' && c <= 'z')
      c = static_cast<char>(c - 32);
  return text;
}

} // namespace

std::int64_t totp_step(moment at) {
  return std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count() / 30;
}

std::string totp_code(std::string_view key, std::int64_t step) {
  std::array<std::uint8_t, 8> counter;
  for (std::size_t at = 0; at < counter.size(); ++at)
    counter[at] = static_cast<std::uint8_t>(static_cast<std::uint64_t>(step) >> (56 - 8 * at));
  std::array<std::uint8_t, 20> mac{};
  unsigned size = 0;
  ::HMAC(EVP_sha1(), key.data(), static_cast<int>(key.size()), counter.data(), counter.size(), mac.data(), &size);
  const std::size_t at = mac[19] & 15;
  const std::uint32_t number = static_cast<std::uint32_t>(mac[at] & 0x7f) << 24
                               | static_cast<std::uint32_t>(mac[at + 1]) << 16
                               | static_cast<std::uint32_t>(mac[at + 2]) << 8 | mac[at + 3];
  return fmt::format("{:06}", number % 1'000'000);
}

std::optional<std::int64_t> accept_totp(std::string_view key, std::string_view code, moment now,
                                        std::int64_t last_step) {
  std::string typed;
  for (const char c : code)
    if (c != ' ' && typed.size() <= 6)
      typed += c;
  std::optional<std::int64_t> accepted;
  const auto middle = totp_step(now);
  for (auto step = middle - 1; step <= middle + 1; ++step) {
    const bool same = same_secret(totp_code(key, step), typed);
    if (same && step > last_step && !accepted)
      accepted = step;
  }
  return accepted;
}

std::string totp_uri(std::string_view issuer, std::string_view account, const totp_key& key) {
  // The label has the issuer too: older apps read only that.
  return fmt::format("otpauth://totp/{}:{}?secret={}&issuer={}&algorithm=SHA1&digits=6&period=30", percent(issuer),
                     percent(account), upper(to_base32(key)), percent(issuer));
}

std::string totp_key_text(const totp_key& key) {
  const auto digits = to_base32(key);
  std::string out;
  for (std::size_t at = 0; at < digits.size(); at += 4)
    out.append(at == 0 ? "" : " ").append(digits.substr(at, 4));
  return out;
}

} // namespace keyportal
