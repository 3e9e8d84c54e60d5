// TLS over a socket that somebody else waits for.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace keyportal::cpa {

/// The client's end of one TLS connection over a non-blocking socket, which it does not own. No threads.
class tls_client {
public:
  /// What must happen before the same call is made again; or that it never can succeed.
  enum class wants { nothing, to_read, to_write, to_close, to_give_up };

  /// For a socket that is connected. `ca_file`: certificates to trust instead of the system's; may be empty. Null with
  /// the reason in `why` when that file cannot be used.
  static std::unique_ptr<tls_client> make(int socket, const std::string& host, const std::string& ca_file,
                                          std::string& why);
  ~tls_client();
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

  /// `nothing` when both sides agree and the certificate is trusted and made out to the host (name or address).
  wants shake_hands(std::string& why);
  /// As much as is there and fits. `got` 0 means that something is wanted; `to_close`: the peer has ended.
  wants read(std::span<char> into, std::size_t& got, std::string& why);
  /// As much as goes. The same bytes again when `sent` is 0.
  wants write(std::string_view bytes, std::size_t& sent, std::string& why);

private:
  struct impl;
  explicit tls_client(std::unique_ptr<impl> i);
  std::unique_ptr<impl> impl_;
};

} // namespace keyportal::cpa
