// The sockets: HTTP/1.1, and what else is handed on, on one loopback port; a thread per connection.
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
  struct handlers {
    std::function<answer(const request&)> http;
    /// A connection that began as RESP; returns when it is to be closed, at the latest once `stop_fd` is readable.
    std::function<void(int fd, int stop_fd, const std::string& peer)> resp;
    /// An answer that could not be sent whole.
    std::function<void(const answer&)> lost;
  };
  struct first_byte {
    bool before_next = false; ///< like the proxy up to 7.0.2, wait for it before the next connection is accepted
    std::chrono::milliseconds within{0}; ///< close what is silent for so long; 0: never
  };

  listener(handlers serve, first_byte wait) : serve_(std::move(serve)), wait_(wait) {}
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
  void serve_http(connection& c);
  bool send_answer(int fd, const request& r, const answer& a, bool close_after);
  bool send_all(int fd, const char* data, std::size_t size, std::size_t bytes_per_second);
  bool wait_readable(int fd, int milliseconds = -1);
  bool pause(std::chrono::milliseconds time); // false when closing
  void reap(bool all);

  handlers serve_;
  first_byte wait_;
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
