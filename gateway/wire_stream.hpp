// A connection that may or may not be encrypted, for Boost.Beast. For http_session.cpp and ws_session.cpp only.
#pragma once

#include <algorithm>
#include <utility>
#include <variant>
#include <vector>

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/teardown.hpp>
#include <openssl/ssl.h>

namespace keyportal::gateway {

/// An AsyncStream of Beast: one type for both, so that sessions are written once.
class wire_stream {
public:
  using plain = boost::beast::tcp_stream;
  using encrypted = boost::asio::ssl::stream<plain>;
  using executor_type = plain::executor_type;
  using next_layer_type = plain;

  /// `context` null: as it comes.
  wire_stream(plain&& stream, ssl_ctx_st* context) : of_(std::move(stream)) {
    if (context == nullptr)
      return;
    SSL_CTX_up_ref(context);
    boost::asio::ssl::context held(context); // gives up its share at the end; the stream has one of its own
    auto lower = std::move(std::get<plain>(of_));
    of_.emplace<encrypted>(std::move(lower), held);
  }

  [[nodiscard]] bool is_encrypted() const { return of_.index() == 1; }
  plain& next_layer() { return is_encrypted() ? std::get<encrypted>(of_).next_layer() : std::get<plain>(of_); }
  const plain& next_layer() const {
    return is_encrypted() ? std::get<encrypted>(of_).next_layer() : std::get<plain>(of_);
  }
  executor_type get_executor() { return next_layer().get_executor(); }
  plain::socket_type& socket() { return next_layer().socket(); }
  template <class Duration>
  void expires_after(Duration time) {
    next_layer().expires_after(time);
  }
  void expires_never() { next_layer().expires_never(); }
  void close() { next_layer().close(); }
  /// Goes on in clear, with whoever does not speak TLS.
  void give_up_encryption() {
    if (!is_encrypted())
      return;
    auto lower = std::move(next_layer());
    of_.emplace<plain>(std::move(lower));
  }

  /// Of encrypted ones.
  template <class Handler>
  void async_handshake(Handler&& handler) {
    std::get<encrypted>(of_).async_handshake(boost::asio::ssl::stream_base::server, std::forward<Handler>(handler));
  }
  template <class Handler>
  void async_shutdown(Handler&& handler) {
    std::get<encrypted>(of_).async_shutdown(std::forward<Handler>(handler));
  }

  template <class Buffers, class Handler>
  void async_read_some(const Buffers& into, Handler&& handler) {
    if (auto* const tls = std::get_if<encrypted>(&of_))
      tls->async_read_some(into, std::forward<Handler>(handler));
    else
      std::get<plain>(of_).async_read_some(into, std::forward<Handler>(handler));
  }
  template <class Buffers, class Handler>
  void async_write_some(const Buffers& from, Handler&& handler) {
    if (auto* const tls = std::get_if<encrypted>(&of_))
      tls->async_write_some(in_one(from), std::forward<Handler>(handler));
    else
      std::get<plain>(of_).async_write_some(from, std::forward<Handler>(handler));
  }

  /// The end of a WebSocket.
  template <class Handler>
  friend void async_teardown(boost::beast::role_type role, wire_stream& stream, Handler&& handler) {
    using boost::beast::async_teardown;
    using boost::beast::websocket::async_teardown;
    if (auto* const tls = std::get_if<encrypted>(&stream.of_))
      async_teardown(role, *tls, std::forward<Handler>(handler));
    else
      async_teardown(role, std::get<plain>(stream.of_), std::forward<Handler>(handler));
  }

private:
  static constexpr std::size_t record_bytes = 16 << 10; ///< as much as TLS sends in one

  /// What fits into one record: a head and its body are not sent apart. (Beast's ssl_stream would do that, but takes an
  /// empty buffer in front, which is what is left of a head, for the end of all.)
  template <class Buffers>
  boost::asio::const_buffer in_one(const Buffers& from) {
    boost::asio::const_buffer first;
    const auto end = boost::asio::buffer_sequence_end(from);
    std::size_t parts = 0;
    for (auto at = boost::asio::buffer_sequence_begin(from); at != end; ++at)
      if (const boost::asio::const_buffer one(*at); one.size() > 0 && ++parts == 1)
        first = one;
    if (parts < 2 || first.size() >= record_bytes)
      return first;
    joined_.resize(std::min(record_bytes, boost::asio::buffer_size(from)));
    boost::asio::buffer_copy(boost::asio::buffer(joined_), from);
    return boost::asio::buffer(joined_);
  }

  std::variant<plain, encrypted> of_;
  std::vector<char> joined_; ///< while it is written
};

} // namespace keyportal::gateway
