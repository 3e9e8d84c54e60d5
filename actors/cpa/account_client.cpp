#include "actors/cpa/account_client.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/answers.hpp"
#include "actors/cpa/node_http.hpp"
#include "messages/json.hpp"

namespace keyportal::cpa {

namespace {

using nlohmann::json;

constexpr std::chrono::seconds first_look{5};
constexpr std::size_t small_answer = std::size_t{1} << 18;
constexpr std::size_t large_answer = std::size_t{16} << 20;
const std::string prefix = "/v0/management/";

account_client_settings without_slash(account_client_settings settings) {
  while (settings.url.ends_with('/'))
    settings.url.pop_back();
  return settings;
}

std::string encoded(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (std::isalnum(u) != 0 || c == '-' || c == '.' || c == '_' || c == '~')
      out += c;
    else
      out += fmt::format("%{:02X}", u);
  }
  return out;
}

std::string text_in(const json& from, const char* name) {
  const auto found = from.is_object() ? from.find(name) : from.end();
  return found != from.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

/// The value of a parameter of an address, decoded.
std::string parameter(const std::string& url, const std::string& name) {
  for (auto at = url.find('?'); at != std::string::npos; at = url.find('&', at + 1)) {
    if (url.compare(at + 1, name.size() + 1, name + '=') != 0)
      continue;
    const auto begin = at + name.size() + 2;
    const auto value = url.substr(begin, url.find('&', begin) - begin);
    std::string out;
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i] == '%' && i + 2 < value.size()) {
        out += static_cast<char>(std::strtol(value.substr(i + 1, 2).c_str(), nullptr, 16));
        i += 2;
      } else {
        out += value[i];
      }
    }
    return out;
  }
  return {};
}

/// CPA's sentences about a login, as far as they say nothing private; of longer ones the beginning.
std::string known_sentence(const std::string& text) {
  static const std::array known{"Timeout waiting for OAuth callback",
                                "OAuth flow timed out",
                                "Bad request",
                                "Bad Request",
                                "State code error",
                                "Failed to exchange authorization code for tokens",
                                "Failed to exchange token",
                                "Failed to save authentication tokens",
                                "Failed to save token to file",
                                "Failed to fetch user info",
                                "Could not get user info",
                                "Failed to get authenticated client",
                                "Failed to complete Gemini CLI onboarding",
                                "Failed to resolve project ID",
                                "Failed to verify Cloud AI API status",
                                "Cloud AI API not enabled",
                                "Authentication failed",
                                "unknown or expired state"};
  for (const char* one : known)
    if (text.starts_with(one))
      return one;
  return {};
}

} // namespace

struct account_client::impl {
  explicit impl(account_client_settings s) : settings(without_slash(std::move(s))), http(settings.node, settings.url) {}

  account_client_settings settings;
  node_http http;
  std::atomic<bool> stopped = false;

  caf::expected<http_reply> call(const std::string& path, const char* method = nullptr,
                                 const std::string* body = nullptr, std::size_t limit = small_answer,
                                 std::chrono::milliseconds timeout = {}) {
    if (settings.watch) {
      const auto key = settings.watch->wait(first_look, stopped); // at the start the poller is about to try it
      if (key != key_watch::state::taken)
        return make_error(stopped                            ? errc::shutting_down
                          : key == key_watch::state::refused ? errc::node_wrong_key
                                                             : errc::node_unreachable,
                          settings.node);
    }
    auto out = http.ask({.path = prefix + path,
                         .body = body,
                         .method = method,
                         .bearer = &settings.management_key,
                         .timeout = timeout.count() > 0 ? timeout : settings.timeout,
                         .limit = limit});
    if (out && settings.watch)
      settings.watch->saw(out->status);
    return out;
  }

  /// What every management call may be answered; statuses in `fine` are the caller's.
  caf::error judge(const http_reply& reply, std::initializer_list<long> fine) const {
    if (std::find(fine.begin(), fine.end(), reply.status) != fine.end())
      return {};
    return judge_management_answer(settings.node, reply.status, *reply.body);
  }

  caf::error error(errc code, std::string_view what = {}) const {
    return make_error(code, what.empty() ? settings.node : fmt::format("{}: {}", settings.node, what));
  }
};

