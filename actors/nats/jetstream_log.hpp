// The log that several processes share, as a JetStream stream.
#pragma once

#include "actors/cluster/shared_log.hpp"
#include "actors/nats/server.hpp"

namespace keyportal::nats {

struct log_settings {
  server_settings server;
  std::string stream;  ///< its name
  std::string subject; ///< its only one
  int replicas = 0; ///< 3: on three servers, of which one may be away; 0: on three where there are three, else on one
};

/// Connects, and makes the stream when there is none: in files, without limits; only `trim_log` takes from its beginning. A
/// stream of that name which is not so is refused (`nats_refused`).
std::unique_ptr<cluster::shared_log> make_jetstream_log(log_settings how, std::uint64_t after,
                                                        cluster::log_callbacks told);

struct log_reach {
  std::uint64_t first = 0; ///< 0: the log is empty, and nothing was ever in it
  std::uint64_t last = 0;
};
/// Makes the stream when there is none. Blocks for seconds at most.
caf::expected<log_reach> reach_of_log(const log_settings& how);
/// Messages before `first` go.
caf::error trim_log(const log_settings& how, std::uint64_t first);

} // namespace keyportal::nats
