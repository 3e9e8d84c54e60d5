// Addresses and networks, IPv4 and IPv6, as they stand in options and headers. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace keyportal {

/// An IPv6 address in network order; IPv4 as ::ffff:a.b.c.d, so that both spellings of one address are equal.
using ip_address = std::array<std::uint8_t, 16>;

/// A numeric address without brackets, port or zone; nothing for anything else.
std::optional<ip_address> read_address(std::string_view text);
/// As people write it; IPv4 in its own form.
std::string to_text(const ip_address& address);
/// Whether it means the machine itself.
bool is_loopback(const ip_address& address);

/// "10.0.0.0/8", "2001:db8::/32", or one address. Plain value.
class network {
public:
  /// Nothing for another text, and where bits behind the prefix are set: then something else was meant.
  static std::optional<network> read(std::string_view text);
  [[nodiscard]] bool has(const ip_address& address) const;
  bool operator==(const network&) const = default;

private:
  ip_address base_{};
  unsigned bits_ = 128;
};

bool any_has(std::span<const network> all, const ip_address& address);

} // namespace keyportal
