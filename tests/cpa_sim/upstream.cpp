#include "upstream.hpp"

#include "json.hpp"

#include <algorithm>

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

std::string body_of(client_api form, const std::string& id, const std::string& model, const token_counts& t, bool usage,
                    bool reasoning_said = false) {
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
             + "},\"output_tokens\":" + number(t.output) + ",\"total_tokens\":" + number(t.total)
             + (reasoning_said ? ",\"output_tokens_details\":{\"reasoning_tokens\":" + number(t.reasoning) + "}}}"
                               : "}}");
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

std::vector<const credential*> fake_upstream::providers_of(const std::string& model, std::string& upstream) const {
  std::vector<const credential*> found;
  for (const auto& m : options_.models) {
    if (model == m.alias || model == m.upstream) {
      upstream = m.upstream;
      for (const auto& c : credentials_) {
        if (c.group == options_.provider)
          found.push_back(&c);
      }
      return found;
    }
  }
  upstream = model;
  for (const auto& c : credentials_) {
    if (c.group != options_.provider && c.model == model)
      found.push_back(&c);
  }
  return found;
}

fake_upstream::outcome fake_upstream::call(client_api form, const request& r, const std::string& model_in_path,
                                           const caller& who, const instant& now, bool registered) {
  call_body body;
  json_reader in(r.body);
  collect(in, body, "");
  if (!model_in_path.empty())
    body.model = model_in_path;
  std::string model;
  const auto providers = providers_of(body.model, model);
  if (!registered || providers.empty()) {
    return {error_answer(502, "unknown provider for model " + body.model, "server_error", "internal_server_error"), {}};
  }
  const auto status = static_cast<int>(directive(body.prompt, "status", 200));
  const bool failed = status >= 400 && status < 600;
  std::size_t& turn = turn_[model];
  const std::size_t tries = failed ? providers.size() : 1;
  ++answers_;
  const std::string id = "chatcmpl-fake-" + number(static_cast<std::int64_t>(answers_));
  const bool limited = status == 429;
  used_tokens used;
  used.input = directive(body.prompt, "in", 12);
  used.output = directive(body.prompt, "out", 5);
  used.cache_read = directive(body.prompt, "cached", 0);
  used.cache_write = directive(body.prompt, "written", 0);
  used.reasoning = directive(body.prompt, "reason", 0);
  used.total = directive(body.prompt, "total", used.input + used.output);
  const token_counts t{used.input, used.output, used.reasoning, used.cache_read, used.total};
  const bool usage = directive(body.prompt, "nousage", 0) == 0;
  const bool early_null = body.stream && directive(body.prompt, "usagenull", 0) != 0;
  const answer refused =
    error_answer(status, "fake upstream error " + std::to_string(status), limited ? "rate_limit_error" : "server_error",
                 limited ? "rate_limit_exceeded" : "internal");
  const std::string own = failed ? refused.body : body_of(client_api::chat, id, model, t, usage);
  const auto complaint = failed ? std::make_shared<const std::string>(refused.body) : nullptr;

  outcome result;
  for (std::size_t i = 0; i < tries; ++i) {
    auto way = std::make_shared<route>();
    fill_route(*way, *providers[(turn + i) % providers.size()]);
    way->api_key = who.key;
    way->api = who.key.empty() ? who.endpoint : who.key;
    way->alias = body.model;
    way->model = model;
    way->endpoint = who.endpoint;
    way->client_ip = r.peer;
    if (const auto* value = r.header("x-forwarded-for"))
      way->forwarded_for = *value;
    if (const auto* value = r.header("user-agent"))
      way->user_agent = *value;
    way->response_headers = "{\"Connection\":[\"keep-alive\"],";
    if (failed || !body.stream)
      way->response_headers += "\"Content-Length\":[\"" + std::to_string(own.size()) + "\"],";
    way->response_headers +=
      body.stream && !failed ? R"("Content-Type":["text/event-stream"],)" : R"("Content-Type":["application/json"],)";
    way->response_headers += "\"Date\":[\"" + http_date()
                             + R"("],"Keep-Alive":["timeout=60"],"X-Fake-Upstream":["1"],)"
                               R"("X-Ratelimit-Remaining-Requests":["77"]})";
    prepare(*way, traits_);
    attempt a;
    a.way = std::move(way);
    a.started = now;
    a.latency_ms = 1;
    a.request_id = who.request_id;
    a.status = static_cast<std::uint16_t>(failed ? status : 200);
    a.complaint = complaint;
    // What the first chunk says counts in era A, what the last one says later.
    if (!failed && usage && !(early_null && !traits_.fail))
      a.used = used;
    result.attempts.push_back(std::move(a));
  }
  if (failed) {
    turn = 0; // a failure puts the credentials back into their order
    result.reply = refused;
    return result;
  }
  turn = (turn + 1) % providers.size();
  result.reply = body.stream && form == client_api::chat
                   ? chat_stream(id, model, t, usage, early_null)
                   : json_answer(200, body_of(form, id, model, t, usage, traits_.fail));
  return result;
}

const credential* fake_upstream::counter() const { return credentials_.empty() ? nullptr : &credentials_.front(); }

answer token_count_answer() { return json_answer(200, R"({"input_tokens":3})"); }

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

} // namespace keyportal::cpa_sim
