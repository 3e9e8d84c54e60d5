#include "actors/cli/callback_catcher.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace keyportal::cli {

namespace {

constexpr std::size_t longest_head = 32 << 10;

constexpr const char* page =
  "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\nCache-Control: no-store\r\n"
  "Referrer-Policy: no-referrer\r\n\r\n"
  "<!doctype html><title>Key Portal</title><p>Got it. You may close this page and go back to the terminal.</p>\n";
constexpr const char* nothing = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

} // namespace

callback_catcher::callback_catcher(const std::string& ends_at) {
  const auto scheme = ends_at.find("://");
  const auto colon = scheme == std::string::npos ? scheme : ends_at.find(':', scheme + 3);
  const auto slash = colon == std::string::npos ? colon : ends_at.find('/', colon);
  if (slash == std::string::npos)
    return;
  const auto port = std::strtol(ends_at.substr(colon + 1, slash - colon - 1).c_str(), nullptr, 10);
  if (port <= 0 || port > 65'535)
    return;
  origin_ = ends_at.substr(0, slash);
  path_ = ends_at.substr(slash);
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(static_cast<std::uint16_t>(port));
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (listener_ >= 0
      && (bind(listener_, reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0 || listen(listener_, 4) != 0)) {
    close(listener_);
    listener_ = -1; // somebody else is there: the address is pasted then
  }
}

callback_catcher::~callback_catcher() {
  if (listener_ >= 0)
    close(listener_);
}

/// The address of one request, or nothing where it asked for something else.
std::string callback_catcher::take() const {
  const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0)
    return {};
  const timeval patience{5, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  std::string head;
  char piece[4096];
  while (head.find("\r\n") == std::string::npos && head.size() < longest_head) {
    const auto n = recv(fd, piece, sizeof piece, 0);
    if (n <= 0)
      break;
    head.append(piece, static_cast<std::size_t>(n));
  }
  const auto end = head.find(" HTTP/");
  std::string target = head.starts_with("GET ") && end != std::string::npos ? head.substr(4, end - 4) : "";
  const bool ours = target.starts_with(path_ + '?');
  const std::string answer = ours ? page : nothing;
  (void)!send(fd, answer.data(), answer.size(), MSG_NOSIGNAL);
  shutdown(fd, SHUT_WR);
  close(fd);
  return ours ? origin_ + target : std::string{};
}

std::string callback_catcher::wait(std::chrono::milliseconds at_most, int typed_fd) {
  const auto until = std::chrono::steady_clock::now() + at_most;
  for (;;) {
    const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(until - std::chrono::steady_clock::now()).count();
    if (left <= 0)
      return {};
    pollfd both[2] = {{listener_, POLLIN, 0}, {typed_fd, POLLIN, 0}};
    if (poll(both, 2, static_cast<int>(left)) <= 0)
      continue;
    if ((both[0].revents & POLLIN) != 0)
      if (auto address = take(); !address.empty())
        return address;
    if ((both[1].revents & (POLLIN | POLLHUP)) != 0) {
      char piece[4096];
      const auto n = read(typed_fd, piece, sizeof piece);
      if (n <= 0)
        typed_fd = -1;
      else
        typed_.append(piece, static_cast<std::size_t>(n));
      if (const auto line = typed_.find('\n'); line != std::string::npos && line > 0)
        return typed_.substr(0, line);
    }
  }
}

} // namespace keyportal::cli
