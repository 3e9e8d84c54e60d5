// Writing to JetStream with an expectation, and knowing afterwards what is known: stored, refused, or neither.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "actors/nats/handles.hpp"
#include "actors/nats/server.hpp"

namespace keyportal::nats {

/// A connection that is never mended, with JetStream; used from one thread at a time.
struct session {
  connection link;
  context js;
  [[nodiscard]] bool is_open() const { return link && !natsConnection_IsClosed(link.get()); }
  void close() {
    js.reset();
    link.reset();
  }
};
/// `each`: for each of the servers that are tried.
caf::error open_session(session& out, const server_settings& server, std::chrono::milliseconds each);

struct publish_answer {
  enum class kind : std::uint8_t {
    stored,
    unexpected, ///< what was expected is not so; not stored
    absent,     ///< nobody takes the subject now (no stream, or one without a leader); not stored
    refused,    ///< not stored
    unknown,    ///< no answer in time, or none that says it
  };
  kind what = kind::unknown;
  std::uint64_t sequence = 0; ///< stored: of the message
  bool duplicate = false;     ///< it was there before, by its id
  std::string text = {};
};

/// Headers go as they are: the client's own options cannot expect 0.
publish_answer publish_exactly(natsConnection* link, const std::string& subject, std::string_view body,
                               const std::vector<std::pair<std::string, std::string>>& headers,
                               std::chrono::milliseconds within);

} // namespace keyportal::nats
