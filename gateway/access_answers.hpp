// What the authenticator said, as JSON. Pure. What is secret in it is shown once: none of these answers may be stored.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "gateway/callers.hpp"
#include "messages/http.hpp"

namespace keyportal {

/// name, kind, created_at, last_seen_at, until, address, agent
nlohmann::json to_json(const session& s);
/// name, user, label, scopes[], created_at, expires_at|null, used_at|null
nlohmann::json to_json(const token_info& t);
/// name, email, uses_left, created_at, expires_at
nlohmann::json to_json(const invitation_info& i);
/// provider, subject, shown, linked_at
nlohmann::json to_json(const identity_info& i);
/// has_password, has_totp, recovery_codes, identities[]
nlohmann::json to_json(const account_info& a);
/// name, title
nlohmann::json to_json(const provider_info& p);
/// As a list of words.
nlohmann::json rights_json(right_set rights);

} // namespace keyportal

namespace keyportal::gateway {

/// kind, user|null, key|null, rights[], second_factor_needed, until|null, csrf
http_response session_answer(const visitor& by, const user* person, const std::string& csrf);
/// user, second_factor_needed, waits_for_approval, code_sent, until|null, csrf|null: somebody signed in or registered. With the cookie
/// where a session has begun.
http_response entered_answer(const access_done& done, const std::string& csrf, cookie_rules cookies);
/// items[]; with `current` in that one of the sessions that asks
http_response sessions_answer(const std::vector<session>& all, const std::optional<session>& mine);
/// To another address; 303, so that it is read and never sent again.
http_response redirect(std::string to);
/// As in a query: what is no letter or digit as %XX.
std::string escaped(std::string_view text);

} // namespace keyportal::gateway
