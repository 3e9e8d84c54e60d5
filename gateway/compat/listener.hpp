// One TCP port for tools that were made for CLIProxyAPI: HTTP and RESP, told apart by the first byte. They see what the
// ledger has, whatever the nodes themselves still offer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "gateway/compat/backend.hpp"
#include "gateway/compat/key_guard.hpp"

namespace keyportal::compat {

struct listener_settings {
  std::string address = "127.0.0.1"; ///< numeric, IPv4 or IPv6
  std::uint16_t port = 0;            ///< 0: any free one
  std::vector<std::string> hosts;    ///< further names taken as Host
  std::vector<consumer> consumers;   ///< at least one, each with a name and a key of its own
  bool pass_through = false;
  std::size_t max_connections = 256; ///< one more is closed at once
  std::chrono::milliseconds first_byte_timeout{10'000};
  /// After every answer: a route of a short list, and the status. May be unset; from any thread, may not block.
  std::function<void(std::string_view route, int status)> on_answer;
};

/// A thread for each connection: tools are few, and each may take its time without holding up the others.
class listener {
public:
  /// Listens from now on. `port_in_use` if the address cannot be had; what the ledger says when the places of the
  /// consumers cannot be read. `back` outlives the listener.
  static caf::expected<std::unique_ptr<listener>> start(listener_settings settings, backend& back);
  /// As `stop`.
  ~listener();
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  /// The ledger has grown: subscribers look. Any thread; does not block.
  void ledger_moved();
  /// Accepts nothing new, lets answers under way go out for some seconds, then cuts every connection. Waits for calls of
  /// the backend.
  void stop();

private:
  struct impl;
  explicit listener(std::unique_ptr<impl> state);
  std::unique_ptr<impl> impl_;
};

} // namespace keyportal::compat
