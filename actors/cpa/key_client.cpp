#include "actors/cpa/key_client.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/answers.hpp"
#include "actors/cpa/config_text.hpp"
#include "actors/cpa/node_http.hpp"
#include "messages/json.hpp"
#include "messages/records.hpp"

namespace keyportal::cpa {

namespace {

constexpr std::size_t small_answer = std::size_t{1} << 16;
constexpr std::size_t large_answer = std::size_t{32} << 20; // 100,000 keys of 100 characters thrice
constexpr std::size_t list_of_models = std::size_t{4} << 20;
constexpr const char* path_of_keys = "/v0/management/api-keys";
constexpr const char* path_of_config = "/v0/management/config.yaml";

key_client_settings without_slash(key_client_settings settings) {
  while (settings.url.ends_with('/'))
    settings.url.pop_back();
  return settings;
}

/// The node says why it could not save; nothing else of a body is repeated, for it may hold keys.
caf::error judge_write(const node_name& node, const http_reply& reply) {
  if (reply.status == 400 || reply.status == 422)
    return make_error(errc::node_failed, fmt::format("{}: it refuses the change ({})", node, reply.status));
  if (reply.status == 500) {
    constexpr std::string_view words = "failed to save config: ";
    const auto json = nlohmann::json::parse(*reply.body, nullptr, false);
    if (json.is_object() && json.contains("error") && json["error"].is_string())
      if (const auto text = json["error"].get<std::string>(); text.starts_with(words) && text.size() <= 300)
        return make_error(errc::node_failed, fmt::format("{}: {}", node, text));
  }
  return judge_management_answer(node, reply.status, *reply.body);
}

} // namespace

struct key_client::impl {
  explicit impl(key_client_settings s) : settings(without_slash(std::move(s))), http(settings.node, settings.url) {}

  key_client_settings settings;
  node_http http;

  caf::expected<http_reply> get(const char* path) {
    auto out =
      http.ask({.path = path, .bearer = &settings.management_key, .timeout = settings.timeout, .limit = large_answer});
    if (!out)
      return out;
    if (auto error = judge_management_answer(settings.node, out->status, *out->body))
      return error;
    return out;
  }

  caf::expected<key_written> write(const char* path, const char* method, const std::string& body) {
    auto out = http.ask({.path = path,
                         .body = &body,
                         .method = method,
                         .bearer = &settings.management_key,
                         .timeout = settings.timeout,
                         .limit = small_answer});
    if (!out)
      return std::move(out.error());
    if (auto error = judge_write(settings.node, *out))
      return error;
    return key_written{};
  }

  caf::error unsafe(std::string_view why) const {
    return make_error(errc::config_unsafe, fmt::format("{}: {}", settings.node, why));
  }
};

key_client::key_client(key_client_settings settings) : impl_(std::make_unique<impl>(std::move(settings))) {}
key_client::~key_client() = default;
void key_client::close() { impl_->http.close(); }
void key_client::stop() { impl_->http.stop(); }

caf::expected<keys_answer> key_client::keys() {
  auto out = impl_->get(path_of_keys);
  if (!out)
    return std::move(out.error());
  const auto json = nlohmann::json::parse(*out->body, nullptr, false);
  const auto malformed = [&] {
    return make_error(errc::node_answer_malformed, fmt::format("{}: its list of keys", impl_->settings.node));
  };
  if (!json.is_object() || !json.contains("api-keys"))
    return malformed();
  const auto& list = json["api-keys"];
  keys_answer answer;
  if (list.is_null())
    return answer;
  if (!list.is_array())
    return malformed();
  answer.keys.reserve(list.size());
  for (const auto& key : list) {
    if (!key.is_string())
      return malformed();
    answer.keys.emplace_back(key.get<std::string>());
  }
  return answer;
}

caf::expected<key_written> key_client::put(const std::vector<secret>& keys) {
  const auto empty = [](const secret& k) { return trimmed(k.reveal()).empty(); };
  if (std::all_of(keys.begin(), keys.end(), empty))
    return impl_->unsafe("a list without keys");
  std::string body = "[";
  for (const auto& key : keys) {
    if (is_template_key(key.reveal()))
      return impl_->unsafe("a list with an example key");
    if (body.size() > 1)
      body.push_back(',');
    append_json_string(body, key.reveal());
  }
  body.push_back(']');
  return impl_->write(path_of_keys, "PUT", body);
}

caf::expected<key_written> key_client::swap(const secret& from, const secret& to) {
  if (trimmed(to.reveal()).empty() || is_template_key(to.reveal()))
    return impl_->unsafe("a key that must not be there");
  std::string body = R"({"old":)";
  append_json_string(body, from.reveal());
  body += R"(,"new":)";
  append_json_string(body, to.reveal());
  body.push_back('}');
  return impl_->write(path_of_keys, "PATCH", body);
}

caf::expected<key_trial> key_client::trial(const std::optional<secret>& key) {
  // Anything else would end the header, or not arrive as it is.
  if (key && !is_usable_key(key->reveal()))
    return key_trial::unclear;
  auto out = impl_->http.ask({.path = "/v1/models",
                              .bearer = key ? &*key : nullptr,
                              .timeout = impl_->settings.trial_timeout,
                              .limit = list_of_models});
  if (!out)
    return std::move(out.error());
  return out->status == 200 ? key_trial::let_in : out->status == 401 ? key_trial::refused : key_trial::unclear;
}

caf::expected<std::shared_ptr<const std::string>> key_client::config() {
  auto out = impl_->get(path_of_config);
  if (!out)
    return code_of(out.error()) == errc::node_without_usage ? make_error(errc::config_unknown, impl_->settings.node)
                                                            : std::move(out.error());
  return std::shared_ptr<const std::string>{out->body};
}

caf::expected<key_written> key_client::put_config(const std::string& text) {
  if (const auto danger = config_danger(text, {}); !danger.empty())
    return impl_->unsafe(danger);
  return impl_->write(path_of_config, "PUT", text);
}

} // namespace keyportal::cpa
