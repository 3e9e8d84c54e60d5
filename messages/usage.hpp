// One model for every question about usage: pages, programs and the command line ask with these and nothing else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "messages/ids.hpp"
#include "messages/records.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

/// What usage can be told apart by. `user` and `group` follow from the key and the moment: whoever owned it then.
enum class usage_by : std::uint8_t {
  node,
  key,
  user,
  group,
  model,
  alias,
  provider,
  account,
  endpoint,
  outcome, ///< "ok" or "failed"
  status,  ///< HTTP status of the upstream; "0" where the node did not say it
  weekday, ///< "1" for Monday to "7", in the zone of the question
  hour     ///< "0" to "23" of the day, likewise
};
inline constexpr std::size_t usage_by_count = 13;

/// The width of a bucket of time. Buckets begin where they do in the zone of the question: a day of 23 hours is one day.
enum class usage_step : std::uint8_t { none, minute, ten_minutes, quarter, hour, day, week, month };

struct usage_question {
  moment from{}; ///< included; rounded down to the finest period kept for then: a minute of the last two days, an hour
  moment to{};   ///< excluded; rounded up likewise
  std::string zone = "UTC"; ///< IANA name
  bool weeks_begin_on_sunday = false;
  usage_step step = usage_step::none;
  std::vector<usage_by> by; ///< at most 2
  /// All of them hold; of each, one of the texts. `node` by name, `key` and `user` by id, all others as they are told.
  std::map<usage_by, std::vector<std::string>> where;
  std::uint32_t top = 10;         ///< rows told by themselves, 1 to 1,000; the rest together is `other`
  std::string order = "requests"; ///< which of usage_sums' amounts decides who is at the top
  bool with_percentiles = false;  ///< of latency and of the time to the first token
  bool compare = false;           ///< also the same span of time before `from`
};

struct usage_sums {
  std::int64_t requests = 0;
  std::int64_t failed = 0;
  token_counts tokens; ///< as CPA counts them
  token_parts parts;   ///< each token once
  std::int64_t latency_ms = 0;
  std::int64_t timed_first = 0; ///< requests whose time to the first token is known
  std::int64_t ttft_ms = 0;
  std::int64_t cost_nano = 0; ///< of the priced ones
  std::int64_t unpriced = 0;  ///< requests without a price; they are in no cost
  void add(const usage_sums& other);
  bool operator==(const usage_sums&) const = default;
};

/// At most 2 % off.
struct usage_percentiles {
  double p50 = 0, p90 = 0, p95 = 0, p99 = 0;
  bool operator==(const usage_percentiles&) const = default;
};

struct usage_amounts {
  usage_sums sums;
  std::optional<usage_percentiles> latency_ms;
  std::optional<usage_percentiles> ttft_ms;
};

struct usage_row {
  std::vector<std::string> of; ///< a text for each of `by`; empty: "other"
  usage_amounts all;
  std::vector<usage_amounts> buckets; ///< one for each of the answer's `starts`; none without a step
  std::optional<usage_sums> before;   ///< the same in the span before, where it was asked for
};

struct usage_answer_gap {
  node_name node;
  moment from{}, to{};
  std::int64_t records = 0; ///< at least; 0: nobody knows
};

struct usage_report {
  sequence position = 0;      ///< everything up to this record is in it, nothing after it
  moment from{}, to{};        ///< what was really added up
  std::vector<moment> starts; ///< of the buckets
  usage_row total;            ///< `of` is empty
  std::vector<usage_row> rows;
  std::optional<usage_row> other;     ///< those below the top; not set: there are none
  std::uint32_t others = 0;           ///< how many these are
  std::vector<usage_answer_gap> gaps; ///< known to be missing in [from, to)
};

} // namespace keyportal
