// Whether a node takes its management key. CPA bans an address at the fifth wrong try within half an hour, and several
// connections have the key: the poller's tries it first, and no other one while it is refused.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>

namespace keyportal::cpa {

/// One for each node, shared by its connections. Any thread.
class key_watch {
public:
  enum class state : std::uint8_t { untried, taken, refused };

  /// The status of an answer to a call with the key.
  void saw(long status) {
    if (status >= 500)
      return;
    {
      const std::lock_guard hold{mutex_};
      is_ = status == 401 || status == 403 ? state::refused : state::taken;
    }
    tried_.notify_all();
  }
  [[nodiscard]] state is() const {
    const std::lock_guard hold{mutex_};
    return is_;
  }
  /// As `is`, but waits so long for the first try; less when `stopped` becomes true.
  state wait(std::chrono::milliseconds most, const std::atomic<bool>& stopped) {
    const auto until = std::chrono::steady_clock::now() + most;
    std::unique_lock hold{mutex_};
    while (is_ == state::untried && !stopped && std::chrono::steady_clock::now() < until)
      tried_.wait_for(hold, std::chrono::milliseconds{100});
    return is_;
  }

private:
  mutable std::mutex mutex_;
  std::condition_variable tried_;
  state is_ = state::untried;
};

} // namespace keyportal::cpa
