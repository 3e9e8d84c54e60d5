// AUDITOR: proves the registry's log on a thread of its own, so that nobody waits for a walk through years.
#pragma once

#include <functional>

#include <caf/actor_system.hpp>

#include "messages/actors.hpp"

namespace keyportal {

/// `prove` walks through the log and gives its last position, or audit_broken with where; called once at a time.
auditor_actor spawn_auditor(caf::actor_system& system, bool own_thread,
                            std::function<caf::expected<log_position>()> prove);

} // namespace keyportal
