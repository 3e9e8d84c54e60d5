// The sockets of the gateway: HTTP/1.1 and WebSocket on one address. No server library shows through here; what a
// request means is decided by whoever is called back.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "gateway/tls.hpp"
#include "messages/http.hpp"

namespace keyportal::gateway {

/// A text; one copy is shared by all WebSockets that it is sent to.
using frame = std::shared_ptr<const std::string>;

/// An open WebSocket. Any thread; never blocks on the client. When it is closed nothing is done.
class websocket {
public:
  virtual ~websocket() = default;
  /// Sends a text frame behind those that wait. With a `name` one of the same name that still waits is dropped, for this
  /// one says it all. A client for which too many wait is cut.
  virtual void send(frame text, frame name = nullptr) = 0;
  /// With a close code of RFC 6455 and a reason of at most 100 bytes.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
};

/// Whoever sits behind a WebSocket. Called on the server's threads, one at a time for one WebSocket; none of these may
/// block or throw.
class websocket_user {
public:
  virtual ~websocket_user() = default;
  virtual void opened(std::shared_ptr<websocket> socket) = 0;
  /// A text message came.
  virtual void said(std::string_view) {}
  /// All that was sent is on its way.
  virtual void written() {}
  /// It is closed, or about to be; once for each that was opened.
  virtual void closed() {}
};

struct server_settings {
  std::string address = "127.0.0.1"; ///< numeric, IPv4 or IPv6
  std::uint16_t port = 0;            ///< 0: any free one, see `server::port`
  int threads = 1;
  std::string base_path;                        ///< taken off requests' paths, as "/keys"; see take_head
  std::vector<std::string> hosts;               ///< further names taken as Host, see host_rules.hpp
  std::shared_ptr<const tls_identity> tls = {}; ///< null: plain HTTP

  std::size_t max_header_bytes = 16 << 10; ///< request line and headers
  std::size_t max_body_bytes = 64 << 20;   ///< where `server_callbacks::rule_for_body` does not say less
  std::size_t max_connections = 1024;      ///< WebSockets included; one more is told 503 and closed
  std::size_t max_websocket_frames = 256;  ///< waiting for one client; at one more it is cut with close code 1013
  std::size_t max_websocket_message_bytes = 64 << 10;
  std::uint32_t max_websocket_messages_per_minute = 100;

  /// A connection may be silent that long between requests, and a request's header must be complete within it.
  std::chrono::milliseconds header_timeout{30'000};
  /// To read a body or to send an answer: this, and a second more for every `slowest_bytes_per_second`.
  std::chrono::milliseconds transfer_timeout{30'000};
  std::size_t slowest_bytes_per_second = 64 << 10;
  /// A WebSocket that was silent for half of it is pinged, after all of it closed.
  std::chrono::milliseconds websocket_idle_timeout{60'000};
  /// How often a WebSocket's right to be there is looked at again; at its end it is closed with 1008.
  std::chrono::milliseconds websocket_check_interval{30 * 60'000};
  /// How long a closing handshake may take before the socket is just closed.
  std::chrono::milliseconds close_timeout{3'000};
};

/// How large a body a request may have, and what it is told beyond that; unset: 413.
struct body_rule {
  std::size_t most_bytes = 0;
  std::optional<http_response> refusal;
};

/// Whether somebody gets a WebSocket.
struct websocket_admission {
  std::optional<http_response> refusal; ///< set: no
  std::string tag;                      ///< by which it can be closed; may be empty
  std::shared_ptr<websocket_user> user; ///< null: nobody, it is only kept open
  std::function<bool()> still; ///< asked once open, and then every `websocket_check_interval`; may be empty: yes
};

/// Called on the server's threads, several at once when there are several threads: none of these may block or throw.
struct server_callbacks {
  /// A complete request that passed all checks of the server. If every copy of the exchange is gone without a reply,
  /// the client gets 500.
  std::function<void(std::shared_ptr<http_exchange>)> on_request;
  /// Before a WebSocket opens at /ws. Unset: everybody gets one.
  std::function<websocket_admission(const http_request&)> admit_websocket;
  /// The rule for this request, of which only the head is there yet. Unset: `max_body_bytes` for all.
  std::function<body_rule(const http_request&)> rule_for_body;
};

/// Counted since start.
struct server_figures {
  std::uint64_t connections = 0; ///< open now, WebSockets included
  std::uint64_t accepted = 0;
  std::uint64_t turned_away = 0;    ///< over `max_connections`
  std::uint64_t requests = 0;       ///< handed to `on_request`
  std::uint64_t refused = 0;        ///< answered by the server itself with an error
  std::uint64_t websockets_cut = 0; ///< too slow or too talkative
  std::uint64_t frames_sent = 0;
};

class server {
public:
  /// Listens and serves from now on. `port_in_use` with the address if it cannot be had.
  static caf::expected<std::unique_ptr<server>> start(server_settings settings, server_callbacks callbacks);

  /// As `stop`.
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  [[nodiscard]] std::uint16_t port() const;
  [[nodiscard]] std::size_t websockets() const;
  [[nodiscard]] server_figures figures() const;

  /// Closes every WebSocket with code 1001 and this reason (at most 100 bytes); new ones may come.
  void close_websockets(std::string_view reason);

  /// Those with this tag, with code 1008: whoever they were for is not signed in any more. Any thread; never blocks on a
  /// client.
  void close_websockets_of(std::string_view tag, std::string_view reason);

  /// Accepts nothing new, closes idle connections and WebSockets, lets answers under way go out for at most
  /// `close_timeout`, then ends the threads. Not from a callback. Replies that come later do nothing.
  void stop();

private:
  class impl;
  explicit server(std::shared_ptr<impl> state);
  std::shared_ptr<impl> impl_;
};

} // namespace keyportal::gateway
