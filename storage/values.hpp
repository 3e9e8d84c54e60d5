// What lies under the keys: plain structs and their bytes; README.md has the table. Every value begins with the
// version of its layout. `decode` is false for anything but a whole value of a known version; what an older version does
// not say has its default then.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/events.hpp"
#include "messages/records.hpp"
#include "messages/registry.hpp"
#include "storage/keys.hpp"
#include "storage/shared.hpp"

namespace keyportal::storage {

/// Names stand as numbers of the dictionary; 0 is the empty text.
using name_number = std::uint32_t;

struct position_value {
  sequence last = 0;                     ///< highest sequence given
  std::uint64_t records = 0;             ///< rows under tag::record
  std::uint64_t outbox = 0;              ///< sequences that wait under tag::outbox
  name_number last_name = 0;             ///< highest name number given
  std::uint64_t last_inbox = 0;          ///< highest inbox number given
  std::uint64_t inbox = 0;               ///< rows under tag::inbox
  std::uint64_t last_letter = 0;         ///< highest number of a dead letter given
  std::uint64_t dead_letters = 0;        ///< rows under tag::dead_letter
  std::int32_t first_minute = INT32_MIN; ///< since 1970; roll-ups by minute of those before are gone
  std::int64_t first_ns = INT64_MIN;     ///< rows of records before this moment may be gone, at some node
  bool operator==(const position_value&) const = default;
};

/// What only the usage queue says of an attempt.
struct facts_value {
  name_number provider = 0;
  name_number alias = 0;
  name_number endpoint = 0;
  std::int64_t ttft_ms = 0;
  std::int32_t status_code = 0;
  token_parts parts;
  name_number error = 0;
  name_number service_tier = 0;
  bool operator==(const facts_value&) const = default;
};

struct record_value {
  sequence seq = 0;
  name_number client_key = 0;
  name_number model = 0;
  name_number source = 0;
  name_number auth_index = 0;
  std::int16_t offset_minutes = 0;
  bool failed = false;
  std::int64_t latency_ms = 0;
  token_counts tokens;
  std::optional<facts_value> facts;
  std::optional<std::int64_t> cost_nano; ///< not set: there was no price for it
  bool copied = false;
  bool operator==(const record_value&) const = default;
};

/// Full milliseconds, rounded down, before 1970 too.
constexpr std::int64_t ms_of_ns(std::int64_t ns) { return ns / 1'000'000 - (ns % 1'000'000 < 0 ? 1 : 0); }

/// Where a record of a sequence lies: among those of its millisecond the one with that sequence. The node is the row's.
struct arrival_record {
  sequence seq = 0;
  std::int64_t at_ms = 0; ///< Unix time, see ms_of_ns
  bool operator==(const arrival_record&) const = default;
};

/// Records of one node and one commit, ascending by sequence, at least one. Many share a row since rows are what
/// writing costs.
struct arrivals_value {
  name_number node = 0;
  std::vector<arrival_record> records;
  std::string extras; ///< the records' `extra`, one text after the other, packed and sealed; empty: none has any
  bool operator==(const arrivals_value&) const = default;
};

/// From `first` to `last`, both included.
struct sequence_range {
  sequence first = 0;
  sequence last = 0;
  bool operator==(const sequence_range&) const = default;
};

/// Either records that wait for the stream, by their sequences, or one event with its body.
struct outbox_value {
  event_kind kind = event_kind::usage;
  std::vector<sequence_range> waiting; ///< for event_kind::usage: ascending, apart from each other, at least one
  name_number node = 0;                ///< for all others; 0 where it is of a key or a person
  std::int64_t at_ns = 0;
  std::string data;
  std::string about;
  bool operator==(const outbox_value&) const = default;
};

/// Of event_horizon_key.
struct event_horizon_value {
  sequence seq = 0;
  bool operator==(const event_horizon_value&) const = default;
};

/// How many records of a node are of one kind, and between which moments they lie.
struct record_span {
  std::uint64_t count = 0;
  std::int64_t first_ns = INT64_MAX;
  std::int64_t last_ns = INT64_MIN;
  void add(std::int64_t at_ns);
  [[nodiscard]] bool holds(std::int64_t at_ns) const { return first_ns <= at_ns && at_ns <= last_ns; }
  bool operator==(const record_span&) const = default;
};

struct node_value {
  bool known = false;
  std::int64_t last_seen_ns = 0;
  node_counters counters;
  totals sums;                ///< of all records of the node
  std::uint64_t restarts = 0; ///< numbers given
  std::uint64_t gaps = 0;
  std::uint64_t incompletes = 0;
  record_span plain;                  ///< records without facts: from `/usage` or a file
  record_span with_facts;             ///< records from the usage queue
  record_span copied{};               ///< records out of other tools' databases, which are counted above as well
  std::int32_t open_hour = INT32_MIN; ///< since 1970; the only one that has roll-ups by minute only. No record is newer
  // Since then rows of records have gone (retirement.hpp); all of the above counts them on.
  std::int64_t first_ns = INT64_MIN; ///< none from before this moment is entered any more; a full day (UTC)
  record_span refused{};             ///< those that came all the same
  /// Records without a row, all from before `first_ns`.
  struct gone_records {
    totals sums;
    std::uint64_t plain = 0;
    std::uint64_t with_facts = 0;
    std::uint64_t copied = 0;
    bool operator==(const gone_records&) const = default;
  } gone{};
  std::uint64_t lost_at_node = 0; ///< of those: were gone when the node lost its own (copies aside)
  /// Records that a node which takes statistics back must hold.
  [[nodiscard]] std::int64_t at_node() const;
  bool operator==(const node_value&) const = default;
};

struct mark_value {
  std::uint64_t count = 0;
  std::uint64_t raw_bytes = 0;
  std::array<std::uint8_t, 16> raw_hash{};
  std::array<std::uint8_t, 16> ids_hash{};
  std::int64_t total_requests = 0;
  bool operator==(const mark_value&) const = default;
};

/// Attempts of one upstream credential that the ledger holds.
struct credential_value {
  std::uint64_t ok = 0;
  std::uint64_t failed = 0;
  std::uint64_t gone_ok = 0; ///< of those, without a row any more
  std::uint64_t gone_failed = 0;
  bool operator==(const credential_value&) const = default;
};

/// audit_memory as it is kept.
struct audit_value {
  struct credential {
    name_number auth_index = 0;
    std::int64_t node_ok = 0;
    std::int64_t node_failed = 0;
    std::int64_t base_ok = 0;
    std::int64_t base_failed = 0;
    bool operator==(const credential&) const = default;
  };
  std::uint64_t boot = 0;
  std::int64_t boot_seen_ns = 0;
  std::int64_t compared_ns = 0;
  std::string version;
  std::vector<credential> credentials;
  bool operator==(const audit_value&) const = default;
};

/// What was received, not yet looked into.
struct inbox_value {
  std::int64_t at_ns = 0;
  inbox_channel channel = inbox_channel::subscribe;
  std::string payloads; ///< packed and sealed
  bool operator==(const inbox_value&) const = default;
};

struct dead_letter_value {
  name_number node = 0;
  std::int64_t at_ns = 0;
  inbox_channel channel = inbox_channel::subscribe;
  std::string reason;
  std::uint64_t bytes = 0; ///< of the payload
  std::string payload;     ///< packed and sealed
  bool operator==(const dead_letter_value&) const = default;
};

struct consumer_value {
  sequence seq = 0;
  bool operator==(const consumer_value&) const = default;
};

struct snapshot_value {
  snapshot_info info; ///< without `id`: the key says it
  std::uint32_t pieces = 0;
};

/// How far the registry's log has come, and how many rows its fold has.
struct registry_value {
  log_position last = 0;
  std::array<std::uint8_t, 32> hash{}; ///< of the last entry
  log_position first_command = 1;      ///< entries before it have no row under tag::command any more
  std::uint64_t users = 0;
  std::uint64_t keys = 0;
  std::uint64_t policies = 0;
  std::uint64_t commands = 0;
  std::uint64_t prices = 0;
  std::uint64_t access = 0;
  bool operator==(const registry_value&) const = default;
};

/// That a command was done; its entry is the one of the same position.
struct command_value {
  std::int64_t at_ns = 0;
  std::string command;
  bool operator==(const command_value&) const = default;
};

struct config_value {
  std::int64_t at_ns = 0;
  std::uint64_t bytes = 0;
  std::string sha256; ///< in hex
  std::string text;   ///< packed and sealed
  bool operator==(const config_value&) const = default;
};

struct history_value {
  std::int64_t requests = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;
  std::int64_t tokens = 0;
  std::int64_t input_tokens = 0;
  std::int64_t output_tokens = 0;
  bool operator==(const history_value&) const = default;
};

std::string encode(const position_value& value);
std::string encode(const shared_progress& value);
std::string encode(const record_value& value);
std::string encode(const outbox_value& value);
std::string encode(const arrivals_value& value);
std::string encode(const node_value& value);
std::string encode(const mark_value& value);
std::string encode(const restart_record& value); ///< without node and number: the key says them
std::string encode(const gap_record& value);     ///< likewise
std::string encode(const incomplete_record& value);
std::string encode(const credential_value& value);
std::string encode(const audit_value& value);
std::string encode(const inbox_value& value);
std::string encode(const dead_letter_value& value);
std::string encode(const consumer_value& value);
std::string encode(const event_horizon_value& value);
std::string encode(const snapshot_value& value);
std::string encode(const registry_value& value);
std::string encode(const user& value); ///< without id: the key says it
std::string encode(const client_key& value);
std::string encode(const policy& value);
std::string encode(const price& value);
std::string encode(const access_record& value);
/// Without position. Ends with the hash, which is over all before it.
std::string encode(const registry_entry& value);
std::string encode(const command_value& value);
std::string encode(const config_value& value);
std::string encode(const history_value& value);

[[nodiscard]] bool decode(std::string_view in, position_value& out);
[[nodiscard]] bool decode(std::string_view in, shared_progress& out);
[[nodiscard]] bool decode(std::string_view in, record_value& out);
[[nodiscard]] bool decode(std::string_view in, outbox_value& out);
[[nodiscard]] bool decode(std::string_view in, arrivals_value& out);
[[nodiscard]] bool decode(std::string_view in, node_value& out);
[[nodiscard]] bool decode(std::string_view in, mark_value& out);
[[nodiscard]] bool decode(std::string_view in, restart_record& out);
[[nodiscard]] bool decode(std::string_view in, gap_record& out);
[[nodiscard]] bool decode(std::string_view in, incomplete_record& out);
[[nodiscard]] bool decode(std::string_view in, credential_value& out);
[[nodiscard]] bool decode(std::string_view in, audit_value& out);
[[nodiscard]] bool decode(std::string_view in, inbox_value& out);
[[nodiscard]] bool decode(std::string_view in, dead_letter_value& out);
[[nodiscard]] bool decode(std::string_view in, consumer_value& out);
[[nodiscard]] bool decode(std::string_view in, event_horizon_value& out);
[[nodiscard]] bool decode(std::string_view in, snapshot_value& out);
[[nodiscard]] bool decode(std::string_view in, registry_value& out);
[[nodiscard]] bool decode(std::string_view in, user& out);
[[nodiscard]] bool decode(std::string_view in, client_key& out);
[[nodiscard]] bool decode(std::string_view in, policy& out);
[[nodiscard]] bool decode(std::string_view in, price& out);
[[nodiscard]] bool decode(std::string_view in, access_record& out);
[[nodiscard]] bool decode(std::string_view in, registry_entry& out);
[[nodiscard]] bool decode(std::string_view in, command_value& out);
[[nodiscard]] bool decode(std::string_view in, config_value& out);
[[nodiscard]] bool decode(std::string_view in, history_value& out);

/// A single number with a version byte: schema version, name number.
std::string encode_number(std::uint32_t value);
[[nodiscard]] bool decode_number(std::string_view in, std::uint32_t& out);

/// What `encode` returns, appended: without a new string for each record.
void append(std::string& out, const record_value& value);

} // namespace keyportal::storage
