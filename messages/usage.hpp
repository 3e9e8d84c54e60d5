// One model for every question about usage: pages, programs and the command line ask with these and nothing else.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "messages/ids.hpp"
#include "messages/records.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

/// What usage can be told apart by. `user` is who owned the key then; "" for what was used before anybody did (to the
/// hour). `group` is the one whose policy decides for that user now.
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
std::string_view name_of(usage_by by);
std::optional<usage_by> usage_by_of(std::string_view name);

/// The width of a bucket of time. Buckets begin where they do in the zone of the question: a day of 23 hours is one day.
enum class usage_step : std::uint8_t { none, minute, ten_minutes, quarter, hour, day, week, month };
std::string_view name_of(usage_step step); ///< "none", "minute", "10m", "15m", "hour", "day", "week", "month"
std::optional<usage_step> usage_step_of(std::string_view name);

/// All of them hold; of each, one of the texts. `node` by name, `key` and `user` by id, all others as they are told.
using usage_filter = std::map<usage_by, std::vector<std::string>>;

struct usage_question {
  moment from{}; ///< included; rounded down to the finest period kept for then: a minute of the last two days, an hour
  moment to{};   ///< excluded; rounded up likewise
  std::string zone; ///< IANA name; empty: the one in which the service shows times
  bool weeks_begin_on_sunday = false;
  usage_step step = usage_step::none; ///< at most 5,000 buckets; below an hour only of the last two days
  std::vector<usage_by> by;           ///< at most 2
  usage_filter where;
  std::uint32_t top = 10;                ///< rows told by themselves, 1 to 1,000; the rest together is `other`
  std::string order = "requests";        ///< which amount decides who is at the top, see `amount_of`; most first
  bool with_percentiles = false;         ///< of latency and of the time to the first token
  bool compare = false;                  ///< also the same span of time before `from`
  bool with_unused = false;              ///< also the keys that work, or the people who have one, that used nothing
  std::vector<std::string> metrics = {}; ///< what is told of each row as JSON, see `is_usage_metric`; none: all of it
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

/// "requests", "ok", "failed", "tokens", "input", "output", "cache_read", "cache_write", "reasoning", "latency", "cost"
/// or "unpriced"; nothing for another name.
std::optional<std::int64_t> amount_of(const usage_sums& sums, std::string_view name);

/// "requests", "ok", "failed", "tokens", "token_parts", "cost", "unpriced", "latency_ms", "ttft_ms", "cache_rate" or
/// "per_minute".
bool is_usage_metric(std::string_view name);

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
  std::vector<std::string> of; ///< a text for each of `by`; none: "other", or the total
  usage_amounts all;
  std::vector<usage_amounts> buckets; ///< one for each of the answer's `starts`; none without a step
  std::optional<usage_sums> before;   ///< the same in the span before, where it was asked for
};

struct usage_answer_gap {
  node_name node;
  moment from{}, to{};
  std::int64_t records = 0; ///< about; 0: nobody knows
};
/// What is shown in the place of an id: of a key its label or what is shown of it, of a user the e-mail address.
using shown_names = std::map<std::string, std::string>;

struct usage_report {
  sequence position = 0; ///< everything up to this record is in it, nothing after it
  moment from{}, to{};   ///< what was really added up
  moment before_from{};  ///< `before` is of [before_from, from)
  std::string zone;
  usage_step step = usage_step::none;
  std::vector<usage_by> by;
  /// False: a border of the range or of a bucket lies within an hour of which only the whole is kept, and was moved to
  /// the hour's begin (of the range's end: to its end), as `starts`, `from` and `to` tell.
  bool exact = true;
  std::vector<moment> starts; ///< of the buckets
  usage_row total;            ///< `of` is empty
  std::vector<usage_row> rows;
  std::optional<usage_row> other;     ///< those below the top; not set: there are none
  std::uint32_t others = 0;           ///< how many these are
  std::vector<usage_answer_gap> gaps; ///< known to be missing in [from, to)
  shown_names names;                  ///< of the keys and users in `rows` and `unused`
  std::vector<std::string> unused;    ///< ids, at most 1,000
  std::uint64_t unused_count = 0;
  std::vector<std::string> metrics = {}; ///< of the question
};

// --- single records ------------------------------------------------------------------------

struct record_question {
  moment from{};      ///< included, to the nanosecond
  moment to{};        ///< excluded
  usage_filter where; ///< `weekday` and `hour` are not for records
  std::string text;   ///< part of the model, the alias, the account or the error; upper and lower case are the same
  bool newest_first = true;
  std::string cursor;        ///< of another page of the same question; empty: the first one
  std::uint32_t limit = 100; ///< 1 to 1,000
};

/// Pages show what the ledger held when the first one was asked for, however many records come meanwhile.
struct record_page {
  sequence position = 0;
  std::vector<stored_record> records; ///< in the order asked for; of equal moments by node and id
  std::string next;                   ///< cursor of what follows; empty: nothing does
  std::string previous;               ///< of what comes before; empty: this is the beginning
  std::vector<usage_answer_gap> gaps; ///< known to be missing in [from, to)
  shown_names names;
};

} // namespace keyportal
