// The gateway's certificate and key, and what OpenSSL makes of them. No library shows through.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include <caf/expected.hpp>

struct ssl_ctx_st; ///< OpenSSL's

namespace keyportal::gateway {

struct tls_files {
  std::filesystem::path certificate; ///< PEM: the leaf, then those that lead to the root
  std::filesystem::path key;         ///< PEM, without a passphrase; no rights for group or others
};

/// What new connections are greeted with. Connections keep what they began with, so a new certificate ends none.
class tls_identity {
public:
  /// `certificate_unusable` with the file and what is wrong with it.
  static caf::expected<std::shared_ptr<tls_identity>> load(tls_files files);

  /// Any thread; TLS 1.2 at least, ALPN http/1.1, no tickets and no cache of sessions.
  [[nodiscard]] std::shared_ptr<ssl_ctx_st> context() const;
  /// When the certificate ends.
  [[nodiscard]] std::chrono::system_clock::time_point ends() const;
  /// Of its public key, as libcurl pins it: "sha256//" and base64.
  [[nodiscard]] std::string pin() const;

  enum class look_result : std::uint8_t { same, taken };
  /// Looks at the files; those that have changed, and have been the same for one look since, are taken. While they cannot
  /// be used the old ones stay, and the error is told once for each change. One thread.
  caf::expected<look_result> look();

private:
  struct made {
    std::shared_ptr<ssl_ctx_st> context;
    std::chrono::system_clock::time_point ends;
    std::string pin;
  };
  explicit tls_identity(tls_files files) : files_(std::move(files)) {}
  static caf::expected<made> make(const tls_files& files);
  [[nodiscard]] std::string shape_of_files() const;

  const tls_files files_;
  mutable std::mutex mutex_;
  made now_;
  std::string tried_, seen_; ///< shapes of the files: last tried, last seen
};

} // namespace keyportal::gateway
