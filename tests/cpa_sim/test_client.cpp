#include "test_client.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <utility>

namespace keyportal::cpa_sim::test {

std::string reply::header(std::string_view name) const {
  for (const auto& [key, value] : head) {
    if (key == name)
      return value;
  }
  return {};
}

std::string reply::names() const {
  std::string out;
  for (const auto& [key, value] : head) {
    if (key != "Date")
      out += (out.empty() ? "" : " ") + key;
  }
  return out;
}

connection::connection(std::uint16_t port) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd_);
    fd_ = -1;
  }
}

connection::~connection() {
  if (fd_ >= 0)
    ::close(fd_);
}

void connection::send(std::string_view bytes) const {
  while (fd_ >= 0 && !bytes.empty()) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0)
      return;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string connection::some(int milliseconds, bool* closed) const {
  pollfd waiting{fd_, POLLIN, 0};
  *closed = fd_ < 0;
  if (fd_ < 0 || ::poll(&waiting, 1, milliseconds) <= 0)
    return {};
  std::string block(1 << 18, '\0');
  const ssize_t got = ::recv(fd_, block.data(), block.size(), 0);
  *closed = got <= 0;
  block.resize(got <= 0 ? 0 : static_cast<std::size_t>(got));
  return block;
}

std::string connection::read(int milliseconds, bool* closed) const {
  std::string out;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  for (;;) {
    const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{fd_, POLLIN, 0};
    if (fd_ < 0 || left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) {
      if (closed != nullptr)
        *closed = fd_ < 0;
      return out;
    }
    char block[65'536];
    const ssize_t got = ::recv(fd_, block, sizeof block, 0);
    if (got <= 0) {
      if (closed != nullptr)
        *closed = true;
      return out;
    }
    out.append(block, static_cast<std::size_t>(got));
  }
}

namespace {

/// Joins the chunks; false when the last one is missing.
bool unchunk(const std::string& raw, std::string& out) {
  for (std::size_t at = 0;;) {
    const std::size_t line = raw.find("\r\n", at);
    if (line == std::string::npos)
      return false;
    const std::size_t size = std::strtoul(raw.c_str() + at, nullptr, 16);
    if (size == 0)
      return raw.compare(line, 4, "\r\n\r\n") == 0;
    out.append(raw, line + 2, size);
    if (line + 2 + size + 2 > raw.size())
      return false;
    at = line + 2 + size + 2;
  }
}

} // namespace

reply call(std::uint16_t port, const std::string& method, const std::string& target, const headers& extra,
           const std::string& body, int milliseconds) {
  std::string bytes = method + ' ' + target + " HTTP/1.1\r\nHost: sim\r\nConnection: close\r\n";
  for (const auto& [name, value] : extra)
    bytes += name + ": " + value + "\r\n";
  if (!body.empty())
    bytes += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  const connection c(port);
  c.send(bytes + "\r\n" + body);
  bool closed = false;
  const std::string raw = c.read(milliseconds, &closed);
  reply r;
  const std::size_t end = raw.find("\r\n\r\n");
  if (end == std::string::npos)
    return r;
  r.status = std::atoi(raw.c_str() + std::string_view("HTTP/1.1 ").size());
  for (std::size_t at = raw.find("\r\n") + 2; at < end;) {
    const std::size_t line = raw.find("\r\n", at);
    const std::size_t colon = raw.find(": ", at);
    r.head.emplace_back(raw.substr(at, colon - at), raw.substr(colon + 2, line - colon - 2));
    at = line + 2;
  }
  const std::string rest = raw.substr(end + 4);
  if (r.header("Transfer-Encoding") == "chunked") {
    r.complete = unchunk(rest, r.body);
  } else {
    r.body = rest;
    const std::string length = r.header("Content-Length");
    r.complete = closed && (length.empty() || method == "HEAD" || std::stoul(length) == rest.size());
  }
  return r;
}

reply manage(std::uint16_t port, const std::string& method, const std::string& path, const std::string& body) {
  return call(port, method, "/v0/management/" + path, {{"Authorization", "Bearer s"}}, body);
}

folder::folder() {
  std::string name = std::filesystem::temp_directory_path() / "cpa_sim-XXXXXX";
  path_ = ::mkdtemp(name.data()) == nullptr ? "/nonexistent" : name;
}

folder::~folder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::string as_bulk(std::string_view text) {
  return '$' + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string as_command(const std::vector<std::string>& words) {
  std::string out = '*' + std::to_string(words.size()) + "\r\n";
  for (const auto& w : words)
    out += as_bulk(w);
  return out;
}

std::size_t resp_end(std::string_view bytes) {
  const std::size_t end = bytes.find("\r\n");
  if (end == std::string_view::npos)
    return 0;
  const long number = std::atol(std::string(bytes.substr(1, end - 1)).c_str());
  std::size_t at = end + 2;
  if (bytes[0] == '$') {
    at += number < 0 ? 0 : static_cast<std::size_t>(number) + 2;
    return at <= bytes.size() ? at : 0;
  }
  for (long i = 0; bytes[0] == '*' && i < number; ++i) {
    const std::size_t size = resp_end(bytes.substr(at));
    if (size == 0)
      return 0;
    at += size;
  }
  return at;
}

resp::resp(std::uint16_t port, bool authenticated) : connection_(port) {
  if (authenticated)
    call({"AUTH", "s"});
}

void resp::send(const std::vector<std::string>& words) const { connection_.send(as_command(words)); }

std::string resp::read(int milliseconds) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(milliseconds);
  for (bool closed = false;;) {
    if (const std::size_t end = resp_end(unread_); end != 0) {
      std::string value = unread_.substr(0, end);
      unread_.erase(0, end);
      return value;
    }
    const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (closed || left.count() <= 0)
      return std::exchange(unread_, {});
    unread_ += connection_.some(static_cast<int>(left.count()), &closed);
  }
}

std::string resp::message(int milliseconds) {
  const std::string value = read(milliseconds);
  const std::size_t payload = value.rfind("\r\n$");
  if (!value.starts_with("*3\r\n$7\r\nmessage\r\n") || payload == std::string::npos)
    return {};
  const std::size_t begin = value.find("\r\n", payload + 2) + 2;
  return value.substr(begin, value.size() - begin - 2);
}

void resp::subscribe(const std::string& channel) {
  call({"SUBSCRIBE", channel});
  if (channel == "usage")
    read();
}

bool resp::closes(int milliseconds) const {
  bool closed = false;
  const std::string ignored = connection_.read(milliseconds, &closed);
  return closed;
}

std::string member(const std::string& json, const std::string& name) {
  const std::string start = '"' + name + "\":";
  const std::size_t at = json.find(start);
  if (at == std::string::npos)
    return {};
  const std::size_t begin = at + start.size();
  if (json[begin] == '"') {
    const std::size_t end = json.find('"', begin + 1);
    return json.substr(begin + 1, end - begin - 1);
  }
  int depth = 0;
  std::size_t end = begin;
  for (; end < json.size(); ++end) {
    if (json[end] == '{' || json[end] == '[')
      ++depth;
    if ((json[end] == '}' || json[end] == ']') && --depth <= 0)
      return json.substr(begin, end + (depth == 0 ? 1 : 0) - begin);
    if (json[end] == ',' && depth == 0)
      break;
  }
  return json.substr(begin, end - begin);
}

} // namespace keyportal::cpa_sim::test
