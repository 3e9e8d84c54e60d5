// What is asked about getting in, read out of JSON bodies. Pure. Every refusal names the field; none repeats what was in
// it. Texts are bounded here, so that no hash is ever made of a megabyte.
#pragma once

#include <string>
#include <string_view>
#include <variant>

#include <caf/expected.hpp>

#include "messages/access.hpp"

namespace keyportal::gateway {

/// All of these give `bad_request` for what is no JSON object, a field that is missing, unknown, of another type or too
/// long. What the path or the session says of the question is filled in by the caller.
caf::expected<std::variant<sign_in_with_password, sign_in_with_key>> read_sign_in(std::string_view body);
caf::expected<confirm_second_factor> read_second_factor(std::string_view body);
struct registration_form {
  register_person what; ///< without `external`
  bool external = false;
};
caf::expected<registration_form> read_registration(std::string_view body);
caf::expected<change_password> read_password_change(std::string_view body);
caf::expected<ask_new_password> read_password_wish(std::string_view body);
caf::expected<set_new_password> read_new_password(std::string_view body);
caf::expected<drop_identity> read_identity(std::string_view body);
/// {"password"}: asked for again before a factor changes.
caf::expected<secret> read_password_again(std::string_view body);
caf::expected<finish_totp> read_totp_code(std::string_view body);
/// `scope_refused` for scopes that there are not.
caf::expected<make_token> read_token_wish(std::string_view body);
caf::expected<make_invitation_for> read_invitation(std::string_view body);
/// {"label"}
caf::expected<std::string> read_label(std::string_view body);

/// Where the page may be sent after a sign-in: a path of ours, "/" for everything else. No other host can be meant by it.
std::string safe_return(std::string_view given);

} // namespace keyportal::gateway
