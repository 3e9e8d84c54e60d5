#include "actors/cpa/node_http.hpp"

#include <atomic>
#include <string_view>

#include <curl/curl.h>
#include <fmt/format.h>

#include "messages/errors.hpp"
#include "messages/records.hpp"

namespace keyportal::cpa {

namespace {

constexpr std::size_t spare = 64;

struct list_free {
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};
using header_list = std::unique_ptr<curl_slist, list_free>;

header_list headers(const secret* bearer) {
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  if (bearer) {
    list = curl_slist_append(list, ("Authorization: Bearer " + bearer->reveal()).c_str());
    list = curl_slist_append(list, "Content-Type: application/json");
  }
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
  const std::string_view line{data, n};
  if (line.size() > name.size() && curl_strnequal(line.data(), name.data(), name.size()))
    static_cast<transfer*>(user)->version = trimmed(line.substr(name.size())).substr(0, 64);
  return n;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(user)->load() ? 1 : 0;
}

} // namespace

struct node_http::impl {
  node_name node;
  std::string url;
  CURL* curl = nullptr;
  std::atomic<bool> stopped{false};

  caf::error failed(CURLcode code, const transfer& t) const {
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
};

node_http::node_http(node_name node, std::string url) : impl_(std::make_unique<impl>()) {
  impl_->node = std::move(node);
  impl_->url = std::move(url);
}

node_http::~node_http() { close(); }

void node_http::close() {
  if (impl_->curl)
    curl_easy_cleanup(impl_->curl);
  impl_->curl = nullptr;
}

void node_http::stop() { impl_->stopped = true; }

caf::expected<http_reply> node_http::ask(const http_question& q) {
  auto*& curl = impl_->curl;
  if (!curl && !(curl = curl_easy_init()))
    return make_error(errc::internal, "libcurl");
  transfer got;
  got.limit = q.limit;
  got.body->reserve(q.room + spare);
  const std::string url = impl_->url + q.path;
  const auto lines = headers(q.bearer);
  curl_easy_reset(curl); // keeps the connection
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); // a management key never goes through whatever http_proxy names
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "keyportal");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(q.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 3'000L);
  curl_easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(curl, CURLOPT_BUFFERSIZE, 256L * 1024);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &got);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &impl_->stopped);
  if (q.method)
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, q.method);
  if (q.body) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, q.body->data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(q.body->size()));
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto code = curl_easy_perform(curl);
  http_reply out;
  out.took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - begin).count();
  if (code != CURLE_OK)
    return impl_->failed(code, got);
  long connects = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &out.status);
  curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, &connects);
  out.new_connection = connects > 0;
  if (got.body->capacity() - got.body->size() < spare)
    got.body->reserve(got.body->size() + spare);
  out.body = std::move(got.body);
  out.version = std::move(got.version);
  return out;
}

} // namespace keyportal::cpa
