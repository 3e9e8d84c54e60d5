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

answer node::upstream_call(client_api form, const request& r, const switches& s, const std::string& route,
                           const std::string& model_in_path) {
  const std::string api = client_key_.empty() ? "POST " + route : client_key_;
  auto outcome = upstream_.call(form, r, model_in_path, api, wall_now(), !s.starting_up);
  show_records(outcome.attempts);
  return outcome.reply;
}

answer node::post_chat(const request& r, const switches& s) {
  return upstream_call(client_api::chat, r, s, r.path, "");
}

answer node::post_messages(const request& r, const switches& s) {
  return upstream_call(client_api::messages, r, s, r.path, "");
}

answer node::post_count_tokens(const request&, const switches&) { return upstream_.count_tokens(wall_now()); }

answer node::post_responses(const request& r, const switches& s) {
  return upstream_call(client_api::responses, r, s, r.path, "");
}

answer node::post_gemini(const request& r, const switches& s) {
  const std::string call = r.path.substr(std::string_view("/v1beta/models/").size()); // MODEL:generateContent
  return upstream_call(client_api::gemini, r, s, "/v1beta/models/*action", url_decoded(call.substr(0, call.find(':'))));
}

} // namespace keyportal::cpa_sim
