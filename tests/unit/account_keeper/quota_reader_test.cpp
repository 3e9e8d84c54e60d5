// What providers say of quota, known and new.
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>

#include "actors/account_keeper/quota_reader.hpp"
#include "messages/errors.hpp"

using namespace keyportal;
using namespace std::chrono_literals;
using Catch::Approx;

namespace {

const moment t0 = moment_of(1'787'390'000'000'000'000);

std::string text_of(const quota_reading& r) {
  std::string out;
  for (const auto& w : r.windows)
    out += (out.empty() ? "" : ", ") + w.name + "=" + std::to_string(static_cast<int>(w.used + 0.5));
  return out;
}

std::string read(const char* provider, const char* body) {
  const auto got = read_quota(provider, body, t0);
  return got ? text_of(*got) : render(got.error());
}

} // namespace

TEST_CASE("Claude: used percent by window, models of the week beside it, new windows under their own name") {
  CHECK(read("claude", R"({"five_hour":{"utilization":37.0,"resets_at":"2026-08-22T14:00:00.000000+00:00"},
    "seven_day":{"utilization":12.0,"resets_at":"2026-08-27T09:00:00.000000+00:00"},"seven_day_opus":null,
    "seven_day_sonnet":{"utilization":3.0,"resets_at":null},"iguana_necktie":null,"lunar":{"utilization":5},
    "limits":[{"kind":"weekly_scoped","group":"weekly","percent":64,"scope":{"model":{"display_name":"Fable"}}},
              {"kind":"session","percent":37}],
    "extra_usage":{"is_enabled":false,"utilization":9}})")
        == "5h=37, 7d=12, 7d sonnet=3, 7d Fable=64, lunar=5");
  const auto got =
    read_quota("claude", R"({"five_hour":{"utilization":37,"resets_at":"2026-08-22T14:00:00+00:00"}})", t0);
  REQUIRE(got);
  CHECK(to_rfc3339_ms(*got->windows[0].begins_anew) == "2026-08-22T14:00:00.000Z");
  CHECK(got->windows[0].spans_s == 5 * 3600);
}

TEST_CASE("Codex: told apart by their length and not by their place") {
  CHECK(read("codex", R"({"plan_type":"plus","rate_limit":{"allowed":true,"limit_reached":false,
    "primary_window":{"used_percent":41,"limit_window_seconds":604800,"reset_at":1787800000},
    "secondary_window":{"usedPercent":"12","limitWindowSeconds":"18000","reset_after_seconds":60}},
    "additional_rate_limits":[{"limit_name":"GPT-5.3-Codex-Spark","rate_limit":{"primary_window":{"used_percent":2,
    "limit_window_seconds":604800},"secondary_window":null}}]})")
        == "5h=12, 7d=41, 7d GPT-5.3-Codex-Spark=2");
  const auto got = read_quota("codex", R"({"plan_type":"plus","rate_limit":{"primary_window":
    {"used_percent":1,"reset_after_seconds":60}}})",
                              t0);
  REQUIRE(got);
  CHECK(got->plan == "plus");
  CHECK(got->windows[0].name == "5h"); // the first without a length
  CHECK(*got->windows[0].begins_anew == t0 + 60s);
  CHECK(read("codex", R"({"rate_limit":{"limit_reached":true,"primary_window":{"limit_window_seconds":18000}}})")
        == "5h=100");
  CHECK(read("codex", R"({"rate_limit":{"primary_window":{"used_percent":7,"limit_window_seconds":2592000}}})")
        == "30d=7");
}

TEST_CASE("Google: what is left, as used") {
  CHECK(read("antigravity", R"({"groups":[{"displayName":"Gemini Models","buckets":[
    {"window":"5h","remainingFraction":0.64},{"window":"weekly","remainingFraction":"90%"},
    {"window":"fortnight","remainingFraction":0.5}]}]})")
        == "5h=36, 7d=10, fortnight=50");
  CHECK(read("gemini-cli", R"({"buckets":[{"modelId":"gemini-2.5-pro","remainingFraction":0.83},
    {"modelId":"gemini-2.5-flash","remainingAmount":"0"},{"modelId":"x"},
    {"modelId":"y","resetTime":"2026-08-23T00:00:00Z"}]})")
        == "1d gemini-2.5-pro=17, 1d gemini-2.5-flash=100, 1d y=100");
}

TEST_CASE("Kimi and xAI") {
  CHECK(read("kimi", R"({"usage":{"limit":"100","used":"1"},"limits":[{"window":{"duration":300,
    "timeUnit":"TIME_UNIT_MINUTE"},"detail":{"limit":"200","remaining":"98","reset_in":60}}]})")
        == "5h=51, 7d=1");
  CHECK(read("xai",
             R"({"config":{"currentPeriod":{"type":"weekly","end":"2026-08-27T09:00:00Z"},"creditUsagePercent":25}})")
        == "7d=25");
  CHECK(read("xai", R"({"config":{"monthlyLimit":{"val":10000},"used":{"val":2500}}})") == "30d=25");
}

TEST_CASE("what is not understood is a plain sentence that quotes nothing") {
  for (const char* body :
       {"", "<html>secret</html>", "[]", "{}", R"({"five_hour":"secret"})", R"({"five_hour":{"utilization":"x"}})",
        R"({"five_hour":{"utilization":-1}})", R"({"five_hour":{"utilization":1e999}})"}) {
    CAPTURE(body);
    const auto got = read_quota("claude", body, t0);
    REQUIRE_FALSE(got);
    CHECK(code_of(got.error()) == errc::quota_unknown);
    CHECK(render(got.error()).find("secret") == std::string::npos);
  }
  CHECK_FALSE(read_quota("somebody-new", R"({"five_hour":{"utilization":1}})", t0));
  for (const char* provider : {"codex", "antigravity", "gemini-cli", "kimi", "xai"})
    for (const char* body :
         {"{}", R"({"rate_limit":5,"groups":[5],"buckets":5,"limits":[5],"usage":5,"config":5})",
          R"({"rate_limit":[],"groups":{"a":1},"buckets":[{}],"limits":{},"usage":[],"config":[]})"}) {
      CAPTURE(provider, body);
      CHECK_FALSE(read_quota(provider, body, t0));
    }
}

TEST_CASE("there are never more than 32 windows, and names of theirs are plain") {
  std::string body = "{";
  for (int i = 0; i < 100; ++i)
    body += (i == 0 ? "\"w" : ",\"w") + std::to_string(i) + R"(<b>":{"utilization":1})";
  const auto got = read_quota("claude", body + "}", t0);
  REQUIRE(got);
  CHECK(got->windows.size() == 32);
  for (const auto& w : got->windows)
    CHECK(w.name.find('<') == std::string::npos);
}
