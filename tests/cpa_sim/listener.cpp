#include "listener.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace keyportal::cpa_sim {
namespace {

namespace http = boost::beast::http;
using parser = http::request_parser<http::string_body>;

constexpr std::size_t most_connections = 1024;
constexpr std::size_t largest_body = std::size_t{1} << 30;
constexpr std::size_t chunked_above = 2048; // Go's write buffer: what fits is announced by its length

request to_request(const parser::value_type& message, const std::string& peer) {
  request r;
  r.method = std::string(message.method_string());
  std::string target(message.target());
  if (const auto scheme = target.find("://"); scheme != std::string::npos && scheme < target.find('/')) {
    const auto path = target.find('/', scheme + 3); // absolute form
    target = path == std::string::npos ? "/" : target.substr(path);
  }
  target = target.substr(0, target.find('#'));
  const auto question = target.find('?');
  r.path = target.substr(0, question);
  if (question != std::string::npos)
    r.query = target.substr(question + 1);
  for (const auto& field : message) {
    std::string name(field.name_string());
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    r.headers.emplace_back(std::move(name), std::string(field.value()));
  }
  r.peer = peer;
  return r;
}

bool is_resp(char first) { return std::string_view("*$+-:").find(first) != std::string_view::npos; }

} // namespace

std::string listener::open(std::uint16_t port) {
  const auto problem = [this](const char* what) {
    std::string text = std::string(what) + ": " + std::strerror(errno);
    if (listen_fd_ >= 0)
      ::close(listen_fd_);
    if (wake_fd_ >= 0)
      ::close(wake_fd_);
    listen_fd_ = wake_fd_ = -1;
    return text;
  };
  listen_fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (listen_fd_ < 0 || wake_fd_ < 0)
    return problem("no socket");
  const int on = 1;
  ::setsockopt(listen_fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  socklen_t length = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  if (::bind(listen_fd_, generic, sizeof address) != 0 || ::listen(listen_fd_, 128) != 0
      || ::getsockname(listen_fd_, generic, &length) != 0) {
    return problem(("cannot listen on 127.0.0.1:" + std::to_string(port)).c_str());
  }
  port_ = ntohs(address.sin_port);
  {
    const std::lock_guard guard(lock_);
    stopping_ = false;
  }
  accepter_ = std::thread([this] { accept_loop(); });
  return {};
}

void listener::close() {
  if (listen_fd_ < 0)
    return;
  {
    const std::lock_guard guard(lock_);
    stopping_ = true;
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_fd_, &one, sizeof one);
    for (auto& c : connections_) {
      if (c.fd >= 0)
        ::shutdown(c.fd, SHUT_RDWR);
    }
  }
  changed_.notify_all();
  if (accepter_.joinable())
    accepter_.join();
  ::close(listen_fd_);
  reap(true);
  ::close(wake_fd_);
  listen_fd_ = wake_fd_ = -1;
}

void listener::freeze(bool on) {
  {
    const std::lock_guard guard(lock_);
    frozen_ = on;
  }
  changed_.notify_all();
}

bool listener::pause(std::chrono::milliseconds time) {
  std::unique_lock guard(lock_);
  return !changed_.wait_for(guard, time, [this] { return stopping_; });
}

/// False when closing, or after that time (negative: for ever).
bool listener::wait_readable(int fd, int milliseconds) {
  std::array<pollfd, 2> fds{pollfd{fd, POLLIN, 0}, pollfd{wake_fd_, POLLIN, 0}};
  while (::poll(fds.data(), fds.size(), milliseconds) < 0 && errno == EINTR) {}
  return fds[1].revents == 0 && fds[0].revents != 0;
}

void listener::reap(bool all) {
  std::list<connection> finished;
  {
    const std::lock_guard guard(lock_);
    for (auto c = connections_.begin(); c != connections_.end();) {
      const auto next = std::next(c);
      if (all || c->done)
        finished.splice(finished.end(), connections_, c);
      c = next;
    }
  }
  for (auto& c : finished)
    c.thread.join();
}

void listener::accept_loop() {
  for (;;) {
    {
      std::unique_lock guard(lock_);
      changed_.wait(guard, [this] { return stopping_ || !frozen_; });
      if (stopping_)
        return;
    }
    if (!wait_readable(listen_fd_))
      return;
    {
      const std::lock_guard guard(lock_);
      if (frozen_)
        continue; // since we began to wait
    }
    reap(false);
    sockaddr_in address{};
    socklen_t length = sizeof address;
    const int fd = ::accept4(listen_fd_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_CLOEXEC);
    if (fd < 0)
      continue;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (wait_.before_next) {
      char first = 0;
      if (!wait_readable(fd) || ::recv(fd, &first, 1, MSG_PEEK) != 1) {
        ::close(fd);
        continue;
      }
    }
    char peer[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &address.sin_addr, peer, sizeof peer);
    const std::lock_guard guard(lock_);
    if (stopping_ || connections_.size() >= most_connections) {
      ::close(fd);
      continue;
    }
    connection& c = connections_.emplace_back();
    c.fd = fd;
    c.peer = peer;
    ++open_;
    c.thread = std::thread([this, &c] {
      serve_connection(c);
      --open_;
      const std::lock_guard done(lock_);
      ::close(c.fd);
      c.fd = -1;
      c.done = true;
    });
  }
}

