#include "actors/cpa/management_client.hpp"

#include <fmt/format.h>

#include "actors/cpa/answers.hpp"
#include "actors/cpa/node_http.hpp"

namespace keyportal::cpa {

namespace {

constexpr std::size_t small_answer = std::size_t{1} << 16;
constexpr std::size_t large_answer = std::size_t{16} << 20; // lists of accounts, configurations with many keys

client_settings without_slash(client_settings settings) {
  while (settings.url.ends_with('/'))
    settings.url.pop_back();
  return settings;
}

} // namespace

struct management_client::impl {
  explicit impl(client_settings s) : settings(without_slash(std::move(s))), http(settings.node, settings.url) {}

  client_settings settings;
  node_http http;
  std::size_t last_size = 0; ///< of the last /usage: the next one is given room at once
  const char* probe_path = "/healthz";

  caf::expected<http_reply> call(const std::string& path, const std::string* body, std::size_t limit,
                                 std::size_t room = 0, const char* method = nullptr) {
    auto out = http.ask({path, body, method, &settings.management_key, settings.timeout, limit, room});
    if (out && settings.watch)
      settings.watch->saw(out->status);
    return out;
  }

  /// A management call that must be answered with 200.
  caf::expected<http_reply> manage(const std::string& path, std::size_t limit, const std::string* body = nullptr,
                                   const char* method = nullptr) {
    auto out = call(path, body, limit, 0, method);
    if (!out)
      return out;
    if (auto error = judge_management_answer(settings.node, out->status, *out->body))
      return error;
    return out;
  }
};

management_client::management_client(client_settings settings) : impl_(std::make_unique<impl>(std::move(settings))) {}

management_client::~management_client() = default;

void management_client::stop() { impl_->http.stop(); }

caf::expected<usage_answer> management_client::usage() {
  auto& s = impl_->settings;
  auto out = impl_->call("/v0/management/usage", nullptr, s.max_answer_bytes, impl_->last_size + impl_->last_size / 16);
  if (!out)
    return out.error();
  if (auto error = judge_management_answer(s.node, out->status, *out->body))
    return error;
  impl_->last_size = out->body->size();
  return usage_answer{out->body, out->version, out->took_ms};
}

caf::expected<import_answer> management_client::import_usage(const std::string& document) {
  auto& s = impl_->settings;
  auto out = impl_->call("/v0/management/usage/import", &document, small_answer);
  if (!out)
    return out.error();
  if (auto error = judge_management_answer(s.node, out->status, *out->body))
    return error;
  return read_import_answer(s.node, *out->body);
}

caf::expected<era_answer> management_client::find_era() {
  auto& s = impl_->settings;
  era_answer era;
  // No number to pop is an error to a node that has a queue, and takes nothing from it.
  auto queue = impl_->call("/v0/management/usage-queue?count=0", nullptr, small_answer);
  if (!queue)
    return queue.error();
  era.version = queue->version;
  era.has_http_queue = queue->status == 400;
  if (!era.has_http_queue && queue->status != 404)
    if (auto error = judge_management_answer(s.node, queue->status, *queue->body))
      return error;
  auto config = impl_->manage("/v0/management/config", large_answer);
  if (!config) {
    if (code_of(config.error()) == errc::node_without_usage)
      return era; // it does not say
    return config.error();
  }
  if (era.version.empty())
    era.version = config->version;
  read_config(*config->body, era);
  return era;
}

caf::expected<accounts_answer> management_client::accounts() {
  accounts_answer out;
  auto files = impl_->manage("/v0/management/auth-files", large_answer);
  if (!files)
    return files.error();
  auto keys = impl_->manage("/v0/management/api-key-usage", large_answer);
  if (!keys)
    return keys.error();
  out.files = files->body;
  out.keys = keys->body;
  out.version = keys->version;
  out.took_ms = files->took_ms + keys->took_ms;
  return out;
}

caf::expected<queue_answer> management_client::pop_queue(std::uint32_t count) {
  auto out = impl_->manage(fmt::format("/v0/management/usage-queue?count={}", count), impl_->settings.max_answer_bytes);
  if (!out)
    return out.error();
  return queue_answer{out->body};
}

caf::expected<settings_mended> management_client::mend(const mend_settings& what) {
  if (what.enable_statistics) {
    const std::string body = R"({"value":true})";
    if (auto out = impl_->manage("/v0/management/usage-statistics-enabled", small_answer, &body, "PUT"); !out)
      return out.error();
  }
  if (what.retention_s > 0) {
    auto file = impl_->manage("/v0/management/config.yaml", large_answer);
    if (!file)
      return file.error();
    auto mended = with_retention(*file->body, what.retention_s);
    if (!mended)
      return make_error(errc::node_failed,
                        fmt::format("{}: its config.yaml is not one that can be changed safely", impl_->settings.node));
    if (auto out = impl_->manage("/v0/management/config.yaml", small_answer, &*mended, "PUT"); !out)
      return out.error();
  }
  return settings_mended{};
}

caf::expected<probe_answer> management_client::probe() {
  auto& s = impl_->settings;
  auto out = impl_->http.ask({.path = impl_->probe_path, .timeout = s.probe_timeout, .limit = std::size_t{1} << 20});
  if (!out)
    return out.error();
  if (out->status == 404 && std::string_view{impl_->probe_path} == "/healthz")
    impl_->probe_path = "/"; // before v6.9.10
  if (out->status >= 502 && out->status <= 504)
    return make_error(errc::node_unreachable, fmt::format("{}: a proxy in between answers {}", s.node, out->status));
  return probe_answer{out->new_connection};
}

} // namespace keyportal::cpa
