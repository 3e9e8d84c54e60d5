// A server on a free loopback port that says one thing to whoever connects, and remembers what it heard first.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace keyportal::identity::test {

class small_server {
public:
  enum class afterwards { closes, keeps_silent };

  explicit small_server(std::string says, afterwards then = afterwards::closes)
    : small_server([this](int client) { serve(client); }, std::move(says), then) {}
  /// Or does something else with each connection.
  explicit small_server(std::function<void(int)> with_each)
    : small_server(std::move(with_each), {}, afterwards::closes) {}
  ~small_server() {
    stopped_ = true;
    ::shutdown(listener_, SHUT_RDWR); // wakes accept
    thread_.join();
    ::close(listener_);
  }
  small_server(const small_server&) = delete;
  small_server& operator=(const small_server&) = delete;

  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  /// Of the first connection.
  [[nodiscard]] std::string heard() const {
    const std::lock_guard guard(mutex_);
    return heard_;
  }

private:
  small_server(std::function<void(int)> with_each, std::string says, afterwards then)
    : with_each_(std::move(with_each)), says_(std::move(says)), then_(then) {
    listener_ = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 64) != 0
        || ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0)
      throw std::runtime_error("no loopback port");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { run(); });
  }

  void run() {
    for (int client = 0; (client = ::accept(listener_, nullptr, nullptr)) >= 0; ::close(client))
      with_each_(client);
  }

  /// A request has come when its body has: here all are short, and come with their head.
  void serve(int client) {
    char piece[4096];
    std::string data;
    while (!stopped_ && data.find("\r\n\r\n") == std::string::npos) {
      pollfd ready{client, POLLIN, 0};
      if (::poll(&ready, 1, 50) <= 0)
        continue;
      const auto got = ::recv(client, piece, sizeof piece, 0);
      if (got <= 0)
        break;
      data.append(piece, static_cast<std::size_t>(got));
      if (data[0] == '\x16') // TLS, which is not spoken here
        break;
    }
    {
      const std::lock_guard guard(mutex_);
      if (heard_.empty())
        heard_ = data;
    }
    for (std::size_t at = 0; at < says_.size();) {
      const auto sent = ::send(client, says_.data() + at, says_.size() - at, MSG_NOSIGNAL);
      if (sent <= 0)
        return;
      at += static_cast<std::size_t>(sent);
    }
    while (then_ == afterwards::keeps_silent && !stopped_) {
      pollfd ready{client, POLLIN, 0};
      if (::poll(&ready, 1, 50) > 0)
        return; // the other side has gone
    }
    ::shutdown(client, SHUT_WR);
    while (::recv(client, piece, sizeof piece, 0) > 0) { // closed at once, what was sent could be lost
    }
  }

  std::function<void(int)> with_each_;
  std::string says_;
  afterwards then_;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopped_{false};
  mutable std::mutex mutex_;
  std::string heard_;
  std::thread thread_;
};

} // namespace keyportal::identity::test