void listener::serve_connection(connection& c) {
  char first = 0;
  const auto within = static_cast<int>(wait_.within.count());
  if (within > 0 && !wait_readable(c.fd, within))
    return;
  if (serve_.resp) {
    if (!wait_readable(c.fd) || ::recv(c.fd, &first, 1, MSG_PEEK) != 1)
      return;
    if (is_resp(first))
      return serve_.resp(c.fd, wake_fd_, c.peer);
  }
  serve_http(c);
}

void listener::serve_http(connection& c) {
  std::string pending;
  std::array<char, 65'536> block; // NOLINT: filled by recv before it is read
  for (bool close_after = false; !close_after;) {
    parser p;
    p.eager(true);
    p.body_limit(largest_body);
    p.header_limit(1 << 20);
    bool continued = false;
    boost::beast::error_code error;
    while (!p.is_done()) {
      if (!pending.empty()) {
        const std::size_t used = p.put(boost::asio::buffer(pending), error);
        pending.erase(0, used);
        if (error == http::error::need_more)
          error = {};
        if (error)
          break;
        if (p.is_done())
          break;
      }
      if (p.is_header_done() && !continued) {
        const auto expect = p.get()[http::field::expect];
        continued = true;
        if (!expect.empty() && !send_all(c.fd, "HTTP/1.1 100 Continue\r\n\r\n", 25, 0))
          return;
      }
      const ssize_t got = ::recv(c.fd, block.data(), block.size(), 0);
      if (got <= 0)
        return;
      pending.append(block.data(), static_cast<std::size_t>(got));
    }
    const bool no_host = !error && p.get().version() == 11 && p.get()[http::field::host].empty();
    if (error || no_host) {
      static constexpr std::string_view bad = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; "
                                              "charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request";
      send_all(c.fd, bad.data(), bad.size(), 0);
      return;
    }
    request r = to_request(p.get(), c.peer);
    r.body = std::move(p.get().body());
    close_after = !p.get().keep_alive();
    const answer a = serve_.http(r);
    if (!send_answer(c.fd, r, a, close_after)) {
      if (serve_.lost)
        serve_.lost(a);
      return;
    }
  }
}

bool listener::send_answer(int fd, const request& r, const answer& a, bool close_after) {
  if (a.how.never) { // until the other side gives up, or we close
    char ignored[256];
    while (wait_readable(fd) && ::recv(fd, ignored, sizeof ignored, 0) > 0) {}
    return false;
  }
  if (a.how.delay.count() > 0 && !pause(a.how.delay))
    return false;
  if (a.how.close_silently)
    return false;
  const bool stream = !a.chunks.empty();
  const bool bodiless = r.method == "HEAD" || !a.length;
  const bool chunked = stream || a.how.padding != 0 || (a.body.size() > chunked_above && r.method != "HEAD");
  const framing f = !a.length ? framing::none : chunked ? framing::chunked : framing::length;
  const std::string head = head_of(a, f, a.body.size(), close_after, http_date());
  const std::size_t speed = a.how.bytes_per_second;
  if (!send_all(fd, head.data(), head.size(), speed))
    return false;
  if (bodiless)
    return true;
  if (!chunked) {
    const std::size_t size = std::min(a.body.size(), a.how.cut_after.value_or(a.body.size()));
    return send_all(fd, a.body.data(), size, speed) && !a.how.cut_after;
  }
  const auto send_chunk = [&](std::string_view piece, std::size_t announced) {
    char size[32];
    const int length = std::snprintf(size, sizeof size, "%zx\r\n", announced);
    return send_all(fd, size, static_cast<std::size_t>(length), speed)
           && send_all(fd, piece.data(), piece.size(), speed)
           && (piece.size() != announced || send_all(fd, "\r\n", 2, speed));
  };
  if (a.how.cut_after) {
    send_chunk(std::string_view(a.body).substr(0, *a.how.cut_after), a.body.size() + 1);
    return false;
  }
  const std::string blanks(a.how.padding == 0 ? 0 : std::size_t{1} << 20, ' ');
  for (std::size_t sent = 0; sent < a.how.padding; sent += blanks.size()) {
    if (!send_chunk(blanks, blanks.size()))
      return false;
  }
  for (const auto& piece : a.chunks) {
    if (!send_chunk(piece, piece.size()))
      return false;
  }
  if (!a.body.empty() && !send_chunk(a.body, a.body.size()))
    return false;
  return send_all(fd, "0\r\n\r\n", 5, speed);
}

bool listener::send_all(int fd, const char* data, std::size_t size, std::size_t bytes_per_second) {
  while (size > 0) {
    // Slow sending: ten pieces a second.
    const std::size_t piece =
      bytes_per_second == 0 ? size : std::min(size, std::max<std::size_t>(bytes_per_second / 10, 1));
    const ssize_t sent = ::send(fd, data, piece, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0)
      return false;
    data += sent;
    size -= static_cast<std::size_t>(sent);
    if (bytes_per_second != 0 && size > 0 && !pause(std::chrono::milliseconds(100)))
      return false;
  }
  return true;
}

} // namespace keyportal::cpa_sim
