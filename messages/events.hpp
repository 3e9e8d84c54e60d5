// What happened to a node, and what is remembered of it. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/records.hpp"

namespace keyportal {

/// On disk and in NATS subjects; numbers are never changed or reused.
enum class event_kind : std::uint8_t {
  usage = 0,          ///< one record
  totals = 1,         ///< cumulative totals of a node
  up = 2,             ///< the node answers (again)
  down = 3,           ///< the node stopped answering
  restarted = 4,      ///< the node's statistics began anew
  restored = 5,       ///< what the ledger held and the node lacked was imported and read back
  gap = 6,            ///< a span of time whose records, if there were any, nobody has
  snapshot = 7,       ///< a snapshot was made
  incomplete = 8,     ///< records or a restore: see incomplete_body
  account_failed = 9, ///< an upstream refused an account
  drift = 10,         ///< a node's keys are not what they should be, or are again
  open_access = 11,   ///< a node answers requests without a key, or no longer
  // of accounts with providers
  account_contributed = 12, ///< somebody gave one, or signed in to it anew
  account_changed = 13,     ///< an admin switched it on or off
  account_removed = 14,     ///< it is not at its node any more
  account_limited = 15,     ///< it rests until some moment, or no longer
  account_login_needed = 16,
  account_recovered = 17, ///< it works again
  account_quota = 18,     ///< a window of its quota is used to 80, 95 or 100 %
  account_login_due = 19, ///< its token is not renewed any more, and ends soon
  // of keys
  key_assigned = 20,
  key_active = 21, ///< seen to work at all its nodes
  key_renewed = 22,
  key_expiring = 23,
  key_expired = 24,
  key_suspended = 25,
  key_resumed = 26,
  key_rotated = 27,
  key_revoked = 28, ///< also once more when it is seen to work nowhere any more
  key_found = 29,   ///< at a node, made elsewhere
  key_adopted = 30,
  key_changed = 31,
  key_budget = 32, ///< 80, 95 or 100 % of a budget are used
  pool_low = 33,   ///< fewer keys in the pool than its low-water mark
  key_renewal_asked = 34,
  key_renewal_refused = 35,
  // of people
  user_registered = 40,
  user_approved = 41,
  user_changed = 42,
  user_suspended = 43,
  user_resumed = 44,
  user_deleted = 45,
  user_budget = 46,  ///< likewise, of all keys of a person
  user_refused = 47, ///< waited for approval and is not let in
  // of policies
  policy_changed = 60, ///< or made
  policy_dropped = 61,
  policy_budget = 62, ///< likewise, of all keys of a group
  // of what is kept
  backup_made = 80,
  backup_failed = 81,
  records_retired = 82, ///< raw records of a day went; what is added up of them stays
  disk_alarm = 83,      ///< the data folder nears or reached its limit, or is below it again
  backup_restored =
    84, ///< this data folder came out of a backup; what came after it was made comes again or is told as missing
  audit_head = 85, ///< the audit log's last entry with its hash, daily: a log cut off later can be told by it
};
constexpr bool is_of_account(event_kind k) {
  return k >= event_kind::account_contributed && k < event_kind::key_assigned;
}
constexpr bool is_of_key(event_kind k) { return k >= event_kind::key_assigned && k < event_kind::user_registered; }
constexpr bool is_of_user(event_kind k) { return k >= event_kind::user_registered && k < event_kind::policy_changed; }
constexpr bool is_of_policy(event_kind k) { return k >= event_kind::policy_changed && k < event_kind::backup_made; }
constexpr bool is_of_store(event_kind k) { return k >= event_kind::backup_made; }

/// An event as it waits in the outbox and as listeners see it.
struct node_event {
  sequence seq = 0; ///< 0 until committed
  event_kind kind = event_kind::up;
  node_name node; ///< empty where it is of a key or a person
  moment at{};
  std::string data;       ///< the JSON object that becomes the message body
  std::string about = {}; ///< of a key: its id, or "pool"; of a person: the user id; of a policy: its name; of what is
                          ///< kept: "backup", "records", "disk" or "audit"
};

/// What the node held of one list (client key × model) when it was last looked at. Within one CPA process a list only
/// grows at its end, so an intact beginning proves that nothing was lost and lets the next poll skip it.
struct list_mark {
  secret client_key;
  std::string model;
  std::uint64_t count = 0;                 ///< details in the list
  std::uint64_t raw_bytes = 0;             ///< length of their JSON text, from after `[` to the end of the last one
  std::array<std::uint8_t, 16> raw_hash{}; ///< XXH3 of that text
  std::array<std::uint8_t, 16>
    ids_hash{};                    ///< XXH3 of their record ids in order; decides when only the spelling changed
  std::int64_t total_requests = 0; ///< what CPA counts for the list; above `count` where a CPA caps its lists
};

/// All that must survive our own restart to go on with a node as if there had been none.
struct node_memory {
  bool known = false;     ///< the node has been looked at before
  moment last_seen_at{};  ///< the last good poll
  node_counters counters; ///< as of then
  std::vector<list_mark> marks;
};

enum class restore_state : std::uint8_t {
  pending = 0,    ///< noticed, not yet put back
  complete = 1,   ///< the node holds all that the ledger holds of it
  incomplete = 2, ///< given up after retries; `still_lacking` says how much
  impossible = 3  ///< the node takes no statistics back; nothing is missing in the ledger but what `lost` says
};

/// One restart of a node, kept for ever.
struct restart_record {
  node_name node;
  std::uint64_t number = 0; ///< 1, 2, … per node; 0 until committed
  moment noticed_at{};
  moment last_seen_at{};             ///< last good poll of the process that ended; records after it may be lost
  std::vector<std::string> evidence; ///< plain sentences
  node_counters before;              ///< at that poll
  node_counters after;               ///< as first seen of the new process
  restore_state state = restore_state::pending;
  std::optional<moment> restored_at;
  node_counters restored;             ///< the node's counters after the restore
  std::uint64_t records_imported = 0; ///< by us, counted by the node
  std::uint64_t still_lacking = 0;
  std::uint64_t expected_loss = 0; ///< records the traffic before would make in the unseen span; an estimate
};

struct gap_record {
  node_name node;
  std::uint64_t number = 0; ///< 1, 2, … per node; 0 until committed
  moment from{};
  moment to{};
  std::uint64_t expected_records = 0; ///< an estimate from the traffic before
  std::string reason;                 ///< a sentence
};

/// How a payload reached us; on disk, numbers are never changed.
enum class inbox_channel : std::uint8_t {
  subscribe = 0,    ///< pushed over RESP
  resp_pop = 1,     ///< LPOP
  http_pop = 2,     ///< `/usage-queue`
  errors = 3,       ///< pushed on the channel of account errors
  beside_usage = 4, ///< LPOP at a node that has `/usage` too, which brings the same records
};

/// Payloads one after the other; `ends[i]` is where the i-th ends in `bytes`. At most 4 GiB.
struct payload_batch {
  std::string bytes;
  std::vector<std::uint32_t> ends;
  std::string_view operator[](std::size_t i) const {
    const std::size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(bytes).substr(begin, ends[i] - begin);
  }
  std::size_t size() const { return ends.size(); }
  void add(std::string_view payload) {
    bytes.append(payload);
    ends.push_back(static_cast<std::uint32_t>(bytes.size()));
  }
};

/// A payload that could not be decoded. Kept, sealed, until it is replayed or a person drops it.
struct dead_letter {
  std::uint64_t number = 0; ///< 1, 2, … over all nodes; 0 until committed
  node_name node;
  moment at{}; ///< when it was received
  inbox_channel channel = inbox_channel::subscribe;
  std::string reason; ///< a sentence, without anything of the payload
  secret payload;     ///< empty where only the list was asked for
  std::uint64_t bytes = 0;
};

/// The node counted more attempts of a credential than the ledger has, for longer than records are under way.
struct incomplete_record {
  node_name node;
  std::uint64_t number = 0; ///< 1, 2, … per node; 0 until committed
  std::string credential;   ///< auth_index of the account
  moment from{};            ///< all was there then
  moment to{};              ///< when the difference was last seen to grow
  std::uint64_t missing_ok = 0;
  std::uint64_t missing_failed = 0;
  std::optional<moment> closed_at; ///< explained by late records
};

/// What is needed to compare a node's counters with the ledger, from poll to poll and over our own restarts.
struct audit_memory {
  struct credential {
    std::string auth_index;
    std::int64_t node_ok = 0; ///< the node's counters when it was last looked at
    std::int64_t node_failed = 0;
    std::int64_t base_ok = 0; ///< what to add to the node's counters to get the ledger's, fixed once per boot
    std::int64_t base_failed = 0;
    std::int64_t held_ok = 0; ///< what the ledger holds; read only, filled by the ledger
    std::int64_t held_failed = 0;
  };
  node_name node;
  std::uint64_t boot = 0; ///< 0: never compared
  moment boot_seen_at{};
  moment compared_at{};
  std::string version;
  std::vector<credential> credentials;
};

struct snapshot_info {
  std::uint64_t id = 0; ///< 1, 2, … over all nodes
  node_name node;
  moment made_at{};
  std::string reason;    ///< "interval", "restart", "shutdown", "request"
  sequence position = 0; ///< ledger position it shows
  totals sums;
  std::uint64_t json_bytes = 0;   ///< size as an export file
  std::uint64_t stored_bytes = 0; ///< compressed and sealed
  std::string sha256;             ///< of the export file, hex
};

/// Whether a node answers, for pages and metrics; not kept on disk.
struct node_condition {
  node_name node;
  std::string url; ///< without credentials
  enum class light : std::uint8_t { starting, up, down, refused } state = light::starting;
  moment since{};
  std::string version; ///< X-CPA-VERSION, empty until seen
  std::string problem; ///< a sentence, empty when all is well
  moment last_poll{};
  std::int64_t poll_ms = 0;       ///< how long the last poll took
  std::uint64_t answer_bytes = 0; ///< its size
  node_counters counters;         ///< what the node says
  std::string collecting;         ///< "usage", "subscribe", "resp_pop", "http_pop" or empty: how its records are taken
  std::uint64_t missing = 0;      ///< records that the node counted and the ledger lacks, of its present process
};

} // namespace keyportal