account_client::account_client(account_client_settings settings) : impl_(std::make_unique<impl>(std::move(settings))) {}
account_client::~account_client() = default;
void account_client::close() { impl_->http.close(); }
void account_client::stop() {
  impl_->stopped = true;
  impl_->http.stop();
}

caf::expected<auth_files_answer> account_client::files() {
  auto reply = impl_->call("auth-files", nullptr, nullptr, large_answer);
  if (!reply)
    return std::move(reply.error());
  if (auto wrong = impl_->judge(*reply, {}))
    return wrong;
  auto files = read_auth_files(impl_->settings.node, *reply->body);
  if (!files)
    return std::move(files.error());
  return auth_files_answer{std::move(*files), reply->version};
}

caf::expected<login_started> account_client::start(const std::string& route, const std::string& project) {
  auto reply = impl_->call(route + "-auth-url" + (project.empty() ? "" : "?project_id=" + encoded(project)));
  if (!reply)
    return std::move(reply.error());
  if (reply->status == 404)
    return impl_->error(errc::account_provider_unknown);
  if (reply->status == 500 || reply->status == 502)
    return impl_->error(errc::account_login_failed, "it cannot begin a login with this provider now");
  if (auto wrong = impl_->judge(*reply, {}))
    return wrong;
  const auto said = json::parse(*reply->body, nullptr, false);
  login_started out;
  out.state = text_in(said, "state");
  out.url = text_in(said, "url");
  out.user_code = text_in(said, "user_code");
  // Nothing but a page of the web is shown to people as a link.
  if (out.state.empty() || !(out.url.starts_with("https://") || out.url.starts_with("http://")))
    return impl_->error(errc::node_answer_malformed, "its answer to a login that begins");
  out.ends_at = parameter(out.url, "redirect_uri");
  out.device = text_in(said, "flow") == "device" || out.ends_at.empty();
  if (out.user_code.empty() && out.device)
    out.user_code = parameter(out.url, "user_code");
  if (said.contains("expires_in") && said["expires_in"].is_number_integer())
    out.lasts = std::chrono::seconds{std::clamp<std::int64_t>(said["expires_in"].get<std::int64_t>(), 0, 86'400)};
  return out;
}

caf::expected<login_said> account_client::hand_in(const std::string& session, const std::string& state,
                                                  const std::string& code, const std::string& refused) {
  json body = {{"provider", session}, {"state", state}};
  if (refused.empty())
    body["code"] = code;
  else
    body["error"] = refused;
  const auto text = dump(body);
  auto reply = impl_->call("oauth-callback", "POST", &text);
  if (!reply)
    return std::move(reply.error());
  if (reply->status == 200)
    return login_said{};
  const auto said = text_in(json::parse(*reply->body, nullptr, false), "error");
  if (reply->status == 404 && said == "unknown or expired state")
    return impl_->error(errc::account_login_over);
  if (reply->status == 404 && said.empty())
    return impl_->error(errc::account_too_old, "it takes no callbacks (6.6.30 does)");
  if (reply->status == 409)
    return said == "oauth flow is already completed" || said == "oauth flow is not pending"
             ? impl_->error(errc::callback_used)
             : impl_->error(errc::account_login_failed, known_sentence(said));
  if (reply->status == 400)
    return said == "provider does not match state" ? impl_->error(errc::callback_other_provider)
                                                   : impl_->error(errc::callback_unreadable);
  if (auto wrong = impl_->judge(*reply, {}))
    return wrong;
  return impl_->error(errc::account_login_failed);
}

caf::expected<login_said> account_client::status(const std::string& state) {
  auto reply = impl_->call("get-auth-status?state=" + encoded(state));
  if (!reply)
    return std::move(reply.error());
  if (auto wrong = impl_->judge(*reply, {400}))
    return wrong;
  const auto said = json::parse(*reply->body, nullptr, false);
  const auto word = text_in(said, "status");
  if (word == "wait")
    return login_said{};
  if (word == "ok")
    return login_said{login_word::ok, {}};
  const auto why = text_in(said, "error");
  if (word == "error" || reply->status == 400)
    return login_said{why == "unknown or expired state" ? login_word::unknown : login_word::failed,
                      known_sentence(why)};
  return impl_->error(errc::node_answer_malformed, "its answer about a login");
}

caf::expected<login_said> account_client::cancel(const std::string& state) {
  auto reply = impl_->call("oauth-session?state=" + encoded(state), "DELETE");
  if (!reply)
    return std::move(reply.error());
  if (auto wrong = impl_->judge(*reply, {200, 400, 404}))
    return wrong;
  return login_said{login_word::unknown, {}};
}

caf::expected<bool> account_client::set_disabled(const std::string& file, bool disabled) {
  const auto body = dump(json{{"name", file}, {"disabled", disabled}});
  auto reply = impl_->call("auth-files/status", "PATCH", &body);
  if (!reply)
    return std::move(reply.error());
  if (reply->status == 404) {
    const auto said = text_in(json::parse(*reply->body, nullptr, false), "error");
    return said.empty() ? impl_->error(errc::account_too_old, "6.7.18 can switch accounts off")
                        : impl_->error(errc::account_unknown);
  }
  if (reply->status == 409)
    return impl_->error(errc::account_too_old, "this account comes from a plugin, which alone can switch it");
  if (auto wrong = impl_->judge(*reply, {}))
    return wrong;
  return true;
}

caf::expected<bool> account_client::remove(const std::string& file) {
  // Nothing but the name of one file may be in it: other words delete all of them.
  if (file.empty() || file.find_first_of("/\\*") != std::string::npos)
    return impl_->error(errc::account_unknown);
  auto reply = impl_->call("auth-files?name=" + encoded(file), "DELETE");
  if (!reply)
    return std::move(reply.error());
  if (reply->status == 404)
    return impl_->error(errc::account_unknown);
  if (auto wrong = impl_->judge(*reply, {}))
    return wrong;
  return true;
}

caf::expected<token_times> account_client::times(const std::string& file) {
  auto reply = impl_->call("auth-files/download?name=" + encoded(file));
  if (!reply)
    return std::move(reply.error());
  if (reply->status == 404 || reply->status == 400)
    return impl_->error(errc::account_unknown);
  if (auto wrong = impl_->judge(*reply, {}))
    return wrong;
  auto out = read_token_times(*reply->body);
  std::fill(reply->body->begin(), reply->body->end(), '\0'); // tokens do not lie about in memory
  return out;
}

caf::expected<provider_said> account_client::ask(const provider_question& what) {
  json headers = {{"Authorization", "Bearer $TOKEN$"}};
  for (std::string_view rest = what.headers; !rest.empty();) {
    const auto line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    if (const auto colon = line.find(": "); colon != std::string_view::npos)
      headers[std::string(line.substr(0, colon))] = std::string(line.substr(colon + 2));
  }
  const auto body = dump(json{{"auth_index", what.auth_index},
                              {"method", what.method},
                              {"url", what.url},
                              {"header", std::move(headers)},
                              {"data", what.body}});
  auto reply = impl_->call("api-call", "POST", &body, std::size_t{1} << 20, impl_->settings.provider_timeout);
  if (!reply)
    return std::move(reply.error());
  const auto said = json::parse(*reply->body, nullptr, false);
  if (reply->status == 404 && text_in(said, "error").empty())
    return impl_->error(errc::account_too_old, "6.6.63 can ask providers");
  if (reply->status == 400 || reply->status == 502) {
    const auto why = text_in(said, "error");
    if (why == "auth token not found")
      return impl_->error(errc::account_unknown);
    if (why == "auth token refresh failed")
      return provider_said{401, {}};
    return impl_->error(errc::quota_unknown, why == "request failed" ? "the node does not reach the provider" : "");
  }
  if (auto wrong = impl_->judge(*reply, {}))
    return wrong;
  if (!said.is_object() || !said.contains("status_code") || !said["status_code"].is_number_integer())
    return impl_->error(errc::node_answer_malformed, "its answer for a provider");
  return provider_said{said["status_code"].get<int>(), text_in(said, "body")};
}

} // namespace keyportal::cpa
