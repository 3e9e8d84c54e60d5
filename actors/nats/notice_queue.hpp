// The queue of deliveries as a JetStream work queue (KEYPORTAL_NOTICES): any process with the same stream may take from it.
#pragma once

#include "actors/nats/server.hpp"
#include "actors/notifier/delivery_queue.hpp"

namespace keyportal::nats {

struct notice_queue_settings {
  server_settings server;
  std::int64_t max_bytes = 64LL << 20; ///< -1: no limit
  int replicas = 1;
};

/// Connects, and again after each break, on a thread of its own.
std::unique_ptr<delivery_queue> make_notice_queue(notice_queue_settings how, delivery_queue::callbacks told);

} // namespace keyportal::nats
