// One TCP connection to a node, with TLS where its url says https: every wait has a deadline, and another thread can end
// it at any moment.
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "messages/ids.hpp"

namespace keyportal::cpa {

/// Where a node listens.
struct node_address {
  bool tls = false;
  std::string host; ///< a name, or an IPv4 or IPv6 address without brackets
  std::string port;
  bool operator==(const node_address&) const = default;
};

/// Takes `http(s)://host[:port][/…]` apart. Nothing for anything else; a url with credentials in it is refused too.
std::optional<node_address> address_of(std::string_view url);

struct socket_settings {
  node_name node; ///< for error texts
  node_address address;
  std::string ca_file; ///< PEM file of certificates to trust instead of the system's; empty: the system's
  /// Room in the kernel for what CPA sends while we are busy. CPA drops a subscriber that 256 records and its own send
  /// buffer cannot bridge, and each drop can cost a record; 4 MB are about 3,000 records more. The kernel grants it only up
  /// to `net.core.rmem_max`; where that is smaller (Debian: 208 kB) its own tuning is left on, which serves distant
  /// nodes better than so small a fixed size. 0: always the kernel's own tuning.
  int receive_buffer_bytes = 4 << 20;
};

/// Calls block; one thread at a time, except `stop`. SIGPIPE is never raised.
class node_socket {
public:
  using clock = std::chrono::steady_clock;

  explicit node_socket(socket_settings settings);
  ~node_socket();
  node_socket(const node_socket&) = delete;
  node_socket& operator=(const node_socket&) = delete;

  /// Finds the address, connects, and shakes hands where TLS is used: the certificate must be valid for the host. No ALPN
  /// is offered, since CPA takes a client that negotiates one for HTTP.
  caf::error open(clock::time_point deadline);
  /// All of it or an error.
  caf::error send(std::string_view bytes, clock::time_point deadline);
  /// At least one byte; 0: the peer has closed. Errors: timed_out when nothing came (the connection is as good as
  /// before), node_unreachable when the connection broke, shutting_down after `stop`.
  caf::expected<std::size_t> receive(std::span<char> into, clock::time_point deadline);
  void close();

  /// From any thread, for good: the call under way and all later ones end with shutting_down.
  void stop();
  /// After `stop`, by the thread that uses it: what is on its way can still be fetched with `send` and `receive` as
  /// before; what was begun with `open` stays open.
  void resume();
  /// What the kernel granted, in its own counting (twice what was asked for); 0 when not connected.
  [[nodiscard]] int receive_buffer() const;

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace keyportal::cpa
