// One HTTP/1.1 connection. Includes Boost.Beast: for server.cpp and http_session.cpp only.
#pragma once

#include <optional>

#include "gateway/sessions.hpp"

namespace keyportal::gateway {

/// Reads a request, hands it on, writes the answer, reads the next: one at a time, so pipelined requests are answered in
/// order and a client that sends without reading is held up by its own socket.
class http_session final : public connection, public std::enable_shared_from_this<http_session> {
public:
  http_session(server_core& core, tcp::socket&& socket);
  ~http_session() override;

  void run();
  void finish() override;
  void abandon() override;

private:
  friend class responder;
  friend class piece_taker;
  using parser = beast::http::request_parser<beast::http::string_body>;

  void shake_hands();
  void read_head();
  void on_head(beast::error_code error);
  void read_body();
  void dispatch();
  void answer(http_response response);
  void refuse(http_response response);
  void write();
  void write_pieces();
  void ask_for_piece();
  void on_piece(body_piece piece);
  void write_piece(body_piece piece);
  void on_piece_written(bool last);
  void cut();
  void on_written(beast::error_code error);
  void linger(std::size_t bytes_left);
  void upgrade();

  void refuse_body();

  server_core& core_;
  wire_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<parser> parser_;
  std::string peer_;
  http_request request_;
  body_rule rule_;
  std::shared_ptr<http_session> waiting_; ///< itself, while somebody prepares the answer and no operation holds it
  http_response response_;
  std::string head_;                     ///< of the answer, or of a piece
  body_piece piece_;                     ///< that is being written
  std::optional<body_piece> next_piece_; ///< that waits for it
  bool asking_ = false;                  ///< for a piece
  bool writing_ = false;                 ///< a piece
  bool reading_ = false;                 ///< waiting for a request or reading its head
  bool keep_alive_ = true;
  bool finishing_ = false;
};

} // namespace keyportal::gateway
