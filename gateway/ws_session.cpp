#include "gateway/sessions.hpp"

#include <utility>

#include "gateway/wire.hpp"

namespace keyportal::gateway {

namespace ws = beast::websocket;

/// What the user is given. It may live on any thread and longer than the server.
class socket_handle final : public websocket {
public:
  socket_handle(std::weak_ptr<server_core> core, std::weak_ptr<ws_session> session)
    : core_(std::move(core)), session_(std::move(session)) {}

  void send(frame text, frame name) override {
    with([&](ws_session& it) { it.send(std::move(text), std::move(name)); });
  }
  void close(std::uint16_t code, std::string_view reason) override {
    with([&](ws_session& it) { it.close(code, std::string(reason)); });
  }

private:
  template <class Use>
  void with(Use use) {
    const auto core = core_.lock(); // held until after the session: see server_core
    if (!core || core->stopping)
      return;
    if (const auto session = session_.lock())
      use(*session);
  }
  const std::weak_ptr<server_core> core_;
  const std::weak_ptr<ws_session> session_;
};

ws_session::ws_session(server_core& core, wire_stream&& stream, websocket_admission admission)
  : core_(core), ws_(std::move(stream)), admission_(std::move(admission)), closing_timer_(ws_.get_executor()),
    check_timer_(ws_.get_executor()) {}

ws_session::~ws_session() {
  leave();
  core_.remove(static_cast<ws_session*>(this));
  core_.remove(static_cast<connection*>(this));
}

void ws_session::run(upgrade_request request) {
  request_ = std::move(request);
  beast::get_lowest_layer(ws_).expires_never(); // the WebSocket stream has its own deadlines
  ws_.set_option(ws::stream_base::timeout{core_.settings.close_timeout, core_.settings.websocket_idle_timeout, true});
  ws_.set_option(ws::permessage_deflate{}); // all off
  ws_.set_option(ws::stream_base::decorator([](ws::response_type& answer) {
    answer.erase(beast::http::field::server);
    for (const auto& [name, value] : strict_headers())
      answer.set(beast::string_view(name.data(), name.size()), beast::string_view(value.data(), value.size()));
  }));
  ws_.auto_fragment(false); // some clients do not put continuation frames together
  ws_.read_message_max(core_.settings.max_websocket_message_bytes);
  ws_.text(true);
  core_.add(this, std::weak_ptr<connection>(shared_from_this()));
  ws_.async_accept(request_, [self = shared_from_this()](beast::error_code error) { self->on_accept(error); });
}

void ws_session::on_accept(beast::error_code error) {
  if (error || core_.stopping)
    return;
  request_ = {};
  open_ = true;
  minute_began_ = std::chrono::steady_clock::now();
  core_.add(this, weak_from_this());
  if (admission_.still)
    check(); // from here on it is found by its tag; what ended a moment before is seen now
  if (admission_.user)
    admission_.user->opened(std::make_shared<socket_handle>(core_.weak_from_this(), weak_from_this()));
  read();
}

void ws_session::leave() {
  if (open_ && !std::exchange(left_, true) && admission_.user)
    admission_.user->closed();
}

void ws_session::check() {
  if (closing_)
    return;
  if (!admission_.still())
    return begin_close(ws::close_code::policy_error, "signed out");
  check_timer_.expires_after(core_.settings.websocket_check_interval);
  check_timer_.async_wait([weak = weak_from_this()](beast::error_code error) {
    if (const auto self = weak.lock(); self && !error)
      self->check();
  });
}

void ws_session::read() {
  ws_.async_read(buffer_, [self = shared_from_this()](beast::error_code error, std::size_t) { self->on_read(error); });
}

void ws_session::on_read(beast::error_code error) {
  if (error) { // closed by either side, or too large a message: Beast has answered that
    core_.remove(this);
    leave();
    if (!closing_)
      beast::get_lowest_layer(ws_).close(); // so that a write under way ends, too
    closing_ = true;
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - minute_began_ >= std::chrono::minutes(1)) {
    minute_began_ = now;
    messages_this_minute_ = 0;
  }
  if (++messages_this_minute_ > core_.settings.max_websocket_messages_per_minute && !closing_)
    cut(ws::close_code::policy_error, "too many messages");
  else if (!closing_ && ws_.got_text() && admission_.user)
    admission_.user->said({static_cast<const char*>(buffer_.data().data()), buffer_.size()});
  buffer_.consume(buffer_.size());
  buffer_.shrink_to_fit(); // most never say anything
  read();
}

void ws_session::send(frame text, frame name) {
  net::post(ws_.get_executor(), [self = shared_from_this(), text = std::move(text), name = std::move(name)]() mutable {
    self->push(std::move(text), std::move(name));
  });
}

void ws_session::push(frame text, frame name) {
  if (!open_ || closing_ || !text)
    return;
  if (name && !queue_.empty()) // the new one goes to the end: frames between may tell of what came before it
    for (auto at = queue_.begin() + (writing_ ? 1 : 0); at != queue_.end(); ++at)
      if (at->name && *at->name == *name) {
        queue_.erase(at);
        break;
      }
  if (queue_.size() >= core_.settings.max_websocket_frames)
    return cut(ws::close_code::try_again_later, "too slow");
  queue_.push_back({std::move(text), std::move(name)});
  write();
}

void ws_session::write() {
  if (writing_ || closing_ || queue_.empty())
    return;
  writing_ = true;
  ws_.async_write(net::buffer(*queue_.front().text), [self = shared_from_this()](beast::error_code error, std::size_t) {
    self->writing_ = false;
    if (!self->queue_.empty())
      self->queue_.pop_front();
    if (error)
      return;
    self->core_.frames_sent.fetch_add(1, std::memory_order_relaxed);
    if (self->queue_.empty() && !self->closing_ && self->admission_.user)
      self->admission_.user->written();
    self->write();
  });
}

void ws_session::cut(std::uint16_t code, std::string reason) {
  core_.websockets_cut.fetch_add(1, std::memory_order_relaxed);
  if (queue_.size() > 1) // the first may be in the hands of the socket
    queue_.erase(queue_.begin() + 1, queue_.end());
  begin_close(code, std::move(reason));
}

void ws_session::close(std::uint16_t code, std::string reason) {
  net::post(ws_.get_executor(), [self = shared_from_this(), code, reason = std::move(reason)]() mutable {
    self->begin_close(code, std::move(reason));
  });
}

void ws_session::finish() { close(ws::close_code::going_away, "stopping"); }

void ws_session::begin_close(std::uint16_t code, std::string reason) {
  if (closing_)
    return;
  closing_ = true;
  core_.remove(this);
  leave();
  // A client that reads nothing blocks the closing frame behind the one before it, so there is a deadline of our own.
  closing_timer_.expires_after(core_.settings.close_timeout);
  closing_timer_.async_wait([self = shared_from_this()](beast::error_code error) {
    if (!error)
      beast::get_lowest_layer(self->ws_).close();
  });
  if (!open_) {
    beast::get_lowest_layer(ws_).close();
    closing_timer_.cancel();
    return;
  }
  reason.resize(std::min<std::size_t>(reason.size(), 100));
  ws_.async_close(ws::close_reason(static_cast<ws::close_code>(code), beast::string_view(reason.data(), reason.size())),
                  [self = shared_from_this()](beast::error_code) { self->closing_timer_.cancel(); });
}

} // namespace keyportal::gateway
