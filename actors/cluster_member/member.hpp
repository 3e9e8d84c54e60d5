// MEMBER: speaks for this process with the others of its cluster: hands requests on to whoever sees to what they are about, says
// how its nodes are, and gathers how all of them are.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/nats/peer_link.hpp"
#include "actors/spawn.hpp"
#include "messages/http.hpp"

namespace keyportal {

/// Gets it as if it had come to this process.
struct forward_request {
  std::string duty;
  http_request request;
  bool by_control = false; ///< whoever asks showed this process's control token
  std::function<void(http_response)> reply;
};
struct read_cluster {
  std::function<void(caf::expected<std::string> json)> reply;
};
/// Of each process, what its ledger holds of each node and day.
struct compare_cluster {
  std::function<void(caf::expected<std::string> json)> reply;
};
using member_actor =
  caf::typed_actor<caf::reacts_to<forward_request>, caf::reacts_to<read_cluster>, caf::reacts_to<compare_cluster>>;

struct member_settings {
  std::shared_ptr<cluster_part> part;
  std::string name; ///< of the cluster
  std::shared_ptr<storage::ledger> store;
  std::string control_token;
  std::function<moment()> now;
};
member_actor spawn_member(caf::actor_system& system, member_settings settings, const shared_actors& shared);

} // namespace keyportal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::forward_request)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::read_cluster)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::compare_cluster)
