// The client and public API of a node. Every function here runs under the node's lock, after the key was checked.
#include "json.hpp"
#include "node.hpp"

namespace keyportal::cpa_sim {
namespace {

answer json(std::string body) {
  answer a;
  a.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  a.body = std::move(body);
  return a;
}

} // namespace

answer node::get_root(const request&, const switches&) {
  return json(R"({"endpoints":["POST /v1/chat/completions","POST /v1/completions","GET /v1/models"],)"
              R"("message":"CLI Proxy API Server"})");
}

answer node::get_healthz(const request& r, const switches&) {
  if (r.method != "HEAD")
    return json(R"({"status":"ok"})");
  answer a;
  a.length = false;
  return a;
}

answer node::get_management_page(const request&, const switches&) {
  answer a;
  a.status = 404;
  return a;
}

answer node::get_models(const request&, const switches& s) {
  return s.starting_up ? json(R"({"data":[],"object":"list"})") : upstream_.models();
}

answer node::get_gemini_models(const request&, const switches& s) {
  return s.starting_up ? json(R"({"models":[]})") : upstream_.gemini_models();
}

/// When, through which credential, for which request.
std::string node::trace_of(const attempt& a, const instant& now) const {
  const std::string moment = to_text(now);
  std::string digits;
  for (const char c : moment.substr(0, 19)) {
    if (c >= '0' && c <= '9')
      digits += c;
  }
  digits += '-' + a.way->auth_index + '-';
  append_request_id(digits, a.request_id);
  return digits;
}

answer node::upstream_call(client_api form, const request& r, const switches& s, const std::string& route,
                           const std::string& model_in_path) {
  const instant now = wall_now();
  auto outcome = upstream_.call(form, r, model_in_path, {client_key_, "POST " + route, new_id()}, now, !s.starting_up);
  record(outcome.attempts, false);
  if (traits_.trace_header && !outcome.attempts.empty())
    outcome.reply.headers.emplace_back("X-Cpa-Trace-Id", trace_of(outcome.attempts.back(), now));
  return outcome.reply;
}

answer node::post_chat(const request& r, const switches& s) {
  return upstream_call(client_api::chat, r, s, r.path, "");
}

answer node::post_messages(const request& r, const switches& s) {
  return upstream_call(client_api::messages, r, s, r.path, "");
}

answer node::post_count_tokens(const request&, const switches&) {
  answer a = token_count_answer();
  if (const credential* c = upstream_.counter()) {
    counters_.count(c->name, false, wall_now());
    if (traits_.trace_header) {
      auto way = std::make_shared<route>();
      fill_route(*way, *c);
      attempt counted;
      counted.way = std::move(way);
      counted.request_id = new_id();
      a.headers.emplace_back("X-Cpa-Trace-Id", trace_of(counted, wall_now()));
    }
  }
  return a;
}

answer node::post_responses(const request& r, const switches& s) {
  return upstream_call(client_api::responses, r, s, r.path, "");
}

answer node::post_gemini(const request& r, const switches& s) {
  const std::string call = r.path.substr(std::string_view("/v1beta/models/").size()); // MODEL:generateContent
  return upstream_call(client_api::gemini, r, s, "/v1beta/models/*action", url_decoded(call.substr(0, call.find(':'))));
}

} // namespace keyportal::cpa_sim
