#include "gateway/http_session.hpp"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/sslerr.h>

#include "gateway/problem.hpp"
#include "gateway/request_head.hpp"
#include "gateway/wire.hpp"
#include "messages/errors.hpp"

namespace keyportal::gateway {

namespace http = beast::http;

namespace {

constexpr std::string_view websocket_path = "/ws";
constexpr std::size_t largest_linger_bytes = 4 << 20;

bool is_protocol_error(const beast::error_code& error) {
  return error.category() == http::make_error_code(http::error::bad_method).category();
}

} // namespace

/// Takes the answer to one request, from any thread, once. If nobody ever gives one, the client is told so.
class responder {
public:
  responder(std::weak_ptr<server_core> core, std::weak_ptr<http_session> session)
    : core_(std::move(core)), session_(std::move(session)) {}
  ~responder() { give(problem(make_error(errc::internal, "the request was dropped"))); }

  void give(http_response response) {
    if (given_.exchange(true))
      return;
    const auto core = core_.lock(); // held until after the session: see server_core
    if (!core)
      return;
    auto session = session_.lock();
    if (!session)
      return;
    auto executor = session->stream_.get_executor();
    net::post(executor, [session = std::move(session), response = std::move(response)]() mutable {
      session->answer(std::move(response));
    });
  }

private:
  std::weak_ptr<server_core> core_;
  std::weak_ptr<http_session> session_;
  std::atomic<bool> given_{false};
};

/// Takes one piece of a body, from any thread, once. If nobody ever gives it, the connection is cut.
class piece_taker {
public:
  piece_taker(std::weak_ptr<server_core> core, std::weak_ptr<http_session> session)
    : core_(std::move(core)), session_(std::move(session)) {}
  ~piece_taker() { give({nullptr, true}); }

  void give(body_piece piece) {
    if (given_.exchange(true))
      return;
    const auto core = core_.lock(); // held until after the session: see server_core
    if (!core)
      return;
    auto session = session_.lock();
    if (!session)
      return;
    auto executor = session->stream_.get_executor();
    net::post(executor, [session = std::move(session), piece = std::move(piece)]() mutable {
      session->on_piece(std::move(piece));
    });
  }

private:
  std::weak_ptr<server_core> core_;
  std::weak_ptr<http_session> session_;
  std::atomic<bool> given_{false};
};

http_session::http_session(server_core& core, tcp::socket&& socket)
  : core_(core), stream_(beast::tcp_stream(std::move(socket)), core.tls().get()),
    buffer_(core.settings.max_header_bytes + (64 << 10)) {
  beast::error_code error;
  stream_.socket().set_option(tcp::no_delay(true), error);
  const auto peer = stream_.socket().remote_endpoint(error);
  if (!error)
    peer_ = peer.address().to_string();
}

http_session::~http_session() { core_.remove(static_cast<connection*>(this)); }

void http_session::run() {
  core_.add(this, std::weak_ptr<connection>(shared_from_this()));
  net::dispatch(stream_.get_executor(), [self = shared_from_this()] { self->shake_hands(); });
}

void http_session::finish() {
  net::post(stream_.get_executor(), [self = shared_from_this()] {
    self->finishing_ = true;
    if (self->reading_)
      self->stream_.close();
  });
}

void http_session::shake_hands() {
  if (!stream_.is_encrypted())
    return read_head();
  reading_ = true;
  stream_.expires_after(core_.settings.header_timeout);
  stream_.async_handshake([self = shared_from_this()](beast::error_code error) {
    if (!error)
      return self->read_head();
    self->reading_ = false;
    if (error.category() != net::error::get_ssl_category() || ERR_GET_REASON(error.value()) != SSL_R_HTTP_REQUEST)
      return self->stream_.close();
    self->stream_.give_up_encryption();
    self->parser_.emplace();
    self->refuse(problem(make_error(errc::bad_request, "this address speaks TLS: begin with https://")));
  });
}

void http_session::read_head() {
  request_ = {};
  response_ = {};
  head_.clear();
  parser_.emplace();
  parser_->header_limit(static_cast<std::uint32_t>(core_.settings.max_header_bytes));
  parser_->body_limit(boost::none); // decided when the head is known
  reading_ = true;
  stream_.expires_after(core_.settings.header_timeout);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_head(error); });
}

