#include "actors/cpa/node_socket.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "actors/cpa/tls_client.hpp"
#include "messages/errors.hpp"

namespace keyportal::cpa {

namespace {

using clock = node_socket::clock;

class file_descriptor {
public:
  file_descriptor() = default;
  explicit file_descriptor(int fd) : fd_(fd) {}
  file_descriptor(file_descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  file_descriptor& operator=(file_descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    other.reset();
    return *this;
  }
  ~file_descriptor() { reset(); }
  void reset() {
    if (fd_ >= 0)
      ::close(std::exchange(fd_, -1));
  }
  [[nodiscard]] int get() const { return fd_; }

private:
  int fd_ = -1;
};

struct address_free {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};
using address_list = std::unique_ptr<addrinfo, address_free>;

/// A look-up whose end nobody may be waiting for any more.
struct look_up {
  std::string host, port;
  int flags = AI_ADDRCONFIG;
  std::mutex guard; ///< of what is below
  address_list found;
  int problem = 0;
  bool ended = false;
  file_descriptor done{::eventfd(0, EFD_CLOEXEC)};

  void run() {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = flags;
    addrinfo* list = nullptr;
    const int result = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &list);
    const std::lock_guard lock{guard};
    found.reset(list);
    problem = result;
    ended = true;
    ::eventfd_write(done.get(), 1);
  }
};

void switch_on(int fd, int level, int option, int value) { ::setsockopt(fd, level, option, &value, sizeof value); }

/// What SO_RCVBUF may be at most.
int largest_receive_buffer() {
  int most = 0;
  std::ifstream{"/proc/sys/net/core/rmem_max"} >> most;
  return most;
}

std::string reason(int error) { return std::strerror(error); } // NOLINT: glibc's is safe between threads

} // namespace

std::optional<node_address> address_of(std::string_view url) {
  node_address out;
  if (url.starts_with("https://"))
    out.tls = true;
  else if (!url.starts_with("http://"))
    return std::nullopt;
  url.remove_prefix(out.tls ? 8 : 7);
  url = url.substr(0, url.find_first_of("/?#"));
  if (url.find('@') != std::string_view::npos)
    return std::nullopt;
  std::string_view port = out.tls ? "443" : "80";
  const auto colon = url.rfind(':');
  const auto bracket = url.rfind(']');
  if (url.starts_with('[') != (bracket != std::string_view::npos))
    return std::nullopt;
  auto host = url;
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket)) {
    port = url.substr(colon + 1);
    host = url.substr(0, colon);
  }
  if (bracket != std::string_view::npos) {
    if (!host.ends_with(']'))
      return std::nullopt;
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;
  }
  if (host.empty() || port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string_view::npos)
    return std::nullopt;
  out.host = host;
  out.port = port;
  const int number = std::stoi(out.port);
  return number >= 1 && number <= 65535 ? std::optional{out} : std::nullopt;
}

