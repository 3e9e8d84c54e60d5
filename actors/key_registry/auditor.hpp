// AUDITOR: proves the registry's log on a thread of its own, so that nobody waits for a walk through years, and tells
// once a day how far the log goes, so that one that is cut off later can be told from a whole one.
#pragma once

#include <functional>
#include <optional>

#include <caf/actor_system.hpp>

#include "messages/actors.hpp"

namespace keyportal {

/// The log as the auditor sees it. All may block; called by one thread, one at a time.
struct audit_log {
  /// Walks through the log and gives its last position, or audit_broken with where.
  std::function<caf::expected<log_position>()> prove;
  /// The last position, from memory.
  std::function<log_position()> last;
  /// One entry's hash; audit_broken if it is not there.
  std::function<caf::expected<std::array<std::uint8_t, 32>>(log_position)> hash_of;
  std::function<moment()> now;
};

/// What the event says of the last entry: {"position":…,"hash":"64 hexadecimal digits","at":…}.
std::string audit_head_body(log_position position, const std::array<std::uint8_t, 32>& hash, moment at);

/// Puts an event audit_head into the ledger's outbox at the start and every 24 hours after, unless nothing was added since
/// the one before. Without a ledger nothing is told.
auditor_actor spawn_auditor(caf::actor_system& system, bool own_thread, audit_log log, ledger_actor ledger = {});

} // namespace keyportal
