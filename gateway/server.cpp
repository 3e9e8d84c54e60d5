#include "gateway/server.hpp"

#include <array>
#include <thread>

#include <boost/asio/executor_work_guard.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "gateway/http_session.hpp"
#include "messages/errors.hpp"

namespace keyportal::gateway {

// --- what all sessions stand on ----------------------------------------------

server_core::server_core(server_settings s, server_callbacks c)
  : settings(std::move(s)), callbacks(std::move(c)), hosts(settings.address, settings.hosts), io(settings.threads) {}

void server_core::add(connection* one, std::weak_ptr<connection> handle) {
  const std::lock_guard lock(mutex_);
  connections_.emplace(one, std::move(handle));
}

void server_core::remove(connection* one) {
  const std::lock_guard lock(mutex_);
  connections_.erase(one);
  if (connections_.empty())
    changed_.notify_all();
}

void server_core::add(ws_session* one, std::weak_ptr<ws_session> handle) {
  const std::lock_guard lock(mutex_);
  websockets_.emplace(one, std::move(handle));
}

void server_core::remove(ws_session* one) {
  const std::lock_guard lock(mutex_);
  websockets_.erase(one);
}

std::size_t server_core::connections() const {
  const std::lock_guard lock(mutex_);
  return connections_.size();
}

std::size_t server_core::websockets() const {
  const std::lock_guard lock(mutex_);
  return websockets_.size();
}

template <class T>
static std::vector<std::shared_ptr<T>> alive(const std::unordered_map<T*, std::weak_ptr<T>>& from) {
  std::vector<std::shared_ptr<T>> out;
  out.reserve(from.size());
  for (const auto& [key, handle] : from)
    if (auto one = handle.lock())
      out.push_back(std::move(one));
  return out;
}

std::vector<std::shared_ptr<connection>> server_core::all_connections() const {
  const std::lock_guard lock(mutex_);
  return alive(connections_);
}

std::vector<std::shared_ptr<ws_session>> server_core::all_websockets() const {
  const std::lock_guard lock(mutex_);
  return alive(websockets_);
}

void server_core::wait_until_empty(std::chrono::milliseconds at_most) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, at_most, [this] { return connections_.empty(); });
}

std::chrono::milliseconds server_core::time_for(std::size_t bytes) const {
  return settings.transfer_timeout
         + std::chrono::seconds(bytes / std::max<std::size_t>(settings.slowest_bytes_per_second, 1));
}

// --- the listener ---------------------------------------------------------------

class server::impl {
public:
  impl(server_settings settings, server_callbacks callbacks)
    : core(std::make_shared<server_core>(std::move(settings), std::move(callbacks))),
      work(net::make_work_guard(core->io)), acceptor(core->io), back_off(core->io) {}

  ~impl() { stop(); }

  caf::error listen();
  void accept();
  void on_accept(beast::error_code error, tcp::socket socket);
  void turn_away(tcp::socket socket);
  void stop();

  std::shared_ptr<server_core> core;
  /// While stopping, an answer may still be in the making with no operation pending anywhere.
  net::executor_work_guard<net::io_context::executor_type> work;
  tcp::acceptor acceptor;
  net::steady_timer back_off;
  bool complained = false; ///< about accept; one line an episode
  std::vector<std::thread> threads;
  std::uint16_t port = 0;
  std::mutex stopping;
};

caf::error server::impl::listen() {
  const auto& wanted = core->settings;
  const auto failed = [&](const std::string& why) {
    return make_error(errc::port_in_use, fmt::format("{}:{} ({})", wanted.address, wanted.port, why));
  };
  beast::error_code error;
  const auto address = net::ip::make_address(wanted.address, error);
  if (error)
    return failed("not a numeric address");
  const tcp::endpoint endpoint(address, wanted.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error)
    acceptor.set_option(net::socket_base::reuse_address(true), error);
  if (!error)
    acceptor.bind(endpoint, error);
  if (!error)
    acceptor.listen(net::socket_base::max_listen_connections, error);
  if (error)
    return failed(error.message());
  port = acceptor.local_endpoint(error).port();
  return {};
}

