// What is told of signing in and of rights: OWASP's vocabulary of security events, a row each. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "messages/timestamp.hpp"

namespace keyportal {

enum class access_event : std::uint8_t {
  sign_in_right,
  sign_in_wrong,
  sign_in_slowed, ///< a series of wrong tries set off a wait
  password_changed,
  password_change_failed,
  factor_added,
  factor_removed,
  token_created,
  token_revoked,
  token_reused, ///< a code or token that is over was given again
  right_missing,
  right_changed, ///< a role
  admin_acted,
  rate_exceeded,
  session_created,
  session_renewed,
  session_expired,
  session_ended,
  session_reused, ///< an id that has ended was given again
  user_created,
  user_updated,
  user_archived,
  user_deleted,
  csrf_refused,
  registration_refused,
  service_started,
  service_stopped,
  service_crashed
};
inline constexpr std::size_t access_event_count = 28;

enum class event_level : std::uint8_t { info, warning, critical };
struct access_event_row {
  access_event event;
  std::string_view name; ///< as OWASP names it: authn_login_success
  event_level level;
};
const access_event_row& row_of(access_event event);

/// One event. None of the texts may be a secret; any of them may come from a stranger.
struct access_note {
  access_event what = access_event::sign_in_wrong;
  moment at{};
  std::string_view actor;      ///< user id or key id; empty: nobody known
  std::string_view address;    ///< of the client
  std::string_view request_id; ///< empty: of no request
  std::string_view result;     ///< "done", or the name of an error
  std::string_view about;      ///< user id, token id, route
};

/// One line: `2026-01-02T03:04:05.678Z warning authn_login_fail actor=u… ip=… request=… result=… about=…`. What is
/// empty is "-". Whatever would end a line, split a field or act on a terminal is written as \xNN, and a text longer than
/// 200 bytes is cut: nobody can forge an entry.
std::string line_of(const access_note& note);

} // namespace keyportal
