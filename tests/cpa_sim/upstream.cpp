#include "upstream.hpp"

#include "json.hpp"
#include "traffic.hpp"

#include <algorithm>
#include <cstdio>

namespace keyportal::cpa_sim {
namespace {

struct call_body {
  std::string model;
  std::string prompt;
  bool stream = false;
};

void collect(json_reader& in, call_body& call, std::string_view under) {
  const char next = in.peek();
  if (next == '{') {
    in.object([&](std::string_view name) { collect(in, call, std::string(name)); });
  } else if (next == '[') {
    in.array([&] { collect(in, call, under); });
  } else if (next == '"' && (under == "content" || under == "text" || under == "input")) {
    std::string text;
    in.string(text);
    call.prompt += ' ' + text;
  } else if (next == '"' && under == "model") {
    in.string(call.model);
  } else if (under == "stream") {
    in.boolean(call.stream);
  } else {
    in.skip();
  }
}

/// The number after ` name=` in the prompt.
std::int64_t directive(const std::string& prompt, const std::string& name, std::int64_t otherwise) {
  const auto at = prompt.find(' ' + name + '=');
  if (at == std::string::npos)
    return otherwise;
  std::int64_t value = 0;
  for (std::size_t i = at + name.size() + 2; i < prompt.size() && prompt[i] >= '0' && prompt[i] <= '9'; ++i) {
    if (value < 1'000'000'000'000)
      value = value * 10 + (prompt[i] - '0');
  }
  return value;
}

std::string number(std::int64_t value) { return std::to_string(value); }

answer json_answer(int status, std::string body) {
  answer a;
  a.status = status;
  a.headers = {{"Content-Type", "application/json"}};
  a.body = std::move(body);
  return a;
}

answer error_answer(int status, const std::string& message, const std::string& type, const std::string& code) {
  return json_answer(status, "{\"error\":{\"message\":" + json_text(message) + ",\"type\":" + json_text(type)
                               + ",\"code\":" + json_text(code) + "}}");
}

std::string chat_usage(const token_counts& t) {
  return "{\"prompt_tokens\":" + number(t.input) + ",\"completion_tokens\":" + number(t.output)
         + ",\"total_tokens\":" + number(t.total) + ",\"prompt_tokens_details\":{\"cached_tokens\":" + number(t.cached)
         + "},\"completion_tokens_details\":{\"reasoning_tokens\":" + number(t.reasoning) + "}}";
}

std::string chat_head(const std::string& id, const std::string& model, const char* object) {
  return "{\"id\":\"" + id + "\",\"created\":1767225600,\"model\":" + json_text(model) + ",\"object\":\"" + object
         + "\",\"choices\":[";
}

answer chat_stream(const std::string& id, const std::string& model, const token_counts& t, bool usage,
                   bool early_null) {
  answer a;
  a.headers = {{"Cache-Control", "no-cache"}, {"Content-Type", "text/event-stream"}};
  const std::string head = "data: " + chat_head(id, model, "chat.completion.chunk");
  const auto delta = [&](const char* text, const char* finish) {
    a.chunks.push_back(head + "{\"index\":0,\"delta\":" + text + ",\"finish_reason\":" + finish
                       + (early_null ? "}],\"usage\":null}\n\n" : "}]}\n\n"));
  };
  delta(R"({"role":"assistant","content":"hel"})", "null");
  delta(R"({"content":"lo"})", "null");
  delta("{}", "\"stop\"");
  if (usage)
    a.chunks.push_back(head + "],\"usage\":" + chat_usage(t) + "}\n\n");
  a.chunks.emplace_back("data: [DONE]\n\n");
  return a;
}

std::string body_of(client_api form, const std::string& id, const std::string& model, const token_counts& t,
                    bool usage) {
  const std::string quoted = json_text(model);
  switch (form) {
    case client_api::messages:
      return "{\"id\":\"" + id + R"(","type":"message","role":"assistant","model":)" + quoted
             + R"(,"content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":)"
               "{\"input_tokens\":"
             + number(t.input) + ",\"output_tokens\":" + number(t.output) + "}}";
    case client_api::responses:
      return "{\"id\":\"" + id
             + R"(","object":"response","created_at":1767225600,"status":"completed",)"
               R"("background":false,"error":null,"incomplete_details":null,"model":)"
             + quoted + R"(,"output":[{"id":"msg_)" + id
             + R"(_0","type":"message","status":"completed","content":)"
               R"([{"type":"output_text","annotations":[],"logprobs":[],"text":"hello"}],"role":"assistant"}],)"
               "\"usage\":{\"input_tokens\":"
             + number(t.input) + ",\"input_tokens_details\":{\"cached_tokens\":" + number(t.cached)
             + "},\"output_tokens\":" + number(t.output) + ",\"total_tokens\":" + number(t.total) + "}}";
    case client_api::gemini:
      return R"({"candidates":[{"content":{"parts":[{"text":"hello"}],"role":"model"},"index":0,)"
             R"("finishReason":"STOP"}],"model":)"
             + quoted + ",\"usageMetadata\":{\"promptTokenCount\":" + number(t.input)
             + ",\"candidatesTokenCount\":" + number(t.output) + ",\"totalTokenCount\":" + number(t.total) + "}}";
    case client_api::chat: break;
  }
  return chat_head(id, model, "chat.completion")
         + R"({"index":0,"message":{"role":"assistant","content":"hello"},"finish_reason":"stop"}])"
         + (usage ? ",\"usage\":" + chat_usage(t) : "") + "}";
}

} // namespace