void http_session::on_head(beast::error_code error) {
  reading_ = false;
  if (error == http::error::header_limit || error == http::error::buffer_overflow)
    return refuse(problem(make_error(errc::body_too_large, "request line and headers"), 431));
  if (error == http::error::end_of_stream || error == http::error::partial_message || finishing_)
    return stream_.close();
  if (is_protocol_error(error))
    return refuse(problem(make_error(errc::bad_request, error.message())));
  if (error) // reset, timed out
    return stream_.close();
  keep_alive_ = parser_->keep_alive();
  if (auto refusal = take_head(parser_->get(), core_.hosts, core_.settings.base_path, request_))
    return refuse(std::move(*refusal));
  request_.peer = peer_;
  request_.encrypted = stream_.is_encrypted();
  if (request_.path == websocket_path)
    return upgrade();

  if (parser_->is_done()) // there is no body to have a rule for
    return dispatch();
  const auto& rule_for = core_.callbacks.rule_for_body;
  rule_ = rule_for ? rule_for(request_) : body_rule{core_.settings.max_body_bytes, {}};
  rule_.most_bytes = std::min(rule_.most_bytes, core_.settings.max_body_bytes);
  const auto length = parser_->content_length();
  if (length && *length > rule_.most_bytes)
    return refuse_body();
  parser_->body_limit(rule_.most_bytes);
  stream_.expires_after(core_.time_for(length ? static_cast<std::size_t>(*length) : rule_.most_bytes));
  if (!beast::iequals(parser_->get()[http::field::expect], "100-continue"))
    return read_body();
  static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  net::async_write(stream_, net::buffer(go_on), [self = shared_from_this()](beast::error_code failed, std::size_t) {
    if (!failed)
      self->read_body();
  });
}

void http_session::read_body() {
  http::async_read(stream_, buffer_, *parser_, [self = shared_from_this()](beast::error_code error, std::size_t) {
    if (error == http::error::body_limit)
      return self->refuse_body();
    if (is_protocol_error(error) && error != http::error::partial_message)
      return self->refuse(problem(make_error(errc::bad_request, error.message())));
    if (error)
      return self->stream_.close();
    self->dispatch();
  });
}

void http_session::dispatch() {
  stream_.expires_never(); // whoever answers has deadlines of their own
  core_.requests.fetch_add(1, std::memory_order_relaxed);
  request_.body = std::move(parser_->get().body());
  auto exchange = std::make_shared<http_exchange>();
  exchange->request = std::move(request_);
  auto answering = std::make_shared<responder>(core_.weak_from_this(), weak_from_this());
  exchange->reply = [answering = std::move(answering)](http_response response) {
    answering->give(std::move(response));
  };
  waiting_ = shared_from_this();
  core_.callbacks.on_request(std::move(exchange));
}

void http_session::abandon() { waiting_.reset(); }

void http_session::answer(http_response response) {
  const auto self = std::exchange(waiting_, nullptr);
  if (!response.body)
    response.body = std::make_shared<const std::string>();
  response_ = std::move(response);
  write();
}

void http_session::refuse(http_response response) {
  core_.refused.fetch_add(1, std::memory_order_relaxed);
  keep_alive_ = false; // what follows on the socket may be the rest of what was refused
  answer(std::move(response));
}

void http_session::refuse_body() {
  refuse(rule_.refusal ? std::move(*rule_.refusal)
                       : problem(make_error(errc::body_too_large, fmt::format("at most {} bytes", rule_.most_bytes))));
}

void http_session::write() {
  const bool http_1_0 = parser_->get().version() == 10;
  const bool bodiless = parser_->get().method() == http::verb::head || !has_body(response_.status);
  keep_alive_ = keep_alive_ && !finishing_ && !core_.stopping && !(response_.pieces && http_1_0);
  head_ = response_head(response_, keep_alive_, http_1_0, std::chrono::system_clock::now());
  if (response_.pieces && !bodiless)
    return write_pieces();
  const auto body = bodiless ? net::const_buffer() : net::buffer(*response_.body);
  stream_.expires_after(core_.time_for(body.size()));
  net::async_write(stream_, std::array<net::const_buffer, 2>{net::buffer(head_), body},
                   [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_written(error); });
}

// A body in pieces: while one is written the next is asked for, so making and sending go on side by side and no more than
// two are held, however slow the client is.
void http_session::write_pieces() {
  next_piece_.reset();
  stream_.expires_after(core_.time_for(head_.size()));
  net::async_write(stream_, net::buffer(head_), [self = shared_from_this()](beast::error_code error, std::size_t) {
    if (error)
      return self->stream_.close();
    self->ask_for_piece();
  });
}

