// People, keys and policies: what the registry holds, what can be asked of it, what happened to it. Plain values.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "messages/ids.hpp"
#include "messages/prices.hpp"
#include "messages/records.hpp"
#include "messages/secret.hpp"

namespace keyportal {

/// "u" and 26 lower-case base32 characters, drawn at random.
using user_id = std::string;
/// 1 to 32 of [a-z0-9-]. A policy has the name of the group it is for; that of "default" is for everybody else.
using group_name = std::string;
/// Position in the registry's log: 1, 2, … without holes.
using log_position = std::uint64_t;

// --- budgets -------------------------------------------------------------------

enum class budget_unit : std::uint8_t {
  requests = 1,
  tokens = 2,
  cost = 3 ///< in billionths of a US dollar; what has no price does not count
};
enum class budget_window : std::uint8_t { hour = 1, day = 2, week = 3, month = 4, lifetime = 5 }; ///< ISO week: Monday
struct budget {
  budget_unit unit = budget_unit::tokens;
  budget_window window = budget_window::month;
  std::int64_t amount = 0; ///< above 0
  bool operator==(const budget&) const = default;
};

/// So much of a budget was used in the window that began then, and it was told.
struct budget_mark {
  budget of;
  moment window_start{};
  std::uint32_t percent = 0; ///< 80, 95 or 100
  bool operator==(const budget_mark&) const = default;
};

/// How much of one budget is used up in the present window.
struct budget_use {
  enum class scope : std::uint8_t { key = 0, user = 1, group = 2 } of = scope::key;
  budget limit;
  moment since{}; ///< when the window began
  std::int64_t used = 0;
};

// --- people --------------------------------------------------------------------

enum class user_role : std::uint8_t { user = 0, auditor = 1, admin = 2 };
enum class user_state : std::uint8_t { pending = 0, active = 1, suspended = 2, deleted = 3 };
/// The groups that somebody was in until then.
struct former_groups {
  std::vector<group_name> groups;
  moment until{};
  bool operator==(const former_groups&) const = default;
};
struct user {
  user_id id;
  std::string email; ///< lower case; unique among users that are not deleted
  std::string name;
  std::string label;
  user_role role = user_role::user;
  user_state state = user_state::pending;
  std::vector<group_name> groups; ///< sorted, each once; the first one with a policy decides
  std::vector<budget> budgets;    ///< of all keys of the user together, beside those of the policy
  std::vector<budget_mark> told;
  moment created_at{};
  moment changed_at{};
  /// Oldest first; of more changes than most_former_groups the last ones.
  std::vector<former_groups> former;
  static constexpr std::size_t most_former_groups = 64;
  bool operator==(const user&) const = default;
};

/// Who decides that a key ends later.
enum class renewal_rule : std::uint8_t {
  none = 0,    ///< an admin, by himself
  self = 1,    ///< the owner, up to `longest_renewal_s`; more can be asked for
  approval = 2 ///< the owner asks, an admin decides
};

struct policy {
  group_name name;
  std::uint32_t keys_per_user = 3;
  std::int64_t key_lifetime_s = 0;    ///< of a new key; 0: for ever
  std::int64_t longest_renewal_s = 0; ///< by the owner, from now on; 0: as `key_lifetime_s`
  renewal_rule renewal = renewal_rule::self;
  std::vector<budget> key_budgets;   ///< of each key
  std::vector<budget> user_budgets;  ///< of all keys of one user
  std::vector<budget> group_budgets; ///< of all keys of the group
  std::vector<node_name> nodes;      ///< where keys work, also groups of nodes; empty: at all
  std::vector<std::string> models;   ///< shown to users; CPA has no such limit
  std::vector<budget_mark> told;     ///< of `group_budgets`
  bool operator==(const policy&) const = default;
};

// --- keys ----------------------------------------------------------------------

enum class key_state : std::uint8_t {
  pooled = 0,    ///< made, owned by nobody, works nowhere
  live = 1,      ///< works, or is about to, at `nodes`
  suspended = 2, ///< taken away for a time
  expired = 3,   ///< from here on: never again anybody's
  rotated = 4,   ///< replaced by `successor`
  revoked = 5,
  external = 6 ///< found at a node, made elsewhere; left alone until it is adopted or revoked
};
/// Whether the key's text should be at the nodes.
constexpr bool works(key_state s) { return s == key_state::live || s == key_state::external; }
/// Whether it can never work again.
constexpr bool is_final(key_state s) {
  return s == key_state::expired || s == key_state::rotated || s == key_state::revoked;
}

enum class key_origin : std::uint8_t { made = 0, imported = 1, found = 2 };
enum class suspension : std::uint8_t {
  none = 0,
  by_admin = 1,
  by_budget = 2,
  owner = 3,  ///< the user is suspended
  by_hand = 4 ///< somebody removed it at a node; an admin has to choose
};

/// An optional that takes no more than a pointer while it is empty: for what is rare in values of which there are many.
template <class T>
class rare {
public:
  rare() = default;
  rare(T value) : there_(std::make_unique<T>(std::move(value))) {}
  rare(const rare& other) : there_(other.there_ ? std::make_unique<T>(*other.there_) : nullptr) {}
  rare(rare&&) noexcept = default;
  rare& operator=(rare other) noexcept {
    there_.swap(other.there_);
    return *this;
  }
  ~rare() = default;
  explicit operator bool() const { return there_ != nullptr; }
  const T& operator*() const { return *there_; }
  const T* operator->() const { return there_.get(); }
  void reset() { there_.reset(); }
  bool operator==(const rare& other) const {
    return there_ && other.there_ ? *there_ == *other.there_ : !there_ && !other.there_;
  }

private:
  std::unique_ptr<T> there_;
};

/// What an owner asked for and nobody has decided yet.
struct renewal_request {
  moment asked_at{};
  std::int64_t lifetime_s = 0; ///< from the approval on; 0: for ever
  std::string reason;
  bool operator==(const renewal_request&) const = default;
};

struct client_key {
  key_id id;
  std::string sealed; ///< the key's text, for this id only; never leaves the process
  std::string shown;  ///< how people tell it: the beginning of its prefix and its last four characters
  key_state state = key_state::pooled;
  key_origin origin = key_origin::made;
  suspension why_suspended = suspension::none;
  bool guessable = false; ///< made elsewhere, of too little chance to be out of reach of guessing: to be rotated
  user_id owner;          ///< empty: never had one. Stays when the key has ended
  std::string label;      ///< by the owner: which device, which project
  moment created_at{};
  moment changed_at{};
  std::optional<moment> assigned_at;
  std::optional<moment> expires_at;
  std::optional<moment> retires_at;    ///< of a key that was replaced: until then both work
  rare<key_id> successor, predecessor; ///< by rotation
  std::vector<budget> budgets;         ///< beside those of the policy
  std::vector<budget_mark> told;
  std::vector<node_name> nodes;    ///< where it should work, also groups of nodes; empty: at all
  std::vector<node_name> in_force; ///< where it was seen to work; sorted
  std::uint32_t reminders = 0; ///< of its expiry that were told: bits of the days before, in the order of the options
  rare<renewal_request> renewal;
  bool operator==(const client_key&) const = default;
};

// --- what is asked ----------------------------------------------------------------

/// Who asks, whence, and by which name, so that asking twice does it once.
struct command_context {
  std::string who;     ///< user id, "cli" or "system"
  std::string from;    ///< network address, or "local"
  std::string command; ///< idempotency key: 1 to 128 printable ASCII characters; empty: none
};

struct add_user {
  std::string email = {}, name = {}, label = {};
  user_role role = user_role::user;
  std::vector<group_name> groups = {};
  bool active = true; ///< else pending, until somebody approves
};
/// What is not set stays.
struct change_user {
  user_id id = {};
  std::optional<std::string> email = {}, name = {}, label = {};
  std::optional<user_role> role = {};
  std::optional<std::vector<group_name>> groups = {};
  std::optional<std::vector<budget>> budgets = {};
};
/// Deleting revokes all keys; suspending suspends them. Of somebody who waits: `active` approves, `deleted` refuses.
struct set_user_state {
  user_id id = {};
  user_state to = user_state::active;
  std::string reason = {}; ///< told in the event, and kept as the label; empty: none
};
struct put_policy {
  policy what = {};
};
struct drop_policy {
  group_name name = {};
};
/// Makes keys for the pool.
struct make_keys {
  std::uint32_t count = 0;
};
/// Takes existing keys of any shape: into the pool, or straight to an owner.
struct import_keys {
  struct one {
    secret text = {};
    user_id owner = {}; ///< empty: into the pool
    std::string label = {};
    std::optional<moment> created_at = {};
  };
  std::vector<one> keys = {}; ///< those that are known already are skipped
};
/// A key out of the pool; the answer shows it once.
struct assign_key {
  user_id owner = {};
  std::string label = {};
  std::optional<std::int64_t> lifetime_s = {}; ///< instead of the policy's; 0: for ever
  std::optional<std::vector<node_name>> nodes = {};
};
struct renew_key {
  key_id key = {};
  std::optional<std::int64_t> lifetime_s = {}; ///< from now on; not set: the policy's
};
/// A new key takes the place of the old one, which works for so long besides.
struct rotate_key {
  key_id key = {};
  std::int64_t grace_s = 0;
};
struct suspend_key {
  key_id key = {};
  suspension why = suspension::by_admin;
};
struct resume_key {
  key_id key = {};
};
struct revoke_key {
  key_id key = {};
};
struct change_key {
  key_id key = {};
  std::optional<std::string> label = {};
  std::optional<std::vector<budget>> budgets = {};
  std::optional<std::vector<node_name>> nodes = {};
};
/// Gives a key that was found at a node an owner.
struct adopt_key {
  key_id key = {};
  user_id owner = {};
  std::string label = {};
};
/// Prices that are new, or take the place of those with the same source, provider, `from` and model.
struct put_prices {
  std::vector<price> prices = {};
};
/// As if they had never been; what they cost stays in the records.
struct drop_prices {
  std::vector<std::string> ids = {}; ///< those that are not there are no error
};
/// Something by which people get in: a password, a second factor, an identity elsewhere, a token, a session, an
/// invitation. Only whoever made it knows what is in it.
struct access_record {
  std::string id = {};     ///< what it is, '/', and what tells it from others of its sort: "session/…"
  user_id owner = {};      ///< empty: nobody's yet
  std::string sealed = {}; ///< bytes
  bool operator==(const access_record&) const = default;
};
/// Changes credentials, and maybe the person they are for, at once. By ourselves.
struct put_access {
  std::string what = {};               ///< for the audit: "session.begin", "password.set", …
  std::vector<access_record> put = {}; ///< new, or in the place of those with the same id
  std::vector<std::string> drop = {};  ///< ids; those that are not there are no error
  std::optional<add_user> person = {}; ///< who is made by this; owns what in `put` has no owner
  /// Decided upon the log up to here; where it goes on, the answer is registry_conflict. Not set: upon whatever is there.
  std::optional<log_position> upon = {};
};
/// Asks an admin to let a key end later.
struct ask_renewal {
  key_id key = {};
  std::optional<std::int64_t> lifetime_s = {}; ///< not set: the policy's
  std::string reason = {};
};
/// Decides what was asked. Nobody decides for himself.
struct answer_renewal {
  key_id key = {};
  bool approve = false;
  std::string reason = {}; ///< may be empty
};
/// What time brings: keys that expire, reminders, the end of grace, a pool that runs low. By ourselves.
struct pass_time {};
/// What usage did to budgets. By ourselves.
struct budgets_crossed {
  std::vector<std::pair<key_id, budget_mark>> keys = {};
  std::vector<std::pair<user_id, budget_mark>> users = {};
  std::vector<std::pair<group_name, budget_mark>> groups = {};
  std::vector<key_id> suspend = {}; ///< a budget of theirs is used up
  std::vector<key_id> resume = {};  ///< none is any more
};
/// What a node's keys were seen to be. By ourselves.
struct key_sighting {
  struct one {
    key_id key = {};
    bool works = false;
  };
  node_name node = {};
  std::vector<one> keys = {};          ///< those that were waited for
  std::vector<secret> strangers = {};  ///< keys at the node that the registry does not know
  std::vector<key_id> taken_away = {}; ///< keys that should be there, were there, and are not: somebody removed them
};

using registry_question =
  std::variant<add_user, change_user, set_user_state, put_policy, drop_policy, make_keys, import_keys, assign_key,
               renew_key, rotate_key, suspend_key, resume_key, revoke_key, change_key, adopt_key, ask_renewal,
               answer_renewal, pass_time, budgets_crossed, key_sighting, put_prices, drop_prices, put_access>;

struct registry_command {
  command_context by;
  registry_question what;
};
struct command_done {
  log_position position = 0; ///< of the registry when it was done; it is on disk
  bool replayed = false;     ///< the same command was done before: this is its outcome
  std::vector<user> users;   ///< those it changed, as they are then
  std::vector<client_key> keys;
  std::vector<secret> shown; ///< texts of the keys it gave out: for the person who asked, once
  std::uint64_t skipped = 0; ///< of an import: known before
  std::uint64_t prices = 0;  ///< how many it changed
};

// --- what happened -----------------------------------------------------------------

template <class T>
struct change_of {
  std::optional<T> before; ///< not set: it is new
  std::optional<T> after;  ///< not set: it is gone
  bool operator==(const change_of&) const = default;
};
/// One command that changed something: entry of the log, record of the audit, and all that a fold needs.
struct registry_entry {
  log_position position = 0; ///< 0 until appended
  moment at{};
  std::string who, from, command;
  std::string what; ///< "key.assign", "user.add", …
  std::vector<change_of<user>> users;
  std::vector<change_of<client_key>> keys;
  std::vector<change_of<policy>> policies;
  std::vector<change_of<price>> prices;
  std::vector<change_of<access_record>> access;
  /// SHA-256 over the hash of the entry before and this one's bytes: an entry that is changed later, or taken out,
  /// breaks the chain.
  std::array<std::uint8_t, 32> hash{};
};

/// The fold of the log up to a position.
struct registry_image {
  log_position position = 0;
  std::deque<user> users;
  std::deque<client_key> keys;
  std::vector<policy> policies;
  std::vector<price> prices;
  std::vector<access_record> access;
  std::vector<std::pair<std::string, log_position>> commands; ///< idempotency keys that still count, and their entries
};

} // namespace keyportal