void server::impl::accept() {
  acceptor.async_accept(net::make_strand(core->io),
                        [this](beast::error_code error, tcp::socket socket) { on_accept(error, std::move(socket)); });
}

void server::impl::on_accept(beast::error_code error, tcp::socket socket) {
  if (core->stopping || error == net::error::operation_aborted)
    return;
  if (error) {
    // Out of descriptors or memory: the connection stays in the queue, so trying at once again would only spin.
    if (!complained)
      spdlog::warn("gateway.accept_failed cause=\"{}\"", error.message());
    complained = true;
    back_off.expires_after(std::chrono::milliseconds(100));
    back_off.async_wait([this](beast::error_code aborted) {
      if (!aborted && !core->stopping)
        accept();
    });
    return;
  }
  complained = false;
  core->accepted.fetch_add(1, std::memory_order_relaxed);
  if (core->connections() >= core->settings.max_connections)
    turn_away(std::move(socket));
  else
    std::make_shared<http_session>(*core, std::move(socket))->run();
  accept();
}

void server::impl::turn_away(tcp::socket socket) {
  core->turned_away.fetch_add(1, std::memory_order_relaxed);
  if (core->settings.tls)
    return; // nothing that it could read
  static constexpr std::string_view full = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 2\r\n"
                                           "Connection: close\r\n\r\n";
  beast::error_code ignored;
  socket.non_blocking(true, ignored);
  socket.write_some(net::buffer(full), ignored); // a fresh socket has room for it
  socket.shutdown(tcp::socket::shutdown_both, ignored);
}

void server::impl::stop() {
  const std::lock_guard lock(stopping);
  if (threads.empty())
    return;
  core->stopping = true;
  net::post(core->io, [this] {
    beast::error_code ignored;
    acceptor.close(ignored);
    back_off.cancel();
  });
  for (const auto& one : core->all_connections())
    one->finish();
  core->wait_until_empty(core->settings.close_timeout);
  core->io.stop();
  for (auto& thread : threads)
    thread.join();
  threads.clear();
  beast::error_code ignored;
  acceptor.close(ignored); // else who was not accepted yet would wait for ever
  for (const auto& one : core->all_connections())
    one->abandon();
}

// --- the public face --------------------------------------------------------------

server::server(std::shared_ptr<impl> state) : impl_(std::move(state)) {}

server::~server() = default; // of its implementation

caf::expected<std::unique_ptr<server>> server::start(server_settings settings, server_callbacks callbacks) {
  settings.threads = std::max(settings.threads, 1);
  try {
    auto state = std::make_shared<impl>(std::move(settings), std::move(callbacks));
    if (auto error = state->listen())
      return error;
    state->accept();
    for (int i = 0; i < state->core->settings.threads; ++i)
      state->threads.emplace_back([core = state->core.get()] { core->io.run(); });
    return std::unique_ptr<server>(new server(std::move(state)));
  } catch (const std::exception& e) {
    return make_error(errc::internal, e.what());
  }
}

std::uint16_t server::port() const { return impl_->port; }

std::size_t server::websockets() const { return impl_->core->websockets(); }

server_figures server::figures() const {
  const auto& core = *impl_->core;
  return {core.connections(), core.accepted,       core.turned_away, core.requests,
          core.refused,       core.websockets_cut, core.frames_sent};
}

void server::close_websockets(std::string_view reason) {
  for (const auto& one : impl_->core->all_websockets())
    one->close(beast::websocket::close_code::going_away, std::string(reason));
}

void server::close_websockets_of(std::string_view tag, std::string_view reason) {
  for (const auto& one : impl_->core->all_websockets())
    if (one->tag() == tag)
      one->close(beast::websocket::close_code::policy_error, std::string(reason));
}

void server::stop() { impl_->stop(); }

} // namespace keyportal::gateway
