// A nats-server of our own: a child process on loopback with JetStream in our data folder.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include <caf/expected.hpp>

#include "messages/errors.hpp"
#include "messages/secret.hpp"

namespace keyportal::nats {

struct child_settings {
  std::filesystem::path folder;       ///< ours alone; made when missing, mode 0700
  std::uint16_t port = 0;             ///< 0: the last one used if it is free, else any
  std::string binary = "nats-server"; ///< a path, or a name to be found in PATH
  std::int64_t max_store_bytes = 8LL << 30;
  std::chrono::milliseconds end_within{3000}; ///< after SIGTERM; then SIGKILL
};

/// Keeps one nats-server running: started by an own thread, started again after its death with growing pauses on the
/// same port, and ended with us, even when we are killed. Two users: `keyportal` may do everything (its password is
/// in the folder, mode 0600), and whoever does not sign in is `reader`, who may only look. In the folder:
/// nats.conf, nats.password, nats.log, nats.pid, nats.lock, nats.url (the reader's URL, no secret), jetstream/.
class child_server {
public:
  /// Errors: `nats_server_missing`, `storage_in_use` (another Key Portal that lives uses the folder; a child that a
  /// crash left over is ended first), `port_in_use`, `storage_failed`. Gives the server two seconds to listen; a slower one is not an
  /// error, for whoever connects tries again anyway.
  static caf::expected<std::unique_ptr<child_server>> start(child_settings settings);

  /// As `stop`.
  ~child_server();
  child_server(const child_server&) = delete;
  child_server& operator=(const child_server&) = delete;

  /// With the credentials of `keyportal`.
  [[nodiscard]] secret url() const;
  /// Without: what `reader` uses.
  [[nodiscard]] std::string reader_url() const;
  [[nodiscard]] std::uint16_t port() const;
  /// Process id of the running child; 0 between two.
  [[nodiscard]] int process() const;

  /// Ends the child and waits for it, at most `end_within` and a little. May be called again.
  void stop();

private:
  class supervision;
  explicit child_server(std::unique_ptr<supervision> child);
  std::unique_ptr<supervision> child_;
};

} // namespace keyportal::nats