void http_session::ask_for_piece() {
  asking_ = true;
  waiting_ = shared_from_this();
  auto taker = std::make_shared<piece_taker>(core_.weak_from_this(), weak_from_this());
  response_.pieces([taker = std::move(taker)](body_piece piece) { taker->give(std::move(piece)); });
}

void http_session::on_piece(body_piece piece) {
  const auto self = std::exchange(waiting_, nullptr);
  asking_ = false;
  if (!stream_.socket().is_open())
    return;
  if (!piece.text)
    return cut();
  if (writing_)
    next_piece_ = std::move(piece);
  else
    write_piece(std::move(piece));
}

void http_session::write_piece(body_piece piece) {
  piece_ = std::move(piece);
  const auto last = piece_.last;
  const bool chunked = parser_->get().version() != 10;
  if (!last)
    ask_for_piece();
  if (piece_.text->empty() && !(last && chunked)) // a chunk without bytes would be the last one
    return last ? on_written({}) : void();
  head_.clear();
  if (chunked && !piece_.text->empty())
    head_ = fmt::format("{:x}\r\n", piece_.text->size());
  static constexpr std::string_view end_of_chunk = "\r\n", end_of_body = "\r\n0\r\n\r\n", only_end = "0\r\n\r\n";
  const auto tail = !chunked ? std::string_view{} : piece_.text->empty() ? only_end : last ? end_of_body : end_of_chunk;
  writing_ = true;
  stream_.expires_after(core_.time_for(piece_.text->size()));
  net::async_write(stream_,
                   std::array<net::const_buffer, 3>{net::buffer(head_), net::buffer(*piece_.text),
                                                    net::buffer(tail.data(), tail.size())},
                   [self = shared_from_this(), last](beast::error_code error, std::size_t) {
                     self->writing_ = false;
                     if (error)
                       return self->stream_.close();
                     self->on_piece_written(last);
                   });
}

void http_session::on_piece_written(bool last) {
  piece_ = {};
  if (last) {
    response_ = {};
    keep_alive_ = keep_alive_ && !finishing_ && !core_.stopping;
    return on_written({});
  }
  stream_.expires_never(); // whoever makes the next piece has deadlines of their own
  if (auto next = std::exchange(next_piece_, std::nullopt))
    write_piece(std::move(*next));
}

/// So that the client notices that something is missing: where no length was told, a plain close would look like the end.
void http_session::cut() {
  core_.refused.fetch_add(1, std::memory_order_relaxed);
  beast::error_code ignored;
  stream_.socket().set_option(net::socket_base::linger(true, 0), ignored);
  stream_.close();
}

void http_session::on_written(beast::error_code error) {
  if (error)
    return stream_.close();
  if (keep_alive_)
    return read_head();
  if (stream_.is_encrypted()) { // says that this is the end, and waits for the same from the other side
    stream_.expires_after(core_.settings.close_timeout);
    return stream_.async_shutdown([self = shared_from_this()](beast::error_code) { self->stream_.close(); });
  }
  // Closing with unread bytes on the socket would reset it and could take the answer away from the client.
  stream_.socket().shutdown(tcp::socket::shutdown_send, error);
  stream_.expires_after(core_.settings.close_timeout);
  linger(largest_linger_bytes);
}

void http_session::linger(std::size_t bytes_left) {
  buffer_.clear();
  stream_.async_read_some(buffer_.prepare(16 << 10),
                          [self = shared_from_this(), bytes_left](beast::error_code error, std::size_t bytes) {
                            if (error || bytes >= bytes_left)
                              return self->stream_.close();
                            self->linger(bytes_left - bytes);
                          });
}

void http_session::upgrade() {
  if (!beast::websocket::is_upgrade(parser_->get())) {
    auto refusal = problem(make_error(errc::bad_request, "this address is for WebSockets"), 426);
    refusal.headers.emplace_back("Upgrade", "websocket");
    return refuse(std::move(refusal));
  }
  if (buffer_.size() != 0) // no client may talk before it is answered
    return refuse(problem(make_error(errc::bad_request, "bytes behind the upgrade")));
  if (finishing_ || core_.stopping)
    return stream_.close();
  const auto& admit = core_.callbacks.admit_websocket;
  auto admission = admit ? admit(request_) : websocket_admission{};
  if (admission.refusal)
    return refuse(std::move(*admission.refusal));
  std::make_shared<ws_session>(core_, std::move(stream_), std::move(admission))->run(parser_->release());
}

} // namespace keyportal::gateway
