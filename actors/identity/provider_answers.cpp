#include "actors/identity/provider_answers.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/identity/feishu_provider.hpp"
#include "actors/identity/oidc_provider.hpp"

namespace keyportal::identity {

namespace {

using nlohmann::json;

/// "application/json" and "application/…+json", with any parameters.
bool is_json(std::string_view content_type) {
  std::string type(content_type.substr(0, content_type.find(';')));
  while (!type.empty() && (type.back() == ' ' || type.back() == '\t'))
    type.pop_back();
  std::transform(type.begin(), type.end(), type.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return type == "application/json" || (type.starts_with("application/") && type.ends_with("+json"));
}

} // namespace

caf::error problem(errc code, const provider_settings& at, std::string_view about) {
  return make_error(code, about.empty() ? at.name : fmt::format("{}: {}", at.name, about));
}

caf::error no_answer(const caf::error& error, const provider_settings& at) {
  return problem(code_of(error), at, about_of(error));
}

caf::expected<json> object_of(const http_answer& answer, const provider_settings& at, std::string_view what) {
  const auto wrong = [&](std::string_view why) {
    return problem(answer.status >= 500 ? errc::provider_failed : errc::provider_answer_wrong, at,
                   fmt::format("{}: {} (status {})", what, why, answer.status));
  };
  if (answer.status >= 300 && answer.status < 400)
    return wrong("it sends us elsewhere; the address is not the right one");
  if (!is_json(answer.content_type))
    return wrong("no JSON");
  auto document = json::parse(answer.body, nullptr, false);
  if (!document.is_object())
    return wrong("no JSON object");
  return document;
}

errc meaning_of(std::string_view error) {
  if (error == "invalid_grant")
    return errc::sign_in_code_refused;
  for (const auto* ours : {"invalid_request", "invalid_client", "unauthorized_client", "unsupported_grant_type",
                           "unsupported_response_type", "invalid_scope", "redirect_uri_mismatch"})
    if (error == ours)
      return errc::provider_refuses_us;
  for (const auto* declined :
       {"access_denied", "login_required", "consent_required", "interaction_required", "account_selection_required"})
    if (error == declined)
      return errc::sign_in_declined;
  return errc::provider_failed;
}

std::string shown(std::string_view error) {
  std::string out;
  for (const char c : error.substr(0, 64))
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_')
      out.push_back(c);
  return out;
}

caf::error callback_error(const callback& back, const provider_settings& at) {
  return problem(meaning_of(back.error), at, shown(back.error));
}

std::string text_at(const json& of, const char* name) {
  const auto found = of.find(name);
  return found != of.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

bool is_token(std::string_view text) {
  return !text.empty() && text.size() <= 8192
         && std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

caf::expected<callback> read_callback(const std::vector<std::pair<std::string, std::string>>& query) {
  callback out;
  struct wanted {
    std::string_view name;
    std::string callback::*to;
    std::size_t limit;
  };
  constexpr wanted all[] = {{"code", &callback::code, 4096},
                            {"state", &callback::state, 256},
                            {"error", &callback::error, 256},
                            {"iss", &callback::issuer, 2048}};
  for (const auto& [name, to, limit] : all) {
    bool found = false;
    for (const auto& [key, value] : query)
      if (key == name) {
        if (found || value.size() > limit) // of two, nobody could say which the other side has looked at
          return make_error(errc::bad_request, fmt::format("the parameter {}", name));
        out.*to = value;
        found = true;
      }
  }
  if (out.state.empty())
    return make_error(errc::bad_request, "the parameter state is missing");
  return out;
}

std::unique_ptr<provider> make_provider(provider_settings settings) {
  if (settings.kind == "oidc")
    return std::make_unique<oidc_provider>(std::move(settings));
  return std::make_unique<feishu_provider>(std::move(settings));
}

} // namespace keyportal::identity
