// What providers say of an account's quota, as far as the proxy's own pages ask them.
#include "account_room.hpp"
#include "instant.hpp"
#include "json.hpp"

#include <cstdio>

namespace keyportal::cpa_sim {
namespace {

std::string shown(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string moment(std::int64_t ms, int zone_seconds = 0) {
  instant t{ms / 1000, static_cast<std::int32_t>(ms % 1000) * 1'000'000, zone_seconds};
  return to_text(t);
}

/// Windows are the same for everybody: the present one ends at the next full five hours, or week.
std::int64_t end_of(std::int64_t now_ms, std::int64_t length_ms) { return (now_ms / length_ms + 1) * length_ms; }

constexpr std::int64_t short_ms = 5LL * 3'600'000;
constexpr std::int64_t week_ms = 7LL * 24 * 3'600'000;

std::string claude(const auth_file& f, std::int64_t now) {
  return "{\"five_hour\":{\"utilization\":" + shown(f.used_short) + ",\"resets_at\":\"" + moment(end_of(now, short_ms))
         + "\"},\"seven_day\":{\"utilization\":" + shown(f.used_long) + ",\"resets_at\":\""
         + moment(end_of(now, week_ms))
         + "\"},\"seven_day_oauth_apps\":null,\"seven_day_opus\":null,\"seven_day_sonnet\":{\"utilization\":3.0,"
           "\"resets_at\":null},\"iguana_necktie\":null,\"extra_usage\":{\"is_enabled\":false,\"monthly_limit\":0,"
           "\"used_credits\":0,\"utilization\":null}}";
}

std::string codex(const auth_file& f, std::int64_t now) {
  const auto window = [now](double used, std::int64_t length) {
    const auto end = end_of(now, length);
    return "{\"used_percent\":" + shown(used) + ",\"limit_window_seconds\":" + std::to_string(length / 1000)
           + ",\"reset_after_seconds\":" + std::to_string((end - now) / 1000)
           + ",\"reset_at\":" + std::to_string(end / 1000) + '}';
  };
  return "{\"plan_type\":" + json_text(f.plan) + ",\"rate_limit\":{\"allowed\":"
         + (f.used_short < 100 ? "true" : "false") + ",\"limit_reached\":" + (f.used_short < 100 ? "false" : "true")
         + ",\"primary_window\":" + window(f.used_short, short_ms) + ",\"secondary_window\":"
         + window(f.used_long, week_ms) + "},\"code_review_rate_limit\":null,\"additional_rate_limits\":[]}";
}

std::string antigravity(const auth_file& f, std::int64_t now) {
  return R"({"groups":[{"displayName":"Gemini Models","description":"","buckets":[{"bucketId":"g-5h","displayName":)"
         R"("Five Hour Limit","window":"5h","remainingFraction":)"
         + shown(1 - f.used_short / 100) + ",\"resetTime\":\"" + moment(end_of(now, short_ms))
         + "\"},{\"bucketId\":\"g-w\",\"window\":\"weekly\",\"remainingFraction\":" + shown(1 - f.used_long / 100)
         + ",\"resetTime\":\"" + moment(end_of(now, week_ms)) + "\"}]}]}";
}

std::string gemini_cli(const auth_file& f, std::int64_t now) {
  return "{\"buckets\":[{\"modelId\":\"gemini-2.5-pro\",\"tokenType\":\"REQUESTS\",\"remainingFraction\":"
         + shown(1 - f.used_short / 100) + ",\"remainingAmount\":\"830\",\"resetTime\":\""
         + moment(end_of(now, 24LL * 3'600'000)) + "\"}]}";
}

std::string kimi(const auth_file& f, std::int64_t now) {
  const auto part = [](double used, const std::string& reset) {
    return "{\"limit\":\"100\",\"used\":\"" + std::to_string(static_cast<int>(used)) + "\",\"remaining\":\""
           + std::to_string(100 - static_cast<int>(used)) + "\",\"resetTime\":\"" + reset + "\"}";
  };
  return "{\"usage\":" + part(f.used_long, moment(end_of(now, week_ms)))
         + ",\"limits\":[{\"window\":{\"duration\":300,\"timeUnit\":\"TIME_UNIT_MINUTE\"},\"detail\":"
         + part(f.used_short, moment(end_of(now, short_ms))) + "}]}";
}

std::string xai(const auth_file& f, std::int64_t now) {
  const auto end = end_of(now, week_ms);
  return "{\"config\":{\"currentPeriod\":{\"type\":\"weekly\",\"start\":\"" + moment(end - week_ms) + "\",\"end\":\""
         + moment(end) + "\"},\"creditUsagePercent\":" + shown(f.used_long) + ",\"productUsage\":[]}}";
}

} // namespace

std::optional<std::string> quota_answer(const auth_file& of, const std::string& url, std::int64_t now_ms) {
  struct row {
    const char *provider, *url;
    std::string (*make)(const auth_file&, std::int64_t);
  };
  static constexpr row rows[] = {
    {"claude", "https://api.anthropic.com/api/oauth/usage", &claude},
    {"codex", "https://chatgpt.com/backend-api/wham/usage", &codex},
    {"antigravity", "https://daily-cloudcode-pa.googleapis.com/v1internal:retrieveUserQuotaSummary", &antigravity},
    {"gemini-cli", "https://cloudcode-pa.googleapis.com/v1internal:retrieveUserQuota", &gemini_cli},
    {"kimi", "https://api.kimi.com/coding/v1/usages", &kimi},
    {"xai", "https://cli-chat-proxy.grok.com/v1/billing?format=credits", &xai},
  };
  for (const auto& r : rows)
    if (url == r.url && of.provider == r.provider)
      return r.make(of, now_ms);
  return std::nullopt;
}

std::string credential_text(const auth_file& of) {
  const auto ends = moment(of.ends_ms / 1000 * 1000, 8 * 3600);
  const auto renewed = moment(of.refreshed_ms / 1000 * 1000, 8 * 3600);
  if (of.provider == "gemini-cli")
    return "{\"type\":\"gemini\",\"email\":" + json_text(of.email) + ",\"project_id\":" + json_text(of.project)
           + ",\"token\":{\"access_token\":\"secret-access-" + of.auth_index + "\",\"refresh_token\":\"secret-refresh-"
           + of.auth_index + "\",\"expiry\":\"" + ends + "\"}}";
  return "{\"type\":" + json_text(of.provider) + ",\"email\":" + json_text(of.email)
         + ",\"access_token\":\"secret-access-" + of.auth_index + "\",\"refresh_token\":\"secret-refresh-"
         + of.auth_index + "\",\"expired\":\"" + ends + "\",\"last_refresh\":\"" + renewed + "\"}";
}

} // namespace keyportal::cpa_sim
