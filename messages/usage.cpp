#include "messages/usage.hpp"

#include <algorithm>
#include <array>

namespace keyportal {

namespace {

constexpr std::array<std::string_view, usage_by_count> by_names{"node",   "key",      "user",    "group",    "model",
                                                                "alias",  "provider", "account", "endpoint", "outcome",
                                                                "status", "weekday",  "hour"};
constexpr std::array<std::string_view, 8> step_names{"none", "minute", "10m", "15m", "hour", "day", "week", "month"};

template <class T, std::size_t N>
std::optional<T> read(const std::array<std::string_view, N>& names, std::string_view name) {
  const auto found = std::find(names.begin(), names.end(), name);
  return found == names.end() ? std::nullopt : std::optional(static_cast<T>(found - names.begin()));
}

constexpr std::array<std::string_view, 11> metric_names{"requests",    "ok",         "failed",    "tokens",
                                                        "token_parts", "cost",       "unpriced",  "latency_ms",
                                                        "ttft_ms",     "cache_rate", "per_minute"};

} // namespace

bool is_usage_metric(std::string_view name) {
  return std::find(metric_names.begin(), metric_names.end(), name) != metric_names.end();
}

std::string_view name_of(usage_by by) { return by_names[static_cast<std::size_t>(by)]; }
std::optional<usage_by> usage_by_of(std::string_view name) { return read<usage_by>(by_names, name); }
std::string_view name_of(usage_step step) { return step_names[static_cast<std::size_t>(step)]; }
std::optional<usage_step> usage_step_of(std::string_view name) { return read<usage_step>(step_names, name); }

void usage_sums::add(const usage_sums& other) {
  // Wraps round, as the ledger's sums do: absurd amounts, which an import may bring, break nothing.
  const auto sum = [](std::int64_t& to, std::int64_t what) {
    to = static_cast<std::int64_t>(static_cast<std::uint64_t>(to) + static_cast<std::uint64_t>(what));
  };
  sum(requests, other.requests);
  sum(failed, other.failed);
  sum(tokens.input, other.tokens.input);
  sum(tokens.output, other.tokens.output);
  sum(tokens.reasoning, other.tokens.reasoning);
  sum(tokens.cached, other.tokens.cached);
  sum(tokens.total, other.tokens.total);
  sum(parts.uncached_input, other.parts.uncached_input);
  sum(parts.cache_read, other.parts.cache_read);
  sum(parts.cache_write, other.parts.cache_write);
  sum(parts.output, other.parts.output);
  sum(parts.reasoning, other.parts.reasoning);
  sum(parts.unclassified, other.parts.unclassified);
  sum(latency_ms, other.latency_ms);
  sum(timed_first, other.timed_first);
  sum(ttft_ms, other.ttft_ms);
  sum(cost_nano, other.cost_nano);
  sum(unpriced, other.unpriced);
}

std::optional<std::int64_t> amount_of(const usage_sums& sums, std::string_view name) {
  if (name == "requests")
    return sums.requests;
  if (name == "ok")
    return sums.requests - sums.failed;
  if (name == "failed")
    return sums.failed;
  if (name == "tokens")
    return sums.tokens.total;
  if (name == "input")
    return sums.tokens.input;
  if (name == "output")
    return sums.tokens.output;
  if (name == "cache_read")
    return sums.parts.cache_read;
  if (name == "cache_write")
    return sums.parts.cache_write;
  if (name == "reasoning")
    return sums.tokens.reasoning;
  if (name == "latency")
    return sums.latency_ms;
  if (name == "cost")
    return sums.cost_nano;
  if (name == "unpriced")
    return sums.unpriced;
  return std::nullopt;
}

} // namespace keyportal