struct node_socket::impl {
  socket_settings settings;
  file_descriptor fd;
  file_descriptor ended{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  std::atomic<bool> stopped{false};
  bool resumed = false; ///< of the using thread alone
  std::unique_ptr<tls_client> tls;

  caf::error problem(errc code, std::string_view why = {}) const {
    return make_error(code, why.empty() ? settings.node : fmt::format("{}: {}", settings.node, why));
  }

  [[nodiscard]] bool must_end() const { return stopped && !resumed; }

  /// No error: `descriptor` is ready. Else timed_out or shutting_down.
  caf::error wait(int descriptor, short what, clock::time_point deadline) const {
    for (;;) {
      if (must_end())
        return problem(errc::shutting_down);
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now()).count();
      pollfd both[] = {{descriptor, what, 0}, {ended.get(), POLLIN, 0}};
      const int ready = ::poll(both, resumed ? 1 : 2, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000)));
      if (ready > 0 && both[1].revents == 0 && both[0].revents != 0)
        return {};
      if (ready == 0 && clock::now() >= deadline)
        return problem(errc::timed_out);
    }
  }

  caf::expected<address_list> find(clock::time_point deadline) const {
    const auto& at = settings.address;
    auto search = std::make_shared<look_up>();
    search->host = at.host;
    search->port = at.port;
    search->flags = AI_NUMERICHOST | AI_NUMERICSERV;
    search->run(); // an address needs no resolver
    if (search->problem != 0) {
      // The resolver cannot be given a deadline, so it is left behind when it takes too long.
      search = std::make_shared<look_up>();
      search->host = at.host;
      search->port = at.port;
      std::thread{[search] { search->run(); }}.detach();
      if (auto error = wait(search->done.get(), POLLIN, deadline))
        return code_of(error) == errc::timed_out ? problem(errc::node_timeout, "looking up its name") : error;
    }
    const std::lock_guard lock{search->guard};
    if (search->problem != 0)
      return problem(errc::node_unreachable, ::gai_strerror(search->problem));
    return std::move(search->found);
  }

  void prepare(int descriptor) const {
    switch_on(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
    switch_on(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
    // A peer that vanished without a word is noticed within about 45 s even when nobody asks.
    switch_on(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, 15);
    switch_on(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, 10);
    switch_on(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
    switch_on(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, 45'000);
    const int wanted = settings.receive_buffer_bytes;
    if (wanted > 0 && largest_receive_buffer() >= wanted)
      switch_on(descriptor, SOL_SOCKET, SO_RCVBUF, wanted); // before connecting: the window's scale depends on it
  }

  caf::error connect_to(const addrinfo& address, clock::time_point deadline) {
    fd = file_descriptor{
      ::socket(address.ai_family, address.ai_socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, address.ai_protocol)};
    if (fd.get() < 0)
      return problem(errc::node_unreachable, reason(errno));
    prepare(fd.get());
    if (::connect(fd.get(), address.ai_addr, address.ai_addrlen) == 0)
      return {};
    if (errno != EINPROGRESS)
      return problem(errc::node_unreachable, reason(errno));
    if (auto error = wait(fd.get(), POLLOUT, deadline))
      return code_of(error) == errc::timed_out ? problem(errc::node_timeout, "connecting") : error;
    int result = 0;
    socklen_t size = sizeof result;
    ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &result, &size);
    return result == 0 ? caf::error{} : problem(errc::node_unreachable, reason(result));
  }

  /// Waits as TLS asks for; `timeout` is the error for a deadline that has passed.
  caf::error wait_for(tls_client::wants what, clock::time_point deadline) const {
    return wait(fd.get(), what == tls_client::wants::to_write ? POLLOUT : POLLIN, deadline);
  }

  caf::error shake_hands(clock::time_point deadline) {
    std::string why;
    tls = tls_client::make(fd.get(), settings.address.host, settings.ca_file, why);
    if (!tls)
      return problem(errc::node_unreachable, why);
    for (;;) {
      const auto wants = tls->shake_hands(why);
      if (wants == tls_client::wants::nothing)
        return {};
      if (wants == tls_client::wants::to_give_up)
        return problem(errc::node_unreachable, why);
      if (auto error = wait_for(wants, deadline))
        return code_of(error) == errc::timed_out ? problem(errc::node_timeout, "agreeing on TLS") : error;
    }
  }
};

node_socket::node_socket(socket_settings settings) : impl_(std::make_unique<impl>()) {
  impl_->settings = std::move(settings);
}

node_socket::~node_socket() { close(); }

void node_socket::close() {
  impl_->tls.reset();
  impl_->fd.reset();
}

void node_socket::stop() {
  impl_->stopped = true;
  ::eventfd_write(impl_->ended.get(), 1);
}

void node_socket::resume() { impl_->resumed = true; }

int node_socket::receive_buffer() const {
  int granted = 0;
  socklen_t size = sizeof granted;
  return ::getsockopt(impl_->fd.get(), SOL_SOCKET, SO_RCVBUF, &granted, &size) == 0 ? granted : 0;
}

caf::error node_socket::open(clock::time_point deadline) {
  close();
  if (impl_->stopped)
    return impl_->problem(errc::shutting_down);
  auto found = impl_->find(deadline);
  if (!found)
    return found.error();
  int left = 0;
  for (const auto* address = found->get(); address != nullptr; address = address->ai_next)
    ++left;
  caf::error last = impl_->problem(errc::node_unreachable, "it has no address");
  for (const auto* address = found->get(); address != nullptr; address = address->ai_next, --left) {
    // One address that swallows packets must leave time for the others.
    const auto now = clock::now();
    last = impl_->connect_to(*address, now + (deadline - now) / left);
    if (!last || code_of(last) == errc::shutting_down)
      break;
  }
  if (!last && impl_->settings.address.tls)
    last = impl_->shake_hands(deadline);
  if (last)
    close();
  return last;
}

caf::error node_socket::send(std::string_view bytes, clock::time_point deadline) {
  while (!bytes.empty()) {
    auto wants = tls_client::wants::to_write;
    std::size_t sent = 0;
    std::string why;
    if (impl_->must_end())
      return impl_->problem(errc::shutting_down);
    if (impl_->tls) {
      wants = impl_->tls->write(bytes, sent, why);
    } else {
      const auto n = ::send(impl_->fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      sent = n > 0 ? static_cast<std::size_t>(n) : 0;
      if (n < 0 && errno != EAGAIN && errno != EINTR) {
        wants = tls_client::wants::to_give_up;
        why = reason(errno);
      }
    }
    bytes.remove_prefix(sent);
    if (sent > 0)
      continue;
    if (wants == tls_client::wants::to_give_up || wants == tls_client::wants::to_close)
      return impl_->problem(errc::node_unreachable, why);
    if (auto error = impl_->wait_for(wants, deadline))
      return code_of(error) == errc::timed_out ? impl_->problem(errc::node_timeout, "it takes no bytes") : error;
  }
  return {};
}

caf::expected<std::size_t> node_socket::receive(std::span<char> into, clock::time_point deadline) {
  for (;;) {
    auto wants = tls_client::wants::to_read;
    std::size_t got = 0;
    std::string why;
    if (impl_->must_end())
      return impl_->problem(errc::shutting_down);
    if (impl_->tls) {
      wants = impl_->tls->read(into, got, why);
    } else {
      const auto n = ::recv(impl_->fd.get(), into.data(), into.size(), 0);
      got = n > 0 ? static_cast<std::size_t>(n) : 0;
      if (n == 0)
        wants = tls_client::wants::to_close;
      if (n < 0 && errno != EAGAIN && errno != EINTR) {
        wants = tls_client::wants::to_give_up;
        why = reason(errno);
      }
    }
    if (got > 0)
      return got;
    if (wants == tls_client::wants::to_close)
      return std::size_t{0};
    if (wants == tls_client::wants::to_give_up)
      return impl_->problem(errc::node_unreachable, why);
    if (auto error = impl_->wait_for(wants, deadline))
      return error;
  }
}

} // namespace keyportal::cpa
