// A server that follows a script, for one connection after the other.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace keyportal::test {

/// One accepted connection. Every wait ends after ten seconds at the latest.
class conversation {
public:
  virtual ~conversation() = default;
  /// The next command of the client; empty when it has gone.
  std::vector<std::string> command();
  /// Takes the next command; when it is another one the script ends, and the connection with it.
  void expect(const std::vector<std::string>& words);
  /// False when the client has gone.
  bool send(std::string_view bytes);
  bool send_bytewise(std::string_view bytes);
  /// Until the client ends the connection; true if it did.
  bool wait_for_end();
  /// Waits for AUTH and accepts it.
  bool accept_sign_in();

protected:
  virtual long read(char* into, std::size_t size) = 0;
  virtual long write(const char* from, std::size_t size) = 0;

private:
  bool line(std::string& into);
  bool fill();
  std::string received_;
};

/// Listens on 127.0.0.1 (or ::1) while it lives. Its thread runs the script for each connection; the
/// connection is closed when the script returns.
class fake_server {
public:
  using script = std::function<void(conversation&)>;
  enum class kind { plain, plain_v6, tls, tls_elsewhere };
  explicit fake_server(script what, kind how = kind::plain);
  ~fake_server();
  fake_server(const fake_server&) = delete;
  fake_server& operator=(const fake_server&) = delete;

  /// http://127.0.0.1:PORT, or https://HOST:PORT.
  [[nodiscard]] std::string url(const std::string& host = "127.0.0.1") const;
  /// The certificate of a TLS server as PEM; for 127.0.0.1 and localhost, or for another host.
  [[nodiscard]] const std::string& certificate() const { return certificate_; }
  [[nodiscard]] int connections() const { return connections_; }

private:
  struct tls;
  void run();

  script script_;
  int listener_ = -1;
  int port_ = 0;
  std::string certificate_;
  std::unique_ptr<tls> tls_;
  std::atomic<bool> ending_{false};
  std::atomic<int> connections_{0};
  std::thread thread_;
};

/// A port of 127.0.0.1 on which nobody listens.
int closed_port();

} // namespace keyportal::test
