// UPSTREAM: one CPA as an actor. Blocks, so it is spawned detached; takes one request at a time by being an actor.
#pragma once

#include <memory>

#include "actors/cpa/management_client.hpp"
#include "messages/actors.hpp"

namespace keyportal {

struct upstream_state {
  upstream_state() = default;
  static inline const char* name = "upstream";
};

/// `client` is shared with whoever must be able to stop a call under way.
upstream_actor::behavior_type upstream(upstream_actor::stateful_pointer<upstream_state> self,
                                       std::shared_ptr<cpa::management_client> client);

} // namespace keyportal
