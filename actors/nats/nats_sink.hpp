// The sink that is JetStream.
#pragma once

#include <chrono>
#include <memory>
#include <vector>

#include "actors/nats/server.hpp"
#include "actors/nats/streams.hpp"
#include "actors/publisher/sink.hpp"

namespace keyportal::nats {

struct sink_settings {
  server_settings server;
  std::vector<stream_settings> streams = default_streams();
  std::chrono::milliseconds answer_within{5000}; ///< after that a message counts as failed
  std::size_t most_in_flight = 16384;            ///< more are refused by `publish`
};

/// Connects in the background and for ever again. Every connection is a new session: the client library may not
/// reconnect by itself, since it would send what it holds back before anyone could look at what the stream has.
/// While a session lasts, messages are published with `Nats-Msg-Id` and a reply subject of their own.
/// The links that `on_link` reports come with the streams ensured; a problem while connected comes as a link that is
/// connected and has a problem. Threads: one of its own and the library's two per connection.
class nats_sink final : public sink {
public:
  nats_sink(sink_settings settings, callbacks told);
  /// Ends the session; what is in flight gets no outcome any more. Waits for its thread.
  ~nats_sink() override;

  caf::error publish(std::vector<message> messages) override;
  caf::expected<std::unordered_set<std::string>> stored_tail(std::size_t n) override;

  class session_book; // shared with the library's threads

private:
  void keep_connected();
  std::string run_session();

  std::shared_ptr<session_book> book_;
  sink_settings settings_;
  struct keeper;
  std::unique_ptr<keeper> keeper_;
};

} // namespace keyportal::nats
