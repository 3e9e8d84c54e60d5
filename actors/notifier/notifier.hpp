// NOTIFIER: tells people. Reads the ledger's events one after the other, decides who hears of them, and sees each notice to
// its end.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include <caf/actor_system.hpp>

#include "actors/notifier/delivery_queue.hpp"
#include "actors/notifier/wire.hpp"
#include "actors/telemetry/metrics.hpp"
#include "config/notice_settings.hpp"
#include "messages/notices.hpp"

namespace keyportal {

namespace storage {
class ledger;
}

struct notifier_settings {
  notice_settings notices;
  std::string zone; ///< of the installation; empty: UTC
  std::function<moment()> now;
  std::function<double()> chance;           ///< from 0 to 1; unset: the machine's
  std::function<double()> certificate_days; ///< until the gateway's certificate ends; 0: it has none. May be unset
  std::function<std::unique_ptr<delivery_queue>(delivery_queue::callbacks)> make_queue; ///< unset: the local one
  notice_wire::bounds wire = {};
  std::function<bool()> may_decide = {}; ///< whether it is this process that does; any thread. Unset: always
};

/// The ledger tells it of commits (`add_listener` is the caller's).
notifier_actor spawn_notifier(caf::actor_system& system, bool own_thread, notifier_settings settings,
                              std::shared_ptr<storage::ledger> store, metrics& numbers);

} // namespace keyportal
