// Usage: what CPA says was used, and what is added up from it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/ids.hpp"
#include "messages/secret.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

/// Token counts as CPA recorded them. Negative values occur (an import may carry them) and are kept.
struct token_counts {
  std::int64_t input = 0;
  std::int64_t output = 0;
  std::int64_t reasoning = 0;
  std::int64_t cached = 0;
  std::int64_t total = 0;
  bool operator==(const token_counts&) const = default;
};

/// Tokens in one form for every provider and every version of CPA: each token is in exactly one part, so parts may be
/// added and compared. The numbers as CPA recorded them stay in `token_counts`.
struct token_parts {
  std::int64_t uncached_input = 0;
  std::int64_t cache_read = 0;
  std::int64_t cache_write = 0;
  std::int64_t output = 0; ///< without reasoning
  std::int64_t reasoning = 0;
  std::int64_t unclassified = 0; ///< counted by CPA, but it cannot be said as what
  /// The sum; stops at the ends of 64 bits instead of wrapping round.
  [[nodiscard]] std::int64_t total() const;
  bool operator==(const token_parts&) const = default;
};

/// What only the usage queue says of an attempt. Empty or 0 where the node did not say it.
struct attempt_facts {
  std::string provider; ///< "codex", "claude", …
  std::string alias;    ///< the model that the client asked for
  std::string endpoint; ///< "POST /v1/responses"
  std::int64_t ttft_ms = 0;
  std::int32_t status_code = 0; ///< of the upstream
  std::string extra;            ///< a JSON object of all other fields; may hold what is private: sealed on disk
  std::string error;            ///< how the upstream refused, one line of at most 200 bytes; sealed on disk as well
  std::string service_tier;     ///< "priority", "flex", …: some cost more or less
  bool operator==(const attempt_facts&) const = default;
};

/// One upstream attempt, without the key and the model that head its list (CPA's `details[]`).
struct detail {
  record_id id;
  stamped_time at;
  std::int64_t latency_ms = 0;
  std::string source;     ///< account label; may be an e-mail or a raw upstream key: never leaves the ledger unsealed
  std::string auth_index; ///< id of the upstream credential, may be empty
  token_counts tokens;
  bool failed = false;
  token_parts parts; ///< the same tokens, comparable; of details without facts the ledger works them out
  std::shared_ptr<const attempt_facts> facts; ///< null: taken from `/usage` or a file, which do not say them
  /// Out of another tool's database, which may have put its own numbers or half a name in place of the node's. It is the
  /// same attempt as any other of that node, moment, key, model, credential and outcome, and never goes back to a node.
  bool copied = false;
};

/// CPA's grouping: all details of one client key and one upstream model.
struct record_group {
  secret client_key; ///< or "METHOD /route" where CPA is open to anyone
  std::string model;
  std::vector<detail> details;
};

/// The id of one record. `client_key` and `model` must be normalised (see `normalise`).
record_id make_record_id(std::string_view node, std::string_view client_key, std::string_view model, const detail& d);

/// Brings a detail into the form in which CPA's import would store it: a zero total is computed (contract 2.5),
/// a negative latency becomes 0. Live details of CPA are in that form already.
void normalise(detail& d);
/// Names as CPA's import stores them: white space trimmed; an empty model is "unknown".
std::string_view trimmed(std::string_view name);
std::string_view normal_model(std::string_view model);

/// A record as the ledger gives it out: no client key, no source in clear.
struct stored_record {
  sequence seq = 0;
  record_id id;
  node_name node;
  key_id key;
  std::string model;
  std::string auth_index;
  stamped_time at;
  std::int64_t latency_ms = 0;
  token_counts tokens;
  bool failed = false;
  token_parts parts;
  std::shared_ptr<const attempt_facts> facts; ///< null where unknown; `extra` only where it was asked for
  std::optional<std::int64_t> cost_nano; ///< in billionths of a US dollar, by the prices of then; not set: no price
};

/// Sums over any set of records.
struct totals {
  std::int64_t requests = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;
  token_counts tokens;
  token_parts parts;
  std::int64_t latency_ms_sum = 0;
  bool operator==(const totals&) const = default;
  void add(const totals& other);
  void add(const token_counts& t, const token_parts& p, std::int64_t latency_ms, bool is_failed);
};

/// The counters at the head of CPA's `/usage`.
struct node_counters {
  std::int64_t requests = 0;
  std::int64_t ok = 0;
  std::int64_t failed = 0;
  std::int64_t tokens = 0;
  bool operator==(const node_counters&) const = default;
};

} // namespace keyportal
