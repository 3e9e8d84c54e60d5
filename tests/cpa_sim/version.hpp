// What differs between versions of CPA, as far as the stand-in shows it.
#pragma once

#include <cstddef>
#include <string>

namespace keyportal::cpa_sim {

/// Every difference by its own name; the number of the version is looked at nowhere else.
struct traits {
  // HTTP
  bool usage = true;            ///< GET /usage, /usage/export, POST /usage/import; before 6.10.0
  bool latency = true;          ///< latency_ms, from 6.9.1
  bool healthz = true;          ///< from 6.9.10
  bool healthz_head = true;     ///< from 6.9.31
  bool ban_localhost = true;    ///< from 6.9.38
  bool recent_requests = true;  ///< in /auth-files, from 6.9.46
  bool api_key_usage = true;    ///< from 6.9.47
  bool counters = true;         ///< success and failed of each credential, from 6.9.49
  std::size_t newest = 0;       ///< 6.6.96 kept the newest 1000 details of each list only
  bool queue_http = false;      ///< GET /usage-queue, from 6.10.8
  bool unknown_checked = false; ///< unknown management paths are authenticated first, from 7.1.47
  bool plugin_header = false;   ///< X-Cpa-Support-Plugin, from 7.1.69
  bool exposed_headers = false; ///< Access-Control-Expose-Headers; first seen with the next one
  bool trace_header = false;    ///< X-Cpa-Trace-Id, from 7.2.84
  bool safe_mode = false;       ///< a key of the example config closes all client paths, from 7.2.51
  bool quick_reload = false;    ///< a write is enforced within milliseconds and never lost, from 7.2.19
  bool default_lines = false;   ///< the first write adds defaults to config.yaml (ws-auth is on by default)
  // connections
  bool silent_blocks = false;    ///< one silent connection keeps all others out, 6.9.38 to 7.0.2
  bool first_byte_limit = false; ///< the first byte must come within ten seconds, from 7.0.3
  // queue
  bool resp = false;               ///< AUTH, LPOP, RPOP, from 6.9.38
  bool resp_refused = false;       ///< 7.1.17 alone
  bool any_list = false;           ///< pops whatever the list is called, before 7.1.44
  bool subscribe = false;          ///< from 7.0.7
  bool errors_channel = false;     ///< from 7.1.44
  bool refresh_messages = false;   ///< from 7.1.39
  bool retention_option = false;   ///< from 6.10.1; before: 60 s
  bool end_without_secret = false; ///< RESP connections are closed when the secret goes
  // records
  bool provider_prefix = false;         ///< openai-compatible-NAME, from 7.2.21
  bool alias = false;                   ///< from 6.10.7
  bool fail = false;                    ///< from 7.0.0
  bool cache_tokens = false;            ///< from 7.0.3
  bool response_headers = false;        ///< from 7.1.13
  bool effort = false;                  ///< from 7.1.18
  bool ttft = false;                    ///< from 7.1.24
  bool claude_total_with_cache = false; ///< from 7.1.26
  bool tier = false;                    ///< from 7.1.27
  bool executor = false;                ///< from 7.1.38
  bool response_tier = false;           ///< from 7.2.65
  bool request_tier = false;            ///< 7.2.65 to 7.2.73
  bool cache_present = false;           ///< from 7.2.74
  bool generate = false;                ///< from 7.2.78
  bool breakdown = false;               ///< from 7.2.97; a total of 0 is then input and output alone
  bool client = false;                  ///< client_ip, x_forwarded_for, user_agent, from 7.2.104
  bool token_hash = false;              ///< 7.2.111, and from 7.2.116
  bool claude_reasoning = false;        ///< Claude's reasoning as part of its output, from 7.2.117
  bool auth_index_by_place = false;     ///< from 7.0.0
  // accounts
  bool gemini_login = true;    ///< until 7.2.19
  bool kimi_login = false;     ///< from 6.8.0
  bool xai_login = false;      ///< from 7.1.0
  bool xai_device = false;     ///< by a code, from 7.2.64
  bool device_details = false; ///< user_code and expires_in, from 7.2.64
  bool completed_kept = false; ///< a login that worked is remembered for a minute, unknown ones are errors; from 7.2.62
  bool long_sessions = false;  ///< failed ones are remembered for half an hour, from 7.2.64
  bool login_cancel = false;   ///< DELETE oauth-session, from 7.2.64
  bool callback_open = false;  ///< oauth-callback without a management key, from 7.2.23
  bool success_drops_others = false; ///< of the same provider, 6.6.40 to 7.2.16
  bool api_call = false;             ///< from 6.6.63
  bool account_switch = false;       ///< PATCH auth-files/status, from 6.7.18
  bool account_fields = false;       ///< PATCH auth-files/fields, from 6.8.20
  bool retry_told = false;           ///< next_retry_after, from 6.8.31
  bool plan_told = false;            ///< id_token of codex, from 6.6.66
  std::string commit = "b8bba053f";
};

traits traits_of(const std::string& version);

} // namespace keyportal::cpa_sim
