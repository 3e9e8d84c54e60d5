// The sample subscriber: reads Key Portal's events from JetStream as anyone may.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "actors/nats/server.hpp"
#include "messages/ids.hpp"

namespace keyportal::nats {

struct tail_settings {
  server_settings server;
  /// "" or "new": what comes from now on; "all"; a number: events of at least this place in the ledger's order;
  /// or an RFC 3339 time: events that reached the stream since then.
  std::string from;
  /// Which events, wildcards as in NATS; empty: all.
  std::string subject;
};

struct tail_event {
  std::string stream;
  std::uint64_t stream_sequence = 0;
  sequence seq = 0; ///< place in the ledger's order; 0 if the publisher did not say
  std::string subject;
  std::string id;
  std::string type;
  std::string time; ///< RFC 3339, when it happened
  std::string body; ///< JSON
};

/// Calls `on_event` for every event, one at a time from a thread of the library, until it returns false or `stop`
/// becomes true (noticed within a quarter of a second); reconnects for ever. Each stream comes in order and without
/// holes; between the two streams there is no order. `on_ready` is called once when nothing can be missed any more.
/// Errors: `bad_request` for a `from` or a subject that is not understood, `nats_unavailable`, `nats_refused`.
caf::error tail_events(const tail_settings& settings, const std::function<bool(const tail_event&)>& on_event,
                       const std::atomic<bool>* stop = nullptr, const std::function<void()>& on_ready = {});

} // namespace keyportal::nats
