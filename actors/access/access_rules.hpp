// Who may do what: roles, rights, scopes of tokens, and the changes to people that nobody may make. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "messages/errors.hpp"
#include "messages/registry.hpp"

namespace keyportal {

/// What a route asks for. Whatever has no right is for nobody: deny by default.
enum class right : std::uint8_t {
  own_account = 0, ///< one's password, second factor, sessions, identities
  own_tokens,      ///< make and end one's API tokens
  own_usage,       ///< usage of one's keys
  own_keys_read,
  own_keys_write, ///< take, renew, rotate, label and revoke one's keys
  read_usage,     ///< everybody's
  read_people,
  read_keys,
  read_policies,
  read_prices,
  read_nodes,
  read_settings,
  read_audit,
  write_people, ///< those that are no admins
  write_roles,  ///< roles, and everything about admins
  write_keys,   ///< everybody's, and the pool
  write_policies,
  write_prices,
  write_nodes, ///< snapshots, restores, a node's config
  write_settings,
  read_secrets,  ///< exports with client keys in clear, backups
  own_accounts,  ///< contribute accounts with providers, see how all of them are, without what is private
  read_accounts, ///< all of it: addresses, what providers answered
  write_accounts ///< switch them on and off, delete them, say whose they are
};
inline constexpr std::size_t right_count = 24;

/// A set of rights. Plain value.
class right_set {
public:
  constexpr right_set() = default;
  constexpr right_set(std::initializer_list<right> rights) {
    for (const auto one : rights)
      bits_ |= bit(one);
  }
  static constexpr right_set all() {
    right_set out;
    out.bits_ = (1u << right_count) - 1;
    return out;
  }
  [[nodiscard]] constexpr bool has(right one) const { return (bits_ & bit(one)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  constexpr right_set operator|(right_set other) const { return of(bits_ | other.bits_); }
  constexpr right_set operator&(right_set other) const { return of(bits_ & other.bits_); }
  [[nodiscard]] constexpr right_set without(right_set other) const { return of(bits_ & ~other.bits_); }
  bool operator==(const right_set&) const = default;

private:
  static constexpr std::uint32_t bit(right one) { return 1u << static_cast<unsigned>(one); }
  static constexpr right_set of(std::uint32_t bits) {
    right_set out;
    out.bits_ = bits;
    return out;
  }
  std::uint32_t bits_ = 0;
};

/// Stable, for the API: "own.usage", "write.people".
std::string_view to_text(right one);

/// A user has what is one's own, an auditor reads everything but secrets besides, an admin has all.
right_set rights_of(user_role role);
/// Of somebody who signed in with a client key: reading that key's usage, nothing else.
right_set rights_of_key_view();

// --- scopes of API tokens --------------------------------------------------------

/// Numbers are stored.
enum class token_scope : std::uint8_t {
  read_usage = 0,   ///< read:usage
  read_all = 1,     ///< read:all
  write_keys = 2,   ///< write:keys
  write_people = 3, ///< write:people
  write_prices = 4, ///< write:prices
  write_nodes = 5,  ///< write:nodes
  admin = 6         ///< all that its owner may, but for own account and tokens: a token makes no other token
};
class scope_set {
public:
  constexpr scope_set() = default;
  constexpr scope_set(std::initializer_list<token_scope> scopes) {
    for (const auto one : scopes)
      bits |= static_cast<std::uint16_t>(1u << static_cast<unsigned>(one));
  }
  [[nodiscard]] constexpr bool has(token_scope one) const { return (bits >> static_cast<unsigned>(one) & 1) != 0; }
  bool operator==(const scope_set&) const = default;
  std::uint16_t bits = 0; ///< as stored: bit n is the scope with number n
};
/// Reads scopes with blanks or commas between, each once or more; nothing when one is unknown or there is none.
std::optional<scope_set> scopes_of(std::string_view text);
/// "read:usage write:keys", in the order of the list.
std::string to_text(scope_set scopes);
right_set rights_of(scope_set scopes);
/// Whether the scopes mean something for that role: `write:nodes` is nothing for an auditor, who only reads nodes.
bool scopes_fit(user_role role, scope_set scopes);
/// What a token may: its scopes, but never more than its owner may now.
inline right_set rights_of(user_role owner, scope_set scopes) { return rights_of(owner) & rights_of(scopes); }

// --- decisions ---------------------------------------------------------------------

/// No error, or right_missing.
caf::error need(right_set have, right needed);

/// Whether a person in that state may have a session. To be asked after the password was right, never before: it tells
/// that there is such a person. account_waits, account_suspended; sign_in_refused for those that are deleted.
caf::error may_sign_in(user_state state);

/// A change of somebody's role or state.
struct person_change {
  user_role role_before = user_role::user, role_after = user_role::user;
  user_state state_before = user_state::active, state_after = user_state::active;
  bool own = false;       ///< by the person itself
  bool confirmed = false; ///< was asked and said yes
};
/// right_missing without write_people; and without write_roles when a role changes or the person is an admin.
/// confirmation_needed when somebody would take away own rights.
caf::error judge_person_change(right_set actor, const person_change& change);

} // namespace keyportal
