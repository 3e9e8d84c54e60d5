// THE TABLE of everything that can be asked over HTTP. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "gateway/server.hpp"
#include "messages/http.hpp"
#include "messages/ids.hpp"
#include "messages/secret.hpp"

namespace keyportal::gateway {

/// What a route is about; gateway.cpp has one handler for each.
enum class topic : std::uint8_t {
  asset,
  health,
  readiness,
  metrics,
  greeting,
  summary,
  nodes,
  node,
  restarts,
  gaps,
  incompletes,
  queue,
  snapshots,
  snapshot,
  export_file,
  make_snapshot,
  import_file,
  copy_records,
  keep_history,
  history,
  restore,
  replay_letters,
  letters,
  letter,
  drop_letter,
  users,
  add_user,
  user,
  change_user,
  user_state,
  keys,
  assign_key,
  find_key,
  import_keys,
  key,
  change_key,
  renew_key,
  rotate_key,
  suspend_key,
  resume_key,
  revoke_key,
  adopt_key,
  ask_renewal,
  answer_renewal,
  key_budgets,
  pool,
  fill_pool,
  policies,
  put_policy,
  drop_policy,
  audit,
  verify_audit,
  prices,
  put_prices,
  drop_prices,
  unpriced,
  reprice,
  reprice_state,
  usage,
  records,
  ledger_check,
  check_ledger,
  open_export,
  export_body,
  close_export,
  node_keys,
  configs,
  config,
  restore_config,
  backups,
  make_backup,
  verify_backups,
  prune_backups,
  retention,
  run_retention,
};

/// Who may ask: anyone who reaches the address, or only who knows the control token.
enum class access : std::uint8_t { open, control };

struct route {
  std::string_view method;
  std::string_view pattern; ///< segments in braces take any one segment: {node}, {id}, {name}
  topic about;
  access needs;
  std::size_t max_body_bytes;
  std::string_view help;
};

/// All routes, in the order in which they are shown.
std::span<const route> routes();

/// A request that was understood.
struct question {
  const route* row = nullptr;
  std::string path;
  node_name node;            ///< for patterns with {node}
  std::uint64_t id = 0;      ///< for patterns with {id}; 0 for a snapshot's `now`
  std::string name;          ///< for patterns with {name}: whose text it is, nobody has looked yet
  std::uint32_t limit = 100; ///< for lists, 1 to 1000
  std::uint64_t after = 0;   ///< for lists that are read on: numbers above it
  std::string after_name;    ///< likewise, for lists in the order of names
  std::string if_none_match; ///< the header of that name
};

/// Looks a request up in the table. Refusals are answers already: 404, 405 with Allow, 401, 400. `token` empty: nothing
/// that needs it is possible. HEAD is taken where GET is.
std::variant<question, http_response> understand(const http_request& request, const secret& token);

/// How large a body a request may have: what its route allows, or little where it will be refused anyway; then it is told
/// so rather than that its body is too large.
body_rule rule_for_body(const http_request& head, const secret& token);

/// Compares in a time that does not tell where the two differ.
bool same_secret(std::string_view given, const secret& wanted);

} // namespace keyportal::gateway
