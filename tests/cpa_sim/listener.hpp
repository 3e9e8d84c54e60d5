// The sockets: HTTP/1.1 on one loopback port, a thread per connection.
#pragma once

#include "http.hpp"

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace keyportal::cpa_sim {

/// Serves `handler` on 127.0.0.1. `open` and `close` may alternate; all members may be called from any thread but
/// those of its own connections, from which `close` would wait for itself.
class listener {
public:
  using handler = std::function<answer(const request&)>;

  /// `first_byte_first`: like the proxy up to 7.0.2, wait for a connection's first byte before the next is accepted.
  listener(handler serve, bool first_byte_first) : serve_(std::move(serve)), first_byte_first_(first_byte_first) {}
  ~listener() { close(); }
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;

  /// Begins to listen; 0 = any free port. Empty when all went well, else why not.
  std::string open(std::uint16_t port);
  /// Stops listening, cuts every connection and waits for their threads.
  void close();
  /// While frozen, connections are neither accepted nor refused; those that are open are served on.
  void freeze(bool on);

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::size_t connections() const { return open_; }

private:
  struct connection {
    int fd = -1;
    std::string peer;
    std::thread thread;
    bool done = false;
  };
  void accept_loop();
  void serve_connection(connection& c);
  bool send_answer(int fd, const request& r, answer a, bool close_after);
  bool send_all(int fd, const char* data, std::size_t size, std::size_t bytes_per_second);
  bool wait_readable(int fd);
  bool pause(std::chrono::milliseconds time); // false when closing
  void reap(bool all);

  handler serve_;
  bool first_byte_first_;
  std::uint16_t port_ = 0;
  int listen_fd_ = -1;
  int wake_fd_ = -1; // readable while closing
  std::thread accepter_;
  std::mutex lock_; // guards what follows
  std::condition_variable changed_;
  bool stopping_ = false;
  bool frozen_ = false;
  std::list<connection> connections_;
  std::atomic<std::size_t> open_{0};
};

} // namespace keyportal::cpa_sim
