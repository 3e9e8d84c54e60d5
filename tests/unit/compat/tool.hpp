// A tool that was made for CLIProxyAPI, as far as the bytes on its socket go. Every wait has a deadline.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fake_backend.hpp"
#include "gateway/compat/listener.hpp"

namespace keyportal::compat::test {

class tool {
public:
  explicit tool(std::uint16_t port, int receive_buffer = 0);
  ~tool();
  tool(const tool&) = delete;
  tool& operator=(const tool&) = delete;

  bool send(std::string_view bytes);
  /// Exactly that many bytes; fewer when the connection ends or the time is over.
  std::string read(std::size_t bytes, std::chrono::milliseconds most = std::chrono::seconds(10));
  /// Whatever comes up to the end of the connection.
  std::string read_to_end();
  /// Up to and with `end`.
  std::string read_until(std::string_view end);
  bool ended();
  void reset(); ///< closes with RST

private:
  bool more(std::chrono::steady_clock::time_point deadline);
  int socket_ = -1;
  std::string buffer_;
};

/// A command as RESP.
std::string command(const std::vector<std::string>& words);

struct http_result {
  int status = 0;
  std::string head; ///< with the status line
  std::string body; ///< without chunking
};
/// One request on a connection of its own. `more`: headers, each ended by \r\n.
http_result http(std::uint16_t port, std::string_view method, std::string_view target, std::string_view more = {},
                 std::string_view body = {});
std::string bearer(std::string_view key);

inline constexpr std::string_view key = "compat-key-000001";
inline constexpr std::string_view second_key = "compat-key-000002";

/// A listener on a free port before a ledger in memory, with two consumers: "default" and "second".
struct stage {
  explicit stage(bool start = true);
  void open();
  void close() { listening.reset(); }
  [[nodiscard]] std::uint16_t port() const { return listening->port(); }
  http_result get(std::string_view path, std::string_view with = key) const {
    return http(port(), "GET", path, bearer(with));
  }
  /// Adds records and says so.
  void add(int count, const node_name& node = "one") {
    back.add_some(node, count);
    listening->ledger_moved();
  }

  fake_backend back;
  listener_settings settings;
  std::unique_ptr<listener> listening;
};

} // namespace keyportal::compat::test
