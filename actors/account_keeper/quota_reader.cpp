#include "actors/account_keeper/quota_reader.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/account_files.hpp"
#include "messages/errors.hpp"

namespace keyportal {

namespace {

using nlohmann::json;

constexpr std::int64_t hour_s = 3600, day_s = 24 * hour_s;

const json* field(const json& from, std::initializer_list<const char*> names) {
  if (!from.is_object())
    return nullptr;
  for (const char* name : names)
    if (const auto found = from.find(name); found != from.end() && !found->is_null())
      return &*found;
  return nullptr;
}

/// A number, or a text that is one, maybe with % behind.
std::optional<double> number(const json* value) {
  if (value == nullptr)
    return std::nullopt;
  double out = 0;
  if (value->is_number())
    out = value->get<double>();
  else if (value->is_string()) {
    auto text = value->get<std::string>();
    if (!text.empty() && text.back() == '%')
      text.pop_back();
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (text.empty() || problem != std::errc{} || end != text.data() + text.size())
      return std::nullopt;
    if (value->get<std::string>().back() == '%')
      out /= 100;
  } else if (value->is_object() && value->contains("val"))
    return number(&(*value)["val"]);
  else
    return std::nullopt;
  return std::isfinite(out) ? std::optional(out) : std::nullopt;
}

std::optional<double> percent(const json* value) {
  const auto n = number(value);
  if (!n || *n < 0)
    return std::nullopt;
  const double as_percent = value->is_string() && value->get<std::string>().ends_with('%') ? *n * 100 : *n;
  return std::min(as_percent, 1000.0);
}

std::optional<moment> moment_in(const json* value) {
  if (value == nullptr)
    return std::nullopt;
  if (value->is_string())
    return cpa::read_moment(value->get<std::string>());
  if (value->is_number())
    return cpa::read_moment(fmt::format("{:.0f}", value->get<double>()));
  return std::nullopt;
}

std::string text_in(const json* value) {
  return value != nullptr && value->is_string() ? value->get<std::string>() : "";
}

/// Words of theirs that are shown: short, and nothing but letters, digits and a few signs.
std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, 40))
    out.push_back(
      (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ? c : ' ');
  return out;
}

std::string name_of(std::int64_t span_s) {
  if (span_s <= 0)
    return "window";
  if (span_s % day_s == 0)
    return fmt::format("{}d", span_s / day_s);
  return span_s % hour_s == 0 ? fmt::format("{}h", span_s / hour_s) : fmt::format("{}min", span_s / 60);
}

quota_window window(std::int64_t span_s, double used, std::optional<moment> anew, std::string_view of = {}) {
  quota_window out;
  out.name = name_of(span_s) + (of.empty() ? "" : " " + shown(of));
  out.used = used;
  out.spans_s = span_s;
  out.begins_anew = anew;
  return out;
}

void read_claude(const json& all, quota_reading& out, moment) {
  for (const auto& [name, value] : all.items()) {
    const auto used = value.is_object() ? percent(field(value, {"utilization"})) : std::nullopt;
    if (!used || name == "extra_usage")
      continue;
    const bool is_week = name.starts_with("seven_day");
    const auto anew = moment_in(field(value, {"resets_at"}));
    if (name == "five_hour")
      out.windows.push_back(window(5 * hour_s, *used, anew));
    else if (is_week)
      out.windows.push_back(window(7 * day_s, *used, anew, name.size() > 10 ? std::string_view(name).substr(10) : ""));
    else { // one that is new
      auto other = window(0, *used, anew);
      other.name = shown(name);
      out.windows.push_back(std::move(other));
    }
  }
  const auto* limits = field(all, {"limits"});
  if (limits == nullptr || !limits->is_array())
    return;
  for (const auto& one : *limits) {
    const auto used = percent(field(one, {"percent"}));
    const auto* scope = field(one, {"scope"});
    const auto* model = scope != nullptr ? field(*scope, {"model"}) : nullptr;
    if (!used || model == nullptr) // without a model they are the windows above, said twice
      continue;
    out.windows.push_back(window(text_in(field(one, {"group"})) == "weekly" ? 7 * day_s : 0, *used,
                                 moment_in(field(one, {"resets_at"})), text_in(field(*model, {"display_name"}))));
  }
}

