#include "actors/key_registry/auditor.hpp"

#include <caf/all.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "messages/json.hpp"

namespace keyportal {
namespace {
struct auditor_tick {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::auditor_tick)

namespace keyportal {

std::string audit_head_body(log_position position, const std::array<std::uint8_t, 32>& hash, moment at) {
  const nlohmann::json data = {
    {"position", position}, {"hash", fmt::format("{:02x}", fmt::join(hash, ""))}, {"at", to_rfc3339_ms(at)}};
  return dump(data);
}

namespace {

using auditor_impl = auditor_actor::extend<caf::reacts_to<auditor_tick>>;
constexpr std::chrono::hours tell_every{24};
constexpr std::chrono::minutes ledger_patience{1};

struct auditor_state {
  static inline const char* name = "auditor";
  audit_log log;
  ledger_actor ledger;
  log_position told = 0;
};
using self_pointer = auditor_impl::stateful_pointer<auditor_state>;

void tell_head(self_pointer self) {
  auto& state = self->state;
  const auto last = state.log.last();
  if (last == 0 || last == state.told)
    return;
  const auto hash = state.log.hash_of(last);
  if (!hash)
    return; // verify says what is wrong with it
  const auto at = state.log.now();
  journal_entry entry;
  entry.events.push_back({0, event_kind::audit_head, {}, at, audit_head_body(last, *hash, at), "audit"});
  self->request(state.ledger, ledger_patience, std::move(entry))
    .then([self, last](const committed&) { self->state.told = last; }, [](const caf::error&) {}); // told tomorrow
}

caf::expected<audit_verified> verify(const audit_log& log, const verify_audit& asked) {
  const auto position = log.prove();
  if (!position)
    return position.error();
  audit_verified out{*position, {}};
  if (asked.position > *position)
    return make_error(errc::audit_broken,
                      fmt::format("entry {}: is missing, the log ends at {}", asked.position, *position));
  if (asked.position > 0) {
    const auto hash = log.hash_of(asked.position);
    if (!hash)
      return hash.error();
    if (*hash != asked.hash)
      return make_error(errc::audit_broken,
                        fmt::format("entry {}: its hash is another one than the one given", asked.position));
  }
  if (*position > 0) {
    const auto hash = log.hash_of(*position);
    if (!hash)
      return hash.error();
    out.hash = *hash;
  }
  return out;
}

auditor_impl::behavior_type auditor(self_pointer self, audit_log log, ledger_actor ledger) {
  self->state.log = std::move(log);
  self->state.ledger = std::move(ledger);
  if (self->state.ledger)
    self->send(self, auditor_tick{});
  return {
    [self](const verify_audit& m) -> caf::result<audit_verified> {
      auto found = verify(self->state.log, m);
      if (!found)
        return std::move(found.error());
      return *found;
    },
    [self](auditor_tick) {
      tell_head(self);
      self->delayed_send(self, tell_every, auditor_tick{});
    },
  };
}

} // namespace

auditor_actor spawn_auditor(caf::actor_system& system, bool own_thread, audit_log log, ledger_actor ledger) {
  return own_thread ? auditor_actor{system.spawn<caf::detached>(auditor, std::move(log), std::move(ledger))}
                    : auditor_actor{system.spawn(auditor, std::move(log), std::move(ledger))};
}

} // namespace keyportal
