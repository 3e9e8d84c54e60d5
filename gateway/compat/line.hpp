// One TCP connection, blocking, with a deadline for everything. The thread of the connection uses it; `cut` may come
// from any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace keyportal::compat {

class line {
public:
  using clock = std::chrono::steady_clock;

  /// Takes the socket over.
  line(int socket, std::string peer);
  ~line();
  line(const line&) = delete;
  line& operator=(const line&) = delete;

  /// Address of the other end, without its port.
  [[nodiscard]] const std::string& peer() const { return peer_; }

  enum class got : std::uint8_t { bytes, timeout, end };
  /// Waits for bytes and appends them to `to`, at most `most`.
  got read(std::string& to, std::size_t most, clock::time_point deadline);
  /// Likewise, into memory; `n` says how many.
  got read(char* to, std::size_t most, std::size_t& n, clock::time_point deadline);
  /// Waits until there are bytes to read, or `wake` (a file descriptor, -1: none) can be read.
  enum class woken : std::uint8_t { readable, wake, timeout };
  woken wait(int wake, clock::time_point deadline) const;

  /// Sends all; false when the other end is gone, or takes less than a little for `patience`.
  bool write(std::string_view bytes, std::chrono::milliseconds patience);
  /// Sends what goes at once; how much that was, -1 when the other end is gone.
  long write_some(std::string_view bytes);
  /// Waits until something can be sent; false when it could not in time.
  [[nodiscard]] bool wait_writable(clock::time_point deadline) const;
  /// Bytes sent that the other end's system has not confirmed.
  [[nodiscard]] std::size_t unconfirmed() const;

  /// Says that nothing more comes, and takes what is still on the way, so that the last answer is not lost.
  void close_gently();
  /// What was not confirmed is thrown away with the connection.
  void abort();
  /// No more reading: whoever waits for bytes sees the end.
  void hang_up();
  /// Nothing goes either way any more.
  void cut();

private:
  const int socket_;
  const std::string peer_;
};

} // namespace keyportal::compat
