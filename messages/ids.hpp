// Names and ids that everything else is keyed by. Plain values, freely copied between threads.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>

namespace keyportal {

/// The configured name of one CPA: 1 to 32 of [a-z0-9-], so that it is one NATS subject token.
using node_name = std::string;

/// What stands for a client key wherever the key itself must not: "k" and 26 lower-case base32 characters
/// of a keyed hash (HMAC-SHA-256, key in the data folder). Stable for one installation; tells nothing about the key.
using key_id = std::string;

/// Position in the ledger's order of events. Starts at 1, never reused, holes possible.
using sequence = std::uint64_t;

/// Identifies one usage record for ever: the first 128 bits of SHA-256 over the node and the fields by which
/// CPA's own import tells records apart. Equal records have equal ids on every machine.
struct record_id {
  std::array<std::uint8_t, 16> bytes{};
  auto operator<=>(const record_id&) const = default;
};

/// 32 lower-case hex digits.
std::string to_string(const record_id& id);

} // namespace keyportal

template <>
struct std::hash<keyportal::record_id> {
  std::size_t operator()(const keyportal::record_id& id) const noexcept {
    std::size_t h; // the id is a cryptographic hash already: any 8 bytes of it are uniform
    __builtin_memcpy(&h, id.bytes.data(), sizeof h);
    return h;
  }
};
