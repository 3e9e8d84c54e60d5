#include "messages/networks.hpp"

#include <algorithm>
#include <charconv>

#include <arpa/inet.h>

namespace keyportal {

namespace {

constexpr ip_address mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
constexpr unsigned mapped_bits = 96;

bool is_v4(const ip_address& address) { return std::equal(mapped.begin(), mapped.begin() + 12, address.begin()); }

bool same_begin(const ip_address& a, const ip_address& b, unsigned bits) {
  const auto whole = bits / 8;
  if (!std::equal(a.begin(), a.begin() + whole, b.begin()))
    return false;
  const auto rest = bits % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

} // namespace

std::optional<ip_address> read_address(std::string_view text) {
  if (text.empty() || text.size() >= INET6_ADDRSTRLEN)
    return std::nullopt;
  const std::string ended(text);
  ip_address out = mapped;
  if (inet_pton(AF_INET, ended.c_str(), out.data() + 12) == 1 || inet_pton(AF_INET6, ended.c_str(), out.data()) == 1)
    return out;
  return std::nullopt;
}

std::string to_text(const ip_address& address) {
  char out[INET6_ADDRSTRLEN] = {};
  const bool v4 = is_v4(address);
  inet_ntop(v4 ? AF_INET : AF_INET6, address.data() + (v4 ? 12 : 0), out, sizeof out);
  return out;
}

bool is_loopback(const ip_address& address) {
  static constexpr ip_address v6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  return address == v6 || (is_v4(address) && address[12] == 127);
}

std::optional<network> network::read(std::string_view text) {
  const auto slash = text.find('/');
  const auto base = read_address(text.substr(0, slash));
  if (!base)
    return std::nullopt;
  network out;
  out.base_ = *base;
  if (slash == std::string_view::npos)
    return out;
  const auto length = text.substr(slash + 1);
  unsigned bits = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bits);
  const bool v4 = text.substr(0, slash).find(':') == std::string_view::npos;
  if (error != std::errc{} || end != length.data() + length.size() || bits > (v4 ? 32u : 128u))
    return std::nullopt;
  out.bits_ = v4 ? mapped_bits + bits : bits;
  for (unsigned bit = out.bits_; bit < 128; ++bit)
    if ((out.base_[bit / 8] >> (7 - bit % 8) & 1) != 0)
      return std::nullopt;
  return out;
}

bool network::has(const ip_address& address) const { return same_begin(base_, address, bits_); }

bool any_has(std::span<const network> all, const ip_address& address) {
  return std::any_of(all.begin(), all.end(), [&](const network& one) { return one.has(address); });
}

} // namespace keyportal
