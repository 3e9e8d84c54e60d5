// GATEWAY: the actor behind the sockets. Each request becomes a question to another actor, each answer a response.
#pragma once

#include <array>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <caf/actor_clock.hpp>

#include "actors/access/access_events.hpp"
#include "gateway/pages.hpp"
#include "gateway/callers.hpp"
#include "gateway/server.hpp"
#include "messages/access.hpp"
#include "messages/accounts.hpp"
#include "messages/actors.hpp"
#include "messages/ledger_check.hpp"
#include "messages/live.hpp"
#include "messages/exports.hpp"
#include "messages/notices.hpp"
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
  /// Null: there is nobody but the holder of the control token and whoever else asks.
  std::shared_ptr<caller_directory> callers = {};
  live_actor live = {};
  notifier_actor notifier = {};
  account_keeper_actor accounts = {};
};

struct gateway_hooks {
  /// Prometheus text; called on the actor's thread, may not block. Unset: an empty page.
  std::function<std::string()> metrics_text;
  /// After every answer: the route's pattern ("" if none matched), the status, how long it took. May be unset.
  std::function<void(std::string_view route, int status, double seconds)> on_answer;
  /// What `Authorization: Bearer` holds for whoever may do everything. Empty: nobody may.
  secret control_token;
  /// The numbers are made up, and the page says so.
  bool demo = false;
  /// In which currency pages show costs, and how much of it a US dollar is.
  std::string currency = "USD";
  std::string currency_rate = "1";
  /// Before all paths of ours where a proxy shows us below one, as "/keys"; empty: none.
  std::string base_path = {};
  /// Origins whose pages may show ours in a frame.
  std::vector<std::string> frame_ancestors = {};
  /// What anybody may who reaches the address.
  right_set anonymous = {};
  /// Of proxies whose word about their clients is taken, and from where metrics and the documentation are read.
  std::vector<network> proxies = {}, inside = {};
  /// What anybody may who reaches it from there.
  right_set anonymous_inside = {};
  /// Who may make an account by himself (`sign_in.registration`), and whether people have passwords kept here.
  std::string registration = "closed";
  bool passwords = true;
  /// What is in force, as a JSON object without secrets; empty: nothing is told of it.
  std::string settings_text = {};
  /// What taking a published price list would change, as JSON; see `preview_prices`. Unset: nobody can tell.
  std::function<caf::expected<std::string>(const std::vector<price>& there, const std::string& format,
                                           const std::string& list, const std::string& only)>
    preview_prices = {};
  /// Tells who asks; shared with the server, see `make_entrance`. Null: one of the gateway's own is made.
  std::shared_ptr<entrance> door = {};
  // Where this process is one of several; unset where it is alone. All from the actor's thread, none waits.
  /// Whether it is this process that sees to a duty now.
  std::function<bool(const std::string& duty)> sees_to = {};
  /// Has the process that sees to the duty answer; `by_control`: whoever asks has this process's control token.
  std::function<void(std::string duty, const http_request&, bool by_control, std::function<void(http_response)>)>
    forward = {};
  /// How all processes are, and what their ledgers differ in, as JSON.
  std::function<void(std::function<void(caf::expected<std::string>)>)> cluster_state = {}, cluster_compared = {};
  /// So many seconds something of the others may be missing here; 0: nothing is.
  std::function<double()> stale_s = {};
  /// Sockets of a session that ended are to be closed, by its tag. From any thread; may be unset.
  std::function<void(std::string_view tag)> on_session_end = {};
};
/// By what the hooks say.
std::shared_ptr<entrance> make_entrance(const gateway_hooks& hooks);

/// One that may take minutes.
struct long_request {
  std::string what; ///< method and path
  moment began{};
};

struct visit;

struct gateway_state {
  gateway_state();
  ~gateway_state();
  gateway_handles handles;
  gateway_hooks hooks;
  bool draining = false;
  std::size_t waiting = 0;                                              ///< questions without an answer yet
  std::array<caf::actor_clock::time_point, access_event_count> noted{}; ///< when each was told last
  std::deque<std::pair<std::string, std::string>> exports;              ///< ids with whose they are; the last so many
  std::map<std::uint64_t, long_request> long_requests;                  ///< under way
  std::uint64_t last_long_request = 0;
  struct {
    std::vector<visit> wanted; ///< by whom, while it is `under_way`
    bool under_way = false;
    caf::actor_clock::time_point began{};
    std::optional<http_response> answer; ///< the last one
  } summary;
  page_file page; ///< the app's one page, as it is shown here
  static inline const char* name = "gateway";
};

gateway_actor::behavior_type gateway(gateway_actor::stateful_pointer<gateway_state> self, gateway_handles handles,
                                     gateway_hooks hooks);

/// Ties a server to the actors: requests go to the one, WebSockets listen to the other; the door decides whose WebSocket
/// is taken, and with the table of routes how large bodies may be.
server_callbacks callbacks_for(gateway_actor actor, live_actor live, std::shared_ptr<const entrance> door);

} // namespace keyportal::gateway
