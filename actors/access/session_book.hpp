// Who is signed in: sessions, found by what the browser holds, ended by time, by people and by changes of rights. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "actors/access/access_rules.hpp"
#include "actors/access/secret_bytes.hpp"
#include "messages/secret.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

/// Numbers are stored.
enum class session_kind : std::uint8_t {
  person = 0,
  key_view = 1 ///< signed in with a client key: sees that key's usage, nothing else
};
enum class second_factor : std::uint8_t {
  not_asked = 0, ///< the person has none, or came from a sign-in service
  pending = 1,   ///< the password was right; until the code is, the session has no rights
  done = 2
};

struct session {
  digest id{};      ///< SHA-256 of what the browser holds; that itself is kept nowhere
  std::string name; ///< for lists and for ending one: 26 base32 characters, no secret
  session_kind kind = session_kind::person;
  std::string subject; ///< user id, or key id of a key view
  user_role role = user_role::user;
  second_factor factor = second_factor::not_asked;
  moment created{};
  moment last_seen{};
  moment until{};      ///< the absolute limit
  std::string address; ///< where from, for its owner to read
  std::string agent;   ///< shortened
  bool operator==(const session&) const = default;
};

/// What the session may now. None while the second factor is pending.
right_set rights_of(const session& s);

/// For CSRF: an HMAC over the session's id, so it needs no store and is worth nothing for another session. Before a
/// sign-in `bound_to` is the random text of a cookie. `key` is the process's or the installation's.
std::string csrf_token(const random_bits& key, std::string_view bound_to);
std::string csrf_token(const random_bits& key, const session& s);
bool check_csrf(const random_bits& key, const session& s, std::string_view given);
bool check_csrf(const random_bits& key, std::string_view bound_to, std::string_view given);

/// What a browser says it is, without control characters and at most 120 bytes of whole UTF-8 characters.
std::string shortened_agent(std::string_view text);

struct session_limits {
  std::chrono::seconds idle{30 * 60};
  std::chrono::seconds absolute{8 * 60 * 60};
  std::chrono::seconds pending{10 * 60}; ///< for the second factor
  std::size_t of_subject = 16;           ///< the oldest ends when there is one more
  std::size_t in_all = 100'000;          ///< the one that is due first ends
};

struct session_start {
  session_kind kind = session_kind::person;
  std::string subject;
  user_role role = user_role::user;
  second_factor factor = second_factor::not_asked;
  std::string address;
  std::string agent;
};

/// Sessions in memory; whoever uses it stores what is returned. Finding: one SHA-256 and one look into a hash table.
/// A session that is due is not found, whether or not `expire` was called. One thread.
class session_book {
public:
  explicit session_book(session_limits limits = {}) : limits_(limits) {}

  struct opened {
    secret id_text;             ///< for the cookie, once: 52 characters of [a-z2-7]
    session what;               ///< to be stored
    std::vector<session> ended; ///< that had to go for it; their sockets are to be closed
  };
  /// `bits` from the system's random source. A browser's old session is no part of this: every sign-in has a new id.
  opened open(session_start start, const random_bits& bits, moment now);
  /// The same session under a new id with other rights: the second factor was right, or something was confirmed again.
  /// The old id is over at once (`ended`). The absolute limit stays, but for a pending session, which begins now.
  /// Nothing when there is no such session.
  std::optional<opened> renew(const digest& id, second_factor factor, const random_bits& bits, moment now);
  /// As it was stored, at the start. False when it is due, or there already.
  bool restore(session kept, moment now);

  /// Nothing for texts of another form, unknown ones and those that are due. Valid until the next change.
  [[nodiscard]] const session* find(std::string_view id_text, moment now) const;
  [[nodiscard]] const session* find(const digest& id, moment now) const;
  /// The session did something: its idle time begins anew. True when that is to be stored: once a minute at most, so
  /// after a restart a session may end a minute early.
  bool touch(const digest& id, moment now);
  /// Begun last first.
  [[nodiscard]] std::vector<session> of_subject(std::string_view subject, moment now) const;

  /// What ended, to be taken out of the store; its sockets are to be closed.
  std::optional<session> end(const digest& id);
  /// By name, of that subject only: of nobody else's.
  std::optional<session> end(std::string_view subject, std::string_view name);
  /// Logout everywhere, suspension, another role or password. `but`: the session that asked for it may stay.
  std::vector<session> end_all(std::string_view subject, const digest* but = nullptr);
  /// Everybody's.
  std::vector<session> end_everything();
  /// What is due. O(due · log n).
  std::vector<session> expire(moment now);
  /// When to call `expire` next; nothing when there is no session. May be earlier than needed.
  [[nodiscard]] std::optional<moment> next_due() const;

  [[nodiscard]] std::size_t size() const { return sessions_.size(); }

private:
  struct held {
    session what;
    moment stored{};  ///< `last_seen` as it is in the store
    moment planned{}; ///< its place in `plan_`; not moved at each touch
  };
  [[nodiscard]] moment due(const session& s) const;
  void enter(session what);
  session leave(const digest& id);
  session make(session_start start, const random_bits& bits, moment now, secret& id_text) const;

  session_limits limits_;
  std::unordered_map<digest, held, digest_hash> sessions_;
  std::unordered_map<std::string, std::vector<digest>> subjects_; ///< in the order of beginning
  std::set<std::pair<moment, digest>> plan_;                      ///< no later than each is due
};

} // namespace keyportal