void read_codex_limit(const json& limit, std::string_view of, quota_reading& out, moment now) {
  const auto* allowed = field(limit, {"allowed"});
  const auto* reached = field(limit, {"limit_reached", "limitReached"});
  const bool full = (allowed != nullptr && *allowed == false) || (reached != nullptr && *reached == true);
  bool first = true;
  for (const auto* one :
       {field(limit, {"primary_window", "primaryWindow"}), field(limit, {"secondary_window", "secondaryWindow"})}) {
    const auto usual = std::exchange(first, false) ? 5 * hour_s : 7 * day_s;
    if (one == nullptr || !one->is_object())
      continue;
    const auto span = number(field(*one, {"limit_window_seconds", "limitWindowSeconds"}));
    auto used = percent(field(*one, {"used_percent", "usedPercent"}));
    if (!used && full)
      used = 100;
    if (!used)
      continue;
    auto anew = moment_in(field(*one, {"reset_at", "resetAt"}));
    if (const auto after = number(field(*one, {"reset_after_seconds", "resetAfterSeconds"}));
        !anew && after && *after >= 0 && *after < 4e7)
      anew = now + std::chrono::seconds{static_cast<std::int64_t>(*after)};
    const auto span_s = span && *span > 0 && *span < 4e7 ? static_cast<std::int64_t>(*span) : usual;
    out.windows.push_back(window(span_s, *used, anew, of));
  }
}

void read_codex(const json& all, quota_reading& out, moment now) {
  out.plan = shown(text_in(field(all, {"plan_type", "planType"})));
  if (const auto* limit = field(all, {"rate_limit", "rateLimit"}))
    read_codex_limit(*limit, "", out, now);
  if (const auto* limit = field(all, {"code_review_rate_limit", "codeReviewRateLimit"}))
    read_codex_limit(*limit, "code review", out, now);
  const auto* more = field(all, {"additional_rate_limits", "additionalRateLimits"});
  if (more != nullptr && more->is_array())
    for (const auto& one : *more)
      if (const auto* limit = field(one, {"rate_limit", "rateLimit"}))
        read_codex_limit(*limit, text_in(field(one, {"limit_name", "limitName"})), out, now);
}

/// What is left, 0 to 1, as used percent.
std::optional<double> used_of_fraction(const json& bucket) {
  if (const auto left = number(field(bucket, {"remainingFraction", "remaining_fraction"})))
    return std::clamp(100 - *left * 100, 0.0, 100.0);
  const auto amount = number(field(bucket, {"remainingAmount", "remaining_amount"}));
  const bool resets = field(bucket, {"resetTime", "reset_time"}) != nullptr;
  return (amount && *amount <= 0) || (!amount && resets) ? std::optional(100.0) : std::nullopt;
}

void read_antigravity(const json& all, quota_reading& out, moment) {
  const auto* groups = field(all, {"groups"});
  if (groups == nullptr || !groups->is_array())
    return;
  for (const auto& group : *groups) {
    const auto of = text_in(field(group, {"displayName"}));
    const auto* buckets = field(group, {"buckets"});
    if (buckets == nullptr || !buckets->is_array())
      continue;
    for (const auto& one : *buckets) {
      const auto used = used_of_fraction(one);
      const auto span = text_in(field(one, {"window"}));
      if (!used)
        continue;
      const bool is_short = span == "5h" || span == "five-hour" || span == "five_hour";
      const bool is_week = span == "weekly" || span == "week";
      auto w = window(is_short  ? 5 * hour_s
                      : is_week ? 7 * day_s
                                : 0,
                      *used, moment_in(field(one, {"resetTime", "reset_time"})), groups->size() > 1 ? of : "");
      if (!is_short && !is_week)
        w.name = shown(span.empty() ? text_in(field(one, {"displayName"})) : span);
      out.windows.push_back(std::move(w));
    }
  }
}

void read_gemini(const json& all, quota_reading& out, moment) {
  const auto* buckets = field(all, {"buckets"});
  if (buckets == nullptr || !buckets->is_array())
    return;
  for (const auto& one : *buckets)
    if (const auto used = used_of_fraction(one)) {
      auto w = window(day_s, *used, moment_in(field(one, {"resetTime"})), text_in(field(one, {"modelId"})));
      out.windows.push_back(std::move(w));
    }
}

