#include "tests/unit/gateway/client.hpp"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

namespace keyportal::test {

namespace {
constexpr int deadline_ms = 20'000;
}

std::string raw_answer::header(std::string_view name) const {
  for (const auto& [key, value] : headers)
    if (key == name)
      return value;
  return {};
}

int raw_frame::close_code() const {
  return opcode == 8 && payload.size() >= 2
           ? static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1])
           : 0;
}

client::client(std::uint16_t port, int receive_buffer) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (receive_buffer)
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

client::~client() {
  if (socket_ >= 0)
    ::close(socket_);
}

bool client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const auto sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void client::shut_sending() { ::shutdown(socket_, SHUT_WR); }

bool client::receive_more() {
  pollfd one{socket_, POLLIN, 0};
  if (::poll(&one, 1, deadline_ms) != 1)
    return false;
  char piece[16384];
  const auto got = ::recv(socket_, piece, sizeof piece, 0);
  if (got <= 0)
    return false;
  buffer_.append(piece, static_cast<std::size_t>(got));
  return true;
}

bool client::have(std::size_t bytes) {
  while (buffer_.size() < bytes)
    if (!receive_more())
      return false;
  return true;
}

raw_answer client::answer(bool bodiless) {
  raw_answer out;
  std::size_t end;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos)
    if (!receive_more())
      return {};
  const std::string head = buffer_.substr(0, end + 2);
  buffer_.erase(0, end + 4);
  out.status = std::atoi(head.c_str() + sizeof "HTTP/1.1");
  for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
    const auto line_end = head.find("\r\n", at);
    const auto line = head.substr(at, line_end - at);
    at = line_end + 2;
    const auto colon = line.find(": ");
    std::string name = line.substr(0, colon);
    for (char& c : name)
      c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    out.headers.emplace_back(std::move(name), colon == std::string::npos ? "" : line.substr(colon + 2));
  }
  if (bodiless || out.status < 200)
    return out;
  if (out.header("transfer-encoding") == "chunked") {
    for (;;) {
      std::size_t line;
      while ((line = buffer_.find("\r\n")) == std::string::npos)
        if (!receive_more())
          return {};
      const auto size = static_cast<std::size_t>(std::strtoull(buffer_.c_str(), nullptr, 16));
      if (!have(line + 2 + size + 2))
        return {};
      out.body += buffer_.substr(line + 2, size);
      buffer_.erase(0, line + 2 + size + 2);
      if (size == 0)
        return out;
    }
  }
  const auto length = static_cast<std::size_t>(std::atoll(out.header("content-length").c_str()));
  if (!have(length))
    return {};
  out.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return out;
}

std::string client::take(std::size_t bytes) {
  (void)have(bytes);
  auto out = buffer_.substr(0, bytes);
  buffer_.erase(0, bytes);
  return out;
}

std::string client::rest() {
  while (receive_more()) {}
  return std::exchange(buffer_, {});
}

bool client::ended() {
  if (!buffer_.empty())
    return false;
  pollfd one{socket_, POLLIN, 0};
  if (::poll(&one, 1, deadline_ms) != 1)
    return false;
  char piece[64];
  return ::recv(socket_, piece, sizeof piece, 0) <= 0;
}

int client::upgrade(std::string_view path, std::string_view more_headers) {
  std::string text = "GET ";
  text.append(path)
    .append(" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
    .append(more_headers)
    .append("\r\n");
  send(text);
  return answer().status;
}

std::optional<raw_frame> client::next_frame() {
  if (!have(2))
    return std::nullopt;
  const auto byte = [this](std::size_t i) { return static_cast<unsigned char>(buffer_[i]); };
  raw_frame out;
  out.opcode = byte(0) & 15;
  std::size_t length = byte(1) & 127;
  std::size_t head = 2;
  if (length >= 126) {
    const std::size_t extra = length == 126 ? 2 : 8;
    if (!have(2 + extra))
      return std::nullopt;
    length = 0;
    for (std::size_t i = 0; i < extra; ++i)
      length = length << 8 | byte(2 + i);
    head += extra;
  }
  if (!have(head + length))
    return std::nullopt;
  out.payload = buffer_.substr(head, length);
  buffer_.erase(0, head + length);
  return out;
}

bool client::send_frame(int opcode, std::string_view payload) {
  std::string bytes(1, static_cast<char>(0x80 | opcode));
  if (payload.size() < 126) {
    bytes.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    bytes.push_back(static_cast<char>(0xff));
    for (int shift = 56; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>(payload.size() >> shift));
  }
  bytes.append(4, '\0'); // a mask of zeros leaves the payload as it is
  return send(bytes.append(payload));
}

std::string get(std::string_view path, std::string_view more_headers) {
  std::string out = "GET ";
  return out.append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n").append(more_headers).append("\r\n");
}

} // namespace keyportal::test