fake_upstream::outcome fake_upstream::call(client_api form, const request& r, const std::string& model_in_path,
                                           const std::string& api, const instant& now, bool registered) {
  call_body body;
  json_reader in(r.body);
  collect(in, body, "");
  if (!model_in_path.empty())
    body.model = model_in_path;
  const auto known = std::find_if(options_.models.begin(), options_.models.end(), [&](const model_name& m) {
    return body.model == m.alias || body.model == m.upstream;
  });
  if (!registered || known == options_.models.end()) {
    return {error_answer(502, "unknown provider for model " + body.model, "server_error", "internal_server_error"), {}};
  }
  const auto status = static_cast<int>(directive(body.prompt, "status", 200));
  const bool failed = status >= 400 && status < 600;
  record attempt{api, known->upstream, {now, 1, {}, {}, {}, failed}};
  std::size_t& turn = turn_[known->upstream];
  const std::size_t credentials = options_.upstream_keys.size();
  const std::size_t tries = failed ? credentials : std::min<std::size_t>(credentials, 1);
  outcome result;
  for (std::size_t i = 0; i < tries; ++i) {
    attempt.what.source = options_.upstream_keys[(turn + i) % credentials];
    attempt.what.auth_index = invented_auth_index(options_.provider_url + attempt.what.source);
    count(attempt.what.source, failed, now);
    result.attempts.push_back(attempt);
  }
  ++answers_;
  if (failed) {
    turn = 0; // a failure puts the credentials back into their order
    const bool limited = status == 429;
    result.reply =
      error_answer(status, "fake upstream error " + std::to_string(status),
                   limited ? "rate_limit_error" : "server_error", limited ? "rate_limit_exceeded" : "internal");
    return result;
  }
  if (credentials != 0)
    turn = (turn + 1) % credentials;
  token_counts t;
  t.input = directive(body.prompt, "in", 12);
  t.output = directive(body.prompt, "out", 5);
  t.cached = directive(body.prompt, "cached", 0);
  t.reasoning = directive(body.prompt, "reason", 0);
  t.total = directive(body.prompt, "total", t.input + t.output);
  const bool usage = directive(body.prompt, "nousage", 0) == 0;
  const bool early_null = body.stream && directive(body.prompt, "usagenull", 0) != 0;
  if (usage && !early_null) {
    for (auto& one : result.attempts)
      one.what.tokens = t;
  }
  const std::string id = "chatcmpl-fake-" + std::to_string(answers_);
  result.reply = body.stream && form == client_api::chat
                   ? chat_stream(id, known->upstream, t, usage, early_null)
                   : json_answer(200, body_of(form, id, known->upstream, t, usage));
  return result;
}

answer fake_upstream::count_tokens(const instant& now) {
  if (!options_.upstream_keys.empty())
    count(options_.upstream_keys[0], false, now);
  return json_answer(200, R"({"input_tokens":3})");
}

answer fake_upstream::models() const {
  std::string list;
  for (const auto& m : options_.models) {
    list += (list.empty() ? "" : ",") + ("{\"created\":" + number(started_)) + ",\"id\":" + json_text(m.alias)
            + ",\"object\":\"model\",\"owned_by\":" + json_text(options_.provider) + "}";
  }
  answer a = json_answer(200, "{\"data\":[" + list + "],\"object\":\"list\"}");
  a.headers[0].second += "; charset=utf-8";
  return a;
}

answer fake_upstream::gemini_models() const {
  std::string list;
  for (const auto& m : options_.models) {
    list += (list.empty() ? "" : ",") + ("{\"name\":" + json_text("models/" + m.alias)) + "}";
  }
  answer a = json_answer(200, "{\"models\":[" + list + "]}");
  a.headers[0].second += "; charset=utf-8";
  return a;
}

void fake_upstream::count(const std::string& key, bool failed, const instant& now) {
  tally& t = tallies_[key];
  ++(failed ? t.failed : t.success);
  ++t.buckets[(now.seconds + now.offset_seconds) / 600][failed ? 1 : 0];
  while (t.buckets.size() > 20)
    t.buckets.erase(t.buckets.begin());
}

std::string fake_upstream::key_usage_json(const instant& now) const {
  const std::int64_t last = (now.seconds + now.offset_seconds) / 600;
  std::string keys;
  for (const auto& key : options_.upstream_keys) {
    const auto found = tallies_.find(key);
    const tally t = found == tallies_.end() ? tally{} : found->second;
    keys += (keys.empty() ? "" : ",") + json_text(options_.provider_url + "|" + key)
            + ":{\"success\":" + number(t.success) + ",\"failed\":" + number(t.failed) + ",\"recent_requests\":[";
    for (std::int64_t bucket = last - 19; bucket <= last; ++bucket) {
      const auto in_bucket = t.buckets.find(bucket);
      const auto counts = in_bucket == t.buckets.end() ? std::array<std::int64_t, 2>{} : in_bucket->second;
      char label[32];
      const auto clock = [](std::int64_t tens) { return static_cast<int>(tens % 144); };
      std::snprintf(label, sizeof label, "%02d:%d0-%02d:%d0", clock(bucket) / 6, clock(bucket) % 6,
                    clock(bucket + 1) / 6, clock(bucket + 1) % 6);
      keys += (bucket == last - 19 ? "" : ",") + ("{\"time\":\"" + std::string(label))
              + "\",\"success\":" + number(counts[0]) + ",\"failed\":" + number(counts[1]) + "}";
    }
    keys += "]}";
  }
  return "{" + json_text(options_.provider) + ":{" + keys + "}}";
}

} // namespace keyportal::cpa_sim
