// KEY UPSTREAM: the key list of one CPA as an actor. Blocks, so it is spawned with a thread of its own.
#pragma once

#include <memory>

#include <caf/actor_system.hpp>

#include "actors/cpa/key_client.hpp"
#include "messages/actors.hpp"

namespace keyportal {

/// `client` is shared with whoever must be able to stop a call under way. Its connection is closed when nothing was asked
/// for five seconds: an idle one is one that old versions of CPA can stumble over.
key_upstream_actor spawn_key_upstream(caf::actor_system& system, std::shared_ptr<cpa::key_client> client);

} // namespace keyportal
