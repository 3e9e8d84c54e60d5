// A small HTTP client, one request at a time: to the running service, or straight to a CLIProxyAPI. The only file that
// knows libcurl here is client.cpp.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "config/settings.hpp"
#include "messages/errors.hpp"
#include "messages/secret.hpp"

namespace keyportal::cli {

struct http_answer {
  int status = 0;
  std::string body;
};

struct http_call {
  std::string method = "GET"; ///< all but "GET" send the body
  std::string url;
  secret bearer;               ///< empty: no Authorization header
  std::string idempotency_key; ///< empty: no such header; printable ASCII
  std::string body;
  std::chrono::seconds timeout{60};    ///< of the whole call
  std::uint64_t max_bytes = 64u << 20; ///< of the answer, where `on_body` does not take it
  std::string range = {};              ///< as in "bytes=100-"; empty: no such header
  /// Takes what comes of an answer that is a success, as it comes; false ends the call. Such an answer has no body then.
  std::function<bool(std::string_view)> on_body = {};
  std::string pin = {};     ///< of the server's public key ("sha256//…"), in the place of authorities; empty: these
  bool public_only = false; ///< over https, and never to this machine or a private network
  /// Told now and then while bytes go either way; `total` is 0 where it is not known.
  std::function<void(std::uint64_t sent, std::uint64_t received, std::uint64_t total)> on_progress;
};

/// Any HTTP answer is an answer. Errors: `service_unreachable`, `timed_out`, `body_too_large`, `bad_request` for a url
/// that is none. Never follows a redirect and uses no proxy, so the key goes where it was meant to go only.
caf::expected<http_answer> send(const http_call& call);

/// The running service: where it is and what it says.
class service {
public:
  /// `url`, else what `serve` wrote to gateway.url in the data folder, else the configured address.
  static caf::expected<service> find(const settings& values, std::string url);

  [[nodiscard]] const std::string& url() const { return url_; }

  /// Calls `path` ("/api/v1/…"). An answer that is no success becomes the error it tells; `service_unreachable` when
  /// there is none. The control token goes along where `with_token`.
  caf::expected<std::string> get(const std::string& path) const;
  caf::expected<std::string> call(http_call what, const std::string& path, bool with_token) const;

private:
  std::string url_;
  std::string pin_; ///< of the service of this data folder, where it speaks TLS
  secret token_;
  std::string token_problem_;
};

/// The management API of one CLIProxyAPI.
class cpa_client {
public:
  /// `url` as in [[node]]; key from `key_file`, else the variable KEYPORTAL_CPA_KEY.
  static caf::expected<cpa_client> open(std::string url, const std::filesystem::path& key_file);
  /// `path` behind /v0/management. Errors as the service tells them of a node.
  caf::expected<std::string> call(http_call what, const std::string& path) const;

private:
  std::string url_;
  secret key_;
};

/// A file's one line, at most 4 KiB; `file_unreadable`.
caf::expected<std::string> read_line_file(const std::filesystem::path& file);

} // namespace keyportal::cli
