#include "storage/sha256.hpp"

#include <openssl/sha.h>

#include <fmt/core.h>

namespace keyportal::storage {

sha256_hash sha256(std::string_view text) {
  sha256_hash out{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.data());
  return out;
}

sha256_hash chained(const sha256_hash& before, std::string_view bytes) {
  std::string both{before.begin(), before.end()};
  both += bytes;
  return sha256(both);
}

std::string sha256_hex(std::string_view text) {
  std::string out;
  for (const auto byte : sha256(text))
    out += fmt::format("{:02x}", byte);
  return out;
}

} // namespace keyportal::storage
