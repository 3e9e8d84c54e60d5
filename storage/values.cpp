#include "storage/values.hpp"

#include <algorithm>

#include "storage/encoding.hpp"

namespace keyportal::storage {
namespace {

constexpr char version_1 = 1;
constexpr char failed_flag = 1;

std::string begin() { return std::string(1, version_1); }

bool take_version(std::string_view& in) {
  if (in.empty() || in[0] != version_1)
    return false;
  in.remove_prefix(1);
  return true;
}

bool take_byte(std::string_view& in, std::uint8_t& out) { return get_fixed(in, out); }

void put(std::string& out, const token_counts& t) {
  for (auto number : {t.input, t.output, t.reasoning, t.cached, t.total})
    put_zigzag(out, number);
}

bool take(std::string_view& in, token_counts& t) {
  return get_zigzag(in, t.input) && get_zigzag(in, t.output) && get_zigzag(in, t.reasoning) && get_zigzag(in, t.cached)
         && get_zigzag(in, t.total);
}

void put(std::string& out, const node_counters& c) {
  for (auto number : {c.requests, c.ok, c.failed, c.tokens})
    put_zigzag(out, number);
}

bool take(std::string_view& in, node_counters& c) {
  return get_zigzag(in, c.requests) && get_zigzag(in, c.ok) && get_zigzag(in, c.failed) && get_zigzag(in, c.tokens);
}

void put(std::string& out, const totals& t) {
  for (auto number : {t.requests, t.ok, t.failed, t.latency_ms_sum})
    put_zigzag(out, number);
  put(out, t.tokens);
}

bool take(std::string_view& in, totals& t) {
  return get_zigzag(in, t.requests) && get_zigzag(in, t.ok) && get_zigzag(in, t.failed)
         && get_zigzag(in, t.latency_ms_sum) && take(in, t.tokens);
}

void put(std::string& out, moment at) { put_fixed(out, unix_ns(at)); }

bool take(std::string_view& in, moment& at) {
  std::int64_t ns = 0;
  if (!get_fixed(in, ns))
    return false;
  at = moment_of(ns);
  return true;
}

bool take_bool(std::string_view& in, bool& out) {
  std::uint8_t byte = 0;
  if (!take_byte(in, byte) || byte > 1)
    return false;
  out = byte == 1;
  return true;
}

} // namespace

// --- position -------------------------------------------------------------------

std::string encode(const position_value& value) {
  auto out = begin();
  put_varint(out, value.last);
  put_varint(out, value.records);
  put_varint(out, value.outbox);
  put_varint(out, value.last_name);
  return out;
}

bool decode(std::string_view in, position_value& out) {
  return take_version(in) && get_varint(in, out.last) && get_varint(in, out.records) && get_varint(in, out.outbox)
         && get_varint(in, out.last_name) && in.empty();
}

// --- record ---------------------------------------------------------------------

void append(std::string& out, const record_value& value) {
  out.push_back(version_1);
  out.push_back(value.failed ? failed_flag : 0);
  put_varint(out, value.seq);
  put_varint(out, value.client_key);
  put_varint(out, value.model);
  put_varint(out, value.source);
  put_varint(out, value.auth_index);
  put_zigzag(out, value.offset_minutes);
  put_zigzag(out, value.latency_ms);
  put(out, value.tokens);
}

std::string encode(const record_value& value) {
  std::string out;
  append(out, value);
  return out;
}

bool decode(std::string_view in, record_value& out) {
  std::uint8_t flags = 0;
  std::int64_t offset = 0;
  if (!take_version(in) || !take_byte(in, flags) || flags > failed_flag || !get_varint(in, out.seq)
      || !get_varint(in, out.client_key) || !get_varint(in, out.model) || !get_varint(in, out.source)
      || !get_varint(in, out.auth_index) || !get_zigzag(in, offset) || offset < INT16_MIN || offset > INT16_MAX
      || !get_zigzag(in, out.latency_ms) || !take(in, out.tokens))
    return false;
  out.failed = flags == failed_flag;
  out.offset_minutes = static_cast<std::int16_t>(offset);
  return in.empty();
}

// --- outbox ---------------------------------------------------------------------

std::string encode(const outbox_value& value) {
  auto out = begin();
  out.push_back(static_cast<char>(value.kind));
  put_varint(out, value.node);
  if (value.kind != event_kind::usage) {
    put_fixed(out, value.at_ns);
    put_text(out, value.data);
    return out;
  }
  put_varint(out, value.records.size());
  sequence before = 0;
  for (const auto& record : value.records) {
    put_varint(out, record.seq - before);
    put_fixed(out, record.at_ns);
    put_bytes(out, record.id.bytes);
    before = record.seq;
  }
  return out;
}

bool decode(std::string_view in, outbox_value& out) {
  std::uint8_t kind = 0;
  if (!take_version(in) || !take_byte(in, kind) || kind > static_cast<std::uint8_t>(event_kind::incomplete)
      || !get_varint(in, out.node))
    return false;
  out.kind = static_cast<event_kind>(kind);
  out.records.clear();
  if (out.kind != event_kind::usage)
    return get_fixed(in, out.at_ns) && get_text(in, out.data) && in.empty();
  std::uint64_t count = 0;
  if (!get_varint(in, count) || count == 0 || count > in.size())
    return false;
  out.records.resize(count);
  sequence before = 0;
  for (auto& record : out.records) {
    std::uint64_t step = 0;
    if (!get_varint(in, step) || step == 0 || step > UINT64_MAX - before || !get_fixed(in, record.at_ns)
        || !get_bytes(in, record.id.bytes))
      return false;
    before = record.seq = before + step;
  }
  return in.empty();
}

// --- node, mark, roll-up -----------------------------------------------------------

std::string encode(const node_value& value) {
  auto out = begin();
  out.push_back(value.known ? 1 : 0);
  put_fixed(out, value.last_seen_ns);
  put(out, value.counters);
  put(out, value.sums);
  put_varint(out, value.restarts);
  put_varint(out, value.gaps);
  return out;
}

bool decode(std::string_view in, node_value& out) {
  return take_version(in) && take_bool(in, out.known) && get_fixed(in, out.last_seen_ns) && take(in, out.counters)
         && take(in, out.sums) && get_varint(in, out.restarts) && get_varint(in, out.gaps) && in.empty();
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
  return take_version(in) && get_varint(in, out.count) && get_varint(in, out.raw_bytes) && get_bytes(in, out.raw_hash)
         && get_bytes(in, out.ids_hash) && get_zigzag(in, out.total_requests) && in.empty();
}

totals& rollup_value::of(name_number model) {
  const auto place = std::lower_bound(models.begin(), models.end(), model,
                                      [](const auto& one, name_number wanted) { return one.first < wanted; });
  if (place != models.end() && place->first == model)
    return place->second;
  return models.emplace(place, model, totals{})->second;
}

std::string encode(const rollup_value& value) {
  auto out = begin();
  put_varint(out, value.models.size());
  for (const auto& [model, sums] : value.models) {
    put_varint(out, model);
    put(out, sums);
  }
  return out;
}

bool decode(std::string_view in, rollup_value& out) {
  std::uint64_t count = 0;
  if (!take_version(in) || !get_varint(in, count) || count > in.size())
    return false;
  out.models.resize(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto& [model, sums] = out.models[i];
    if (!get_varint(in, model) || !take(in, sums) || (i > 0 && model <= out.models[i - 1].first))
      return false;
  }
  return in.empty();
}

// --- restart, gap -------------------------------------------------------------------

std::string encode(const restart_record& value) {
  auto out = begin();
  put(out, value.noticed_at);
  put(out, value.last_seen_at);
  put_varint(out, value.evidence.size());
  for (const auto& sentence : value.evidence)
    put_text(out, sentence);
  put(out, value.before);
  put(out, value.after);
  out.push_back(static_cast<char>(value.state));
  out.push_back(value.restored_at ? 1 : 0);
  put(out, value.restored_at.value_or(moment{}));
  put(out, value.restored);
  put_varint(out, value.records_imported);
  put_varint(out, value.still_lacking);
  put_varint(out, value.expected_loss);
  return out;
}

bool decode(std::string_view in, restart_record& out) {
  std::uint64_t sentences = 0;
  if (!take_version(in) || !take(in, out.noticed_at) || !take(in, out.last_seen_at) || !get_varint(in, sentences)
      || sentences > in.size()) // each takes a byte at least: a damaged count cannot ask for much memory
    return false;
  out.evidence.resize(sentences);
  for (auto& sentence : out.evidence)
    if (!get_text(in, sentence))
      return false;
  std::uint8_t state = 0;
  bool has_restored_at = false;
  moment restored_at{};
  if (!take(in, out.before) || !take(in, out.after) || !take_byte(in, state)
      || state > static_cast<std::uint8_t>(restore_state::incomplete) || !take_bool(in, has_restored_at)
      || !take(in, restored_at) || !take(in, out.restored) || !get_varint(in, out.records_imported)
      || !get_varint(in, out.still_lacking) || !get_varint(in, out.expected_loss))
    return false;
  out.state = static_cast<restore_state>(state);
  out.restored_at.reset();
  if (has_restored_at)
    out.restored_at = restored_at;
  return in.empty();
}

std::string encode(const gap_record& value) {
  auto out = begin();
  put(out, value.from);
  put(out, value.to);
  put_varint(out, value.expected_records);
  put_text(out, value.reason);
  return out;
}

bool decode(std::string_view in, gap_record& out) {
  return take_version(in) && take(in, out.from) && take(in, out.to) && get_varint(in, out.expected_records)
         && get_text(in, out.reason) && in.empty();
}

// --- snapshot, number -----------------------------------------------------------------

std::string encode(const snapshot_value& value) {
  auto out = begin();
  put_varint(out, value.pieces);
  put_text(out, value.info.node);
  put(out, value.info.made_at);
  put_text(out, value.info.reason);
  put_varint(out, value.info.position);
  put(out, value.info.sums);
  put_varint(out, value.info.json_bytes);
  put_varint(out, value.info.stored_bytes);
  put_text(out, value.info.sha256);
  return out;
}

bool decode(std::string_view in, snapshot_value& out) {
  return take_version(in) && get_varint(in, out.pieces) && get_text(in, out.info.node) && take(in, out.info.made_at)
         && get_text(in, out.info.reason) && get_varint(in, out.info.position) && take(in, out.info.sums)
         && get_varint(in, out.info.json_bytes) && get_varint(in, out.info.stored_bytes)
         && get_text(in, out.info.sha256) && in.empty();
}

std::string encode_number(std::uint32_t value) {
  auto out = begin();
  put_fixed(out, value);
  return out;
}

bool decode_number(std::string_view in, std::uint32_t& out) {
  return take_version(in) && get_fixed(in, out) && in.empty();
}

} // namespace keyportal::storage
