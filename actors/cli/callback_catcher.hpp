// Where a provider's page ends when one signs in on this very machine: an address on it. Whoever listens there need not ask
// for the address to be pasted.
#pragma once

#include <chrono>
#include <functional>
#include <string>

namespace keyportal::cli {

class callback_catcher {
public:
  /// `ends_at`: "http://localhost:1455/auth/callback". Listens on loopback only; `listens` says whether it could.
  explicit callback_catcher(const std::string& ends_at);
  ~callback_catcher();
  callback_catcher(const callback_catcher&) = delete;
  callback_catcher& operator=(const callback_catcher&) = delete;
  [[nodiscard]] bool listens() const { return listener_ >= 0; }

  /// The whole address that the browser came with; or the line that was typed at `typed_fd` (negative: none) meanwhile. Empty
  /// when neither came in time.
  std::string wait(std::chrono::milliseconds at_most, int typed_fd);

private:
  [[nodiscard]] std::string take() const;
  int listener_ = -1;
  std::string origin_, path_;
  std::string typed_;
};

} // namespace keyportal::cli
