// EXPORTER: everything of one kind as text, in pieces, from one consistent state of the ledger. Blocks on the disk.
#pragma once

#include <functional>
#include <memory>

#include <caf/actor_system.hpp>

#include "actors/exporter/export_desk.hpp"
#include "actors/telemetry/metrics.hpp"
#include "messages/exports.hpp"

namespace keyportal {

exporter_actor spawn_exporter(caf::actor_system& system, bool own_thread, std::function<moment()> now,
                              std::shared_ptr<const storage::ledger> store, metrics& numbers,
                              export_limits limits = {});

} // namespace keyportal
