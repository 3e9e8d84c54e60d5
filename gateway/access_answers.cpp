#include "gateway/access_answers.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gateway/handlers.hpp"
#include "messages/registry_json.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

using nlohmann::json;

namespace {

json moment_json(const std::optional<moment>& at) { return at ? json(to_rfc3339_ms(*at)) : json(nullptr); }

} // namespace

json to_json(const session& s) {
  return {{"name", s.name},
          {"kind", s.kind == session_kind::person ? "person" : "key_view"},
          {"created_at", to_rfc3339_ms(s.created)},
          {"last_seen_at", to_rfc3339_ms(s.last_seen)},
          {"until", to_rfc3339_ms(s.until)},
          {"address", s.address},
          {"agent", s.agent}};
}

json to_json(const token_info& t) {
  auto scopes = json::array();
  const auto words = to_text(t.scopes);
  for (std::string_view left = words; !left.empty();) {
    const auto end = std::min(left.find(' '), left.size());
    scopes.push_back(left.substr(0, end));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  return {{"name", t.name},
          {"user", t.user},
          {"label", t.label},
          {"scopes", std::move(scopes)},
          {"created_at", to_rfc3339_ms(t.made_at)},
          {"expires_at", moment_json(t.until)},
          {"used_at", moment_json(t.used_at)}};
}

json to_json(const invitation_info& i) {
  return {{"name", i.name},
          {"email", i.email},
          {"uses_left", i.uses_left},
          {"created_at", to_rfc3339_ms(i.made_at)},
          {"expires_at", to_rfc3339_ms(i.until)}};
}

json to_json(const identity_info& i) {
  return {{"provider", i.provider},
          {"subject", i.subject_name},
          {"shown", i.shown},
          {"linked_at", to_rfc3339_ms(i.linked_at)}};
}

json to_json(const account_info& a) {
  auto identities = json::array();
  for (const auto& one : a.identities)
    identities.push_back(to_json(one));
  return {{"has_password", a.has_password},
          {"has_totp", a.has_totp},
          {"recovery_codes", a.recovery_codes},
          {"identities", std::move(identities)}};
}

json to_json(const provider_info& p) { return {{"name", p.name}, {"title", p.title}}; }

json rights_json(right_set rights) {
  auto out = json::array();
  for (std::size_t at = 0; at < right_count; ++at)
    if (rights.has(static_cast<right>(at)))
      out.push_back(to_text(static_cast<right>(at)));
  return out;
}

} // namespace keyportal

namespace keyportal::gateway {

using nlohmann::json;

namespace {

std::string_view name_of(caller_kind kind) {
  switch (kind) {
    case caller_kind::nobody: return "nobody";
    case caller_kind::control: return "control";
    case caller_kind::session: return "session";
    case caller_kind::token: return "token";
    case caller_kind::key_view: return "key_view";
  }
  return "nobody";
}

} // namespace

http_response session_answer(const visitor& by, const user* person, const std::string& csrf) {
  const auto& who = by.who;
  const bool view = who.kind == caller_kind::key_view;
  return json_answer({{"kind", name_of(who.kind)},
                      {"user", person ? to_json(*person) : json(nullptr)},
                      {"key", view ? json(who.subject) : json(nullptr)},
                      {"rights", rights_json(who.rights)},
                      {"second_factor_needed", who.held && who.held->factor == second_factor::pending},
                      {"until", who.held ? json(to_rfc3339_ms(who.held->until)) : json(nullptr)},
                      {"csrf", csrf}});
}

http_response entered_answer(const access_done& done, const std::string& csrf, cookie_rules cookies) {
  const auto& begun = done.begun;
  const bool is_in = begun || (!done.user.empty() && !done.waits_for_approval && !done.code_sent);
  auto out = json_answer({{"user", done.user},
                          {"second_factor_needed", begun && begun->factor == second_factor::pending},
                          {"waits_for_approval", done.waits_for_approval},
                          {"code_sent", done.code_sent},
                          {"until", begun ? json(to_rfc3339_ms(begun->until)) : json(nullptr)},
                          {"csrf", begun ? json(csrf) : json(nullptr)}},
                         is_in ? 201 : 202);
  if (begun)
    out.headers.emplace_back("Set-Cookie",
                             set_cookie(session_cookie, done.session_text.reveal(), cookies, same_site::strict));
  return out;
}

http_response sessions_answer(const std::vector<session>& all, const std::optional<session>& mine) {
  auto items = json::array();
  for (const auto& one : all) {
    auto item = to_json(one);
    item["current"] = mine && mine->id == one.id;
    items.push_back(std::move(item));
  }
  return json_answer({{"items", std::move(items)}});
}

http_response redirect(std::string to) {
  http_response out;
  out.status = 303;
  out.content_type = "text/plain";
  out.headers.emplace_back("Location", std::move(to));
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain =
      (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    if (plain)
      out.push_back(c);
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

} // namespace keyportal::gateway
