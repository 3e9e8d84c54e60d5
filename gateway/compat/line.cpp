#include "gateway/compat/line.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

namespace keyportal::compat {

namespace {

int milliseconds_to(line::clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - line::clock::now()).count();
  return left < 0 ? 0 : left > 3'600'000 ? 3'600'000 : static_cast<int>(left);
}

/// What of `fds` is ready; 0 when the deadline came.
int poll_until(pollfd* fds, nfds_t count, line::clock::time_point deadline) {
  for (;;) {
    const int ready = ::poll(fds, count, milliseconds_to(deadline));
    if (ready > 0 || (ready < 0 && errno != EINTR))
      return ready;
    if (line::clock::now() >= deadline)
      return 0;
  }
}

} // namespace

line::line(int socket, std::string peer) : socket_(socket), peer_(std::move(peer)) {
  const int on = 1;
  ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket_, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  const int idle = 60, interval = 15, probes = 4; // a tool whose machine is gone shows after two minutes
  ::setsockopt(socket_, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  ::setsockopt(socket_, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  ::setsockopt(socket_, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
}

line::~line() { ::close(socket_); }

line::got line::read(char* to, std::size_t most, std::size_t& n, clock::time_point deadline) {
  n = 0;
  for (;;) {
    pollfd fd{socket_, POLLIN, 0};
    if (poll_until(&fd, 1, deadline) == 0)
      return got::timeout;
    const auto received = ::recv(socket_, to, most, MSG_DONTWAIT);
    if (received > 0) {
      n = static_cast<std::size_t>(received);
      return got::bytes;
    }
    if (received < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK))
      continue;
    return got::end;
  }
}

line::got line::read(std::string& to, std::size_t most, clock::time_point deadline) {
  const auto before = to.size();
  to.resize(before + most);
  std::size_t n = 0;
  const auto outcome = read(to.data() + before, most, n, deadline);
  to.resize(before + n);
  return outcome;
}

line::woken line::wait(int wake, clock::time_point deadline) const {
  std::array<pollfd, 2> fds{pollfd{socket_, POLLIN, 0}, pollfd{wake, POLLIN, 0}};
  if (poll_until(fds.data(), wake >= 0 ? 2 : 1, deadline) == 0)
    return woken::timeout;
  return fds[0].revents != 0 ? woken::readable : woken::wake;
}

long line::write_some(std::string_view bytes) {
  const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0)
    return sent;
  return errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -1;
}

bool line::wait_writable(clock::time_point deadline) const {
  pollfd fd{socket_, POLLOUT, 0};
  return poll_until(&fd, 1, deadline) > 0;
}

bool line::write(std::string_view bytes, std::chrono::milliseconds patience) {
  while (!bytes.empty()) {
    const auto sent = write_some(bytes);
    if (sent < 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
    if (!bytes.empty() && !wait_writable(clock::now() + patience))
      return false;
  }
  return true;
}

std::size_t line::unconfirmed() const {
  int bytes = 0;
  return ::ioctl(socket_, SIOCOUTQ, &bytes) == 0 && bytes > 0 ? static_cast<std::size_t>(bytes) : 0;
}

void line::close_gently() {
  // Closing with unread bytes on the socket would reset it and could take the answer away from the other end.
  ::shutdown(socket_, SHUT_WR);
  const auto deadline = clock::now() + std::chrono::seconds(2);
  std::array<char, 16 << 10> ignored;
  std::size_t n = 0;
  for (std::size_t all = 0; all < (std::size_t{4} << 20); all += n)
    if (read(ignored.data(), ignored.size(), n, deadline) != got::bytes)
      return;
}

void line::abort() {
  const linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::shutdown(socket_, SHUT_RD);
}

void line::hang_up() { ::shutdown(socket_, SHUT_RD); }

void line::cut() { ::shutdown(socket_, SHUT_RDWR); }

} // namespace keyportal::compat
