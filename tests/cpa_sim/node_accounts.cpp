// The part of the management API about accounts with providers. Under the node's lock, after authentication.
#include "json.hpp"
#include "node.hpp"

#include <algorithm>
#include <cstdio>

namespace keyportal::cpa_sim {
namespace {

answer json(std::string body, int status = 200) {
  answer a;
  a.status = status;
  a.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  a.body = std::move(body);
  return a;
}

answer error(int status, std::string_view text) { return json("{\"error\":" + json_text(text) + '}', status); }

answer of(login_answer a) { return json(std::move(a.body), a.status); }

std::int64_t now_ms() { return unix_now_ns() / 1'000'000; }

} // namespace

answer node::get_login(const request& r, const switches&) {
  std::string route = r.path.substr(std::string_view("/v0/management/").size());
  route.erase(route.size() - std::string_view("-auth-url").size());
  std::string state;
  for (int i = 0; i < 4; ++i) {
    char part[16];
    std::snprintf(part, sizeof part, "%08x", new_id());
    state += part;
  }
  return of(logins_.start(route, r.query_value("project_id").value_or(""), state, now_ms()));
}

answer node::post_callback(const request& r, const switches&) { return of(logins_.callback(r.body, now_ms())); }

answer node::get_login_status(const request& r, const switches&) {
  return of(logins_.status(r.query_value("state").value_or(""), now_ms()));
}

answer node::delete_login(const request& r, const switches&) {
  return of(logins_.cancel(r.query_value("state").value_or(""), now_ms()));
}

answer node::delete_auth_files(const request& r, const switches&) {
  const std::string all = r.query_value("all").value_or("");
  if (all == "true" || all == "1" || all == "*")
    return json("{\"deleted\":" + std::to_string(around_.accounts.remove_all()) + ",\"status\":\"ok\"}");
  const std::string name = r.query_value("name").value_or("");
  if (name.empty() || name.find_first_of("/\\") != std::string::npos)
    return error(400, "invalid name");
  if (!around_.accounts.remove(name))
    return error(404, traits_.account_fields ? "auth file not found" : "file not found");
  return json(R"({"status":"ok"})");
}

answer node::get_auth_file(const request& r, const switches&) {
  const std::string name = r.query_value("name").value_or("");
  if (name.empty() || name.find_first_of("/\\") != std::string::npos)
    return error(400, "invalid name");
  if (!name.ends_with(".json"))
    return error(400, "name must end with .json");
  const auto file = around_.accounts.find(name);
  if (!file)
    return error(404, "file not found");
  answer a = json(credential_text(*file));
  a.headers.emplace_back("Content-Disposition", "attachment; filename=\"" + name + '"');
  return a;
}

answer node::patch_auth_file(const request& r, const switches&) {
  std::string name, note;
  bool disabled = false, says = false, notes = false;
  json_reader in(r.body);
  in.object([&](std::string_view field) {
    if (same_name(field, "name"))
      return in.string(name);
    if (same_name(field, "disabled"))
      return says = true, in.boolean(disabled);
    if (same_name(field, "note"))
      return notes = true, in.string(note);
    in.skip();
  });
  if (!in.finish() || r.body.empty())
    return error(400, "invalid request body");
  if (name.empty())
    return error(400, "name is required");
  const bool status = r.path.ends_with("/status");
  if (status && !says)
    return error(400, "disabled is required");
  if (!status && !notes)
    return error(400, "no fields to update");
  const bool there =
    status ? around_.accounts.set_disabled(name, disabled, now_ms()) : around_.accounts.set_note(name, note, now_ms());
  if (!there)
    return error(404, "auth file not found");
  return json(status ? std::string("{\"disabled\":") + (disabled ? "true" : "false") + ",\"status\":\"ok\"}"
                     : R"({"status":"ok"})");
}

answer node::post_api_call(const request& r, const switches&) {
  std::string index, method, url, token;
  json_reader in(r.body);
  in.object([&](std::string_view field) {
    if (same_name(field, "auth_index") || same_name(field, "authIndex"))
      return in.string(index);
    if (same_name(field, "method"))
      return in.string(method);
    if (same_name(field, "url"))
      return in.string(url);
    if (same_name(field, "header"))
      return in.object([&](std::string_view name) {
        std::string value;
        in.string(value);
        if (same_name(name, "Authorization"))
          token = value;
      });
    in.skip();
  });
  if (!in.finish() || r.body.empty())
    return error(400, "invalid body");
  if (method.empty())
    return error(400, "missing method");
  if (url.empty())
    return error(400, "missing url");
  if (url.find("://") == std::string::npos)
    return error(400, "invalid url");
  around_.accounts.note_call(index, url, now_ms());
  const auto file = around_.accounts.find_index(index);
  if (!file)
    return error(token.find("$TOKEN$") != std::string::npos && !index.empty() ? 400 : 502,
                 index.empty() ? "request failed" : "auth token not found");
  const auto usual = quota_answer(*file, url, now_ms());
  if (!usual)
    return error(502, "request failed");
  int status = file->quota_status;
  std::string body = !file->quota_body.empty() ? file->quota_body : *usual;
  if (token != "Bearer $TOKEN$")
    status = 401;
  if (status == 401 && file->quota_body.empty())
    body = R"({"error":{"code":"token_expired","message":"the token has expired"}})";
  if (status == 429 && file->quota_body.empty())
    body = R"({"error":{"type":"rate_limit_error"}})";
  answer a = json("{\"status_code\":" + std::to_string(status)
                  + ",\"header\":{\"Content-Type\":[\"application/json\"]},\"body\":" + json_text(body) + '}');
  a.how.delay = std::chrono::milliseconds(file->quota_slow_ms);
  return a;
}

} // namespace keyportal::cpa_sim
