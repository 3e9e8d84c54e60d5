// SHA-256: of files that are kept, and of the registry's log, entry by entry.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace keyportal::storage {

using sha256_hash = std::array<std::uint8_t, 32>;

[[nodiscard]] sha256_hash sha256(std::string_view text);
/// Over `before` and then `bytes`.
[[nodiscard]] sha256_hash chained(const sha256_hash& before, std::string_view bytes);
[[nodiscard]] std::string sha256_hex(std::string_view text);

} // namespace keyportal::storage
