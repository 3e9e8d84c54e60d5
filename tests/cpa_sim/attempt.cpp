#include "attempt.hpp"

#include "json.hpp"

#include <algorithm>
#include <charconv>

namespace keyportal::cpa_sim {
namespace {

void append_number(std::string& out, std::int64_t value) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

bool any_of(const std::string& text, std::initializer_list<const char*> parts) {
  return std::any_of(parts.begin(), parts.end(), [&](const char* p) { return text.find(p) != std::string::npos; });
}

/// Where each token belongs, without counting any twice.
struct parts {
  const char* quality = "complete";
  std::int64_t total = 0;
  std::int64_t uncached = 0, read = 0, write = 0;
  std::int64_t plain = 0, reasoning = 0;
  std::int64_t unclassified = 0;
};

parts parts_of(const attempt& a, std::int64_t reasoning, std::int64_t total) {
  const used_tokens& u = a.used;
  parts p;
  p.total = total;
  const auto useless = [&](const char* quality) {
    p = {quality, total, 0, 0, 0, 0, 0, total};
    return p;
  };
  p.read = u.cache_read;
  p.write = u.cache_write;
  p.reasoning = reasoning;
  switch (a.way->count) {
    case counting::openai:
      p.uncached = u.input - u.cache_read - u.cache_write;
      p.plain = u.output - reasoning;
      break;
    case counting::claude:
      p.uncached = u.input;
      p.plain = u.output - reasoning;
      break;
    case counting::gemini:
      p.uncached = u.input - u.cache_read - u.cache_write;
      p.plain = u.output;
      break;
    case counting::other: return useless("unclassified");
  }
  const std::int64_t sum = p.uncached + p.read + p.write + p.plain + p.reasoning;
  return p.uncached < 0 || p.plain < 0 || sum != total ? useless("inconsistent") : p;
}

/// Reasoning as this version records it; Claude says so only lately.
std::int64_t reasoning_of(const attempt& a, const traits& t) {
  return a.way->count == counting::claude && !t.claude_reasoning ? 0 : a.used.reasoning;
}

} // namespace

counting counting_of(const std::string& name) {
  if (any_of(name, {"claude", "anthropic"}))
    return counting::claude;
  if (any_of(name, {"gemini", "aistudio", "antigravity", "vertex", "interaction"}))
    return counting::gemini;
  if (any_of(name,
             {"openai", "codex", "gpt", "xai", "grok", "kimi", "qwen", "deepseek", "openrouter", "up-model", "fake"})) {
    return counting::openai;
  }
  return counting::other;
}

token_counts counts_of(const attempt& a, const traits& t) {
  const used_tokens& u = a.used;
  token_counts c{u.input, u.output, reasoning_of(a, t), u.cache_read != 0 ? u.cache_read : u.cache_write, u.total};
  if (a.way->count == counting::claude) {
    c.total = u.input + u.output + (t.claude_total_with_cache ? u.cache_read + u.cache_write : 0);
  } else if (c.total == 0 && t.breakdown) {
    c.total = u.input + u.output + (a.way->count == counting::gemini ? u.reasoning : 0);
  }
  if (c.total == 0)
    c.total = c.input + c.output + c.reasoning;
  if (c.total == 0)
    c.total = c.cached;
  return c;
}

record record_of(const attempt& a, const traits& t) {
  return {
    a.way->api, a.way->model, {a.started, a.latency_ms, a.way->source, a.way->auth_index, counts_of(a, t), a.failed()}};
}

void append_request_id(std::string& out, std::uint32_t id) {
  for (int shift = 28; shift >= 0; shift -= 4)
    out += "0123456789abcdef"[id >> shift & 15];
}

void prepare(route& r, const traits& t) {
  const auto field = [](const char* name, const std::string& value) {
    return '"' + std::string(name) + "\":" + json_text(value) + ',';
  };
  auto& x = r.text;
  x.filed = ",\"api\":" + json_text(r.api) + ",\"model\":" + json_text(r.model) + ",\"timestamp\":\"";
  x.owner = ',' + field("source", r.source) + field("auth_index", r.auth_index);
  x.source = field("source", r.source) + field("auth_index", r.auth_index);
  if (t.token_hash && !r.token_hash.empty())
    x.source += field("access_token_sha256", r.token_hash);
  if (t.client) {
    x.source +=
      field("client_ip", r.client_ip) + field("x_forwarded_for", r.forwarded_for) + field("user_agent", r.user_agent);
  }
  x.headers.clear();
  if (t.response_headers && !r.response_headers.empty())
    x.headers = ",\"response_headers\":" + r.response_headers;
  x.provider = ',' + field("provider", r.provider);
  if (t.executor)
    x.provider += field("executor_type", r.executor);
  x.provider += field("model", r.model);
  if (t.alias)
    x.provider += field("alias", r.alias);
  x.provider +=
    field("endpoint", r.endpoint) + field("auth_type", r.auth_type) + field("api_key", r.api_key) + "\"request_id\":\"";
  x.rest = "\"";
  if (t.effort)
    x.rest += ",\"reasoning_effort\":" + json_text(r.effort);
  if (t.tier)
    x.rest += ",\"service_tier\":" + json_text(r.tier);
  if (t.request_tier)
    x.rest += ",\"request_service_tier\":" + json_text(r.tier);
  if (t.response_tier && !r.response_tier.empty())
    x.rest += ",\"response_service_tier\":" + json_text(r.response_tier);
}

void append_payload(std::string& out, const attempt& a, const traits& t) {
  const auto& x = a.way->text;
  const auto number = [&out](const char* name, std::int64_t value) {
    out += name;
    append_number(out, value);
  };
  const token_counts c = counts_of(a, t);
  out += "{\"timestamp\":\"";
  append_instant(out, a.started);
  number("\",\"latency_ms\":", a.latency_ms);
  if (t.ttft)
    number(",\"ttft_ms\":", a.first_token_ms);
  out += ',';
  out += x.source;
  number("\"tokens\":{\"input_tokens\":", c.input);
  number(",\"output_tokens\":", c.output);
  number(",\"reasoning_tokens\":", c.reasoning);
  number(",\"cached_tokens\":", c.cached);
  if (t.cache_tokens) {
    number(",\"cache_read_tokens\":", a.used.cache_read);
    if (t.cache_present)
      out += ",\"cache_read_tokens_present\":true";
    number(",\"cache_creation_tokens\":", a.used.cache_write);
  }
  number(",\"total_tokens\":", c.total);
  out += a.failed() ? "},\"failed\":true" : "},\"failed\":false";
  if (t.generate)
    out += a.generate ? ",\"generate\":true" : ",\"generate\":false";
  if (t.fail) {
    number(",\"fail\":{\"status_code\":", a.failed() ? a.status : 200);
    out += ",\"body\":";
    if (a.failed() && a.complaint) {
      append_json_text(out, *a.complaint);
    } else {
      out += "\"\"";
    }
    out += '}';
  }
  out += x.headers;
  if (t.breakdown) {
    const parts p = parts_of(a, c.reasoning, c.total);
    out += ",\"accounting_version\":2,\"token_breakdown\":{\"schema_version\":2,\"quality\":\"";
    out += p.quality;
    number("\",\"total_tokens\":", p.total);
    number(",\"input\":{\"total_tokens\":", p.uncached + p.read + p.write);
    number(",\"uncached_tokens\":", p.uncached);
    number(",\"cache_read_tokens\":", p.read);
    number(",\"cache_write_tokens\":", p.write);
    number("},\"output\":{\"total_tokens\":", p.plain + p.reasoning);
    number(",\"non_reasoning_tokens\":", p.plain);
    number(",\"reasoning_tokens\":", p.reasoning);
    number("},\"unclassified_tokens\":", p.unclassified);
    out += '}';
  }
  out += x.provider;
  append_request_id(out, a.request_id);
  out += x.rest;
  if (a.odd_fields) {
    out += R"(,"zz_future":{"list":[1,2.5e3,null,{"deep":"\u00e4"}],"flag":true},"zz_text":"unknown \"field\"",)"
           R"("zz_number":-7)";
  }
  out += '}';
}

} // namespace keyportal::cpa_sim
