#include "logins.hpp"

#include "json.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace keyportal::cpa_sim {
namespace {

login_answer refused(int status, const std::string& text) {
  return {status, "{\"error\":" + json_text(text) + ",\"status\":\"error\"}"};
}

struct route_row {
  const char *route, *provider, *authorize, *redirect;
};
constexpr std::array routes{
  route_row{"anthropic", "anthropic", "https://claude.ai/oauth/authorize", "http://localhost:54545/callback"},
  route_row{"codex", "codex", "https://auth.openai.com/oauth/authorize", "http://localhost:1455/auth/callback"},
  route_row{"antigravity", "antigravity", "https://accounts.google.com/o/oauth2/v2/auth",
            "http://localhost:51121/oauth-callback"},
  route_row{"gemini-cli", "gemini", "https://accounts.google.com/o/oauth2/v2/auth",
            "http://localhost:8085/oauth2callback"},
  route_row{"xai", "xai", "https://accounts.x.ai/oauth2/authorize", "http://127.0.0.1:56121/callback"},
  route_row{"kimi", "kimi", "https://auth.kimi.com/device", ""},
};

std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0 || c == '-' || c == '.' || c == '_')
      out += c;
    else {
      out += '%';
      out += "0123456789ABCDEF"[u >> 4];
      out += "0123456789ABCDEF"[u & 15];
    }
  }
  return out;
}

bool is_state(const std::string& text) {
  return !text.empty() && text.size() <= 128 && text.find("..") == std::string::npos
         && std::all_of(text.begin(), text.end(),
                        [](unsigned char c) { return std::isalnum(c) != 0 || c == '-' || c == '_' || c == '.'; });
}

std::string trimmed(std::string text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0)
    text.pop_back();
  text.erase(0, std::min(text.find_first_not_of(" \t\r\n"), text.size()));
  return text;
}

std::string provider_of(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (name == "claude")
    return "anthropic";
  if (name == "openai")
    return "codex";
  if (name == "anti-gravity")
    return "antigravity";
  if (name == "google")
    return "gemini";
  if (name == "x-ai" || name == "x.ai" || name == "grok")
    return "xai";
  return name;
}

std::string exchange_error(const std::string& provider) {
  return provider == "antigravity" ? "Failed to exchange token" : "Failed to exchange authorization code for tokens";
}
std::string denied(const std::string& provider) {
  return provider == "anthropic" ? "Bad request" : provider == "codex" ? "Bad Request" : "Authentication failed";
}
std::string late(const std::string& provider) {
  return provider == "anthropic" || provider == "codex" ? "Timeout waiting for OAuth callback" : "OAuth flow timed out";
}

} // namespace

login_answer logins::start(const std::string& route, const std::string& project, const std::string& state,
                           std::int64_t now_ms) {
  const auto* const found =
    std::find_if(routes.begin(), routes.end(), [&](const route_row& r) { return r.route == route; });
  const std::string& r = route;
  if (found == routes.end() || (r == "gemini-cli" && !traits_.gemini_login) || (r == "kimi" && !traits_.kimi_login)
      || (r == "xai" && !traits_.xai_login))
    return {404, ""};
  const bool device = r == "kimi" || (r == "xai" && traits_.xai_device);
  const auto manner = room_.manner();
  session s;
  s.provider = found->provider;
  s.project = project;
  s.device = device;
  s.began_ms = now_ms;
  s.ends_ms = now_ms + (device ? 3 * manner.ends_after_ms : manner.ends_after_ms);
  const std::string prefix = r == "kimi" ? "kmi-" : r == "xai" && device ? "xai-" : r == "gemini-cli" ? "gem-" : "";
  const std::string id =
    prefix.empty() ? state : prefix + std::to_string(now_ms * 1'000'000 + static_cast<std::int64_t>(sessions_.size()));
  std::string body;
  if (device) {
    const std::string code = "WXYZ-" + std::to_string(1000 + sessions_.size());
    room_.device_began(id);
    const std::string url =
      std::string(r == "kimi" ? "https://auth.kimi.com/device" : "https://auth.x.ai/device") + "?user_code=" + code;
    body = traits_.device_details
             ? "{\"expires_in\":900,\"flow\":\"device\",\"state\":" + json_text(id)
                 + ",\"status\":\"ok\",\"url\":" + json_text(url) + ",\"user_code\":" + json_text(code) + '}'
             : "{\"state\":" + json_text(id) + ",\"status\":\"ok\",\"url\":" + json_text(url) + '}';
  } else {
    const std::string url = std::string(found->authorize) + "?client_id=invented&redirect_uri="
                            + encoded(found->redirect) + "&response_type=code&state=" + id;
    body = "{\"state\":" + json_text(id) + ",\"status\":\"ok\",\"url\":" + json_text(url) + '}';
  }
  advance(now_ms);
  sessions_[id] = std::move(s);
  return {200, std::move(body)};
}

void logins::note(const std::string& state, const session& s, const std::string& outcome, const std::string& file) {
  room_.note_login("{\"provider\":" + json_text(s.provider) + ",\"state\":" + json_text(state)
                   + ",\"outcome\":" + json_text(outcome) + ",\"file\":" + json_text(file) + '}');
}

