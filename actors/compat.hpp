// The listener for tools that were made for CLIProxyAPI, tied to the ledger and the nodes.
#pragma once

#include <memory>

#include <caf/expected.hpp>

#include "actors/spawn.hpp"

namespace keyportal {

/// The listener as the service has it: stopped when it goes.
class compat_service {
public:
  virtual ~compat_service() = default;
  [[nodiscard]] virtual std::string url() const = 0; ///< where tools find it
};

/// Listens if `compat.listen` says so, else null. It must go before the actor system does. Errors: the address cannot be
/// had, the ledger cannot be read.
caf::expected<std::unique_ptr<compat_service>> start_compat(caf::actor_system& system, const surroundings& around,
                                                            const shared_actors& shared);

} // namespace keyportal
