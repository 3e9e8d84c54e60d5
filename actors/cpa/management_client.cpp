#include "actors/cpa/management_client.hpp"

#include <curl/curl.h>
#include <fmt/format.h>

#include "actors/cpa/answers.hpp"

namespace keyportal::cpa {

namespace {

constexpr std::size_t spare = 64; // what simdjson reads past the end
constexpr std::size_t small_answer = std::size_t{1} << 16;
constexpr std::size_t large_answer = std::size_t{16} << 20; // lists of accounts, configurations with many keys

struct list_free {
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};
using header_list = std::unique_ptr<curl_slist, list_free>;

header_list headers(std::initializer_list<std::string> lines) {
  curl_slist* list = nullptr;
  for (const auto& line : lines)
    list = curl_slist_append(list, line.c_str());
  return header_list{list};
}

/// What one transfer collects.
struct transfer {
  std::shared_ptr<std::string> body = std::make_shared<std::string>();
  std::size_t limit = 0;
  bool too_large = false;
  std::string version;
};

std::size_t on_body(char* data, std::size_t, std::size_t n, void* user) {
  auto& t = *static_cast<transfer*>(user);
  if (t.body->size() + n > t.limit) {
    t.too_large = true;
    return 0;
  }
  t.body->append(data, n);
  return n;
}

std::size_t on_header(char* data, std::size_t, std::size_t n, void* user) {
  constexpr std::string_view name = "x-cpa-version:";
  std::string_view line{data, n};
  if (line.size() > name.size() && curl_strnequal(line.data(), name.data(), name.size())) {
    auto value = trimmed(line.substr(name.size()));
    static_cast<transfer*>(user)->version = value.substr(0, 64);
  }
  return n;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(user)->load() ? 1 : 0;
}

} // namespace

struct management_client::impl {
  client_settings settings;
  CURL* curl = nullptr;
  std::atomic<bool> stopped{false};
  std::size_t last_size = 0; ///< of the last /usage: the next one is given room at once
  const char* probe_path = "/healthz";

  struct outcome {
    transfer got;
    long status = 0;
    bool new_connection = false;
    std::int64_t took_ms = 0;
  };

  caf::error failed(CURLcode code, const transfer& t) const {
    const auto& node = settings.node;
    if (stopped)
      return make_error(errc::shutting_down, node);
    if (t.too_large)
      return make_error(errc::node_answer_too_large, fmt::format("{}: more than {} bytes", node, t.limit));
    switch (code) {
      case CURLE_OPERATION_TIMEDOUT: return make_error(errc::node_timeout, node);
      case CURLE_PARTIAL_FILE: return make_error(errc::node_answer_truncated, node);
      case CURLE_RECV_ERROR:
      case CURLE_GOT_NOTHING:
        // An answer that had begun was cut; one that had not is a connection that went away.
        return make_error(t.body->empty() ? errc::node_unreachable : errc::node_answer_truncated, node);
      case CURLE_WEIRD_SERVER_REPLY:
      case CURLE_UNSUPPORTED_PROTOCOL:
        return make_error(errc::node_answer_malformed, fmt::format("{}: no HTTP answer", node));
      default: return make_error(errc::node_unreachable, fmt::format("{}: {}", node, curl_easy_strerror(code)));
    }
  }

