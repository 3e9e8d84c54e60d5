// Key Portal's streams at a JetStream server: made or adopted, and read from their end.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

#include "actors/nats/handles.hpp"

namespace keyportal::nats {

struct stream_settings {
  std::string name;
  std::vector<std::string> subjects;
  std::chrono::hours max_age{24 * 30};  ///< 0: no limit
  std::int64_t max_bytes = 1LL << 30;   ///< the oldest messages go first; -1: no limit
  std::chrono::seconds duplicates{600}; ///< for how long the server itself knows an id again
  int replicas = 1;
};

/// KEYPORTAL_USAGE and KEYPORTAL_EVENTS with the subjects of messages/subjects.hpp and the defaults above.
std::vector<stream_settings> default_streams();

/// Makes the stream or, where there is one of that name, adopts it: what an operator chose (storage, replicas, other
/// subjects) stays, our subjects are added and the limits brought up to date. An existing stream whose change the
/// server refuses is accepted if it takes our subjects; then `note` says what was refused. Blocks for seconds at most.
caf::error ensure_stream(jsCtx* js, const stream_settings& settings, std::string& note);

/// Adds the ids (Nats-Msg-Id) of at least the last `n` messages to `ids`. Reads headers only. Blocks for seconds.
caf::error read_tail(jsCtx* js, const std::string& stream, std::size_t n, std::unordered_set<std::string>& ids);

} // namespace keyportal::nats
