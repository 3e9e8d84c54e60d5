#include "storage/values.hpp"

#include <algorithm>

#include "storage/value_parts.hpp"

namespace keyportal::storage {

using namespace value_parts;

namespace {
constexpr std::uint8_t failed_flag = 1;
constexpr std::uint8_t facts_flag = 2;
constexpr std::uint8_t priced_flag = 4;
constexpr std::uint8_t follow_flag = 8;    // from version 4 on: the tokens are what the parts come to
constexpr std::uint8_t signed_flag = 0x10; // likewise: one of the amounts is negative
constexpr unsigned zeros_shift = 5;        // likewise, two bits: how many zeros at its end the cost was cut by
constexpr std::int64_t cut_by[] = {1, 10, 100, 1000};
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

namespace {

/// What tokens mostly are, given their parts. Wraps round, as what is taken off and added again may.
token_counts following(const token_parts& parts) {
  const auto sum = [](std::initializer_list<std::int64_t> amounts) {
    std::uint64_t out = 0;
    for (const auto one : amounts)
      out += static_cast<std::uint64_t>(one);
    return static_cast<std::int64_t>(out);
  };
  token_counts out;
  out.input = sum({parts.uncached_input, parts.cache_read, parts.cache_write});
  out.output = sum({parts.output, parts.reasoning});
  out.reasoning = parts.reasoning;
  out.cached = parts.cache_read;
  out.total = sum({out.input, out.output, parts.unclassified});
  return out;
}

void put_amount(std::string& out, std::int64_t amount, bool with_sign) {
  if (with_sign)
    put_zigzag(out, amount);
  else
    put_varint(out, static_cast<std::uint64_t>(amount));
}

bool take_amount(std::string_view& in, std::int64_t& out, bool with_sign) {
  if (with_sign)
    return get_zigzag(in, out);
  std::uint64_t amount = 0;
  if (!get_varint(in, amount) || amount > INT64_MAX)
    return false;
  out = static_cast<std::int64_t>(amount);
  return true;
}

// Their number and the bytes, the high ones first: those are the same in neighbouring records and follow what is, too.
void put_sequence(std::string& out, sequence seq) {
  int bytes = 0;
  while (bytes < 8 && seq >> (8 * bytes) != 0)
    ++bytes;
  out.push_back(static_cast<char>(bytes));
  while (bytes-- > 0)
    out.push_back(static_cast<char>(seq >> (8 * bytes)));
}

bool take_sequence(std::string_view& in, sequence& out) {
  std::uint8_t bytes = 0;
  if (!take_byte(in, bytes) || bytes > 8 || bytes > in.size())
    return false;
  out = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    out = out << 8 | static_cast<std::uint8_t>(in[i]);
  in.remove_prefix(bytes);
  return true;
}

} // namespace

// Version 1 has no facts, version 2 no price, no error and no tier, and until version 3 fields stand in another order.
// What many records have in common comes first and together, behind the end of the row's key, which is the same in all:
// so compression finds it as one piece. What differs comes last and is as short as it can be.
void append(std::string& out, const record_value& value) {
  const auto parts = value.facts ? value.facts->parts : token_parts{};
  const auto ttft_ms = value.facts ? value.facts->ttft_ms : 0;
  const auto follows = following(parts);
  const bool follow = value.facts && value.tokens == follows;
  auto cost = value.cost_nano.value_or(0);
  unsigned zeros = 0;
  for (; zeros < 3 && cost != 0 && cost % 10 == 0; ++zeros)
    cost /= 10;
  // Or'ed together they have a sign if one has.
  const bool with_sign = (value.latency_ms | ttft_ms | cost | parts.uncached_input | parts.cache_read
                          | parts.cache_write | parts.output | parts.reasoning | parts.unclassified)
                         < 0;
  out.push_back(4);
  out.push_back(static_cast<char>((value.failed ? failed_flag : 0) | (value.facts ? facts_flag : 0)
                                  | (value.cost_nano ? priced_flag : 0) | (follow ? follow_flag : 0)
                                  | (with_sign ? signed_flag : 0) | (zeros << zeros_shift)
                                  | (value.copied ? copied_flag : 0)));
  put_zigzag(out, value.offset_minutes);
  put_varint(out, value.model);
  if (value.facts) {
    put_varint(out, value.facts->provider);
    put_varint(out, value.facts->alias);
    put_varint(out, value.facts->endpoint);
    put_varint(out, value.facts->service_tier);
    put_zigzag(out, value.facts->status_code);
    put_varint(out, value.facts->error);
  }
  put_varint(out, value.source);
  put_varint(out, value.auth_index);
  put_sequence(out, value.seq);
  put_varint(out, value.client_key);
  put_amount(out, value.latency_ms, with_sign);
  if (value.facts) {
    put_amount(out, ttft_ms, with_sign);
    for (const auto amount :
         {parts.uncached_input, parts.cache_read, parts.cache_write, parts.output, parts.reasoning, parts.unclassified})
      put_amount(out, amount, with_sign);
  }
  if (!follow) {
    const auto more = [&out](std::int64_t amount, std::int64_t than) {
      put_zigzag(out, static_cast<std::int64_t>(static_cast<std::uint64_t>(amount) - static_cast<std::uint64_t>(than)));
    };
    more(value.tokens.input, follows.input);
    more(value.tokens.output, follows.output);
    more(value.tokens.reasoning, follows.reasoning);
    more(value.tokens.cached, follows.cached);
    more(value.tokens.total, follows.total);
  }
  if (value.cost_nano)
    put_amount(out, cost, with_sign);
}

std::string encode(const record_value& value) {
  std::string out;
  append(out, value);
  return out;
}

namespace {

/// What is behind the version.
bool decode_version_4(std::string_view in, record_value& out) {
  std::uint8_t flags = 0;
  std::int64_t offset = 0, status = 0;
  if (!take_byte(in, flags) || ((flags & follow_flag) != 0 && (flags & facts_flag) == 0) || !get_zigzag(in, offset)
      || offset < INT16_MIN || offset > INT16_MAX || !get_varint(in, out.model))
    return false;
  out.failed = (flags & failed_flag) != 0;
  out.copied = (flags & copied_flag) != 0;
  out.offset_minutes = static_cast<std::int16_t>(offset);
  const bool with_sign = (flags & signed_flag) != 0;
  out.facts.reset();
  out.cost_nano.reset();
  if ((flags & facts_flag) != 0) {
    auto& facts = out.facts.emplace();
    if (!get_varint(in, facts.provider) || !get_varint(in, facts.alias) || !get_varint(in, facts.endpoint)
        || !get_varint(in, facts.service_tier) || !get_zigzag(in, status) || status < INT32_MIN || status > INT32_MAX
        || !get_varint(in, facts.error))
      return false;
    facts.status_code = static_cast<std::int32_t>(status);
  }
  if (!get_varint(in, out.source) || !get_varint(in, out.auth_index) || !take_sequence(in, out.seq)
      || !get_varint(in, out.client_key) || !take_amount(in, out.latency_ms, with_sign))
    return false;
  token_parts parts;
  if (out.facts) {
    if (!take_amount(in, out.facts->ttft_ms, with_sign))
      return false;
    for (auto* amount : {&parts.uncached_input, &parts.cache_read, &parts.cache_write, &parts.output, &parts.reasoning,
                         &parts.unclassified})
      if (!take_amount(in, *amount, with_sign))
        return false;
    out.facts->parts = parts;
  }
  out.tokens = following(parts);
  if ((flags & follow_flag) == 0)
    for (auto* amount :
         {&out.tokens.input, &out.tokens.output, &out.tokens.reasoning, &out.tokens.cached, &out.tokens.total}) {
      std::int64_t more = 0;
      if (!get_zigzag(in, more))
        return false;
      *amount = static_cast<std::int64_t>(static_cast<std::uint64_t>(*amount) + static_cast<std::uint64_t>(more));
    }
  if ((flags & priced_flag) != 0) {
    auto& cost = out.cost_nano.emplace();
    if (!take_amount(in, cost, with_sign) || __builtin_mul_overflow(cost, cut_by[(flags >> zeros_shift) & 3U], &cost))
      return false;
  }
  return in.empty();
}

} // namespace

bool decode(std::string_view in, record_value& out) {
  if (!in.empty() && in[0] == 4)
    return decode_version_4(in.substr(1), out);
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
  auto out = begin(2);
  put_varint(out, value.node);
  put_varint(out, value.records.size());
  sequence before = 0;
  for (const auto& record : value.records) { // mostly 1
    put_varint(out, record.seq - before);
    before = record.seq;
  }
  std::uint64_t ms_before = 0;
  for (const auto& record : value.records) {
    // Unsigned, so that the step between any two moments is defined.
    put_zigzag(out, static_cast<std::int64_t>(static_cast<std::uint64_t>(record.at_ms) - ms_before));
    ms_before = static_cast<std::uint64_t>(record.at_ms);
  }
  put_text(out, value.extras);
  return out;
}

bool decode(std::string_view in, arrivals_value& out) {
  char version = 0;
  std::uint64_t count = 0;
  if (!take_version(in, 2, version) || !get_varint(in, out.node) || !get_varint(in, count) || count == 0
      || count > in.size())
    return false;
  out.records.resize(count);
  sequence before = 0;
  std::uint64_t time = 0; // in version 1 nanoseconds
  const auto take_sequence_of = [&](arrival_record& record) {
    std::uint64_t step = 0;
    if (!get_varint(in, step) || step == 0 || step > UINT64_MAX - before)
      return false;
    record.seq = before += step;
    return true;
  };
  const auto take_time_of = [&](arrival_record& record) {
    std::int64_t step = 0;
    if (!get_zigzag(in, step))
      return false;
    time += static_cast<std::uint64_t>(step);
    record.at_ms = static_cast<std::int64_t>(time);
    return true;
  };
  if (version == 1) {
    record_id ignored;
    for (auto& record : out.records) {
      if (!take_sequence_of(record) || !take_time_of(record) || !get_bytes(in, ignored.bytes))
        return false;
      record.at_ms = ms_of_ns(record.at_ms);
    }
  } else {
    for (auto& record : out.records)
      if (!take_sequence_of(record))
        return false;
    for (auto& record : out.records)
      if (!take_time_of(record))
        return false;
  }
  return get_text(in, out.extras) && in.empty();
}

namespace {

bool take_kind(std::string_view& in, event_kind& out) {
  std::uint8_t byte = 0;
  if (!take_byte(in, byte))
    return false;
  out = static_cast<event_kind>(byte);
  return out <= event_kind::account_login_due
         || (out >= event_kind::key_assigned && out <= event_kind::key_renewal_refused)
         || (out >= event_kind::user_registered && out <= event_kind::user_refused)
         || (out >= event_kind::policy_changed && out <= event_kind::policy_budget)
         || (out >= event_kind::backup_made && out <= event_kind::audit_head);
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
