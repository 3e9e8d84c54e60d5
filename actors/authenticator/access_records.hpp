// What is in the credentials that the registry keeps for the authenticator: one JSON object each, sealed for its id. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/access/api_token.hpp"
#include "actors/access/one_time.hpp"
#include "actors/access/session_book.hpp"
#include "messages/registry.hpp"

namespace keyportal {

/// Seals texts for an id, and opens them: what was sealed for one id does not open for another.
struct record_seal {
  std::function<caf::expected<std::string>(std::string_view text, const std::string& id)> seal;
  std::function<caf::expected<secret>(std::string_view sealed, const std::string& id)> open;
};

struct password_record {
  std::string phc;
  moment set_at{};
  bool operator==(const password_record&) const = default;
};
struct totp_record {
  std::string key; ///< 20 bytes; empty: it cannot be read any more, so no code is right
  std::int64_t last_step = -1;
  moment set_at{};
  bool operator==(const totp_record&) const = default;
};
struct recovery_record {
  std::vector<digest> left;
  bool operator==(const recovery_record&) const = default;
};
/// Somebody as a place to sign in at knows him. `issuer` and `subject` say who it is; the others are for people.
struct identity_record {
  std::string provider, issuer, subject, shown;
  moment linked_at{};
  bool operator==(const identity_record&) const = default;
};
struct invitation_record {
  invitation what;
  moment made_at{};
  bool operator==(const invitation_record&) const = default;
};

/// What a record's id begins with.
namespace record_kind {
inline constexpr std::string_view password = "password", totp = "totp", recovery = "recovery", identity = "identity",
                                  token = "token", session = "session", invitation = "invitation", code = "code";
}
/// "session/mzxw6…"
std::string access_id(std::string_view kind, std::string_view rest);
std::string access_id(std::string_view kind, const digest& hash);
/// The part before the first '/'.
std::string_view kind_of_record(std::string_view id);
/// Of ids made with a hash; nothing for others.
std::optional<digest> hash_of_record(std::string_view id);

std::string write_record(const password_record& what);
std::string write_record(const totp_record& what);
std::string write_record(const recovery_record& what);
std::string write_record(const identity_record& what);
std::string write_record(const invitation_record& what);
std::string write_record(const mailed_code& what);
std::string write_record(const api_token& what);
std::string write_record(const session& what);

/// False for whatever `write_record` does not write: no version of ours, a field missing, of another type or out of range.
bool read_record(std::string_view text, password_record& out);
bool read_record(std::string_view text, totp_record& out);
bool read_record(std::string_view text, recovery_record& out);
bool read_record(std::string_view text, identity_record& out);
bool read_record(std::string_view text, invitation_record& out);
bool read_record(std::string_view text, mailed_code& out);
bool read_record(std::string_view text, api_token& out);
bool read_record(std::string_view text, session& out);

} // namespace keyportal
