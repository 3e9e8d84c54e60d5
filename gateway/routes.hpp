// THE TABLE of everything that can be asked over HTTP. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "gateway/callers.hpp"
#include "gateway/server.hpp"
#include "messages/http.hpp"
#include "messages/ids.hpp"

namespace keyportal::gateway {

/// What a route is about; gateway.cpp has one handler for each.
enum class topic : std::uint8_t {
  asset,
  page,
  health,
  readiness,
  metrics,
  websocket,
  events,
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
  // several processes: elsewhere.cpp
  cluster,
  cluster_diff,
  // what goes on: job_routes.cpp
  jobs,
  job,
  settings,
  preview_prices,
  // who gets in: access_routes.cpp
  session,
  sign_in,
  sign_out,
  second_factor,
  sessions,
  end_other_sessions,
  end_session,
  registration,
  password,
  ask_password,
  set_password,
  account,
  drop_identity,
  begin_totp,
  finish_totp,
  drop_totp,
  recovery_codes,
  tokens,
  make_token,
  end_token,
  all_tokens,
  end_any_token,
  invitations,
  invite,
  end_invitation,
  ways_in,
  providers,
  begin_external,
  finish_external,
  password_code,
  sessions_of,
  end_sessions_of,
  drop_totp_of,
  // what is one's own: own_routes.cpp
  my_keys,
  take_key,
  my_key,
  label_key,
  renew_my_key,
  ask_my_renewal,
  rotate_my_key,
  revoke_my_key,
  my_key_budgets,
  my_usage,
  my_records,
  // of the original portal: original_routes.cpp
  original_usage,
  original_usage_summary,
  original_usage_history,
  original_auth_stats,
  original_keys,
  original_register_key,
  original_my_keys,
  original_revoke_key,
  original_user_stats,
  original_all_users_stats,
  original_pool_status,
  original_query_by_key,
  original_sync_usage,
  original_accounts,
  original_notices,
  original_auth_url,
  original_submit_callback,
  // who is told what: notice_routes.cpp
  notices,
  notice,
  resend_notice,
  preview_notice,
  notice_channels,
  test_channel,
  remind,
  my_notices,
  set_my_notices,
  // accounts with providers: account_routes.cpp
  accounts,
  accounts_in_full,
  account_of,
  account_quota,
  enable_account,
  disable_account,
  delete_account,
  test_account,
  map_accounts,
  account_offers,
  begin_login,
  login_now,
  submit_login,
  submit_any_login,
  cancel_login,
};
inline bool is_about_accounts(topic about) { return about >= topic::accounts && about <= topic::cancel_login; }
inline bool is_about_access(topic about) { return about >= topic::session && about <= topic::drop_totp_of; }
inline bool is_about_oneself(topic about) { return about >= topic::my_keys && about <= topic::my_records; }
inline bool is_about_original(topic about) {
  return about >= topic::original_usage && about <= topic::original_submit_callback;
}
inline bool is_about_notices(topic about) { return about >= topic::notices && about <= topic::set_my_notices; }
inline bool is_about_jobs(topic about) { return about >= topic::jobs && about <= topic::settings; }

/// Who may ask.
struct access {
  enum kind : std::uint8_t {
    open,      ///< whoever reaches the address
    inside,    ///< from `gateway.inside`, or who may read the settings; for others it is not there
    session,   ///< who has a session, also while the second factor is missing
    listening, ///< who may listen to something: see person_of
    with_right ///< who has the right; of one's own things also only who is somebody
  };
  constexpr access(kind which) : how(which) {}
  constexpr access(right needed) : how(with_right), what(needed) {}
  kind how;
  right what = right::own_account; ///< for `with_right`
};

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
  bool takes_gzip = false;   ///< by its Accept-Encoding
};

/// Whether an Accept-Encoding names gzip and does not refuse it.
bool takes_gzip(std::string_view accepted);

/// Looks a request up in the table. Refusals are answers already: 404, 405 with Allow, 401, 403, 400. HEAD is taken where
/// GET is.
std::variant<question, http_response> understand(const http_request& request, const visitor& by);

/// How large a body a request may have: what its route allows, or little where it will be refused anyway; then it is told
/// so rather than that its body is too large.
body_rule rule_for_body(const http_request& head, const visitor& by);

} // namespace keyportal::gateway
