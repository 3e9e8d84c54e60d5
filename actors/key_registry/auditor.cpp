#include "actors/key_registry/auditor.hpp"

#include <caf/all.hpp>

namespace keyportal {

namespace {

auditor_actor::behavior_type auditor(auditor_actor::pointer, std::function<caf::expected<log_position>()> prove) {
  return {[prove = std::move(prove)](const verify_audit&) -> caf::result<audit_verified> {
    auto position = prove();
    if (!position)
      return std::move(position.error());
    return audit_verified{*position};
  }};
}

} // namespace

auditor_actor spawn_auditor(caf::actor_system& system, bool own_thread,
                            std::function<caf::expected<log_position>()> prove) {
  return own_thread ? system.spawn<caf::detached>(auditor, std::move(prove)) : system.spawn(auditor, std::move(prove));
}

} // namespace keyportal
