#include "version.hpp"

#include <array>
#include <cstdio>

namespace keyportal::cpa_sim {

traits traits_of(const std::string& version) {
  using number = std::array<int, 3>;
  number v{6, 9, 49};
  std::sscanf(version.c_str(), "%d.%d.%d", &v[0], &v[1], &v[2]);
  const auto from = [&v](int major, int minor, int patch) { return v >= number{major, minor, patch}; };
  traits t;
  t.usage = !from(6, 10, 0);
  t.latency = from(6, 9, 1);
  t.healthz = from(6, 9, 10);
  t.healthz_head = from(6, 9, 31);
  t.ban_localhost = from(6, 9, 38);
  t.recent_requests = from(6, 9, 46);
  t.api_key_usage = from(6, 9, 47);
  t.counters = from(6, 9, 49);
  t.newest = v == number{6, 6, 96} ? 1000 : 0;
  t.queue_http = from(6, 10, 8);
  t.unknown_checked = from(7, 1, 47);
  t.plugin_header = from(7, 1, 69);
  t.exposed_headers = t.trace_header = from(7, 2, 84);
  t.safe_mode = from(7, 2, 51);
  t.quick_reload = t.default_lines = from(7, 2, 19);
  t.silent_blocks = from(6, 9, 38) && !from(7, 0, 3);
  t.first_byte_limit = from(7, 0, 3);
  t.resp = from(6, 9, 38);
  t.resp_refused = v == number{7, 1, 17};
  t.any_list = !from(7, 1, 44);
  t.subscribe = from(7, 0, 7);
  t.errors_channel = from(7, 1, 44);
  t.refresh_messages = from(7, 1, 39);
  t.retention_option = from(6, 10, 1);
  t.end_without_secret = from(7, 0, 0);
  t.provider_prefix = from(7, 2, 21);
  t.alias = from(6, 10, 7);
  t.fail = from(7, 0, 0);
  t.cache_tokens = from(7, 0, 3);
  t.response_headers = from(7, 1, 13);
  t.effort = from(7, 1, 18);
  t.ttft = from(7, 1, 24);
  t.claude_total_with_cache = from(7, 1, 26);
  t.tier = from(7, 1, 27);
  t.executor = from(7, 1, 38);
  t.response_tier = from(7, 2, 65);
  t.request_tier = from(7, 2, 65) && !from(7, 2, 74);
  t.cache_present = from(7, 2, 74);
  t.generate = from(7, 2, 78);
  t.breakdown = from(7, 2, 97);
  t.client = from(7, 2, 104);
  t.token_hash = v == number{7, 2, 111} || from(7, 2, 116);
  t.claude_reasoning = from(7, 2, 117);
  t.auth_index_by_place = from(7, 0, 0);
  t.gemini_login = !from(7, 2, 20);
  t.kimi_login = from(6, 8, 0);
  t.xai_login = from(7, 1, 0);
  t.xai_device = t.device_details = t.long_sessions = t.login_cancel = from(7, 2, 64);
  t.completed_kept = from(7, 2, 62);
  t.callback_open = from(7, 2, 23);
  t.success_drops_others = from(6, 6, 40) && !from(7, 2, 17);
  t.api_call = from(6, 6, 63);
  t.account_switch = from(6, 7, 18);
  t.account_fields = from(6, 8, 20);
  t.retry_told = from(6, 8, 31);
  t.plan_told = from(6, 6, 66);
  t.commit = from(7, 2, 0) ? "a7e3596b7" : "b8bba053f";
  return t;
}

} // namespace keyportal::cpa_sim
