#include "tool.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

namespace keyportal::compat::test {

using clock = std::chrono::steady_clock;

tool::tool(std::uint16_t port, int receive_buffer) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer > 0)
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
    ::close(socket_);
    socket_ = -1;
  }
}

tool::~tool() {
  if (socket_ >= 0)
    ::close(socket_);
}

void tool::reset() {
  const linger at_once{1, 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(socket_);
  socket_ = -1;
}

bool tool::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool tool::more(clock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - clock::now()).count();
  pollfd fd{socket_, POLLIN, 0};
  if (left <= 0 || ::poll(&fd, 1, static_cast<int>(left)) <= 0)
    return false;
  char block[64 << 10];
  const auto n = ::recv(socket_, block, sizeof block, 0);
  if (n <= 0)
    return false;
  buffer_.append(block, static_cast<std::size_t>(n));
  return true;
}

std::string tool::read(std::size_t bytes, std::chrono::milliseconds most) {
  const auto deadline = clock::now() + most;
  while (buffer_.size() < bytes && more(deadline)) {}
  auto out = buffer_.substr(0, bytes);
  buffer_.erase(0, out.size());
  return out;
}

std::string tool::read_to_end() {
  const auto deadline = clock::now() + std::chrono::seconds(20);
  while (more(deadline)) {}
  return std::exchange(buffer_, {});
}

std::string tool::read_until(std::string_view end) {
  const auto deadline = clock::now() + std::chrono::seconds(10);
  for (;;) {
    if (const auto at = buffer_.find(end); at != std::string::npos) {
      auto out = buffer_.substr(0, at + end.size());
      buffer_.erase(0, out.size());
      return out;
    }
    if (!more(deadline))
      return std::exchange(buffer_, {});
  }
}

bool tool::ended() {
  pollfd fd{socket_, POLLIN, 0};
  char byte = 0;
  return buffer_.empty() && ::poll(&fd, 1, 15'000) == 1 && ::recv(socket_, &byte, 1, 0) <= 0;
}

std::string command(const std::vector<std::string>& words) {
  std::string out = fmt::format("*{}\r\n", words.size());
  for (const auto& word : words)
    out += fmt::format("${}\r\n{}\r\n", word.size(), word);
  return out;
}

std::string bearer(std::string_view with) {
  return with.empty() ? std::string{} : fmt::format("Authorization: Bearer {}\r\n", with);
}

http_result http(std::uint16_t port, std::string_view method, std::string_view target, std::string_view more,
                 std::string_view body) {
  tool t{port};
  auto request =
    fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{}", method, target, port, more);
  if (!body.empty() || method == "POST" || method == "PUT")
    request += fmt::format("Content-Length: {}\r\n", body.size());
  t.send(request + "\r\n");
  t.send(body);
  auto text = t.read_to_end();
  http_result out;
  const auto end = text.find("\r\n\r\n");
  if (end == std::string::npos || !text.starts_with("HTTP/1.1 "))
    return out;
  out.status = std::stoi(text.substr(9, 3));
  out.head = text.substr(0, end + 2);
  out.body = text.substr(end + 4);
  if (out.head.find("Transfer-Encoding: chunked") == std::string::npos)
    return out;
  std::string whole;
  for (std::string_view rest = out.body; !rest.empty();) {
    const auto size = std::stoul(std::string(rest.substr(0, rest.find("\r\n"))), nullptr, 16);
    rest.remove_prefix(rest.find("\r\n") + 2);
    if (size == 0 || rest.size() < size + 2)
      break;
    whole += rest.substr(0, size);
    rest.remove_prefix(size + 2);
  }
  out.body = whole;
  return out;
}

stage::stage(bool start) {
  settings.consumers = {{"default", secret{std::string(key)}, {}, false},
                        {"second", secret{std::string(second_key)}, {}, false}};
  if (start)
    open();
}

void stage::open() {
  auto started = listener::start(settings, back);
  if (started)
    listening = std::move(*started);
}

} // namespace keyportal::compat::test
