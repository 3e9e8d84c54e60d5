#include "messages/usage_json.hpp"

#include <nlohmann/json.hpp>

#include "messages/json.hpp"
#include "messages/question_words.hpp"

namespace keyportal {

using nlohmann::json;

// --- answers ---------------------------------------------------------------------------------

namespace {

constexpr double nano = 1e-9;

json mean(std::int64_t sum, std::int64_t count) {
  return count > 0 ? json(static_cast<double>(sum) / static_cast<double>(count)) : json(nullptr);
}

json cache_rate(const token_parts& p) {
  const double input =
    static_cast<double>(p.uncached_input) + static_cast<double>(p.cache_read) + static_cast<double>(p.cache_write);
  return input > 0 ? json(static_cast<double>(p.cache_read) / input) : json(nullptr);
}

/// Only these; none: all.
using metric_list = std::vector<std::string>;

bool wants(const metric_list& metrics, std::string_view name) {
  return metrics.empty() || std::find(metrics.begin(), metrics.end(), name) != metrics.end();
}

json sums_json(const usage_sums& s, const metric_list& metrics) {
  auto out = json::object();
  const auto put = [&](const char* name, auto make) {
    if (wants(metrics, name))
      out[name] = make();
  };
  put("requests", [&] { return s.requests; });
  put("ok", [&] { return s.requests - s.failed; });
  put("failed", [&] { return s.failed; });
  put("tokens", [&] { return to_json(s.tokens); });
  put("token_parts", [&] { return to_json(s.parts); });
  put("unpriced", [&] { return s.unpriced; });
  put("latency_ms", [&] { return mean(s.latency_ms, s.requests); });
  put("ttft_ms", [&] { return mean(s.ttft_ms, s.timed_first); });
  put("cache_rate", [&] { return cache_rate(s.parts); });
  if (wants(metrics, "cost")) {
    out["cost_nano"] = s.cost_nano;
    out["cost_usd"] = static_cast<double>(s.cost_nano) * nano;
  }
  return out;
}

json percentiles_json(const usage_percentiles& p) {
  return {{"p50", p.p50}, {"p90", p.p90}, {"p95", p.p95}, {"p99", p.p99}};
}

json amounts_json(const usage_amounts& a, const metric_list& metrics) {
  auto out = sums_json(a.sums, metrics);
  if (a.latency_ms)
    out["latency_percentiles"] = percentiles_json(*a.latency_ms);
  if (a.ttft_ms)
    out["ttft_percentiles"] = percentiles_json(*a.ttft_ms);
  return out;
}

json row_json(const usage_row& row, double minutes, const metric_list& metrics) {
  auto out = amounts_json(row.all, metrics);
  out["of"] = row.of;
  if (wants(metrics, "per_minute"))
    out["per_minute"] = json(nullptr);
  if (minutes > 0 && wants(metrics, "per_minute"))
    out["per_minute"] = {{"requests", static_cast<double>(row.all.sums.requests) / minutes},
                         {"tokens", static_cast<double>(row.all.sums.tokens.total) / minutes}};
  if (!row.buckets.empty()) {
    auto buckets = json::array();
    for (const auto& one : row.buckets)
      buckets.push_back(amounts_json(one, metrics));
    out["buckets"] = std::move(buckets);
  }
  if (row.before)
    out["before"] = sums_json(*row.before, metrics);
  return out;
}

json gaps_json(const std::vector<usage_answer_gap>& gaps) {
  auto out = json::array();
  for (const auto& one : gaps)
    out.push_back(
      {{"node", one.node}, {"from", to_rfc3339_ms(one.from)}, {"to", to_rfc3339_ms(one.to)}, {"records", one.records}});
  return out;
}

json cursor_json(const std::string& cursor) { return cursor.empty() ? json(nullptr) : json(cursor); }

} // namespace

json to_json(const usage_report& r) {
  const auto minutes = std::chrono::duration<double, std::ratio<60>>(r.to - r.from).count();
  auto by = json::array(), starts = json::array(), rows = json::array();
  for (const auto one : r.by)
    by.push_back(name_of(one));
  for (const auto one : r.starts)
    starts.push_back(to_rfc3339_ms(one));
  for (const auto& one : r.rows)
    rows.push_back(row_json(one, minutes, r.metrics));
  return {{"position", r.position},
          {"from", to_rfc3339_ms(r.from)},
          {"to", to_rfc3339_ms(r.to)},
          {"before_from", r.total.before ? json(to_rfc3339_ms(r.before_from)) : json(nullptr)},
          {"zone", r.zone},
          {"step", name_of(r.step)},
          {"by", std::move(by)},
          {"exact", r.exact},
          {"starts", std::move(starts)},
          {"total", row_json(r.total, minutes, r.metrics)},
          {"rows", std::move(rows)},
          {"other", r.other ? row_json(*r.other, minutes, r.metrics) : json(nullptr)},
          {"others", r.others},
          {"gaps", gaps_json(r.gaps)},
          {"names", r.names},
          {"unused", r.unused},
          {"unused_count", r.unused_count}};
}

json to_json(const record_page& p) {
  auto items = json::array();
  for (const auto& one : p.records) {
    auto item = to_json(one);
    item["error"] = one.facts ? one.facts->error : "";
    item["service_tier"] = one.facts ? one.facts->service_tier : "";
    item["cost_usd"] = one.cost_nano ? json(static_cast<double>(*one.cost_nano) * nano) : json(nullptr);
    items.push_back(std::move(item));
  }
  return {{"position", p.position},      {"items", std::move(items)},
          {"next", cursor_json(p.next)}, {"previous", cursor_json(p.previous)},
          {"gaps", gaps_json(p.gaps)},   {"names", p.names}};
}

// --- questions -------------------------------------------------------------------------------

namespace {

caf::expected<ask_usage> usage_of(question_words given) {
  ask_usage out;
  auto& q = out.what;
  given.text("from", out.from);
  given.text("to", out.to);
  given.text("zone", q.zone);
  given.first_weekday(q.weeks_begin_on_sunday);
  std::string step = "none";
  given.text("step", step);
  if (const auto known = usage_step_of(step))
    q.step = *known;
  else
    given.fail("step is none, minute, 10m, 15m, hour, day, week or month");
  given.dimensions(q.by);
  q.metrics = given.list("metrics");
  if (!std::all_of(q.metrics.begin(), q.metrics.end(), [](const auto& one) { return is_usage_metric(one); }))
    given.fail(
      "metrics are requests, ok, failed, tokens, token_parts, cost, unpriced, latency_ms, ttft_ms, cache_rate or "
      "per_minute");
  given.number("top", q.top, 1000);
  given.text("order", q.order);
  given.yes_or_no("percentiles", q.with_percentiles);
  given.yes_or_no("compare", q.compare);
  given.yes_or_no("unused", q.with_unused);
  given.filters(q.where);
  if (auto wrong = given.finish())
    return wrong;
  if (out.from.empty())
    out.from = "30d";
  if (out.to.empty())
    out.to = "now";
  return out;
}

caf::expected<ask_records> records_of(question_words given) {
  ask_records out;
  auto& q = out.what;
  given.text("from", out.from);
  given.text("to", out.to);
  given.text("zone", out.zone);
  given.text("text", q.text);
  given.text("cursor", q.cursor);
  std::string order = "newest";
  given.text("order", order);
  if (order != "newest" && order != "oldest")
    given.fail("order is newest or oldest, what comes first");
  q.newest_first = order == "newest";
  given.number("limit", q.limit, 1000);
  given.filters(q.where);
  if (auto wrong = given.finish())
    return wrong;
  if (out.from.empty())
    out.from = "30d";
  if (out.to.empty())
    out.to = "now";
  return out;
}

} // namespace

caf::expected<ask_usage> read_usage_question(std::string_view body) {
  auto given = question_words_of(body);
  return given ? usage_of(std::move(*given)) : caf::expected<ask_usage>(given.error());
}
caf::expected<ask_records> read_record_question(std::string_view body) {
  auto given = question_words_of(body);
  return given ? records_of(std::move(*given)) : caf::expected<ask_records>(given.error());
}
caf::expected<ask_usage> read_usage_question(const std::vector<std::pair<std::string, std::string>>& query) {
  return usage_of(question_words_of(query));
}
caf::expected<ask_records> read_record_question(const std::vector<std::pair<std::string, std::string>>& query) {
  return records_of(question_words_of(query));
}

} // namespace keyportal
