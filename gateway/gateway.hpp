// GATEWAY: the actor behind the sockets. Each request becomes a question to another actor, each answer a response.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "gateway/server.hpp"
#include "messages/access.hpp"
#include "messages/actors.hpp"
#include "messages/ledger_check.hpp"
#include "messages/exports.hpp"
#include "messages/secret.hpp"
#include "messages/store_care.hpp"

namespace keyportal::gateway {

/// Whom the gateway asks. A null handle is an actor that is not there yet: what needs it is answered 503.
struct gateway_handles {
  feed_actor feed;
  ledger_actor ledger;
  publisher_actor publisher;
  node_directory nodes;
  key_registry_actor registry = {};
  auditor_actor auditor = {};
  analyst_actor analyst = {};
  checker_actor checker = {};
  exporter_actor exporter = {};
  backup_actor backups = {};
  retention_actor retention = {};
  authenticator_actor authenticator = {};
  std::shared_ptr<caller_directory> callers = {}; ///< null: nobody signs in
};

struct gateway_hooks {
  /// Prometheus text; called on the actor's thread, may not block. Unset: an empty page.
  std::function<std::string()> metrics_text;
  /// After every answer: the route's pattern ("" if none matched), the status, how long it took. May be unset.
  std::function<void(std::string_view route, int status, double seconds)> on_answer;
  /// What `Authorization: Bearer` must hold for whatever changes something or shows client keys. Empty: nobody may.
  secret control_token;
  /// The numbers are made up, and the page says so.
  bool demo = false;
  /// In which currency pages show costs, and how much of it a US dollar is.
  std::string currency = "USD";
  std::string currency_rate = "1";
};

struct gateway_state {
  gateway_state() = default;
  gateway_handles handles;
  gateway_hooks hooks;
  bool draining = false;
  std::size_t waiting = 0; ///< questions without an answer yet
  static inline const char* name = "gateway";
};

gateway_actor::behavior_type gateway(gateway_actor::stateful_pointer<gateway_state> self, gateway_handles handles,
                                     gateway_hooks hooks);

/// Ties a server to the actor: requests and WebSocket greetings go to it, bodies are limited by the table of routes.
server_callbacks callbacks_for(gateway_actor actor, secret control_token);

} // namespace keyportal::gateway