void read_kimi(const json& all, quota_reading& out, moment now) {
  const auto add = [&](const json& detail, std::int64_t span_s) {
    const auto limit = number(field(detail, {"limit"}));
    auto used = number(field(detail, {"used"}));
    if (const auto left = number(field(detail, {"remaining"})); !used && limit && left)
      used = *limit - *left;
    if (!limit || !used || *limit <= 0 || *used < 0)
      return;
    auto anew = moment_in(field(detail, {"reset_at", "resetAt", "reset_time", "resetTime"}));
    if (const auto in = number(field(detail, {"reset_in", "resetIn", "ttl"})); !anew && in && *in >= 0 && *in < 4e7)
      anew = now + std::chrono::seconds{static_cast<std::int64_t>(*in)};
    out.windows.push_back(window(span_s, std::min(*used / *limit * 100, 1000.0), anew));
  };
  const auto* limits = field(all, {"limits"});
  if (limits != nullptr && limits->is_array())
    for (const auto& one : *limits) {
      const auto* detail = field(one, {"detail"});
      const auto* span = field(one, {"window"});
      if (detail == nullptr)
        continue;
      std::int64_t span_s = 0;
      if (span != nullptr) {
        auto unit = text_in(field(*span, {"timeUnit", "time_unit"}));
        if (unit.starts_with("TIME_UNIT_"))
          unit.erase(0, 10);
        const auto count = number(field(*span, {"duration"})).value_or(0);
        const std::int64_t each = unit == "SECOND" ? 1
                                  : unit == "HOUR" ? hour_s
                                  : unit == "DAY"  ? day_s
                                  : unit == "WEEK" ? 7 * day_s
                                                   : 60;
        if (count > 0 && count < 1e6)
          span_s = static_cast<std::int64_t>(count) * each;
      }
      add(*detail, span_s);
    }
  if (const auto* usage = field(all, {"usage"}))
    add(*usage, 7 * day_s);
}

void read_xai(const json& all, quota_reading& out, moment) {
  const auto* config = field(all, {"config"});
  if (config == nullptr)
    return;
  const auto* period = field(*config, {"currentPeriod"});
  if (const auto used = percent(field(*config, {"creditUsagePercent"}))) {
    const auto anew = period != nullptr ? moment_in(field(*period, {"end"})) : std::nullopt;
    const auto kind = period != nullptr ? text_in(field(*period, {"type"})) : "";
    out.windows.push_back(window(kind == "monthly" ? 30 * day_s : 7 * day_s, *used, anew));
    return;
  }
  const auto limit = number(field(*config, {"monthlyLimit"})), used = number(field(*config, {"used"}));
  if (limit && used && *limit > 0 && *used >= 0)
    out.windows.push_back(
      window(30 * day_s, std::min(*used / *limit * 100, 1000.0), moment_in(field(*config, {"billingPeriodEnd"}))));
}

} // namespace

caf::expected<quota_reading> read_quota(std::string_view provider, std::string_view body, moment now) {
  const auto all = json::parse(body, nullptr, false);
  if (!all.is_object())
    return make_error(errc::quota_unknown, "its answer is no JSON object");
  quota_reading out;
  if (provider == "claude")
    read_claude(all, out, now);
  else if (provider == "codex")
    read_codex(all, out, now);
  else if (provider == "antigravity")
    read_antigravity(all, out, now);
  else if (provider == "gemini-cli")
    read_gemini(all, out, now);
  else if (provider == "kimi")
    read_kimi(all, out, now);
  else if (provider == "xai")
    read_xai(all, out, now);
  if (out.windows.empty())
    return make_error(errc::quota_unknown, "its answer has no window that is known");
  // Each name once, the short ones first.
  std::stable_sort(out.windows.begin(), out.windows.end(), [](const quota_window& a, const quota_window& b) {
    return (a.spans_s == 0 ? INT64_MAX : a.spans_s) < (b.spans_s == 0 ? INT64_MAX : b.spans_s);
  });
  std::vector<quota_window> once;
  for (auto& w : out.windows)
    if (once.size() < 32
        && std::none_of(once.begin(), once.end(), [&](const quota_window& o) { return o.name == w.name; }))
      once.push_back(std::move(w));
  out.windows = std::move(once);
  return out;
}

} // namespace keyportal
