// One upstream attempt as CPA records it.
#pragma once

#include "instant.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

class json_reader;

struct token_counts {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t reasoning = 0;
  std::int64_t cached = 0;
  std::int64_t total = 0;
  bool operator==(const token_counts&) const = default;
};

struct detail {
  instant timestamp;
  std::int64_t latency_ms = 0;
  std::string source;
  std::string auth_index;
  token_counts tokens;
  bool failed = false;
  bool operator==(const detail&) const = default;
};

/// A detail with the two names it is filed under.
struct record {
  std::string api;   ///< the client key, or "METHOD route" when nobody had to show one
  std::string model; ///< the upstream model
  detail what;
  bool operator==(const record&) const = default;
};

/// What `POST /usage/import` takes notice of: client key -> model -> details.
using snapshot = std::map<std::string, std::map<std::string, std::vector<detail>>>;

/// The text CPA's import compares by: everything but the latency, the moment in UTC.
std::string dedup_key(const std::string& api, const std::string& model, const detail& d);

/// A total of 0 becomes input+output+reasoning, and cached where that is 0 too; a negative latency 0; a missing
/// timestamp `now`.
void normalise(detail& d, const instant& now);

/// Appends a detail as `/usage` shows it. Versions before 6.9.1 show no latency.
void append_detail(std::string& out, const detail& d, bool with_latency = true);

/// Reads one detail object the way import does.
void read_detail(json_reader& in, detail& d);

/// Reads an import body. False when CPA answers "invalid json"; `version` is 0 when the body has none.
bool read_import(std::string_view body, std::int64_t& version, snapshot& out);

} // namespace keyportal::cpa_sim
