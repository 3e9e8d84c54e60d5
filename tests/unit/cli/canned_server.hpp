// An HTTP server on a free loopback port that answers what it was told to and remembers what it was asked.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

namespace keyportal::test {

class canned_server {
public:
  struct request {
    std::string line; ///< "GET /path"
    std::string head;
    std::string body;
  };

  canned_server() {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0
        || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no loopback port");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }
  ~canned_server() {
    ::shutdown(listener_, SHUT_RDWR); // wakes accept
    thread_.join();
    ::close(listener_);
  }
  canned_server(const canned_server&) = delete;
  canned_server& operator=(const canned_server&) = delete;

  [[nodiscard]] std::string url() const { return fmt::format("http://127.0.0.1:{}", port_); }

  /// What to answer to "METHOD /path"; 404 to everything else.
  void answer(const std::string& line, const std::string& body, int status = 200) {
    const std::lock_guard guard(mutex_);
    answers_[line] = {status, body};
  }
  [[nodiscard]] std::vector<request> asked() const {
    const std::lock_guard guard(mutex_);
    return asked_;
  }

private:
  void run() {
    for (;;) {
      const int client = ::accept(listener_, nullptr, nullptr);
      if (client < 0)
        return;
      serve(client);
      ::close(client);
    }
  }

  void serve(int client) {
    std::string data;
    std::size_t head_end = std::string::npos;
    std::size_t length = 0;
    char piece[65536];
    while (head_end == std::string::npos || data.size() < head_end + 4 + length) {
      const auto got = ::recv(client, piece, sizeof piece, 0);
      if (got <= 0)
        return;
      data.append(piece, static_cast<std::size_t>(got));
      if (head_end == std::string::npos && (head_end = data.find("\r\n\r\n")) != std::string::npos)
        if (const auto at = data.find("Content-Length: "); at < head_end)
          length = std::stoul(data.substr(at + 16));
    }
    request r{data.substr(0, data.find(" HTTP/")), data.substr(0, head_end), data.substr(head_end + 4)};
    std::pair<int, std::string> reply{404, R"({"code":"not_found"})"};
    {
      const std::lock_guard guard(mutex_);
      if (const auto found = answers_.find(r.line); found != answers_.end())
        reply = found->second;
      asked_.push_back(std::move(r));
    }
    const auto text = fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{}", reply.first,
                                  reply.second.size(), reply.second);
    for (std::size_t at = 0; at < text.size();) {
      const auto sent = ::send(client, text.data() + at, text.size() - at, MSG_NOSIGNAL);
      if (sent <= 0)
        return;
      at += static_cast<std::size_t>(sent);
    }
  }

  int listener_ = -1;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::map<std::string, std::pair<int, std::string>> answers_;
  std::vector<request> asked_;
  std::thread thread_;
};

} // namespace keyportal::test
