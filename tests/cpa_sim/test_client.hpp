// A client for the tests: one request on one connection, bytes as they come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyportal::cpa_sim::test {

using headers = std::vector<std::pair<std::string, std::string>>;

struct reply {
  bool complete = false; ///< everything announced has arrived
  int status = 0;        ///< 0: no answer at all
  headers head;
  std::string body;
  /// Value of a header, empty when absent.
  [[nodiscard]] std::string header(std::string_view name) const;
  /// The header names in order, joined by blanks, without Date.
  [[nodiscard]] std::string names() const;
};

/// A connected socket, closed at the end; -1 when refused.
class connection {
public:
  explicit connection(std::uint16_t port);
  ~connection();
  connection(const connection&) = delete;
  connection& operator=(const connection&) = delete;
  [[nodiscard]] bool connected() const { return fd_ >= 0; }
  void send(std::string_view bytes) const;
  /// Reads until the other side closes or `milliseconds` have passed; `closed` says which.
  [[nodiscard]] std::string read(int milliseconds, bool* closed = nullptr) const;
  /// What comes next, at most some 256 kB.
  [[nodiscard]] std::string some(int milliseconds, bool* closed) const;

private:
  int fd_ = -1;
};

/// Sends one request with `Connection: close` and reads the whole answer.
reply call(std::uint16_t port, const std::string& method, const std::string& target, const headers& extra = {},
           const std::string& body = {}, int milliseconds = 10'000);

/// `call` with the management key "s" in `Authorization: Bearer`, below /v0/management/.
reply manage(std::uint16_t port, const std::string& method, const std::string& path, const std::string& body = {});

/// A connection that speaks RESP, authenticated with "s" unless told otherwise.
class resp {
public:
  explicit resp(std::uint16_t port, bool authenticated = true);
  void send(const std::vector<std::string>& words) const;
  void send_raw(std::string_view bytes) const { connection_.send(bytes); }
  /// The next whole value as its bytes; what came when there is no whole one in time.
  std::string read(int milliseconds = 5000);
  std::string call(const std::vector<std::string>& words) {
    send(words);
    return read();
  }
  /// The payload of the next message; empty when none comes in time.
  std::string message(int milliseconds = 5000);
  /// Subscribes and swallows the two first answers.
  void subscribe(const std::string& channel = "usage");
  /// True when the other side closes in time; what comes before is thrown away.
  [[nodiscard]] bool closes(int milliseconds = 5000) const;
  [[nodiscard]] const connection& raw() const { return connection_; }

private:
  connection connection_;
  std::string unread_;
};
/// Where the RESP value at the front of `bytes` ends; 0 when it is not whole.
std::size_t resp_end(std::string_view bytes);
std::string as_command(const std::vector<std::string>& words);
std::string as_bulk(std::string_view text);

/// The text between `"name":` and what ends the value, of the first such member in a JSON text.
std::string member(const std::string& json, const std::string& name);

/// A folder of its own, removed at the end.
class folder {
public:
  folder();
  ~folder();
  folder(const folder&) = delete;
  folder& operator=(const folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return path_ + '/' + name; }

private:
  std::string path_;
};

/// Tries until `condition()` holds or five seconds have passed; the last answer.
template <class F>
bool eventually(F&& condition);

} // namespace keyportal::cpa_sim::test

#include <chrono>
#include <thread>

template <class F>
bool keyportal::cpa_sim::test::eventually(F&& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline)
      return condition();
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}
