#include "messages/errors.hpp"

#include <iterator>

#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace keyportal {

namespace {

constexpr bool again = true;
constexpr bool final_ = false;

// A table: a row a line.
// clang-format off
constexpr error_row rows[] = {
  {errc::none, "none", "nothing is wrong", 200, final_},

  {errc::config_unreadable, "config_unreadable", "the configuration file cannot be read; check its path and permissions", 500, final_},
  {errc::config_invalid, "config_invalid", "the configuration is not valid; `keyportal config check` lists every error", 500, final_},

  {errc::node_unreachable, "node_unreachable", "the node does not answer; check that CLIProxyAPI runs and that the url is right", 502, again},
  {errc::node_timeout, "node_timeout", "the node took too long to answer; it is retried", 504, again},
  {errc::node_wrong_key, "node_wrong_key", "the node refuses the management key; set the right management_key and restart Key Portal (no further try is made, so that the node does not ban us)", 502, final_},
  {errc::node_banned, "node_banned", "the node has banned this address for too many wrong management keys; it is tried again when the ban is over", 502, again},
  {errc::node_forbidden, "node_forbidden", "the node allows no management from here; set remote-management.allow-remote and secret-key in CLIProxyAPI's config.yaml", 502, again},
  {errc::node_without_usage, "node_without_usage", "the node has neither /usage nor a usage queue, or its management is switched off; CLIProxyAPI 6.6.56 or newer is needed", 502, again},
  {errc::node_answer_too_large, "node_answer_too_large", "the node's answer is larger than allowed; raise poll.max_answer_bytes if it is meant to be", 502, again},
  {errc::node_answer_truncated, "node_answer_truncated", "the node's answer ended early; it is fetched again", 502, again},
  {errc::node_answer_malformed, "node_answer_malformed", "the node's answer is not what CLIProxyAPI sends; check what stands between (a proxy, another program)", 502, again},
  {errc::node_failed, "node_failed", "the node answered with an error; it is tried again", 502, again},
  {errc::node_unknown, "node_unknown", "there is no node of that name; `keyportal status` lists them", 404, final_},
  {errc::node_import_refused, "node_import_refused", "the node refused the import; nothing of this piece was taken", 502, again},
  {errc::node_without_resp, "node_without_resp", "the node's port does not speak the usage queue's protocol (CLIProxyAPI 7.1.17, one older than 6.9.38, or a proxy in between); usage is fetched over HTTP instead", 502, again},
  {errc::node_without_subscribe, "node_without_subscribe", "the node has no such subscription (CLIProxyAPI before 7.0.7; for errors before 7.1.44); the queue is popped instead", 502, again},
  {errc::record_malformed, "record_malformed", "a usage record of the node is not understood; it is kept as a dead letter and can be replayed after an update", 502, final_},

  {errc::storage_failed, "storage_failed", "the data folder cannot be read or written; nothing was acknowledged, see the log", 503, again},
  {errc::storage_full, "storage_full", "the disk of the data folder is full; make room, collecting goes on by itself", 507, again},
  {errc::storage_corrupt, "storage_corrupt", "the data folder is damaged; restore a backup or see the runbook before starting again", 500, final_},
  {errc::storage_newer, "storage_newer", "the data folder was written by a newer Key Portal; start that version or a newer one", 500, final_},
  {errc::storage_in_use, "storage_in_use", "another process uses this data folder; stop it or set another data_dir", 500, final_},
  {errc::seal_broken, "seal_broken", "sealed data does not open with this key; it was changed or the key file is another one", 500, final_},
  {errc::seal_key_unusable, "seal_key_unusable", "the key file cannot be used; it must be yours, mode 0600 and unchanged since it was made", 500, final_},
  {errc::storage_stuck, "storage_stuck", "the database does not come back although its disk can be written; Key Portal ends and opens it anew when it is started again", 503, final_},

  {errc::backup_off, "backup_off", "no backups are configured; set backup.folder and backup.key_file or backup.passphrase_file", 409, final_},
  {errc::backup_unknown, "backup_unknown", "there is no such backup; `keyportal backup list` shows all", 404, final_},
  {errc::backup_broken, "backup_broken", "the backup is damaged and is not used; `keyportal backup create --full` makes one that rests on no older file", 500, final_},
  {errc::backup_key_unusable, "backup_key_unusable", "this is not the key or passphrase of the backups in that folder, or its file cannot be used", 500, final_},
  {errc::backup_in_use, "backup_in_use", "another backup, restore or verification is under way in this folder; try again when it is over", 409, again},
  {errc::folder_not_empty, "folder_not_empty", "there is a ledger already, so nothing is restored over it; give another data folder, or --replace to set the old one aside", 409, final_},

  {errc::nats_unavailable, "nats_unavailable", "NATS does not answer; events wait in the outbox and are sent when it is back", 503, again},
  {errc::nats_refused, "nats_refused", "NATS refused the connection or the stream; check user, password and permissions", 502, again},
  {errc::nats_server_missing, "nats_server_missing", "the program nats-server is not installed; install Debian's package nats-server or set nats.url", 500, final_},

  {errc::snapshot_unknown, "snapshot_unknown", "there is no snapshot of that number; `keyportal snapshot list` lists them", 404, final_},
  {errc::snapshot_corrupt, "snapshot_corrupt", "the snapshot fails its checksum and is not used; take another one", 500, final_},
  {errc::file_malformed, "file_malformed", "the file is not of the kind that is taken here; nothing of it was taken", 400, final_},
  {errc::file_version, "file_version", "the file is of a version other than 1; nothing of it was taken", 400, final_},
  {errc::file_unreadable, "file_unreadable", "the file cannot be read or written; check its path and permissions", 500, final_},
  {errc::dead_letter_unknown, "dead_letter_unknown", "there is no dead letter of that number; `keyportal deadletters list` lists them", 404, final_},
  {errc::record_too_old, "record_too_old", "the record is of a day whose raw records are gone, so nobody can tell whether it was counted; if the node's clock was wrong, set it right", 409, final_},

  {errc::not_found, "not_found", "there is nothing at this address", 404, final_},
  {errc::method_not_allowed, "method_not_allowed", "this address does not take that method", 405, final_},
  {errc::bad_request, "bad_request", "the request is not understood", 400, final_},
  {errc::body_too_large, "body_too_large", "the request is larger than allowed", 413, final_},
  {errc::not_authorised, "not_authorised", "this needs the control token, which is in the file control.token of the data folder", 401, final_},
  {errc::wrong_host, "wrong_host", "the Host header names no host of this service; add it to gateway.hosts", 421, final_},
  {errc::wrong_origin, "wrong_origin", "requests from that origin are not taken", 403, final_},
  {errc::too_many_requests, "too_many_requests", "too much at once; try again in a moment", 429, again},
  {errc::export_gone, "export_gone", "this export is not held any more: it was ended, left alone for ten minutes, or the service was started anew; begin it anew", 410, final_},
  {errc::not_offered, "not_offered", "the original portal answered this, Key Portal does not; the detail says what takes its place", 410, final_},

  {errc::user_unknown, "user_unknown", "there is no such person; `keyportal users list` shows all", 404, final_},
  {errc::user_exists, "user_exists", "somebody else has this e-mail address already", 409, final_},
  {errc::user_wrong_state, "user_wrong_state", "the person is not in the state for this; see `keyportal users show`", 409, final_},
  {errc::key_unknown, "key_unknown", "there is no such key; `keyportal keys list` shows all", 404, final_},
  {errc::key_mistyped, "key_mistyped", "this is no key of ours: its check digits are wrong; copy it again as a whole", 404, final_},
  {errc::key_exists, "key_exists", "the registry has this key already", 409, final_},
  {errc::key_wrong_state, "key_wrong_state", "the key is not in the state for this; see `keyportal keys show`", 409, final_},
  {errc::key_refused, "key_refused", "this cannot be a key: use 8 to 512 printable characters without blanks, none of CLIProxyAPI's examples", 422, final_},
  {errc::pool_empty, "pool_empty", "no key is left in the pool; `keyportal pool fill` makes more", 503, again},
  {errc::key_limit_reached, "key_limit_reached", "the person has as many keys as the policy allows; revoke one or change the policy", 409, final_},
  {errc::renewal_refused, "renewal_refused", "the policy does not allow the owner this renewal; ask an admin", 403, final_},
  {errc::rotation_running, "rotation_running", "an earlier rotation of this key is still in its time of grace; wait until the old key has ended", 409, final_},
  {errc::policy_unknown, "policy_unknown", "there is no such policy; `keyportal policies list` shows all", 404, final_},
  {errc::policy_in_use, "policy_in_use", "the default policy cannot be dropped; change it instead", 409, final_},
  {errc::name_refused, "name_refused", "a name, label, e-mail address or group is too long, empty, or has characters that do not belong there", 422, final_},
  {errc::command_differs, "command_differs", "another command was given under this idempotency key; use a new one", 409, final_},
  {errc::registry_conflict, "registry_conflict", "somebody else changed the registry at the same moment; try again", 409, again},
  {errc::audit_broken, "audit_broken", "the chain of the audit log is broken: an entry was changed or is missing; see the runbook", 500, final_},
  {errc::node_open, "node_open", "the node lets in anybody, without a key; take it off the network and see the runbook", 500, final_},
  {errc::config_unknown, "config_unknown", "there is no kept config of that number; `keyportal node config list` shows all", 404, final_},
  {errc::config_unsafe, "config_unsafe", "this config.yaml would lock us out of the node or open it to everybody; it is not written", 422, final_},
  {errc::reprice_running, "reprice_running", "costs are being worked out anew already; `keyportal prices reprice --show` says how far", 409, again},
  {errc::renewal_not_asked, "renewal_not_asked", "nobody has asked to renew this key, or it was decided already; see `keyportal keys renewals list`", 409, final_},

  {errc::sign_in_needed, "sign_in_needed", "this needs a sign-in; sign in and try again", 401, final_},
  {errc::sign_in_refused, "sign_in_refused", "the e-mail address, the password or the code is wrong", 401, final_},
  {errc::session_ended, "session_ended", "this session has ended; sign in again", 401, final_},
  {errc::second_factor_needed, "second_factor_needed", "the second factor is still missing; give the code of the authenticator or a recovery code", 401, final_},
  {errc::code_wrong, "code_wrong", "the code is wrong or was used before; wait for the next one or copy it again", 401, final_},
  {errc::code_over, "code_over", "this code is over: it was used, is too old, or was mistaken too often; ask for a new one", 410, final_},
  {errc::token_refused, "token_refused", "this token is unknown, was used or revoked, or has ended; make a new one", 401, final_},
  {errc::token_mistyped, "token_mistyped", "this is no token of ours: its check digits are wrong; copy it again as a whole", 401, final_},
  {errc::right_missing, "right_missing", "your role, or the scopes of this token, do not allow this; ask an admin", 403, final_},
  {errc::csrf_missing, "csrf_missing", "the request lacks the session's CSRF token; load the page again", 403, final_},
  {errc::slow_down, "slow_down", "too many tries went wrong; wait as long as Retry-After says, or sign in from where you did before", 429, again},
  {errc::sign_in_busy, "sign_in_busy", "too many people sign in at this moment; try again in a second", 503, again},
  {errc::account_waits, "account_waits", "this account waits for an admin's approval; you are told when it is decided", 403, final_},
  {errc::account_suspended, "account_suspended", "this account is suspended; ask an admin", 403, final_},
  {errc::password_length, "password_length", "a password has at least 8 characters and at most 1024 bytes of UTF-8", 422, final_},
  {errc::password_common, "password_common", "this password is one of the most common ones and guessed first; choose another", 422, final_},
  {errc::password_personal, "password_personal", "the password is your name or address, or this service's name; choose another", 422, final_},
  {errc::registration_closed, "registration_closed", "nobody can register here; ask an admin for an account", 403, final_},
  {errc::registration_domain, "registration_domain", "people with this e-mail domain cannot register here; use another address or ask an admin", 403, final_},
  {errc::invitation_refused, "invitation_refused", "this needs an invitation that is for this address, unused and not too old; ask an admin for one", 403, final_},
  {errc::reason_needed, "reason_needed", "say in a sentence what you need the account for; an admin reads it", 422, final_},
  {errc::last_admin, "last_admin", "this is the last active admin; make somebody else an admin first", 409, final_},
  {errc::confirmation_needed, "confirmation_needed", "you would take away your own rights; do it again with the confirmation", 409, final_},
  {errc::scope_refused, "scope_refused", "a token needs at least one scope, only such as its owner's role has, and an end within a year", 422, final_},
  {errc::hash_unreadable, "hash_unreadable", "the stored password is not one of ours; set a new password", 500, final_},
  {errc::identity_taken, "identity_taken", "this identity is somebody else's way in here; that person has to take it off first", 409, final_},
  {errc::last_way_in, "last_way_in", "this is the only way in that is left; add a password or another identity first", 409, final_},
  {errc::mail_off, "mail_off", "no mail is configured, so nobody can be sent a code; ask an admin for one", 403, final_},

  {errc::shutting_down, "shutting_down", "Key Portal is stopping; try again when it is back", 503, again},
  {errc::timed_out, "timed_out", "no answer in time; try again", 504, again},
  {errc::internal, "internal", "something went wrong inside Key Portal; the log says what", 500, final_},
  {errc::service_unreachable, "service_unreachable", "Key Portal does not answer; is `keyportal serve` running, and with the same data_dir?", 503, again},
  {errc::port_in_use, "port_in_use", "the address is in use or not ours; choose another gateway.listen", 500, final_},
  {errc::certificate_unusable, "certificate_unusable", "the certificate or its key cannot be used; give PEM files that belong together, the key readable by nobody else (mode 0600)", 500, final_},

  {errc::provider_unknown, "provider_unknown", "there is no such place to sign in at; those that there are stand in [[sign_in.provider]]", 404, final_},
  {errc::provider_unreachable, "provider_unreachable", "the place to sign in at does not answer; try again in a moment or sign in another way", 502, again},
  {errc::provider_answer_wrong, "provider_answer_wrong", "the place to sign in at answered with something that is not understood; check its issuer or addresses and what stands between", 502, again},
  {errc::provider_failed, "provider_failed", "the place to sign in at says that it failed; try again in a moment", 502, again},
  {errc::provider_refuses_us, "provider_refuses_us", "the place to sign in at refuses Key Portal itself; an admin must compare client id, secret, redirect address and scopes on both sides", 502, final_},
  {errc::provider_issuer_wrong, "provider_issuer_wrong", "what came back names another issuer than the one that is configured, so it is not taken; an admin must check the issuer to the letter", 502, final_},
  {errc::provider_key_unknown, "provider_key_unknown", "the identity is signed with a key that the place to sign in at does not publish; try again in a minute", 502, again},
  {errc::id_token_refused, "id_token_refused", "the proof of identity is not in order, so it is not taken; begin signing in anew", 403, final_},
  {errc::sign_in_expired, "sign_in_expired", "this sign-in was finished already, took longer than ten minutes, or was begun in another browser; begin anew", 400, final_},
  {errc::sign_in_declined, "sign_in_declined", "the sign-in was declined at the other place; begin anew or sign in another way", 403, final_},
  {errc::sign_in_code_refused, "sign_in_code_refused", "the other place does not take its own code any more; begin signing in anew", 400, final_},
  {errc::identity_not_allowed, "identity_not_allowed", "people of that organisation or e-mail domain may not sign in here; ask an admin", 403, final_},
  {errc::return_to_refused, "return_to_refused", "after signing in one can only go on to a page of Key Portal", 400, final_},

  {errc::account_unknown, "account_unknown", "there is no such account; `keyportal account list` shows all", 404, final_},
  {errc::account_login_unknown, "account_login_unknown", "there is no such login of yours under way; begin a new one", 404, final_},
  {errc::account_login_over, "account_login_over", "the time for this login is over; begin a new one and hand the address in within five minutes", 410, final_},
  {errc::callback_unreadable, "callback_unreadable", "this is not the address at which the browser ended; copy the whole line out of its address bar, from http to the end", 400, final_},
  {errc::callback_incomplete, "callback_incomplete", "a part of the address is missing; copy the whole line out of the browser's address bar, to its very end", 400, final_},
  {errc::callback_foreign, "callback_foreign", "this address belongs to another login; hand in the one of the login that was begun last, or begin a new one", 409, final_},
  {errc::callback_other_provider, "callback_other_provider", "this address is of another provider than the login that was begun; begin a login with that provider, or hand in the right address", 400, final_},
  {errc::callback_used, "callback_used", "this address was handed in already; wait for what comes of it, or begin a new login", 409, final_},
  {errc::account_login_declined, "account_login_declined", "the provider says that the login was refused or cancelled; begin a new one and agree there", 409, final_},
  {errc::account_login_failed, "account_login_failed", "the node could not finish the login; begin a new one, and tell an admin if it happens again", 502, final_},
  {errc::account_provider_unknown, "account_provider_unknown", "no node offers a login with this provider; the list of providers says which there are", 404, final_},
  {errc::account_login_busy, "account_login_busy", "somebody else is signing in with this provider at this node; try again in a few minutes", 409, again},
  {errc::account_not_seen, "account_not_seen", "the node says that the login worked, but shows no account of it; begin a new one, and tell an admin if it happens again", 502, final_},

  {errc::cluster_no_quorum, "cluster_no_quorum", "most NATS servers of the cluster are away or cut off, so nothing can be changed now, and what was asked may or may not happen later; reading goes on; try the same again in a moment", 503, again},
  {errc::cluster_elsewhere, "cluster_elsewhere", "the process of the cluster that sees to this does not answer; try again in a few seconds", 503, again},
  {errc::cluster_foreign, "cluster_foreign", "this data folder has a history of its own that is not the cluster's; start with an empty data_dir, or see docs/scale.md for how to bring it in", 500, final_},
  {errc::cluster_secret_wrong, "cluster_secret_wrong", "cluster.secret is not the one with which the cluster was made; give every process the same", 500, final_},
  {errc::cluster_alone, "cluster_alone", "this can only be done by a process that is in no cluster; docs/scale.md says how to go back to one", 409, final_},
  {errc::cluster_off, "cluster_off", "this process is in no cluster; cluster.enabled = true with a name, a secret and nats.url makes it join one", 404, final_},
  {errc::cluster_trimmed, "cluster_trimmed", "the cluster's stream does not reach back to where this process was, and no other process has given a checkpoint; see docs/scale.md", 500, again},
  {errc::account_too_old, "account_too_old", "this node's CLIProxyAPI is too old for that; update it, or do it at the node itself", 409, final_},
  {errc::quota_unknown, "quota_unknown", "the provider told nothing of this account's quota that is understood; it is asked again by itself", 502, again},
  {errc::contributions_closed, "contributions_closed", "accounts are contributed by admins only here; ask one of them (accounts.contribute)", 403, final_},
};
// clang-format on

const caf::atom_value category = caf::atom("keyportal");

} // namespace

