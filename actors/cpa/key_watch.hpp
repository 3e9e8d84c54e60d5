// Whether a node takes its management key. CPA bans an address at the fifth wrong try within half an hour, and several
// connections have the key: the poller's tries it first, and no other one while it is refused.
#pragma once

#include <atomic>
#include <cstdint>

namespace keyportal::cpa {

/// One for each node, shared by its connections. Any thread.
class key_watch {
public:
  enum class state : std::uint8_t { untried, taken, refused };

  /// The status of an answer to a call with the key.
  void saw(long status) {
    if (status == 401 || status == 403)
      is_ = state::refused;
    else if (status < 500)
      is_ = state::taken;
  }
  [[nodiscard]] state is() const { return is_; }

private:
  std::atomic<state> is_ = state::untried;
};

} // namespace keyportal::cpa
