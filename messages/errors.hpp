// THE LIST of everything that can go wrong, a sentence each. Nothing else in Key Portal makes error codes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <caf/error.hpp>
#include <caf/expected.hpp>

namespace keyportal {

/// Numbers are kept: they are shown to people and logged. New ones go at the end of their block.
enum class errc : std::uint8_t {
  none = 0,
  // configuration
  config_unreadable = 1,
  config_invalid = 2,
  // a CPA node
  node_unreachable = 20,
  node_timeout = 21,
  node_wrong_key = 22,
  node_banned = 23,
  node_forbidden = 24,
  node_without_usage = 25,
  node_answer_too_large = 26,
  node_answer_truncated = 27,
  node_answer_malformed = 28,
  node_failed = 29,
  node_unknown = 30,
  node_import_refused = 31,
  node_without_resp = 32,
  node_without_subscribe = 33,
  record_malformed = 34,
  // storage
  storage_failed = 50,
  storage_full = 51,
  storage_corrupt = 52,
  storage_newer = 53,
  storage_in_use = 54,
  seal_broken = 55,
  seal_key_unusable = 56,
  storage_stuck = 57,
  backup_off = 58,
  backup_unknown = 59,
  backup_broken = 60,
  backup_key_unusable = 61,
  backup_in_use = 62,
  folder_not_empty = 63,
  // NATS
  nats_unavailable = 70,
  nats_refused = 71,
  nats_server_missing = 72,
  // snapshots and files
  snapshot_unknown = 90,
  snapshot_corrupt = 91,
  file_malformed = 92,
  file_version = 93,
  file_unreadable = 94,
  dead_letter_unknown = 95,
  record_too_old = 96,
  // requests to us
  not_found = 110,
  method_not_allowed = 111,
  bad_request = 112,
  body_too_large = 113,
  not_authorised = 114,
  wrong_host = 115,
  wrong_origin = 116,
  too_many_requests = 117,
  export_gone = 118,
  not_offered = 119,
  // people and keys
  user_unknown = 150,
  user_exists = 151,
  user_wrong_state = 152,
  key_unknown = 153,
  key_mistyped = 154,
  key_exists = 155,
  key_wrong_state = 156,
  key_refused = 157,
  pool_empty = 158,
  key_limit_reached = 159,
  renewal_refused = 160,
  rotation_running = 161,
  policy_unknown = 162,
  policy_in_use = 163,
  name_refused = 164,
  command_differs = 165,
  registry_conflict = 166,
  audit_broken = 167,
  node_open = 168,
  config_unknown = 169,
  config_unsafe = 170,
  renewal_not_asked = 171,
  reprice_running = 172,
  // signing in and what one may
  sign_in_needed = 180,
  sign_in_refused = 181,
  session_ended = 182,
  second_factor_needed = 183,
  code_wrong = 184,
  code_over = 185,
  token_refused = 186,
  token_mistyped = 187,
  right_missing = 188,
  csrf_missing = 189,
  slow_down = 190,
  sign_in_busy = 191,
  account_waits = 192,
  account_suspended = 193,
  password_length = 194,
  password_common = 195,
  password_personal = 196,
  registration_closed = 197,
  registration_domain = 198,
  invitation_refused = 199,
  reason_needed = 200,
  last_admin = 201,
  confirmation_needed = 202,
  scope_refused = 203,
  hash_unreadable = 204,
  identity_taken = 205,
  last_way_in = 206,
  mail_off = 207,
  // ourselves
  shutting_down = 130,
  timed_out = 131,
  internal = 132,
  service_unreachable = 133,
  port_in_use = 134,
  certificate_unusable = 135,
  // sign-in at other places
  provider_unknown = 220,
  provider_unreachable = 221,
  provider_answer_wrong = 222,
  provider_failed = 223,
  provider_refuses_us = 224,
  provider_issuer_wrong = 225,
  provider_key_unknown = 226,
  id_token_refused = 227,
  sign_in_expired = 228,
  sign_in_declined = 229,
  sign_in_code_refused = 230,
  identity_not_allowed = 231,
  return_to_refused = 232,
  // accounts with providers
  account_unknown = 240,
  account_login_unknown = 241,
  account_login_over = 242,
  callback_unreadable = 243,
  callback_incomplete = 244,
  callback_foreign = 245,
  callback_other_provider = 246,
  callback_used = 247,
  account_login_declined = 248,
  account_login_failed = 249,
  account_provider_unknown = 250,
  account_login_busy = 251,
  account_not_seen = 252,
  // several processes
  cluster_no_quorum = 210,
  cluster_elsewhere = 211,
  cluster_foreign = 212,
  cluster_secret_wrong = 213,
  cluster_alone = 214,
  cluster_off = 215,
  cluster_trimmed = 216,
  account_too_old = 253,
  quota_unknown = 254,
  contributions_closed = 255,
};

struct error_row {
  errc code;
  std::string_view name;     ///< stable, for programs: the `code` of problem+json
  std::string_view sentence; ///< what happened and what to do next
  int http_status;
  bool retryable; ///< the same call may succeed later without anybody mending anything
};

/// The row of a code; the row of `internal` for a code that has none.
const error_row& row_of(errc code);
/// All rows, for documentation and tests.
const error_row* error_rows_begin();
const error_row* error_rows_end();

/// An error with what it is about, e.g. the node's name and the cause. `about` must hold no secret.
caf::error make_error(errc code);
caf::error make_error(errc code, std::string about);

/// The code of any error; errors of CAF itself become `timed_out` or `internal`.
errc code_of(const caf::error& error);
/// What the error is about; empty if nothing was said.
std::string about_of(const caf::error& error);
/// "about: sentence", for logs and people.
std::string render(const caf::error& error);

} // namespace keyportal
