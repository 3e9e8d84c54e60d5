// KEY REGISTRY: people, keys and policies as an actor: decides commands one after the other, answers when they are on
// disk, tells the keepers.
#pragma once

#include <functional>
#include <memory>

#include <caf/actor_system.hpp>

#include "actors/key_registry/registry_book.hpp"
#include "actors/telemetry/metrics.hpp"
#include "messages/actors.hpp"

namespace keyportal {

/// What was used before we began: of each key and hour or day its requests, tokens and cost, in any order.
struct past_use {
  key_id key;
  moment from{};
  std::int64_t requests = 0, tokens = 0, cost_nano = 0;
};

struct key_registry_settings {
  registry_rules rules;
  secret sentinel; ///< a key that nobody holds; always at every node, so that none is ever open
  std::function<moment()> now;
  /// Others append to the same log: each entry is decided upon all that are in it, and decided anew where somebody was faster.
  bool shared = false;
  std::function<bool()> sees_to_time = {}; ///< whether it is this process that does what is due; unset: always
};
struct key_registry_start {
  std::shared_ptr<registry_image> image;      ///< its rows are moved out
  std::vector<past_use> used;                 ///< up to now; what comes later comes by `committed`
  std::shared_ptr<const pricing> prices = {}; ///< those of the image; for the ledger, before anything is committed
};

/// The system's vault: AES and HMAC with the keys of the data folder.
key_registry_actor spawn_key_registry(caf::actor_system& system, bool own_thread, key_registry_settings settings,
                                      key_vault vault, key_registry_start start, ledger_actor ledger, metrics& numbers);

} // namespace keyportal
