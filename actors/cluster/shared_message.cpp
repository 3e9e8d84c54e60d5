#include "actors/cluster/shared_message.hpp"

#include <string.h> // explicit_bzero, of glibc

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "messages/errors.hpp"
#include "storage/encoding.hpp"
#include "storage/packing.hpp"
#include "storage/retirement.hpp"
#include "storage/values.hpp"

namespace keyportal::cluster {
namespace {

using namespace storage;

// The first byte is in clear: the version of the layout.
constexpr char newest_version = 1;
constexpr auto newest_event = event_kind::audit_head;
constexpr std::uint64_t most_events = 10'000;
constexpr std::uint64_t most_records = 100'000;
constexpr std::uint64_t most_marks = 1'000'000;

constexpr std::uint8_t failed_flag = 1;
constexpr std::uint8_t copied_flag = 2;
constexpr std::uint8_t facts_flag = 4;

caf::error malformed(std::string_view what) { return make_error(errc::file_malformed, std::string(what)); }

std::string place_of(char version) { return fmt::format("keyportal.shared.{}", static_cast<int>(version)); }

template <class Values>
void put_amounts(std::string& out, const Values& amounts) {
  for (const auto amount : amounts)
    put_zigzag(out, amount);
}

bool take_amounts(std::string_view& in, std::initializer_list<std::int64_t*> amounts) {
  return std::all_of(amounts.begin(), amounts.end(), [&](auto* one) { return get_zigzag(in, *one); });
}

template <class Whole>
bool take_narrow(std::string_view& in, Whole& out) {
  std::int64_t wide = 0;
  if (!get_zigzag(in, wide) || wide < std::numeric_limits<Whole>::min() || wide > std::numeric_limits<Whole>::max())
    return false;
  out = static_cast<Whole>(wide);
  return true;
}

void put(std::string& out, const detail& d) {
  put_bytes(out, d.id.bytes);
  put_fixed(out, static_cast<std::uint8_t>((d.failed ? failed_flag : 0) | (d.copied ? copied_flag : 0)
                                           | (d.facts ? facts_flag : 0)));
  put_fixed(out, d.at.unix_ns);
  put_amounts(out,
              std::initializer_list<std::int64_t>{d.at.offset_minutes, d.latency_ms, d.tokens.input, d.tokens.output,
                                                  d.tokens.reasoning, d.tokens.cached, d.tokens.total});
  put_text(out, d.source);
  put_text(out, d.auth_index);
  if (!d.facts)
    return;
  put_amounts(out, std::initializer_list<std::int64_t>{d.parts.uncached_input, d.parts.cache_read, d.parts.cache_write,
                                                       d.parts.output, d.parts.reasoning, d.parts.unclassified,
                                                       d.facts->ttft_ms, d.facts->status_code});
  for (const auto* text : {&d.facts->provider, &d.facts->alias, &d.facts->endpoint, &d.facts->extra, &d.facts->error,
                           &d.facts->service_tier})
    put_text(out, *text);
}

bool take(std::string_view& in, detail& d) {
  std::uint8_t flags = 0;
  if (!get_bytes(in, d.id.bytes) || !get_fixed(in, flags) || flags > (failed_flag | copied_flag | facts_flag)
      || !get_fixed(in, d.at.unix_ns) || !take_narrow(in, d.at.offset_minutes)
      || !take_amounts(
        in, {&d.latency_ms, &d.tokens.input, &d.tokens.output, &d.tokens.reasoning, &d.tokens.cached, &d.tokens.total})
      || !get_text(in, d.source) || !get_text(in, d.auth_index))
    return false;
  d.failed = (flags & failed_flag) != 0;
  d.copied = (flags & copied_flag) != 0;
  if ((flags & facts_flag) == 0)
    return true;
  attempt_facts facts;
  if (!take_amounts(in, {&d.parts.uncached_input, &d.parts.cache_read, &d.parts.cache_write, &d.parts.output,
                         &d.parts.reasoning, &d.parts.unclassified, &facts.ttft_ms})
      || !take_narrow(in, facts.status_code))
    return false;
  for (auto* text : {&facts.provider, &facts.alias, &facts.endpoint, &facts.extra, &facts.error, &facts.service_tier})
    if (!get_text(in, *text))
      return false;
  d.facts = std::make_shared<const attempt_facts>(std::move(facts));
  return true;
}

/// A count of things that take `least` bytes each, so that no short message asks for much memory.
bool take_count(std::string_view& in, std::size_t least, std::uint64_t most, std::uint64_t& out) {
  return get_varint(in, out) && out <= most && out <= in.size() / least;
}

bool take_bool(std::string_view& in, bool& out) {
  std::uint8_t byte = 0;
  if (!get_fixed(in, byte) || byte > 1)
    return false;
  out = byte == 1;
  return true;
}

void put_moment(std::string& out, moment at) { put_fixed(out, unix_ns(at)); }
bool take_moment(std::string_view& in, moment& out) {
  std::int64_t ns = 0;
  if (!get_fixed(in, ns))
    return false;
  out = moment_of(ns);
  return true;
}

void put(std::string& out, const node_counters& c) {
  put_amounts(out, std::initializer_list<std::int64_t>{c.requests, c.ok, c.failed, c.tokens});
}
bool take(std::string_view& in, node_counters& c) {
  return take_amounts(in, {&c.requests, &c.ok, &c.failed, &c.tokens});
}

void put(std::string& out, const std::vector<node_event>& events) {
  put_varint(out, events.size());
  for (const auto& event : events) {
    put_fixed(out, static_cast<std::uint8_t>(event.kind));
    put_moment(out, event.at);
    for (const auto* text : {&event.node, &event.data, &event.about})
      put_text(out, *text);
  }
}
bool take(std::string_view& in, std::vector<node_event>& events) {
  std::uint64_t count = 0;
  if (!take_count(in, 12, most_events, count))
    return false;
  events.resize(count);
  return std::all_of(events.begin(), events.end(), [&](node_event& event) {
    std::uint8_t kind = 0;
    const bool fine = get_fixed(in, kind) && take_moment(in, event.at) && get_text(in, event.node)
                      && get_text(in, event.data) && get_text(in, event.about);
    event.kind = static_cast<event_kind>(kind);
    return fine && kind > 0 && kind <= static_cast<std::uint8_t>(newest_event);
  });
}

/// Of a node, with the number that its value does not say.
template <class Record>
void put_numbered(std::string& out, const Record& one) {
  put_text(out, one.node);
  put_varint(out, one.number);
  put_text(out, storage::encode(one));
}
template <class Record>
bool take_numbered(std::string_view& in, Record& one) {
  std::string value, node;
  std::uint64_t number = 0;
  if (!get_text(in, node) || !get_varint(in, number) || !get_text(in, value) || !storage::decode(value, one))
    return false;
  one.node = std::move(node);
  one.number = number;
  return true;
}

void put(std::string& out, const audit_memory& audit) {
  put_text(out, audit.node);
  put_varint(out, audit.boot);
  put_moment(out, audit.boot_seen_at);
  put_moment(out, audit.compared_at);
  put_text(out, audit.version);
  put_varint(out, audit.credentials.size());
  for (const auto& one : audit.credentials) {
    put_text(out, one.auth_index);
    put_amounts(out, std::initializer_list<std::int64_t>{one.node_ok, one.node_failed, one.base_ok, one.base_failed});
  }
}
bool take(std::string_view& in, audit_memory& audit) {
  std::uint64_t count = 0;
  if (!get_text(in, audit.node) || !get_varint(in, audit.boot) || !take_moment(in, audit.boot_seen_at)
      || !take_moment(in, audit.compared_at) || !get_text(in, audit.version) || !take_count(in, 5, most_marks, count))
    return false;
  audit.credentials.resize(count);
  return std::all_of(audit.credentials.begin(), audit.credentials.end(), [&](auto& one) {
    return get_text(in, one.auth_index)
           && take_amounts(in, {&one.node_ok, &one.node_failed, &one.base_ok, &one.base_failed});
  });
}

void put(std::string& out, const journal_entry& entry) {
  put(out, entry.events);
  out.push_back(entry.restart ? 1 : 0);
  if (entry.restart)
    put_numbered(out, *entry.restart);
  out.push_back(entry.gap ? 1 : 0);
  if (entry.gap)
    put_numbered(out, *entry.gap);
  put_varint(out, entry.incompletes.size());
  for (const auto& one : entry.incompletes)
    put_numbered(out, one);
  out.push_back(entry.audit ? 1 : 0);
  if (entry.audit)
    put(out, *entry.audit);
  out.push_back(entry.retired ? 1 : 0);
  if (entry.retired) {
    put_text(out, entry.retired->node);
    put_fixed(out, entry.retired->first_ns);
  }
}
bool take(std::string_view& in, journal_entry& entry) {
  bool is_there = false;
  std::uint64_t count = 0;
  if (!take(in, entry.events) || !take_bool(in, is_there) || (is_there && !take_numbered(in, entry.restart.emplace()))
      || !take_bool(in, is_there) || (is_there && !take_numbered(in, entry.gap.emplace()))
      || !take_count(in, 3, most_events, count))
    return false;
  entry.incompletes.resize(count);
  for (auto& one : entry.incompletes)
    if (!take_numbered(in, one))
      return false;
  if (!take_bool(in, is_there) || (is_there && !take(in, entry.audit.emplace())) || !take_bool(in, is_there))
    return false;
  if (!is_there)
    return true;
  storage::retirement closed;
  if (!get_text(in, closed.node) || !get_fixed(in, closed.first_ns))
    return false;
  entry.retired = std::make_shared<const storage::retirement>(std::move(closed));
  return true;
}

void put(std::string& out, const std::vector<record_group>& groups) {
  put_varint(out, groups.size());
  for (const auto& group : groups) {
    put_text(out, group.client_key.reveal());
    put_text(out, group.model);
    put_varint(out, group.details.size());
    for (const auto& one : group.details)
      put(out, one);
  }
}
bool take(std::string_view& in, std::vector<record_group>& groups) {
  std::uint64_t count = 0, records = 0;
  if (!take_count(in, 3, most_records, count))
    return false;
  groups.resize(count);
  for (auto& group : groups) {
    std::string key;
    if (!get_text(in, key) || !get_text(in, group.model) || !take_count(in, 34, most_records - records, count))
      return false;
    group.client_key = secret{std::move(key)};
    records += count;
    group.details.resize(count);
    for (auto& one : group.details)
      if (!take(in, one))
        return false;
  }
  return true;
}

void put(std::string& out, const collection& what) {
  put_text(out, what.node);
  put_moment(out, what.seen_at);
  out.push_back(what.from_poll ? 1 : 0);
  out.push_back(what.forget_marks ? 1 : 0);
  put(out, what.counters);
  put(out, what.groups ? *what.groups : std::vector<record_group>{});
  put_varint(out, what.marks.size());
  for (const auto& mark : what.marks) {
    put_text(out, mark.client_key.reveal());
    put_text(out, mark.model);
    put_varint(out, mark.count);
    put_varint(out, mark.raw_bytes);
    put_bytes(out, mark.raw_hash);
    put_bytes(out, mark.ids_hash);
    put_zigzag(out, mark.total_requests);
  }
  out.push_back(what.facts ? 1 : 0);
  if (what.facts)
    put(out, *what.facts);
}
bool take(std::string_view& in, collection& what) {
  auto groups = std::make_shared<std::vector<record_group>>();
  std::uint64_t count = 0;
  bool has_facts = false;
  if (!get_text(in, what.node) || !take_moment(in, what.seen_at) || !take_bool(in, what.from_poll)
      || !take_bool(in, what.forget_marks) || !take(in, what.counters) || !take(in, *groups)
      || !take_count(in, 37, most_marks, count))
    return false;
  what.groups = std::move(groups);
  what.marks.resize(count);
  for (auto& mark : what.marks) {
    std::string key;
    if (!get_text(in, key) || !get_text(in, mark.model) || !get_varint(in, mark.count)
        || !get_varint(in, mark.raw_bytes) || !get_bytes(in, mark.raw_hash) || !get_bytes(in, mark.ids_hash)
        || !get_zigzag(in, mark.total_requests))
      return false;
    mark.client_key = secret{std::move(key)};
  }
  return take_bool(in, has_facts) && (!has_facts || take(in, what.facts.emplace()));
}

void put(std::string& out, const append_entry& what) {
  auto entry = *what.entry;
  entry.hash = {};
  put_varint(out, what.expected);
  put_text(out, storage::encode(entry));
  put(out, what.events);
}
bool take(std::string_view& in, append_entry& what) {
  std::string bytes;
  auto entry = std::make_shared<registry_entry>();
  if (!get_varint(in, what.expected) || !get_text(in, bytes) || !storage::decode(bytes, *entry)
      || !take(in, what.events))
    return false;
  entry->position = what.expected + 1;
  entry->hash = {};
  what.entry = std::move(entry);
  return true;
}

void put(std::string& out, const consumer_progress& what) {
  put_text(out, what.name);
  put_varint(out, what.seq);
}
bool take(std::string_view& in, consumer_progress& what) { return get_text(in, what.name) && get_varint(in, what.seq); }

void put(std::string& out, const outbox_acked& what) {
  put_varint(out, what.seqs.size());
  sequence before = 0;
  for (const auto seq : what.seqs) {
    put_zigzag(out, static_cast<std::int64_t>(seq - before));
    before = seq;
  }
}
bool take(std::string_view& in, outbox_acked& what) {
  std::uint64_t count = 0;
  if (!take_count(in, 1, most_marks, count))
    return false;
  what.seqs.resize(count);
  sequence before = 0;
  for (auto& seq : what.seqs) {
    std::int64_t step = 0;
    if (!get_zigzag(in, step))
      return false;
    seq = before += static_cast<sequence>(step);
  }
  return true;
}

void put(std::string& out, const storage::shared_rows& what) {
  put_varint(out, what.rows.size());
  for (const auto& row : what.rows) {
    put_text(out, row.key);
    out.push_back(row.value ? 1 : 0);
    if (row.value)
      put_text(out, *row.value);
  }
}
bool take(std::string_view& in, storage::shared_rows& what) {
  std::uint64_t count = 0;
  if (!take_count(in, 2, most_marks, count))
    return false;
  what.rows.resize(count);
  for (auto& row : what.rows) {
    bool has_value = false;
    if (!get_text(in, row.key) || !take_bool(in, has_value) || (has_value && !get_text(in, row.value.emplace())))
      return false;
  }
  return true;
}

void put(std::string& out, const reprice_prices& what) {
  for (const auto& one : {what.from, what.to}) {
    out.push_back(one ? 1 : 0);
    put_moment(out, one.value_or(moment{}));
  }
}
bool take(std::string_view& in, reprice_prices& what) {
  for (auto* one : {&what.from, &what.to}) {
    bool is_there = false;
    moment at{};
    if (!take_bool(in, is_there) || !take_moment(in, at))
      return false;
    if (is_there)
      *one = at;
  }
  return true;
}

template <class Variant, std::size_t Index = 0>
bool take_alternative(std::string_view& in, std::size_t which, Variant& out) {
  if constexpr (Index == std::variant_size_v<Variant>)
    return false;
  else
    return which == Index ? take(in, out.template emplace<Index>())
                          : take_alternative<Variant, Index + 1>(in, which, out);
}

} // namespace

caf::expected<std::string> encode(const sealer& seal, const shared_message& what) {
  std::string plain;
  put_text(plain, what.from);
  put_varint(plain, what.number);
  put_text(plain, what.duty);
  put_varint(plain, what.fence);
  plain.push_back(static_cast<char>(what.what.index()));
  std::visit([&](const auto& one) { put(plain, one); }, what.what);
  auto packed = plain.size() > longest_unpacked
                  ? caf::expected<std::string>{make_error(errc::body_too_large, "a message between processes")}
                  : pack(seal, plain, place_of(newest_version), packing::quick);
  explicit_bzero(plain.data(), plain.size()); // client keys stood in it
  if (!packed)
    return packed.error();
  packed->insert(packed->begin(), newest_version);
  if (packed->size() > longest_shared_message)
    return make_error(errc::body_too_large, "a message between processes");
  return packed;
}

caf::expected<shared_message> decode(const sealer& seal, std::string_view bytes) {
  if (bytes.empty() || bytes[0] < 1)
    return malformed("a message between processes");
  if (bytes[0] > newest_version)
    return make_error(errc::file_version, "a message of a later version between processes");
  auto plain = unpack(seal, bytes.substr(1), place_of(bytes[0]));
  if (!plain)
    return plain.error();
  std::string_view in = *plain;
  shared_message out;
  std::uint8_t which = 0;
  const bool fine = plain->size() <= longest_unpacked && get_text(in, out.from) && get_varint(in, out.number)
                    && get_text(in, out.duty) && get_varint(in, out.fence) && get_fixed(in, which)
                    && take_alternative(in, which, out.what) && in.empty();
  explicit_bzero(plain->data(), plain->size());
  if (!fine)
    return malformed("a message between processes");
  return out;
}

std::vector<collection> in_parts(collection what, std::size_t most) {
  std::vector<collection> out;
  std::size_t left = 0;
  std::shared_ptr<std::vector<record_group>> filling;
  const auto begin_part = [&] {
    collection part;
    part.node = what.node;
    part.seen_at = what.seen_at;
    part.from_poll = false; // remembers nothing of the node
    filling = std::make_shared<std::vector<record_group>>();
    part.groups = filling;
    out.push_back(std::move(part));
    left = std::max<std::size_t>(most, 1);
  };
  begin_part();
  static const std::vector<record_group> none;
  for (const auto& group : what.groups ? *what.groups : none)
    for (std::size_t from = 0; from < group.details.size();) {
      if (left == 0)
        begin_part();
      const auto count = std::min(left, group.details.size() - from);
      const auto first = group.details.begin() + static_cast<std::ptrdiff_t>(from);
      filling->push_back({group.client_key, group.model, {first, first + static_cast<std::ptrdiff_t>(count)}});
      from += count;
      left -= count;
    }
  auto& last = out.back();
  last.from_poll = what.from_poll;
  last.forget_marks = what.forget_marks;
  last.marks = std::move(what.marks);
  last.counters = what.counters;
  last.facts = std::move(what.facts);
  return out;
}

} // namespace keyportal::cluster
