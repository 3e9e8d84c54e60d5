// Every key of the database is one of these types; README.md has them byte by byte. A key is its tag byte and then its
// fields, big-endian, so that rows lie in the order of the fields. Tags differ even between column families: a scan
// that runs too far meets a foreign tag, not plausible data.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include "messages/ids.hpp"
#include "storage/encoding.hpp"

namespace keyportal::storage {

/// On disk: a number is never changed or reused.
enum class tag : std::uint8_t {
  schema = 0x00,
  position = 0x01,
  seal_check = 0x02,
  name_number = 0x03,
  name_text = 0x04,
  node = 0x05,
  mark = 0x06,
  restart = 0x07,
  gap = 0x08,
  incomplete = 0x09,
  credential = 0x0a,
  audit = 0x0b,
  dead_letter = 0x0c,
  consumer = 0x0d,
  event = 0x0e,
  event_horizon = 0x0f,
  record = 0x10,
  outbox = 0x11,
  hour = 0x12, ///< of schemas before 3, with `day`
  day = 0x13,
  snapshot = 0x14,
  snapshot_piece = 0x15,
  arrivals = 0x16,
  inbox = 0x17,
  registry = 0x18,
  user = 0x19,
  client_key = 0x1a,
  policy = 0x1b,
  entry = 0x1c,
  command = 0x1d,
  config = 0x1e,
  cells = 0x1f,
  sieve = 0x20,
  price = 0x28,
  access_record = 0x29,
  history = 0x2f,
  notice = 0x34,
  notice_mark = 0x35, ///< how far notices are decided, and what was told last of what
  notice_preferences = 0x36,
  order = 0x37, ///< of the local queue of deliveries
  account = 0x38,
  shared = 0x39, ///< how far the log of several processes was followed
};

/// What a dictionary entry names; on disk as well.
enum class name_kind : std::uint8_t {
  node = 1,
  client_key = 2,
  model = 3,
  source = 4,
  auth_index = 5,
  provider = 6,
  alias = 7,
  endpoint = 8,
  consumer = 9,
  error = 10,
  service_tier = 11,
};
inline constexpr std::size_t name_kinds = 12; ///< with 0, which names nothing

// --- the keys: `of` is the tag, `fields()` their order ---------------------------

struct schema_key {
  static constexpr tag of = tag::schema;
  auto fields() { return std::tie(); }
  bool operator==(const schema_key&) const = default;
};
struct position_key {
  static constexpr tag of = tag::position;
  auto fields() { return std::tie(); }
  bool operator==(const position_key&) const = default;
};
struct seal_check_key {
  static constexpr tag of = tag::seal_check;
  auto fields() { return std::tie(); }
  bool operator==(const seal_check_key&) const = default;
};
struct name_number_key {
  static constexpr tag of = tag::name_number;
  name_kind kind{};
  std::array<std::uint8_t, 32> hash{}; ///< keyed, of kind and text
  auto fields() { return std::tie(kind, hash); }
  bool operator==(const name_number_key&) const = default;
};
struct name_text_key {
  static constexpr tag of = tag::name_text;
  std::uint32_t name = 0;
  auto fields() { return std::tie(name); }
  bool operator==(const name_text_key&) const = default;
};
struct node_key {
  static constexpr tag of = tag::node;
  std::uint32_t node = 0;
  auto fields() { return std::tie(node); }
  bool operator==(const node_key&) const = default;
};
struct mark_key {
  static constexpr tag of = tag::mark;
  std::uint32_t node = 0;
  std::uint32_t client_key = 0;
  std::uint32_t model = 0;
  auto fields() { return std::tie(node, client_key, model); }
  bool operator==(const mark_key&) const = default;
};
struct restart_key {
  static constexpr tag of = tag::restart;
  std::uint32_t node = 0;
  std::uint64_t number = 0;
  auto fields() { return std::tie(node, number); }
  bool operator==(const restart_key&) const = default;
};
struct gap_key {
  static constexpr tag of = tag::gap;
  std::uint32_t node = 0;
  std::uint64_t number = 0;
  auto fields() { return std::tie(node, number); }
  bool operator==(const gap_key&) const = default;
};
struct incomplete_key {
  static constexpr tag of = tag::incomplete;
  std::uint32_t node = 0;
  std::uint64_t number = 0;
  auto fields() { return std::tie(node, number); }
  bool operator==(const incomplete_key&) const = default;
};
struct credential_key {
  static constexpr tag of = tag::credential;
  std::uint32_t node = 0;
  std::uint32_t auth_index = 0;
  auto fields() { return std::tie(node, auth_index); }
  bool operator==(const credential_key&) const = default;
};
struct audit_key {
  static constexpr tag of = tag::audit;
  std::uint32_t node = 0;
  auto fields() { return std::tie(node); }
  bool operator==(const audit_key&) const = default;
};
struct dead_letter_key {
  static constexpr tag of = tag::dead_letter;
  std::uint64_t number = 0; ///< over all nodes
  auto fields() { return std::tie(number); }
  bool operator==(const dead_letter_key&) const = default;
};
struct consumer_key {
  static constexpr tag of = tag::consumer;
  std::uint32_t name = 0;
  auto fields() { return std::tie(name); }
  bool operator==(const consumer_key&) const = default;
};
struct shared_key {
  static constexpr tag of = tag::shared;
  auto fields() { return std::tie(); }
  bool operator==(const shared_key&) const = default;
};
/// That this key is there is what makes a record known: nothing else has to be looked up to count each once.
struct record_key {
  static constexpr tag of = tag::record;
  std::uint32_t node = 0;
  std::int64_t at_ns = 0; ///< Unix time
  record_id id;
  auto fields() { return std::tie(node, at_ns, id.bytes); }
  bool operator==(const record_key&) const = default;
};
struct outbox_key {
  static constexpr tag of = tag::outbox;
  sequence last = 0; ///< at least the highest sequence in the row, below the lowest one in the next
  auto fields() { return std::tie(last); }
  bool operator==(const outbox_key&) const = default;
};
struct arrivals_key {
  static constexpr tag of = tag::arrivals;
  sequence last = 0; ///< the highest sequence in the row
  auto fields() { return std::tie(last); }
  bool operator==(const arrivals_key&) const = default;
};
/// Written once and removed once, never written anew: so its removal can be a SingleDelete.
struct inbox_key {
  static constexpr tag of = tag::inbox;
  std::uint32_t node = 0;
  std::uint64_t number = 0; ///< over all nodes, never reused
  auto fields() { return std::tie(node, number); }
  bool operator==(const inbox_key&) const = default;
};
/// What happened, kept for those who ask later; the value is as in the outbox.
struct event_key {
  static constexpr tag of = tag::event;
  sequence seq = 0;
  auto fields() { return std::tie(seq); }
  bool operator==(const event_key&) const = default;
};
/// Up to which sequence events were let go, or never kept.
struct event_horizon_key {
  static constexpr tag of = tag::event_horizon;
  auto fields() { return std::tie(); }
  bool operator==(const event_horizon_key&) const = default;
};
struct snapshot_key {
  static constexpr tag of = tag::snapshot;
  std::uint64_t id = 0;
  auto fields() { return std::tie(id); }
  bool operator==(const snapshot_key&) const = default;
};
struct snapshot_piece_key {
  static constexpr tag of = tag::snapshot_piece;
  std::uint64_t id = 0;
  std::uint32_t piece = 0; ///< 0, 1, …
  auto fields() { return std::tie(id, piece); }
  bool operator==(const snapshot_piece_key&) const = default;
};

// --- of the registry ---

struct registry_key {
  static constexpr tag of = tag::registry;
  auto fields() { return std::tie(); }
  bool operator==(const registry_key&) const = default;
};
struct user_key {
  static constexpr tag of = tag::user;
  std::string id;
  auto fields() { return std::tie(id); }
  bool operator==(const user_key&) const = default;
};
struct client_key_key {
  static constexpr tag of = tag::client_key;
  std::string id;
  auto fields() { return std::tie(id); }
  bool operator==(const client_key_key&) const = default;
};
struct policy_key {
  static constexpr tag of = tag::policy;
  std::string name;
  auto fields() { return std::tie(name); }
  bool operator==(const policy_key&) const = default;
};
struct price_key {
  static constexpr tag of = tag::price;
  std::string id;
  auto fields() { return std::tie(id); }
  bool operator==(const price_key&) const = default;
};
struct access_record_key {
  static constexpr tag of = tag::access_record;
  std::string id;
  auto fields() { return std::tie(id); }
  bool operator==(const access_record_key&) const = default;
};
struct entry_key {
  static constexpr tag of = tag::entry;
  std::uint64_t position = 0;
  auto fields() { return std::tie(position); }
  bool operator==(const entry_key&) const = default;
};
/// By position and not by command: so the oldest ones, which are dropped, come first.
struct command_key {
  static constexpr tag of = tag::command;
  std::uint64_t position = 0; ///< of the entry
  auto fields() { return std::tie(position); }
  bool operator==(const command_key&) const = default;
};
struct config_key {
  static constexpr tag of = tag::config;
  std::string node;
  std::uint64_t number = 0;
  auto fields() { return std::tie(node, number); }
  bool operator==(const config_key&) const = default;
};

/// A day that another tool had added up.
struct notice_key {
  static constexpr tag of = tag::notice;
  std::string id; ///< lies in the order of time
  auto fields() { return std::tie(id); }
  bool operator==(const notice_key&) const = default;
};
struct notice_mark_key {
  static constexpr tag of = tag::notice_mark;
  std::string name; ///< "position", or what was told: its kind and what it was about
  auto fields() { return std::tie(name); }
  bool operator==(const notice_mark_key&) const = default;
};
struct notice_preferences_key {
  static constexpr tag of = tag::notice_preferences;
  std::string user;
  auto fields() { return std::tie(user); }
  bool operator==(const notice_preferences_key&) const = default;
};
struct order_key {
  static constexpr tag of = tag::order;
  std::uint64_t number = 0;
  auto fields() { return std::tie(number); }
  bool operator==(const order_key&) const = default;
};
struct history_key {
  static constexpr tag of = tag::history;
  std::string node;
  std::int32_t day = 0; ///< since 1970
  std::uint8_t source = 0;
  std::string key; ///< its id
  std::string owner;
  auto fields() { return std::tie(node, day, source, key, owner); }
  bool operator==(const history_key&) const = default;
};

/// What is kept of accounts with providers: kinds of rows are in account_shelf.hpp.
struct account_key {
  static constexpr tag of = tag::account;
  std::uint8_t kind = 0;
  std::string id; ///< holds no e-mail address
  auto fields() { return std::tie(kind, id); }
  bool operator==(const account_key&) const = default;
};

// --- to bytes and back --------------------------------------------------------------

/// A longer text cannot be part of a key: its length takes one byte.
inline constexpr std::size_t longest_key_text_bytes = 255;

namespace key_fields {
inline void put_field(std::string& out, const std::string& text) {
  put_fixed(out, static_cast<std::uint8_t>(text.size()));
  out.append(text);
}
inline void put_field(std::string& out, name_kind kind) { put_fixed(out, static_cast<std::uint8_t>(kind)); }
template <std::size_t N>
void put_field(std::string& out, const std::array<std::uint8_t, N>& bytes) {
  put_bytes(out, bytes);
}
template <std::integral T>
void put_field(std::string& out, T value) {
  put_fixed(out, value);
}

inline bool get_field(std::string_view& in, name_kind& out) {
  std::uint8_t value = 0;
  if (!get_fixed(in, value) || value < 1 || value >= name_kinds)
    return false;
  out = static_cast<name_kind>(value);
  return true;
}
inline bool get_field(std::string_view& in, std::string& out) {
  std::uint8_t size = 0;
  if (!get_fixed(in, size) || size > in.size())
    return false;
  out.assign(in.substr(0, size));
  in.remove_prefix(size);
  return true;
}
template <std::size_t N>
bool get_field(std::string_view& in, std::array<std::uint8_t, N>& out) {
  return get_bytes(in, out);
}
template <std::integral T>
bool get_field(std::string_view& in, T& out) {
  return get_fixed(in, out);
}
} // namespace key_fields

template <class Key>
void append_key(std::string& out, Key key) {
  out.push_back(static_cast<char>(Key::of));
  std::apply([&](const auto&... field) { (key_fields::put_field(out, field), ...); }, key.fields());
}

/// The bytes under which a row lies.
template <class Key>
std::string encode_key(const Key& key) {
  std::string out;
  append_key(out, key);
  return out;
}

/// False unless `in` is a whole key of this type and nothing else.
template <class Key>
[[nodiscard]] bool decode_key(std::string_view in, Key& out) {
  if (in.empty() || static_cast<std::uint8_t>(in[0]) != static_cast<std::uint8_t>(Key::of))
    return false;
  in.remove_prefix(1);
  return std::apply([&](auto&... field) { return (key_fields::get_field(in, field) && ...); }, out.fields())
         && in.empty();
}

/// What all keys of a type begin with whose first fields have these values; none given: all keys of the type.
template <class Key, class... Leading>
std::string key_prefix(Leading... leading) {
  // The fields' own types decide the width, not those of the arguments.
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    Key key;
    [[maybe_unused]] auto fields = key.fields();
    ((std::get<I>(fields) = leading), ...);
    std::string out(1, static_cast<char>(Key::of));
    (key_fields::put_field(out, std::get<I>(fields)), ...);
    return out;
  }
  (std::index_sequence_for<Leading...>{});
}

/// The smallest text after all that begin with `prefix`: where a scan ends. Not for a prefix of 0xff bytes only.
inline std::string prefix_end(std::string prefix) {
  while (!prefix.empty() && static_cast<std::uint8_t>(prefix.back()) == 0xff)
    prefix.pop_back();
  if (!prefix.empty())
    prefix.back() = static_cast<char>(static_cast<std::uint8_t>(prefix.back()) + 1);
  return prefix;
}

} // namespace keyportal::storage
