#include "actors/cpa/pass_through.hpp"

#include <memory>

#include <curl/curl.h>
#include <fmt/format.h>

#include "messages/errors.hpp"
#include "messages/records.hpp"

namespace keyportal::cpa {

namespace {

constexpr std::size_t largest_answer = std::size_t{64} << 20;

struct collected {
  std::string body;
  bool too_large = false;
};

std::size_t on_body(char* data, std::size_t, std::size_t n, void* user) {
  auto& to = *static_cast<collected*>(user);
  if (to.body.size() + n > largest_answer) {
    to.too_large = true;
    return 0;
  }
  to.body.append(data, n);
  return n;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(user)->load() ? 1 : 0;
}

bool stays_on_its_line(std::string_view text) {
  for (const unsigned char c : text)
    if (c < 0x20 || c == 0x7f)
      return false;
  return true;
}

} // namespace

pass_through::pass_through(client_settings settings) : settings_(std::move(settings)), curl_(curl_easy_init()) {
  while (settings_.url.ends_with('/'))
    settings_.url.pop_back();
}

pass_through::~pass_through() { curl_easy_cleanup(curl_); }

caf::expected<http_response> pass_through::forward(const http_request& request, const std::string& target) {
  const std::lock_guard lock(mutex_);
  if (stopped_)
    return make_error(errc::shutting_down, settings_.node);
  if (!curl_ || !target.starts_with("/v0/management") || !stays_on_its_line(target))
    return make_error(errc::bad_request, settings_.node);
  std::string type = "Content-Type: application/json";
  for (const auto& [name, value] : request.headers)
    if (name == "content-type" && stays_on_its_line(value))
      type = "Content-Type: " + value;
  struct list_free {
    void operator()(curl_slist* l) const { curl_slist_free_all(l); }
  };
  std::unique_ptr<curl_slist, list_free> lines;
  for (const auto& one : {"Authorization: Bearer " + settings_.management_key.reveal(), std::string("Expect:"), type})
    if (auto* const longer = curl_slist_append(lines.get(), one.c_str())) {
      std::ignore = lines.release();
      lines.reset(longer);
    }
  collected got;
  const auto url = settings_.url + target;
  auto* const curl = static_cast<CURL*>(curl_);
  curl_easy_reset(curl); // keeps the connection
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*"); // a management key never goes through whatever http_proxy names
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
  curl_easy_setopt(curl, CURLOPT_MAXCONNECTS, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "keyportal");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(settings_.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 3'000L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stopped_);
  if (request.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
  }
  const auto code = curl_easy_perform(curl);
  if (stopped_)
    return make_error(errc::shutting_down, settings_.node);
  if (got.too_large)
    return make_error(errc::node_answer_too_large, settings_.node);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return make_error(errc::node_timeout, settings_.node);
  if (code != CURLE_OK)
    return make_error(errc::node_unreachable, fmt::format("{}: {}", settings_.node, curl_easy_strerror(code)));
  http_response out;
  long status = 0;
  char* content_type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &content_type);
  out.status = static_cast<int>(status);
  out.content_type = content_type && stays_on_its_line(content_type) ? content_type : "";
  out.body = std::make_shared<const std::string>(std::move(got.body));
  return out;
}

} // namespace keyportal::cpa
