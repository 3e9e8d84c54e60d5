// What lies under the keys: plain structs and their bytes; README.md has the table. Every value begins with the
// version of its layout. `decode` is false for anything but a whole value of a known version.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/events.hpp"
#include "messages/records.hpp"
#include "storage/keys.hpp"

namespace keyportal::storage {

/// Names stand as numbers of the dictionary; 0 is the empty text.
using name_number = std::uint32_t;

struct position_value {
  sequence last = 0;         ///< highest sequence given
  std::uint64_t records = 0; ///< rows under tag::record
  std::uint64_t outbox = 0;  ///< rows under tag::outbox
  name_number last_name = 0; ///< highest name number given
  bool operator==(const position_value&) const = default;
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
  bool operator==(const record_value&) const = default;
};

/// A record that waits for the stream; the node is the row's.
struct outbox_record {
  sequence seq = 0;
  std::int64_t at_ns = 0;
  record_id id;
  bool operator==(const outbox_record&) const = default;
};

/// Either some records of a node, ascending by sequence, or one event with its body. Many records share a row since
/// rows are what writing costs.
struct outbox_value {
  event_kind kind = event_kind::usage;
  name_number node = 0;
  std::vector<outbox_record> records; ///< for event_kind::usage, at least one
  std::int64_t at_ns = 0;             ///< for all others
  std::string data;
  bool operator==(const outbox_value&) const = default;
};

struct node_value {
  bool known = false;
  std::int64_t last_seen_ns = 0;
  node_counters counters;
  totals sums;                ///< of all records of the node
  std::uint64_t restarts = 0; ///< numbers given
  std::uint64_t gaps = 0;
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

/// What one client key used in one hour or day, by model: together in a row, since they change together.
struct rollup_value {
  std::vector<std::pair<name_number, totals>> models; ///< ascending by number
  /// The sums of a model, new ones if it has none.
  totals& of(name_number model);
  bool operator==(const rollup_value&) const = default;
};

struct snapshot_value {
  snapshot_info info; ///< without `id`: the key says it
  std::uint32_t pieces = 0;
};

std::string encode(const position_value& value);
std::string encode(const record_value& value);
std::string encode(const outbox_value& value);
std::string encode(const node_value& value);
std::string encode(const mark_value& value);
std::string encode(const rollup_value& value);
std::string encode(const restart_record& value); ///< without node and number: the key says them
std::string encode(const gap_record& value);     ///< likewise
std::string encode(const snapshot_value& value);

[[nodiscard]] bool decode(std::string_view in, position_value& out);
[[nodiscard]] bool decode(std::string_view in, record_value& out);
[[nodiscard]] bool decode(std::string_view in, outbox_value& out);
[[nodiscard]] bool decode(std::string_view in, node_value& out);
[[nodiscard]] bool decode(std::string_view in, mark_value& out);
[[nodiscard]] bool decode(std::string_view in, rollup_value& out);
[[nodiscard]] bool decode(std::string_view in, restart_record& out);
[[nodiscard]] bool decode(std::string_view in, gap_record& out);
[[nodiscard]] bool decode(std::string_view in, snapshot_value& out);

/// A single number with a version byte: schema version, name number.
std::string encode_number(std::uint32_t value);
[[nodiscard]] bool decode_number(std::string_view in, std::uint32_t& out);

/// What `encode` returns, appended: without a new string for each record.
void append(std::string& out, const record_value& value);

} // namespace keyportal::storage