void logins::fail(const std::string& state, session& s, const std::string& why, std::int64_t now_ms) {
  s.error = why;
  s.kept_until_ms = now_ms + (traits_.long_sessions ? 1'800'000 : 600'000);
  note(state, s, why, "");
}

void logins::finish(const std::string& state, session& s, std::int64_t now_ms) {
  const auto manner = room_.manner();
  if (!s.refused.empty())
    return fail(state, s, denied(s.provider), now_ms);
  if (!manner.outcome.empty())
    return fail(state, s, manner.outcome, now_ms);
  if (!s.device && (s.code.starts_with("bad") || !room_.use_code(s.code)))
    return fail(state, s, exchange_error(s.provider), now_ms);
  s.completed = true;
  s.kept_until_ms = now_ms + (traits_.completed_kept ? 60'000 : 0);
  note(state, s, "done", manner.no_file ? "" : room_.save_login(s.provider, s.project, version_, now_ms));
}

/// What time brought.
void logins::advance(std::int64_t now_ms) {
  std::vector<std::string> done;
  const auto manner = room_.manner();
  for (auto& [state, s] : sessions_) {
    if (s.completed || !s.error.empty())
      continue;
    const auto decided = s.device ? room_.device_decision(state) : std::string();
    if (decided == "deny")
      fail(state, s, "Authentication failed: " + s.provider + ": access denied by user", now_ms);
    else if ((decided == "approve" || (s.exchanged_ms != 0 && s.exchanged_ms <= now_ms)) && !manner.never) {
      finish(state, s, now_ms);
      if (s.completed)
        done.push_back(state);
    } else if (s.ends_ms <= now_ms)
      fail(state, s, s.device ? "Authentication failed: " + s.provider + ": device code expired" : late(s.provider),
           now_ms);
  }
  if (traits_.success_drops_others)
    for (const auto& state : done)
      std::erase_if(sessions_, [&, provider = sessions_[state].provider](const auto& one) {
        return one.second.provider == provider && !one.second.completed;
      });
  std::erase_if(sessions_, [&](const auto& one) {
    const auto& s = one.second;
    return (s.completed || !s.error.empty()) && s.kept_until_ms <= now_ms;
  });
}

login_answer logins::callback(const std::string& body, std::int64_t now_ms) {
  std::string provider, redirect, code, state, error;
  json_reader in(body);
  in.object([&](std::string_view name) {
    auto* const into = same_name(name, "provider")       ? &provider
                       : same_name(name, "redirect_url") ? &redirect
                       : same_name(name, "code")         ? &code
                       : same_name(name, "state")        ? &state
                       : same_name(name, "error")        ? &error
                                                         : nullptr;
    if (into == nullptr)
      in.skip();
    else if (!in.null())
      in.string(*into);
  });
  if (!in.finish() || body.empty())
    return refused(400, "invalid body");
  if (!redirect.empty()) {
    request asked;
    asked.query = redirect.find('?') == std::string::npos ? "" : redirect.substr(redirect.find('?') + 1);
    const auto take = [&](std::string& into, const char* name) {
      if (into.empty())
        into = asked.query_value(name).value_or("");
    };
    take(code, "code");
    take(state, "state");
    take(error, "error");
    take(error, "error_description");
  }
  provider = provider_of(trimmed(provider));
  code = trimmed(code).substr(0, trimmed(code).find('#'));
  state = trimmed(state);
  constexpr std::array known{"anthropic", "codex", "antigravity", "gemini", "xai"};
  if (!traits_.callback_open && std::find(known.begin(), known.end(), provider) == known.end())
    return refused(400, "unsupported provider");
  if (state.empty())
    return refused(400, "state is required");
  if (!is_state(state))
    return refused(400, "invalid state");
  if (code.empty() && error.empty())
    return refused(400, "code or error is required");
  advance(now_ms);
  const auto found = sessions_.find(state);
  if (found == sessions_.end())
    return refused(404, "unknown or expired state");
  auto& s = found->second;
  if (s.completed)
    return refused(409, "oauth flow is already completed");
  if (!s.error.empty())
    return refused(409, s.error);
  if (!provider.empty() && provider != s.provider)
    return refused(400, "provider does not match state");
  if (!s.device) {
    s.code = code;
    s.refused = error;
    s.exchanged_ms = now_ms + room_.manner().exchange_ms;
  }
  return {200, R"({"status":"ok"})"};
}

login_answer logins::status(const std::string& state, std::int64_t now_ms) {
  if (state.empty())
    return {200, R"({"status":"ok"})"};
  if (!is_state(state))
    return refused(400, "invalid state");
  advance(now_ms);
  const auto found = sessions_.find(state);
  if (found == sessions_.end())
    return traits_.completed_kept ? login_answer{200, R"({"error":"unknown or expired state","status":"error"})"}
                                  : login_answer{200, R"({"status":"ok"})"};
  if (found->second.completed)
    return {200, R"({"status":"ok"})"};
  if (!found->second.error.empty())
    return {200, "{\"error\":" + json_text(found->second.error) + ",\"status\":\"error\"}"};
  return {200, R"({"status":"wait"})"};
}

login_answer logins::cancel(const std::string& state, std::int64_t now_ms) {
  if (!traits_.login_cancel)
    return {404, ""};
  if (state.empty())
    return refused(400, "missing state");
  if (!is_state(state))
    return refused(400, "invalid state");
  advance(now_ms);
  const auto found = sessions_.find(state);
  const bool pending = found != sessions_.end() && !found->second.completed && found->second.error.empty();
  if (pending) {
    note(state, found->second, "cancelled", "");
    sessions_.erase(found);
  }
  return {200, std::string("{\"cancelled\":") + (pending ? "true" : "false") + ",\"status\":\"ok\"}"};
}

} // namespace keyportal::cpa_sim
