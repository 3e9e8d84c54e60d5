// Who gets in: what the authenticator is asked, and who stands behind a request. What is in a credential is the
// authenticator's own affair; the registry keeps them (put_access), so that each change is in the audit's batch.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "actors/access/access_rules.hpp"
#include "actors/access/session_book.hpp"
#include "messages/actors.hpp"

namespace keyportal {

// --- who stands behind a request ------------------------------------------------------

enum class caller_kind : std::uint8_t {
  nobody,   ///< may what anonymous people may
  control,  ///< holds the data folder's control token: may everything
  session,  ///< signed in with a browser
  token,    ///< a script with an API token
  key_view, ///< signed in with a client key: sees its usage, nothing else
};

/// Plain value.
struct caller {
  caller_kind kind = caller_kind::nobody;
  std::string subject;         ///< user id; of a key view the key id; else empty
  right_set rights;            ///< none while the second factor is missing
  std::optional<session> held; ///< of sessions and key views
  std::string token;           ///< of a token: its name
};

/// Who it is, by what a request brings. Shared by the gateway's threads and the authenticator, which alone changes it:
/// what ends there is not found from then on. Any thread; a look takes a microsecond.
class caller_directory {
public:
  virtual ~caller_directory() = default;
  /// By the session cookie's text; nothing where there is no such session (any more). Counts as activity of the session.
  [[nodiscard]] virtual std::optional<caller> by_session(std::string_view text) = 0;
  /// By the text behind `Authorization: Bearer`. token_mistyped, token_refused (unknown, ended, its owner suspended).
  [[nodiscard]] virtual caf::expected<caller> by_token(std::string_view text) = 0;
  /// For CSRF: of a session, or of the random text of a cookie before there is one.
  [[nodiscard]] virtual std::string csrf_of(const session& s) const = 0;
  [[nodiscard]] virtual bool is_csrf_of(const session& s, std::string_view given) const = 0;
  [[nodiscard]] virtual std::string csrf_before(std::string_view bound_to) const = 0;
  [[nodiscard]] virtual bool is_csrf_before(std::string_view bound_to, std::string_view given) const = 0;
  /// Counts one request of a caller (or of an address, for nobody) towards its limit.
  struct rate {
    bool allowed = true;
    std::uint32_t limit = 0, left = 0;
    std::chrono::seconds reset{0}; ///< until all of it is there again; when refused: until the next one
  };
  [[nodiscard]] virtual rate take(const caller& who, std::string_view address) = 0;
  /// Calls `ended` with each session that ends, from whichever thread ends it; may not block. Sockets close by it.
  virtual void on_end(std::function<void(const session&)> ended) = 0;
  /// Likewise with whoever may from now on do more or less than before by a session or a token that goes on, or whose token
  /// ended.
  virtual void on_change(std::function<void(std::string_view subject)>) {}
};

// --- AUTHENTICATOR: signs people in and keeps what they get in by ------------------------

/// Where a question comes from, for throttling and the audit.
struct access_origin {
  std::string address;
  std::string agent;
  std::string request; ///< names the request in the log and in its answer; 16 hexadecimal digits, empty: of none
};

struct sign_in_with_password {
  std::string email;
  secret password;
};
/// The second step: `code` is of the authenticator app, or a recovery code.
struct confirm_second_factor {
  digest session{};
  std::string code;
};
/// A view of one client key's usage.
struct sign_in_with_key {
  secret key;
};
struct sign_out {
  digest session{};
};
struct list_sessions {
  std::string subject;
};
/// By name; of that subject only. `name` empty: all but `but`.
struct end_sessions {
  std::string subject;
  std::string name;
  std::optional<digest> but;
};
/// A person of his own accord; the mode of registration decides what comes of it.
struct register_person {
  std::string email, name;
  secret password;       ///< empty: only with `external`
  secret invitation;     ///< empty: none; or the first admin's token
  std::string reason;    ///< where an admin decides
  secret external;       ///< what finish_external gave for an identity that is nobody's yet; empty: none
  std::string code = {}; ///< that came to the address by mail, where it is to be proven; empty: none yet
};
struct change_password {
  digest session{}; ///< stays; all others of the person end
  std::string user;
  secret old, fresh;
};
/// A code for a new password: by mail to the person, or (`by_admin`) shown to the admin, who passes it on.
struct ask_new_password {
  std::string email;
  bool by_admin = false;
};
struct set_new_password {
  std::string email;
  std::string code;
  secret fresh;
};
/// Shows a key for the app; counts once `finish_totp` brought a code of it.
struct begin_totp {
  std::string user;
  secret password;
};
struct finish_totp {
  std::string user;
  std::string code;
};
/// By the person (with the password) or, `by_admin`, for somebody who lost it all.
struct drop_totp {
  std::string user;
  secret password;
  bool by_admin = false;
};
struct new_recovery_codes {
  std::string user;
  secret password;
};
/// What a person has: factors, identities.
struct read_account {
  std::string user;
};
struct drop_identity {
  std::string user;
  std::string provider, subject_name; ///< as listed
};
struct make_token {
  std::string user;
  std::string label;
  scope_set scopes;
  std::int64_t lifetime_s = 0; ///< 0: the longest there may be
};
struct list_tokens {
  std::string user; ///< empty: everybody's
};
struct end_token {
  std::string user; ///< empty: anybody's (an admin)
  std::string name;
};
struct make_invitation_for {
  std::string email; ///< empty: whoever has it
  std::uint32_t uses = 1;
  std::int64_t lifetime_s = 0; ///< 0: seven days
};
struct list_invitations {};
struct end_invitation {
  std::string name;
};
/// Where to send the browser; the cookie ties the attempt to it.
struct begin_external {
  std::string provider;
  std::string return_to;
  std::string link_to; ///< user id, to add the identity to; empty: to sign in
  secret cookie;
  std::string redirect_uri;
};
struct finish_external {
  std::string provider;
  std::vector<std::pair<std::string, std::string>> query;
  secret cookie;
  std::string redirect_uri;
};
struct list_providers {};
/// Answered when all that the registry's log says up to there is known, in sessions and rights, too.
struct catch_up {
  log_position position = 0;
};

using access_question =
  std::variant<sign_in_with_password, confirm_second_factor, sign_in_with_key, sign_out, list_sessions, end_sessions,
               register_person, change_password, ask_new_password, set_new_password, begin_totp, finish_totp, drop_totp,
               new_recovery_codes, read_account, drop_identity, make_token, list_tokens, end_token, make_invitation_for,
               list_invitations, end_invitation, begin_external, finish_external, list_providers, catch_up>;

struct access_command {
  access_origin from;
  std::string who; ///< for the audit: user id, "control", "" for nobody yet
  access_question what;
};

struct token_info {
  std::string name, user, label;
  scope_set scopes;
  moment made_at{};
  std::optional<moment> until, used_at;
};
struct invitation_info {
  std::string name, email;
  std::uint32_t uses_left = 0;
  moment made_at{}, until{};
};
struct identity_info {
  std::string provider, subject_name, shown;
  moment linked_at{};
};
struct account_info {
  bool has_password = false;
  bool has_totp = false;
  std::uint32_t recovery_codes = 0;
  std::vector<identity_info> identities;
};
struct provider_info {
  std::string name, title;
};
/// What came of it: what the question is about is set, nothing else.
struct access_done {
  // a session that begins: for the cookie, once
  secret session_text;
  std::optional<session> begun;
  bool waits_for_approval = false; ///< a registration
  bool code_sent = false;          ///< a registration: nothing is made yet, ask again with the code from the mail
  std::string user;                ///< whom it is about
  secret shown;                    ///< a token, an invitation, a code, a key for the app: once
  std::string uri;                 ///< otpauth://…, holds a secret; or where to send the browser
  std::string return_to;
  secret register_with;    ///< an identity that is nobody's: give it to register_person within ten minutes
  std::string email, name; ///< as that identity says, to begin with
  std::vector<secret> codes;
  std::vector<session> sessions;
  std::vector<token_info> tokens;
  std::vector<invitation_info> invitations;
  std::vector<provider_info> providers;
  std::optional<account_info> account;
  std::uint64_t count = 0; ///< of what ended
};

// clang-format off
using authenticator_actor = caf::typed_actor<
  // Errors: those of signing in (errc 180 to 239), of the registry, shutting_down. slow_down and too_many_requests have
  // as their detail in how many seconds to come again: digits only.
  caf::replies_to<access_command>::with<access_done>,
  // What the registry did: people suspended, roles changed. It reads the entries itself.
  caf::reacts_to<committed>,
  caf::replies_to<drain>::with<drained>>;
// clang-format on

} // namespace keyportal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::access_command)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::access_done)
