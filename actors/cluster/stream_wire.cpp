#include "actors/cluster/stream_wire.hpp"

#include <string.h> // explicit_bzero, of glibc

#include <algorithm>
#include <limits>

#include <fmt/format.h>

#include "actors/cluster/stream_log.hpp"
#include "messages/errors.hpp"
#include "storage/encoding.hpp"
#include "storage/packing.hpp"
#include "storage/values.hpp"

namespace keyportal::cluster {
namespace {

using namespace storage;

// The first two bytes are in clear: what it is, and the version of its layout.
constexpr char registry_kind = 'r';
constexpr char usage_kind = 'u';
constexpr char newest_version = 1;
constexpr auto newest_event = event_kind::audit_head;

constexpr std::uint8_t failed_flag = 1;
constexpr std::uint8_t copied_flag = 2;
constexpr std::uint8_t facts_flag = 4;

caf::error malformed(std::string_view what) { return make_error(errc::file_malformed, std::string(what)); }

std::string place_of(char kind, char version, log_position position) {
  return fmt::format("keyportal.stream.{}.{}.{}", kind, static_cast<int>(version), position);
}

caf::expected<std::string> close(const sealer& seal, char kind, std::string_view plain, log_position position) {
  if (plain.size() > longest_unpacked)
    return make_error(errc::body_too_large, "a message between processes");
  auto packed = pack(seal, plain, place_of(kind, newest_version, position));
  if (!packed)
    return packed.error();
  packed->insert(0, {kind, newest_version});
  if (packed->size() > longest_stream_entry)
    return make_error(errc::body_too_large, "a message between processes");
  return packed;
}

caf::expected<std::string> open(const sealer& seal, char kind, std::string_view bytes, log_position position) {
  if (bytes.size() < 2 || bytes.size() > longest_stream_entry || bytes[0] != kind || bytes[1] < 1)
    return malformed("a message between processes");
  if (bytes[1] > newest_version)
    return make_error(errc::file_version, "a message of a later version between processes");
  auto plain = unpack(seal, bytes.substr(2), place_of(kind, bytes[1], position));
  if (plain && plain->size() > longest_unpacked)
    return malformed("a message between processes");
  return plain;
}

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

bool take_event(std::string_view& in, node_event& event, bool& is_later) {
  std::uint8_t kind = 0;
  std::int64_t ns = 0;
  if (!get_fixed(in, kind) || !get_fixed(in, ns) || !get_text(in, event.node) || !get_text(in, event.data)
      || !get_text(in, event.about))
    return false;
  is_later = is_later || kind > static_cast<std::uint8_t>(newest_event);
  event.kind = static_cast<event_kind>(kind);
  event.at = moment_of(ns);
  return kind > static_cast<std::uint8_t>(event_kind::totals);
}

} // namespace

caf::expected<std::string> encode(const sealer& seal, const registry_message& what, log_position position) {
  if (what.events.size() > most_events_of_an_entry)
    return make_error(errc::body_too_large, "an entry with too many events");
  auto entry = what.entry;
  entry.hash = {};
  std::string plain;
  put_text(plain, storage::encode(entry));
  put_varint(plain, what.events.size());
  for (const auto& event : what.events) {
    put_fixed(plain, static_cast<std::uint8_t>(event.kind));
    put_fixed(plain, unix_ns(event.at));
    for (const auto* text : {&event.node, &event.data, &event.about})
      put_text(plain, *text);
  }
  return close(seal, registry_kind, plain, position);
}

caf::expected<registry_message> decode_registry(const sealer& seal, std::string_view bytes, log_position position) {
  const auto plain = open(seal, registry_kind, bytes, position);
  if (!plain)
    return plain.error();
  std::string_view in = *plain;
  registry_message out;
  std::string entry;
  std::uint64_t count = 0;
  bool is_later = false;
  if (!get_text(in, entry) || !storage::decode(entry, out.entry) || !take_count(in, 12, most_events_of_an_entry, count))
    return malformed("an entry of the registry");
  out.events.resize(count);
  for (auto& event : out.events)
    if (!take_event(in, event, is_later))
      return malformed("an event of an entry of the registry");
  if (!in.empty())
    return malformed("an entry of the registry");
  if (is_later)
    return make_error(errc::file_version, "an event of a later version");
  out.entry.position = position;
  out.entry.hash = {};
  return out;
}

caf::expected<std::string> encode(const sealer& seal, const usage_message& what) {
  std::size_t records = 0;
  std::string plain;
  put_text(plain, what.node);
  put_text(plain, what.from);
  put_varint(plain, what.groups.size());
  for (const auto& group : what.groups) {
    records += group.details.size();
    put_text(plain, group.client_key.reveal());
    put_text(plain, group.model);
    put_varint(plain, group.details.size());
    for (const auto& one : group.details)
      put(plain, one);
  }
  auto out = records > most_records_of_a_batch || what.groups.size() > most_records_of_a_batch
               ? caf::expected<std::string>{make_error(errc::body_too_large, "a batch of records")}
               : close(seal, usage_kind, plain, 0);
  explicit_bzero(plain.data(), plain.size()); // client keys stood in it
  return out;
}

caf::expected<usage_message> decode_usage(const sealer& seal, std::string_view bytes) {
  auto plain = open(seal, usage_kind, bytes, 0);
  if (!plain)
    return plain.error();
  std::string_view in = *plain;
  usage_message out;
  std::uint64_t groups = 0;
  std::uint64_t records = 0;
  bool fine = get_text(in, out.node) && get_text(in, out.from) && take_count(in, 3, most_records_of_a_batch, groups);
  for (std::uint64_t i = 0; fine && i < groups; ++i) {
    auto& group = out.groups.emplace_back();
    std::string key;
    std::uint64_t count = 0;
    fine =
      get_text(in, key) && get_text(in, group.model) && take_count(in, 34, most_records_of_a_batch - records, count);
    if (!fine)
      break;
    group.client_key = secret{std::move(key)};
    records += count;
    group.details.resize(count);
    fine = std::all_of(group.details.begin(), group.details.end(), [&](auto& one) { return take(in, one); });
  }
  fine = fine && in.empty();
  explicit_bzero(plain->data(), plain->size());
  if (!fine)
    return malformed("a batch of records");
  return out;
}

std::vector<usage_message> in_parts(usage_message what, std::size_t most_records) {
  std::vector<usage_message> out;
  std::size_t left = 0;
  for (auto& group : what.groups)
    for (std::size_t from = 0; from < group.details.size();) {
      if (left == 0) {
        out.push_back({what.node, what.from, {}});
        left = std::max<std::size_t>(most_records, 1);
      }
      const auto count = std::min(left, group.details.size() - from);
      record_group part{group.client_key, group.model, {}};
      const auto begin = group.details.begin() + static_cast<std::ptrdiff_t>(from);
      part.details.assign(std::make_move_iterator(begin),
                          std::make_move_iterator(begin + static_cast<std::ptrdiff_t>(count)));
      out.back().groups.push_back(std::move(part));
      from += count;
      left -= count;
    }
  return out;
}

} // namespace keyportal::cluster
