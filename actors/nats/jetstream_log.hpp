// The log of several processes as a JetStream stream whose sequences are the log's positions.
#pragma once

#include "actors/cluster/stream_log.hpp"
#include "actors/nats/server.hpp"

namespace keyportal::nats {

struct log_settings {
  server_settings server;
  std::string stream;  ///< its name
  std::string subject; ///< its only one
  int replicas = 1;    ///< 3: on three servers, of which one may be away
};

/// Connects when it is needed; makes the stream when there is none: in files, without limits, nothing of it can be deleted. A
/// stream of that name which is not so is refused (`nats_refused`), for its sequences would not be positions.
std::unique_ptr<cluster::stream_log> make_jetstream_log(log_settings how);

} // namespace keyportal::nats
