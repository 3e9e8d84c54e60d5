// Ships the ledger's outbox to a sink. The decisions are in delivery_window, the wire in the sink.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "actors/publisher/delivery_window.hpp"
#include "messages/actors.hpp"

namespace keyportal {

struct publisher_settings {
  std::string url; ///< shown to people; without credentials
  delivery_limits limits;
  std::size_t tail = 16384; ///< ids read back after every connect; must be above `limits.in_flight`
};

using sink_factory = std::function<std::unique_ptr<sink>(sink::callbacks)>;

struct publisher_memory {
  publisher_memory() : window(delivery_limits{}) {}
  ledger_actor ledger;
  publisher_settings settings;
  delivery_window window;
  std::string problem = "not yet connected";
  std::vector<caf::typed_response_promise<drained>> draining;
  bool stuck = false;               // the last thing heard of the sink was a failure
  delivery_window::time woken_at{}; // the wake-up under way, so that there is one at most
  std::unique_ptr<sink> out;        // last: its threads end before the rest goes
};

/// The behaviour. Spawn it detached with a sink that does I/O, since asking for the tail blocks. It makes the sink,
/// adds itself to the ledger's listeners and ships until it is told to exit; `drain` is answered when the outbox is
/// empty, the link is down or delivery fails (what waits then is shipped after the next start).
publisher_actor::behavior_type publisher(publisher_actor::stateful_pointer<publisher_memory> self, ledger_actor ledger,
                                         publisher_settings settings, sink_factory make_sink);

} // namespace keyportal
