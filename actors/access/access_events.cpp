#include "actors/access/access_events.hpp"

#include <array>

#include <fmt/format.h>

namespace keyportal {

namespace {

using enum event_level;

// clang-format off
constexpr std::array<access_event_row, access_event_count> rows{{
  {access_event::sign_in_right,          "authn_login_success",         info},
  {access_event::sign_in_wrong,          "authn_login_fail",            warning},
  {access_event::sign_in_slowed,         "authn_login_lock",            warning},
  {access_event::password_changed,       "authn_password_change",       info},
  {access_event::password_change_failed, "authn_password_change_fail",  critical},
  {access_event::factor_added,           "authn_factor_added",          info},
  {access_event::factor_removed,         "authn_factor_removed",        warning},
  {access_event::token_created,          "authn_token_created",         info},
  {access_event::token_revoked,          "authn_token_revoked",         info},
  {access_event::token_reused,           "authn_token_reuse",           critical},
  {access_event::right_missing,          "authz_fail",                  critical},
  {access_event::right_changed,          "authz_change",                warning},
  {access_event::admin_acted,            "authz_admin",                 warning},
  {access_event::rate_exceeded,          "excess_rate_limit_exceeded",  warning},
  {access_event::session_created,        "session_created",             info},
  {access_event::session_renewed,        "session_renewed",             info},
  {access_event::session_expired,        "session_expired",             info},
  {access_event::session_ended,          "session_ended",               info},
  {access_event::session_reused,         "session_use_after_expire",    critical},
  {access_event::user_created,           "user_created",                warning},
  {access_event::user_updated,           "user_updated",                warning},
  {access_event::user_archived,          "user_archived",               warning},
  {access_event::user_deleted,           "user_deleted",                warning},
  {access_event::csrf_refused,           "malicious_csrf",              critical},
  {access_event::registration_refused,   "registration_refused",        warning},
  {access_event::service_started,        "sys_startup",                 warning},
  {access_event::service_stopped,        "sys_shutdown",                warning},
  {access_event::service_crashed,        "sys_crash",                   critical},
}};
// clang-format on

constexpr std::array<std::string_view, 3> levels{"info", "warning", "critical"};

void append(std::string& out, std::string_view name, std::string_view text) {
  out.append(1, ' ').append(name).append(1, '=');
  if (text.empty())
    out += '-';
  for (const char c : text.substr(0, 200)) {
    const auto byte = static_cast<unsigned char>(c);
    // Other scripts are shown as bytes: marks that turn the direction of writing hide among them.
    if (byte <= 0x20 || byte >= 0x7f || c == '=' || c == '\\' || c == '"')
      out += fmt::format("\\x{:02x}", byte);
    else
      out += c;
  }
}

} // namespace

const access_event_row& row_of(access_event event) { return rows.at(static_cast<std::size_t>(event)); }

std::string line_of(const access_note& note) {
  const auto& row = row_of(note.what);
  auto out = fmt::format("{} {} {}", to_rfc3339_ms(note.at), levels[static_cast<std::size_t>(row.level)], row.name);
  append(out, "actor", note.actor);
  append(out, "ip", note.address);
  append(out, "request", note.request_id);
  append(out, "result", note.result);
  append(out, "about", note.about);
  return out;
}

} // namespace keyportal
