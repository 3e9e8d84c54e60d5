// The port to a node's queue over RESP: a thread that does nothing but read and hand over.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "messages/actors.hpp"

namespace keyportal {

/// One session at a time: `begin` connects, tells `changed` once it is connected, hands over all that comes, in order,
/// and tells `changed` again when the session is over, whyever. Calls to both functions come from one thread of its
/// own, the first one before anything is handed over. A session reads on while less than `window_bytes` of what it
/// handed over has not been `taken`; then it waits, and the node keeps what it can.
class tap {
public:
  struct callbacks {
    std::function<void(payloads_came)> payloads;
    std::function<void(tap_changed)> changed;
  };
  virtual ~tap() = default;                ///< ends the session
  virtual void begin(queue_mode mode) = 0; ///< subscribe or resp_pop
  virtual void end() = 0;                  ///< soon; `changed` is told with errc::shutting_down
  virtual void taken(std::size_t bytes) = 0;
};

using tap_factory = std::function<std::unique_ptr<tap>(tap::callbacks)>;

struct tap_settings {
  node_name node;
  std::string url;
  secret management_key;
  std::chrono::milliseconds pop_interval{200};
  std::size_t window_bytes = std::size_t{64} << 20;
  bool errors_too = true; ///< subscribe to the channel of account errors as well
};

/// Over the network.
std::unique_ptr<tap> make_resp_tap(tap_settings settings, tap::callbacks told);

} // namespace keyportal
