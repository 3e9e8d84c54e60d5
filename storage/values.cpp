#include "storage/values.hpp"

#include <algorithm>

#include "storage/value_parts.hpp"

namespace keyportal::storage {

using namespace value_parts;

namespace {
constexpr std::uint8_t failed_flag = 1;
constexpr std::uint8_t facts_flag = 2;
constexpr std::uint8_t priced_flag = 4;
constexpr std::uint8_t copied_flag = 0x80; // in every version: without copies nothing differs
} // namespace

// --- position -------------------------------------------------------------------

std::string encode(const position_value& value) {
  auto out = begin(3);
  put_varint(out, value.last);
  put_varint(out, value.records);
  put_varint(out, value.outbox);
  put_varint(out, value.last_name);
  put_varint(out, value.last_inbox);
  put_varint(out, value.inbox);
  put_varint(out, value.last_letter);
  put_varint(out, value.dead_letters);
  put_fixed(out, value.first_minute);
  put_fixed(out, value.first_ns);
  return out;
}

bool decode(std::string_view in, position_value& out) {
  char version = 0;
  if (!take_version(in, 3, version) || !get_varint(in, out.last) || !get_varint(in, out.records)
      || !get_varint(in, out.outbox) || !get_varint(in, out.last_name))
    return false;
  return (version == 1
          || (get_varint(in, out.last_inbox) && get_varint(in, out.inbox) && get_varint(in, out.last_letter)
              && get_varint(in, out.dead_letters)))
         && (version < 3 || (get_fixed(in, out.first_minute) && get_fixed(in, out.first_ns))) && in.empty();
}

// --- record ---------------------------------------------------------------------

// Version 1 has no facts, version 2 no price, no error and no tier.
void append(std::string& out, const record_value& value) {
  out.push_back(3);
  out.push_back(static_cast<char>((value.failed ? failed_flag : 0) | (value.facts ? facts_flag : 0)
                                  | (value.cost_nano ? priced_flag : 0) | (value.copied ? copied_flag : 0)));
  put_varint(out, value.seq);
  put_varint(out, value.client_key);
  put_varint(out, value.model);
  put_varint(out, value.source);
  put_varint(out, value.auth_index);
  put_zigzag(out, value.offset_minutes);
  put_zigzag(out, value.latency_ms);
  put(out, value.tokens);
  if (value.cost_nano)
    put_zigzag(out, *value.cost_nano);
  if (!value.facts)
    return;
  put_varint(out, value.facts->provider);
  put_varint(out, value.facts->alias);
  put_varint(out, value.facts->endpoint);
  put_zigzag(out, value.facts->ttft_ms);
  put_zigzag(out, value.facts->status_code);
  put(out, value.facts->parts);
  put_varint(out, value.facts->error);
  put_varint(out, value.facts->service_tier);
}

std::string encode(const record_value& value) {
  std::string out;
  append(out, value);
  return out;
}

bool decode(std::string_view in, record_value& out) {
  char version = 0;
  std::uint8_t flags = 0;
  std::int64_t offset = 0;
  static constexpr std::uint8_t most_flags[] = {failed_flag, failed_flag | facts_flag,
                                                failed_flag | facts_flag | priced_flag};
  if (!take_version(in, 3, version) || !take_byte(in, flags))
    return false;
  out.copied = (flags & copied_flag) != 0;
  flags &= static_cast<std::uint8_t>(~copied_flag);
  if (flags > most_flags[version - 1] || !get_varint(in, out.seq) || !get_varint(in, out.client_key)
      || !get_varint(in, out.model) || !get_varint(in, out.source) || !get_varint(in, out.auth_index)
      || !get_zigzag(in, offset) || offset < INT16_MIN || offset > INT16_MAX || !get_zigzag(in, out.latency_ms)
      || !take(in, out.tokens))
    return false;
  out.failed = (flags & failed_flag) != 0;
  out.offset_minutes = static_cast<std::int16_t>(offset);
  out.facts.reset();
  out.cost_nano.reset();
  if ((flags & priced_flag) != 0 && !get_zigzag(in, out.cost_nano.emplace()))
    return false;
  if ((flags & facts_flag) == 0)
    return in.empty();
  auto& facts = out.facts.emplace();
  std::int64_t status = 0;
  if (!get_varint(in, facts.provider) || !get_varint(in, facts.alias) || !get_varint(in, facts.endpoint)
      || !get_zigzag(in, facts.ttft_ms) || !get_zigzag(in, status) || status < INT32_MIN || status > INT32_MAX
      || !take(in, facts.parts)
      || (version >= 3 && (!get_varint(in, facts.error) || !get_varint(in, facts.service_tier))))
    return false;
  facts.status_code = static_cast<std::int32_t>(status);
  return in.empty();
}

// --- arrivals, outbox -------------------------------------------------------------

std::string encode(const arrivals_value& value) {
  auto out = begin();
  put_varint(out, value.node);
  put_varint(out, value.records.size());
  arrival_record before;
  for (const auto& record : value.records) {
    put_varint(out, record.seq - before.seq);
    // Unsigned, so that the step between any two moments is defined.
    put_zigzag(out, static_cast<std::int64_t>(static_cast<std::uint64_t>(record.at_ns)
                                              - static_cast<std::uint64_t>(before.at_ns)));
    put_bytes(out, record.id.bytes);
    before = record;
  }
  put_text(out, value.extras);
  return out;
}

bool decode(std::string_view in, arrivals_value& out) {
  std::uint64_t count = 0;
  if (!take_version_1(in) || !get_varint(in, out.node) || !get_varint(in, count) || count == 0 || count > in.size())
    return false;
  out.records.resize(count);
  arrival_record before;
  for (auto& record : out.records) {
    std::uint64_t step = 0;
    std::int64_t time_step = 0;
    if (!get_varint(in, step) || step == 0 || step > UINT64_MAX - before.seq || !get_zigzag(in, time_step)
        || !get_bytes(in, record.id.bytes))
      return false;
    record.seq = before.seq + step;
    record.at_ns =
      static_cast<std::int64_t>(static_cast<std::uint64_t>(before.at_ns) + static_cast<std::uint64_t>(time_step));
    before = record;
  }
  return get_text(in, out.extras) && in.empty();
}

namespace {

bool take_kind(std::string_view& in, event_kind& out) {
  std::uint8_t byte = 0;
  if (!take_byte(in, byte))
    return false;
  out = static_cast<event_kind>(byte);
  return out <= event_kind::open_access || (out >= event_kind::key_assigned && out <= event_kind::key_renewal_refused)
         || (out >= event_kind::user_registered && out <= event_kind::user_refused)
         || (out >= event_kind::policy_changed && out <= event_kind::policy_budget)
         || (out >= event_kind::backup_made && out <= event_kind::backup_restored);
}

} // namespace

// Version 1 listed the records of a row itself; migration (migrate.cpp) leaves none. Version 2 knew events of nodes only.
std::string encode(const outbox_value& value) {
  auto out = begin(3);
  out.push_back(static_cast<char>(value.kind));
  if (value.kind != event_kind::usage) {
    put_varint(out, value.node);
    put_fixed(out, value.at_ns);
    put_text(out, value.about);
    put_text(out, value.data);
    return out;
  }
  put_varint(out, value.waiting.size());
  sequence before = 0;
  for (const auto& range : value.waiting) {
    put_varint(out, range.first - before);
    put_varint(out, range.last - range.first);
    before = range.last;
  }
  return out;
}

bool decode(std::string_view in, outbox_value& out) {
  char version = 0;
  if (!take_version(in, 3, version) || version < 2 || !take_kind(in, out.kind))
    return false;
  out.waiting.clear();
  out.about.clear();
  if (out.kind != event_kind::usage)
    return get_varint(in, out.node) && get_fixed(in, out.at_ns) && (version == 2 || get_text(in, out.about))
           && get_text(in, out.data) && in.empty();
  std::uint64_t count = 0;
  if (!get_varint(in, count) || count == 0 || count > in.size())
    return false;
  out.waiting.resize(count);
  sequence before = 0;
  for (auto& range : out.waiting) {
    std::uint64_t step = 0;
    std::uint64_t length = 0;
    if (!get_varint(in, step) || step == 0 || step > UINT64_MAX - before || !get_varint(in, length)
        || length > UINT64_MAX - before - step)
      return false;
    range.first = before + step;
    before = range.last = range.first + length;
  }
  return in.empty();
}

// --- node, mark, roll-up -----------------------------------------------------------

void record_span::add(std::int64_t at_ns) {
  ++count;
  first_ns = std::min(first_ns, at_ns);
  last_ns = std::max(last_ns, at_ns);
}

namespace {

void put(std::string& out, const record_span& span) {
  put_varint(out, span.count);
  put_fixed(out, span.first_ns);
  put_fixed(out, span.last_ns);
}

bool take(std::string_view& in, record_span& span) {
  return get_varint(in, span.count) && get_fixed(in, span.first_ns) && get_fixed(in, span.last_ns);
}

} // namespace

std::string encode(const node_value& value) {
  auto out = begin(4);
  out.push_back(value.known ? 1 : 0);
  put_fixed(out, value.last_seen_ns);
  put(out, value.counters);
  put(out, value.sums);
  put_varint(out, value.restarts);
  put_varint(out, value.gaps);
  put_varint(out, value.incompletes);
  put(out, value.plain);
  put(out, value.with_facts);
  put(out, value.copied);
  put_fixed(out, value.open_hour);
  put_fixed(out, value.first_ns);
  put(out, value.refused);
  put(out, value.gone.sums);
  for (const auto number : {value.gone.plain, value.gone.with_facts, value.gone.copied, value.lost_at_node})
    put_varint(out, number);
  return out;
}

bool decode(std::string_view in, node_value& out) {
  char version = 0;
  out.copied = {};
  out.open_hour = INT32_MIN;
  out.first_ns = INT64_MIN;
  out.refused = {};
  out.gone = {};
  out.lost_at_node = 0;
  if (!take_version(in, 4, version) || !take_bool(in, out.known) || !get_fixed(in, out.last_seen_ns)
      || !take(in, out.counters) || !take(in, out.sums, version) || !get_varint(in, out.restarts)
      || !get_varint(in, out.gaps))
    return false;
  return (version == 1 || (get_varint(in, out.incompletes) && take(in, out.plain) && take(in, out.with_facts)))
         && (version < 3 || take(in, out.copied))
         && (version < 4
             || (get_fixed(in, out.open_hour) && get_fixed(in, out.first_ns) && take(in, out.refused)
                 && take(in, out.gone.sums, version) && get_varint(in, out.gone.plain)
                 && get_varint(in, out.gone.with_facts) && get_varint(in, out.gone.copied)
                 && get_varint(in, out.lost_at_node)))
         && in.empty();
}

std::string encode(const mark_value& value) {
  auto out = begin();
  put_varint(out, value.count);
  put_varint(out, value.raw_bytes);
  put_bytes(out, value.raw_hash);
  put_bytes(out, value.ids_hash);
  put_zigzag(out, value.total_requests);
  return out;
}

bool decode(std::string_view in, mark_value& out) {
  return take_version_1(in) && get_varint(in, out.count) && get_varint(in, out.raw_bytes) && get_bytes(in, out.raw_hash)
         && get_bytes(in, out.ids_hash) && get_zigzag(in, out.total_requests) && in.empty();
}

std::int64_t node_value::at_node() const {
  return sums.requests - static_cast<std::int64_t>(copied.count) - static_cast<std::int64_t>(lost_at_node);
}

std::string encode_number(std::uint32_t value) {
  auto out = begin();
  put_fixed(out, value);
  return out;
}

bool decode_number(std::string_view in, std::uint32_t& out) {
  return take_version_1(in) && get_fixed(in, out) && in.empty();
}

} // namespace keyportal::storage