  caf::expected<outcome> call(const std::string& path, const std::string* post, bool with_key,
                              std::chrono::milliseconds timeout, std::size_t limit, std::size_t room,
                              const char* method = nullptr) {
    outcome out;
    out.got.limit = limit;
    out.got.body->reserve(room + spare);
    const std::string url = settings.url + path;
    header_list lines = with_key ? headers({"Authorization: Bearer " + settings.management_key.reveal(),
                                            "Expect:", "Content-Type: application/json"})
                                 : headers({"Expect:"});
    curl_easy_reset(curl); // keeps the connection
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); // a management key never goes through whatever http_proxy names
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "keyportal");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(timeout.count()));
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 3'000L);
    curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
    curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &out.got);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &out.got);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stopped);
    if (method)
      curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    if (post) {
      curl_easy_setopt(curl, CURLOPT_POST, 1L);
      curl_easy_setopt(curl, CURLOPT_POSTFIELDS, post->data());
      curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post->size()));
    }
    const auto begin = std::chrono::steady_clock::now();
    const auto code = curl_easy_perform(curl);
    out.took_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
    if (code != CURLE_OK)
      return failed(code, out.got);
    long connects = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out.status);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
    out.new_connection = connects > 0;
    if (out.got.body->capacity() - out.got.body->size() < spare)
      out.got.body->reserve(out.got.body->size() + spare);
    return out;
  }

  /// A management call that must be answered with 200.
  caf::expected<outcome> manage(const std::string& path, std::size_t limit, const std::string* body = nullptr,
                                const char* method = nullptr) {
    auto out = call(path, body, true, settings.timeout, limit, 0, method);
    if (!out)
      return out;
    if (auto error = judge_management_answer(settings.node, out->status, *out->got.body))
      return error;
    return out;
  }
};

management_client::management_client(client_settings settings) : impl_(std::make_unique<impl>()) {
  impl_->settings = std::move(settings);
  while (impl_->settings.url.ends_with('/'))
    impl_->settings.url.pop_back();
  impl_->curl = curl_easy_init();
}

management_client::~management_client() { curl_easy_cleanup(impl_->curl); }

void management_client::stop() { impl_->stopped = true; }

caf::expected<usage_answer> management_client::usage() {
  auto& s = impl_->settings;
  auto out = impl_->call("/v0/management/usage", nullptr, true, s.timeout, s.max_answer_bytes,
                         impl_->last_size + impl_->last_size / 16);
  if (!out)
    return out.error();
  if (auto error = judge_management_answer(s.node, out->status, *out->got.body))
    return error;
  impl_->last_size = out->got.body->size();
  return usage_answer{out->got.body, out->got.version, out->took_ms};
}

caf::expected<import_answer> management_client::import_usage(const std::string& document) {
  auto& s = impl_->settings;
  auto out = impl_->call("/v0/management/usage/import", &document, true, s.timeout, 1U << 16, 0);
  if (!out)
    return out.error();
  if (auto error = judge_management_answer(s.node, out->status, *out->got.body))
    return error;
  return read_import_answer(s.node, *out->got.body);
}

caf::expected<era_answer> management_client::find_era() {
  auto& s = impl_->settings;
  era_answer era;
  // No number to pop is an error to a node that has a queue, and takes nothing from it.
  auto queue = impl_->call("/v0/management/usage-queue?count=0", nullptr, true, s.timeout, small_answer, 0);
  if (!queue)
    return queue.error();
  era.version = queue->got.version;
  era.has_http_queue = queue->status == 400;
  if (!era.has_http_queue && queue->status != 404)
    if (auto error = judge_management_answer(s.node, queue->status, *queue->got.body))
      return error;
  auto config = impl_->manage("/v0/management/config", large_answer);
  if (!config) {
    if (code_of(config.error()) == errc::node_without_usage)
      return era; // it does not say
    return config.error();
  }
  if (era.version.empty())
    era.version = config->got.version;
  read_config(*config->got.body, era);
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
  out.files = files->got.body;
  out.keys = keys->got.body;
  out.version = keys->got.version;
  out.took_ms = files->took_ms + keys->took_ms;
  return out;
}

caf::expected<queue_answer> management_client::pop_queue(std::uint32_t count) {
  auto out = impl_->manage(fmt::format("/v0/management/usage-queue?count={}", count), impl_->settings.max_answer_bytes);
  if (!out)
    return out.error();
  return queue_answer{out->got.body};
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
    auto mended = with_retention(*file->got.body, what.retention_s);
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
  auto out = impl_->call(impl_->probe_path, nullptr, false, s.probe_timeout, 1U << 20, 0);
  if (!out)
    return out.error();
  if (out->status == 404 && std::string_view{impl_->probe_path} == "/healthz")
    impl_->probe_path = "/"; // before v6.9.10
  if (out->status >= 502 && out->status <= 504)
    return make_error(errc::node_unreachable, fmt::format("{}: a proxy in between answers {}", s.node, out->status));
  return probe_answer{out->new_connection};
}

} // namespace keyportal::cpa
