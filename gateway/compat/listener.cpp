#include "gateway/compat/listener.hpp"

#include <array>
#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <list>
#include <mutex>
#include <thread>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "gateway/compat/resp_command.hpp"
#include "gateway/compat/talk.hpp"
#include "messages/errors.hpp"

namespace keyportal::compat {

// --- waking subscribers -----------------------------------------------------------------

void common_ground::add_waker(int fd) {
  const std::lock_guard lock(wakers_mutex_);
  wakers_.insert(fd);
}

void common_ground::remove_waker(int fd) {
  const std::lock_guard lock(wakers_mutex_);
  wakers_.erase(fd);
}

void common_ground::wake_all() {
  const std::lock_guard lock(wakers_mutex_);
  const std::uint64_t one = 1;
  for (const int fd : wakers_)
    [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
}

namespace {

std::string address_of(const sockaddr_storage& peer) {
  char text[INET6_ADDRSTRLEN] = "";
  if (peer.ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in&>(peer).sin_addr, text, sizeof text);
  } else {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(peer).sin6_addr;
    if (IN6_IS_ADDR_V4MAPPED(&v6)) // the same machine, however it was reached
      ::inet_ntop(AF_INET, v6.s6_addr + 12, text, sizeof text);
    else
      ::inet_ntop(AF_INET6, &v6, text, sizeof text);
  }
  return text;
}

} // namespace

// --- the listener -----------------------------------------------------------------------

struct listener::impl {
  impl(listener_settings s, backend& back)
    : settings(std::move(s)), ground(back, settings.consumers, gateway::host_rules(settings.address, settings.hosts)) {
    ground.pass_through = settings.pass_through;
    ground.on_answer = settings.on_answer;
  }
  ~impl() {
    if (socket >= 0)
      ::close(socket);
    if (stop_signal >= 0)
      ::close(stop_signal);
  }

  struct open_connection {
    std::unique_ptr<line> with;
    std::thread thread;
    bool over = false;
  };

  caf::error listen();
  void accept_all();
  void take(int fd, const sockaddr_storage& peer);
  void talk(open_connection& with);
  void join_those_over();

