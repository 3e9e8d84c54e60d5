// What several kinds of values have in common; for values.cpp and journal_values.cpp only.
#pragma once

#include <string>
#include <string_view>

#include "messages/events.hpp"
#include "messages/records.hpp"
#include "storage/encoding.hpp"

namespace keyportal::storage::value_parts {

inline std::string begin(char version = 1) { return std::string(1, version); }

/// Versions begin at 1.
inline bool take_version(std::string_view& in, char newest, char& out) {
  if (in.empty() || in[0] < 1 || in[0] > newest)
    return false;
  out = in[0];
  in.remove_prefix(1);
  return true;
}
inline bool take_version_1(std::string_view& in) {
  char version = 0;
  return take_version(in, 1, version);
}

inline bool take_byte(std::string_view& in, std::uint8_t& out) { return get_fixed(in, out); }

inline bool take_bool(std::string_view& in, bool& out) {
  std::uint8_t byte = 0;
  if (!take_byte(in, byte) || byte > 1)
    return false;
  out = byte == 1;
  return true;
}

inline bool take_channel(std::string_view& in, inbox_channel& out) {
  std::uint8_t byte = 0;
  if (!take_byte(in, byte) || byte > static_cast<std::uint8_t>(inbox_channel::beside_usage))
    return false;
  out = static_cast<inbox_channel>(byte);
  return true;
}

inline void put(std::string& out, const token_counts& t) {
  for (auto number : {t.input, t.output, t.reasoning, t.cached, t.total})
    put_zigzag(out, number);
}

inline bool take(std::string_view& in, token_counts& t) {
  return get_zigzag(in, t.input) && get_zigzag(in, t.output) && get_zigzag(in, t.reasoning) && get_zigzag(in, t.cached)
         && get_zigzag(in, t.total);
}

inline void put(std::string& out, const token_parts& p) {
  for (auto number : {p.uncached_input, p.cache_read, p.cache_write, p.output, p.reasoning, p.unclassified})
    put_zigzag(out, number);
}

inline bool take(std::string_view& in, token_parts& p) {
  return get_zigzag(in, p.uncached_input) && get_zigzag(in, p.cache_read) && get_zigzag(in, p.cache_write)
         && get_zigzag(in, p.output) && get_zigzag(in, p.reasoning) && get_zigzag(in, p.unclassified);
}

inline void put(std::string& out, const node_counters& c) {
  for (auto number : {c.requests, c.ok, c.failed, c.tokens})
    put_zigzag(out, number);
}

inline bool take(std::string_view& in, node_counters& c) {
  return get_zigzag(in, c.requests) && get_zigzag(in, c.ok) && get_zigzag(in, c.failed) && get_zigzag(in, c.tokens);
}

inline void put(std::string& out, const totals& t) {
  for (auto number : {t.requests, t.ok, t.failed, t.latency_ms_sum})
    put_zigzag(out, number);
  put(out, t.tokens);
  put(out, t.parts);
}

/// Sums of values of version 1 have no parts.
inline bool take(std::string_view& in, totals& t, char version) {
  t.parts = {};
  return get_zigzag(in, t.requests) && get_zigzag(in, t.ok) && get_zigzag(in, t.failed)
         && get_zigzag(in, t.latency_ms_sum) && take(in, t.tokens) && (version == 1 || take(in, t.parts));
}

inline void put(std::string& out, moment at) { put_fixed(out, unix_ns(at)); }

inline bool take(std::string_view& in, moment& at) {
  std::int64_t ns = 0;
  if (!get_fixed(in, ns))
    return false;
  at = moment_of(ns);
  return true;
}

} // namespace keyportal::storage::value_parts
