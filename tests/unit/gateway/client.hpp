// A plain socket to a server on 127.0.0.1 that says exactly the bytes it is told to. Every wait has a deadline.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyportal::test {

struct raw_answer {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
  std::string body;
  [[nodiscard]] std::string header(std::string_view name) const; ///< empty if it is not there
};

struct raw_frame {
  int opcode = 0; ///< 1 text, 8 close, 9 ping, 10 pong
  std::string payload;
  [[nodiscard]] int close_code() const;
};

class client {
public:
  /// `receive_buffer`: size of the kernel's buffer for what was not read; 0: the system's choice.
  explicit client(std::uint16_t port, int receive_buffer = 0);
  ~client();
  client(const client&) = delete;
  client& operator=(const client&) = delete;

  [[nodiscard]] bool connected() const { return socket_ >= 0; }
  bool send(std::string_view bytes);
  void shut_sending();

  /// The next answer; status 0 if none came in time or the connection ended. `bodiless`: it is one to HEAD.
  /// A body in chunks is put together; one that breaks off is status 0.
  raw_answer answer(bool bodiless = false);
  /// The next bytes, as they come; fewer when there were no more in time.
  std::string take(std::size_t bytes);
  /// Everything up to the other side's end, in time.
  std::string rest();
  /// Whether the other side closes, without sending more, in time.
  bool ended();

  /// Opens a WebSocket; the status of the answer, 101 if it is open.
  int upgrade(std::string_view path = "/ws", std::string_view more_headers = {});
  /// The next frame; nothing if none came in time or the connection ended.
  std::optional<raw_frame> next_frame();
  bool send_frame(int opcode, std::string_view payload);

private:
  bool receive_more();
  bool have(std::size_t bytes);
  int socket_ = -1;
  std::string buffer_;
};

/// "GET path HTTP/1.1" with a Host header that is taken, and more headers, each ended by \r\n.
std::string get(std::string_view path, std::string_view more_headers = {});

} // namespace keyportal::test