  const listener_settings settings;
  common_ground ground;
  int socket = -1;
  int stop_signal = -1;
  std::uint16_t port = 0;
  std::thread acceptor;
  std::mutex mutex;
  std::condition_variable changed;
  std::list<open_connection> connections;
  std::mutex stopping;
  bool stopped = false;
};

caf::error listener::impl::listen() {
  const auto failed = [&](std::string_view why) {
    return make_error(errc::port_in_use, fmt::format("{}:{} ({})", settings.address, settings.port, why));
  };
  sockaddr_storage where{};
  socklen_t size = 0;
  if (auto& v4 = reinterpret_cast<sockaddr_in&>(where);
      ::inet_pton(AF_INET, settings.address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(settings.port);
    size = sizeof v4;
  } else if (auto& v6 = reinterpret_cast<sockaddr_in6&>(where = {});
             ::inet_pton(AF_INET6, settings.address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(settings.port);
    size = sizeof v6;
  } else {
    return failed("not a numeric address");
  }
  stop_signal = ::eventfd(0, EFD_CLOEXEC);
  socket = ::socket(where.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  if (socket < 0 || stop_signal < 0 || ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0
      || ::bind(socket, reinterpret_cast<const sockaddr*>(&where), size) != 0 || ::listen(socket, 128) != 0
      || ::getsockname(socket, reinterpret_cast<sockaddr*>(&where), &size) != 0)
    return failed(std::strerror(errno));
  port = ntohs(where.ss_family == AF_INET ? reinterpret_cast<const sockaddr_in&>(where).sin_port
                                          : reinterpret_cast<const sockaddr_in6&>(where).sin6_port);
  return {};
}

void listener::impl::accept_all() {
  bool complained = false;
  for (;;) {
    std::array<pollfd, 2> fds{pollfd{socket, POLLIN, 0}, pollfd{stop_signal, POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR)
      return;
    if (fds[1].revents != 0)
      return;
    if (fds[0].revents == 0)
      continue;
    sockaddr_storage peer{};
    socklen_t size = sizeof peer;
    const int fd = ::accept4(socket, reinterpret_cast<sockaddr*>(&peer), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      complained = false;
      take(fd, peer);
    } else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
      // Out of descriptors or memory: the connection stays in the queue, so trying at once again would only spin.
      if (!std::exchange(complained, true))
        spdlog::warn("compat.accept_failed cause=\"{}\"", std::strerror(errno));
      pollfd stop{stop_signal, POLLIN, 0};
      ::poll(&stop, 1, 100);
    }
  }
}

void listener::impl::take(int fd, const sockaddr_storage& peer) {
  join_those_over();
  auto with = std::make_unique<line>(fd, address_of(peer));
  const std::lock_guard lock(mutex);
  if (connections.size() >= settings.max_connections) {
    with->write_some("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return;
  }
  auto& one = connections.emplace_back();
  one.with = std::move(with);
  try {
    one.thread = std::thread([this, &one] { talk(one); });
  } catch (const std::exception& e) {
    spdlog::warn("compat.thread_failed cause=\"{}\"", e.what());
    connections.pop_back();
  }
}

void listener::impl::talk(open_connection& one) {
  try {
    std::string first;
    if (one.with->read(first, 16 << 10, line::clock::now() + settings.first_byte_timeout) == line::got::bytes) {
      if (begins_resp(first.front()))
        talk_resp(ground, *one.with, std::move(first));
      else
        talk_http(ground, *one.with, std::move(first));
    }
  } catch (const std::exception& e) { // out of memory
    spdlog::error("compat.connection_failed cause=\"{}\"", e.what());
  }
  one.with->hang_up();
  const std::lock_guard lock(mutex);
  one.with.reset();
  one.over = true;
  changed.notify_all();
}

void listener::impl::join_those_over() {
  std::list<open_connection> over;
  {
    const std::lock_guard lock(mutex);
    for (auto one = connections.begin(); one != connections.end();) {
      const auto next = std::next(one);
      if (one->over)
        over.splice(over.end(), connections, one);
      one = next;
    }
  }
  for (auto& one : over)
    one.thread.join();
}

// --- the public face --------------------------------------------------------------------

listener::listener(std::unique_ptr<impl> state) : impl_(std::move(state)) {}

listener::~listener() { stop(); }

caf::expected<std::unique_ptr<listener>> listener::start(listener_settings settings, backend& back) {
  auto state = std::make_unique<impl>(std::move(settings), back);
  if (auto error = state->ground.all_places.open(state->settings.consumers))
    return error;
  if (auto error = state->listen())
    return error;
  state->acceptor = std::thread([all = state.get()] { all->accept_all(); });
  return std::unique_ptr<listener>(new listener(std::move(state)));
}

std::uint16_t listener::port() const { return impl_->port; }

void listener::ledger_moved() { impl_->ground.wake_all(); }

void listener::stop() {
  auto& my = *impl_;
  const std::lock_guard once(my.stopping);
  if (std::exchange(my.stopped, true))
    return;
  my.ground.stopping = true;
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(my.stop_signal, &one, sizeof one);
  my.acceptor.join();
  const auto all_over = [&] {
    return std::all_of(my.connections.begin(), my.connections.end(), [](const auto& c) { return c.over; });
  };
  {
    std::unique_lock lock(my.mutex);
    for (const auto& c : my.connections)
      if (c.with)
        c.with->hang_up();
    my.ground.wake_all();
    my.changed.wait_for(lock, std::chrono::seconds(3), all_over);
    for (const auto& c : my.connections)
      if (c.with)
        c.with->cut();
    my.changed.wait(lock, all_over);
  }
  my.join_those_over();
}

} // namespace keyportal::compat
