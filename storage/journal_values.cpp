// The bytes of what is rare or short-lived: restarts, gaps, credentials, what was received, snapshots.
#include "storage/value_parts.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {

using namespace value_parts;

// --- restart, gap, incomplete -------------------------------------------------------------------

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
  if (!take_version_1(in) || !take(in, out.noticed_at) || !take(in, out.last_seen_at) || !get_varint(in, sentences)
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
      || state > static_cast<std::uint8_t>(restore_state::impossible) || !take_bool(in, has_restored_at)
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
  return take_version_1(in) && take(in, out.from) && take(in, out.to) && get_varint(in, out.expected_records)
         && get_text(in, out.reason) && in.empty();
}

std::string encode(const incomplete_record& value) {
  auto out = begin();
  put_text(out, value.credential);
  put(out, value.from);
  put(out, value.to);
  put_varint(out, value.missing_ok);
  put_varint(out, value.missing_failed);
  out.push_back(value.closed_at ? 1 : 0);
  put(out, value.closed_at.value_or(moment{}));
  return out;
}

bool decode(std::string_view in, incomplete_record& out) {
  bool is_closed = false;
  moment closed_at{};
  if (!take_version_1(in) || !get_text(in, out.credential) || !take(in, out.from) || !take(in, out.to)
      || !get_varint(in, out.missing_ok) || !get_varint(in, out.missing_failed) || !take_bool(in, is_closed)
      || !take(in, closed_at))
    return false;
  out.closed_at = is_closed ? std::optional{closed_at} : std::nullopt;
  return in.empty();
}

// --- credentials -------------------------------------------------------------------

std::string encode(const credential_value& value) {
  const bool retired = value.gone_ok + value.gone_failed > 0;
  auto out = begin(retired ? 2 : 1);
  put_varint(out, value.ok);
  put_varint(out, value.failed);
  if (retired) {
    put_varint(out, value.gone_ok);
    put_varint(out, value.gone_failed);
  }
  return out;
}

bool decode(std::string_view in, credential_value& out) {
  char version = 0;
  out.gone_ok = out.gone_failed = 0;
  return take_version(in, 2, version) && get_varint(in, out.ok) && get_varint(in, out.failed)
         && (version < 2 || (get_varint(in, out.gone_ok) && get_varint(in, out.gone_failed))) && in.empty();
}

std::string encode(const audit_value& value) {
  auto out = begin();
  put_varint(out, value.boot);
  put_fixed(out, value.boot_seen_ns);
  put_fixed(out, value.compared_ns);
  put_text(out, value.version);
  put_varint(out, value.credentials.size());
  for (const auto& one : value.credentials) {
    put_varint(out, one.auth_index);
    for (auto number : {one.node_ok, one.node_failed, one.base_ok, one.base_failed})
      put_zigzag(out, number);
  }
  return out;
}

bool decode(std::string_view in, audit_value& out) {
  std::uint64_t count = 0;
  if (!take_version_1(in) || !get_varint(in, out.boot) || !get_fixed(in, out.boot_seen_ns)
      || !get_fixed(in, out.compared_ns) || !get_text(in, out.version) || !get_varint(in, count) || count > in.size())
    return false;
  out.credentials.resize(count);
  for (auto& one : out.credentials)
    if (!get_varint(in, one.auth_index) || !get_zigzag(in, one.node_ok) || !get_zigzag(in, one.node_failed)
        || !get_zigzag(in, one.base_ok) || !get_zigzag(in, one.base_failed))
      return false;
  return in.empty();
}

// --- inbox, dead letters, consumers ---------------------------------------------------

std::string encode(const inbox_value& value) {
  auto out = begin();
  put_fixed(out, value.at_ns);
  out.push_back(static_cast<char>(value.channel));
  put_text(out, value.payloads);
  return out;
}

bool decode(std::string_view in, inbox_value& out) {
  return take_version_1(in) && get_fixed(in, out.at_ns) && take_channel(in, out.channel) && get_text(in, out.payloads)
         && in.empty();
}

std::string encode(const dead_letter_value& value) {
  auto out = begin();
  put_varint(out, value.node);
  put_fixed(out, value.at_ns);
  out.push_back(static_cast<char>(value.channel));
  put_text(out, value.reason);
  put_varint(out, value.bytes);
  put_text(out, value.payload);
  return out;
}

bool decode(std::string_view in, dead_letter_value& out) {
  return take_version_1(in) && get_varint(in, out.node) && get_fixed(in, out.at_ns) && take_channel(in, out.channel)
         && get_text(in, out.reason) && get_varint(in, out.bytes) && get_text(in, out.payload) && in.empty();
}

std::string encode(const consumer_value& value) {
  auto out = begin();
  put_varint(out, value.seq);
  return out;
}

bool decode(std::string_view in, consumer_value& out) {
  return take_version_1(in) && get_varint(in, out.seq) && in.empty();
}

std::string encode(const shared_progress& value) {
  auto out = begin();
  put_varint(out, value.sequence);
  put_text(out, value.cluster);
  put_varint(out, value.fences.size());
  for (const auto& [duty, fence] : value.fences) {
    put_text(out, duty);
    put_varint(out, fence);
  }
  return out;
}

bool decode(std::string_view in, shared_progress& out) {
  std::uint64_t count = 0;
  if (!take_version_1(in) || !get_varint(in, out.sequence) || !get_text(in, out.cluster) || !get_varint(in, count)
      || count > in.size())
    return false;
  out.fences.resize(count);
  for (auto& [duty, fence] : out.fences)
    if (!get_text(in, duty) || !get_varint(in, fence))
      return false;
  return in.empty();
}

std::string encode(const event_horizon_value& value) {
  auto out = begin();
  put_varint(out, value.seq);
  return out;
}

bool decode(std::string_view in, event_horizon_value& out) {
  return take_version_1(in) && get_varint(in, out.seq) && in.empty();
}

// --- snapshot -----------------------------------------------------------------

std::string encode(const snapshot_value& value) {
  auto out = begin(2);
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
  char version = 0;
  return take_version(in, 2, version) && get_varint(in, out.pieces) && get_text(in, out.info.node)
         && take(in, out.info.made_at) && get_text(in, out.info.reason) && get_varint(in, out.info.position)
         && take(in, out.info.sums, version) && get_varint(in, out.info.json_bytes)
         && get_varint(in, out.info.stored_bytes) && get_text(in, out.info.sha256) && in.empty();
}

std::string encode(const history_value& value) {
  auto out = begin();
  for (const auto number :
       {value.requests, value.ok, value.failed, value.tokens, value.input_tokens, value.output_tokens})
    put_zigzag(out, number);
  return out;
}

bool decode(std::string_view in, history_value& out) {
  return take_version_1(in) && get_zigzag(in, out.requests) && get_zigzag(in, out.ok) && get_zigzag(in, out.failed)
         && get_zigzag(in, out.tokens) && get_zigzag(in, out.input_tokens) && get_zigzag(in, out.output_tokens)
         && in.empty();
}

} // namespace keyportal::storage
