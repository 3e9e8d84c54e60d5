// Questions about usage and their answers as JSON. Fields are only ever added.
#pragma once

#include <string_view>

#include <caf/expected.hpp>
#include <nlohmann/json_fwd.hpp>

#include "messages/actors.hpp"

namespace keyportal {

/// Amounts are requests, ok, failed, tokens{…}, token_parts{…}, cost_usd, cost_nano, unpriced, latency_ms|null,
/// ttft_ms|null (both on average), cache_rate|null (share of the input), as far as the question's metrics have them, and
/// where they were asked for latency_percentiles and ttft_percentiles {p50, p90, p95, p99}.
/// position, from, to, before_from|null, zone, step, by[], exact, starts[], total{…}, rows[{of[], …amounts, per_minute{requests, tokens},
/// buckets[]?, before{…}?}], other{…}|null, others, gaps[{node, from, to, records}], names{}, and where it was asked for
/// unused[] and unused_count
nlohmann::json to_json(const usage_report& r);
/// position, items[{a record, error, service_tier, cost_usd|null}], next|null, previous|null, gaps[], names{}
nlohmann::json to_json(const record_page& p);

/// {from, to, zone, week, step, by[], where{model: […]}, top, order, percentiles, compare, unused, metrics[]}. `bad_request` names
/// the field; it never repeats what was in it.
caf::expected<ask_usage> read_usage_question(std::string_view body);
/// {from, to, zone, where{…}, text, order: "newest"|"oldest", cursor, limit}
caf::expected<ask_records> read_record_question(std::string_view body);
/// The same out of the query of an address: lists with commas or repeated; filters by their own names, as in
/// "model=gpt-5&by=key,model".
caf::expected<ask_usage> read_usage_question(const std::vector<std::pair<std::string, std::string>>& query);
caf::expected<ask_records> read_record_question(const std::vector<std::pair<std::string, std::string>>& query);

} // namespace keyportal
