// What server.cpp and ws_session.cpp share. Includes Boost.Beast: for these two files only.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/websocket.hpp>

#include "gateway/host_rules.hpp"
#include "gateway/server.hpp"
#include "gateway/wire_stream.hpp"

namespace keyportal::gateway {

namespace net = boost::asio;
namespace beast = boost::beast;
using tcp = net::ip::tcp;
using upgrade_request = beast::http::request<beast::http::string_body>;

/// One open socket. Its functions may be called from any thread.
class connection {
public:
  virtual ~connection() = default;
  /// Finish what is under way and close.
  virtual void finish() = 0;
  /// Waits for nothing any more. Only when the server's threads have ended.
  virtual void abandon() {}
};

class ws_session;

/// What all sessions stand on. They refer to it plainly: it outlives them, since they live only in operations of its
/// `io`. Threads that are not its own must hold it by a shared pointer while they touch a session.
struct server_core : std::enable_shared_from_this<server_core> {
  server_core(server_settings settings, server_callbacks callbacks);

  const server_settings settings;
  const server_callbacks callbacks;
  const host_rules hosts;

  std::atomic<std::uint64_t> accepted{0}, turned_away{0}, requests{0}, refused{0}, websockets_cut{0}, frames_sent{0};
  std::atomic<bool> stopping{false};

  void add(connection* one, std::weak_ptr<connection> handle);
  void remove(connection* one);
  void add(ws_session* one, std::weak_ptr<ws_session> handle);
  void remove(ws_session* one);
  [[nodiscard]] std::size_t connections() const;
  [[nodiscard]] std::size_t websockets() const;
  [[nodiscard]] std::vector<std::shared_ptr<connection>> all_connections() const;
  [[nodiscard]] std::vector<std::shared_ptr<ws_session>> all_websockets() const;
  /// Until no connection is left or the time is over.
  void wait_until_empty(std::chrono::milliseconds at_most);

  /// For a connection that begins; null: without TLS.
  [[nodiscard]] std::shared_ptr<ssl_ctx_st> tls() const { return settings.tls ? settings.tls->context() : nullptr; }

  /// The deadline for moving that many bytes.
  [[nodiscard]] std::chrono::milliseconds time_for(std::size_t bytes) const;

private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<connection*, std::weak_ptr<connection>> connections_;
  std::unordered_map<ws_session*, std::weak_ptr<ws_session>> websockets_;

public:
  net::io_context io; ///< last: sessions in its operations end before what they stand on
};

/// One WebSocket: sends what it is given in order, hands on what the client says.
class ws_session final : public connection, public std::enable_shared_from_this<ws_session> {
public:
  ws_session(server_core& core, wire_stream&& stream, websocket_admission admission);
  ~ws_session() override;

  /// Answers the upgrade and goes on from there.
  void run(upgrade_request request);
  void send(frame text, frame name);
  void close(std::uint16_t code, std::string reason);
  void finish() override;
  [[nodiscard]] const std::string& tag() const { return admission_.tag; }

private:
  friend class socket_handle;
  void on_accept(beast::error_code error);
  void read();
  void on_read(beast::error_code error);
  void check();
  void push(frame text, frame name);
  void write();
  void leave();
  void cut(std::uint16_t code, std::string reason);
  void begin_close(std::uint16_t code, std::string reason);

  server_core& core_;
  beast::websocket::stream<wire_stream> ws_;
  const websocket_admission admission_;
  net::steady_timer closing_timer_;
  net::steady_timer check_timer_;
  upgrade_request request_;
  beast::flat_buffer buffer_;
  struct waiting {
    frame text, name;
  };
  std::deque<waiting> queue_; ///< the first is being written while `writing_`
  bool open_ = false;
  bool left_ = false; ///< its user was told
  bool writing_ = false;
  bool closing_ = false;
  std::chrono::steady_clock::time_point minute_began_{};
  std::uint32_t messages_this_minute_ = 0;
};

} // namespace keyportal::gateway