const error_row* error_rows_begin() { return std::begin(rows); }
const error_row* error_rows_end() { return std::end(rows); }

const error_row& row_of(errc code) {
  const error_row* fallback = nullptr;
  for (const auto& row : rows) {
    if (row.code == code)
      return row;
    if (row.code == errc::internal)
      fallback = &row;
  }
  return *fallback;
}

caf::error make_error(errc code) { return caf::error{static_cast<std::uint8_t>(code), category}; }

caf::error make_error(errc code, std::string about) {
  return caf::error{static_cast<std::uint8_t>(code), category, caf::make_message(std::move(about))};
}

errc code_of(const caf::error& error) {
  if (!error)
    return errc::none;
  if (error.category() == category)
    return static_cast<errc>(error.code());
  if (error == caf::sec::request_timeout)
    return errc::timed_out;
  if (error == caf::sec::request_receiver_down || error.category() == caf::atom("exit"))
    return errc::shutting_down;
  return errc::internal;
}

std::string about_of(const caf::error& error) {
  if (error && error.category() == category && error.context().match_elements<std::string>())
    return error.context().get_as<std::string>(0);
  return {};
}

std::string render(const caf::error& error) {
  auto text = about_of(error);
  if (!text.empty())
    text += ": ";
  return text.append(row_of(code_of(error)).sentence);
}

} // namespace keyportal
