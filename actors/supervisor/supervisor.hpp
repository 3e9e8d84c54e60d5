// SUPERVISOR: starts all actors, watches them, stops them by the plan.
#pragma once

#include <caf/actor_system.hpp>

#include "actors/spawn.hpp"

namespace keyportal {

/// How it ended; read it after the supervisor is gone.
struct service_end {
  int exit_code = 0;
  std::string reason;
};

/// Actors of a node that fail are started anew, together, a second later, up to `node_chances` times an hour; the state
/// is on disk, so nothing is lost. Any other actor that fails ends the service in good order with exit code 1, for the
/// service manager to start it again: half a service would be worse than none.
supervisor_actor spawn_supervisor(caf::actor_system& system, std::shared_ptr<surroundings> around,
                                  std::shared_ptr<service_end> end);

} // namespace keyportal
