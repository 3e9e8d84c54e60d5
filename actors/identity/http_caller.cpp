#include "actors/identity/http_caller.hpp"

#include <memory>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <curl/curl.h>
#include <fmt/format.h>

#include "config/provider_settings.hpp"
#include "messages/errors.hpp"

namespace keyportal::identity {

namespace {

struct list_free {
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};
using header_list = std::unique_ptr<curl_slist, list_free>;
struct easy_free {
  void operator()(CURL* c) const { curl_easy_cleanup(c); }
};
using handle = std::unique_ptr<CURL, easy_free>;

struct transfer {
  http_answer answer;
  std::size_t limit = 0;
  bool too_large = false;
  bool kept_away = false; ///< the name led to an address that is not asked
  bool may_be_here = false;
};

std::size_t on_body(char* data, std::size_t, std::size_t n, void* user) {
  auto& t = *static_cast<transfer*>(user);
  if (t.answer.body.size() + n > t.limit) {
    t.too_large = true;
    return 0;
  }
  t.answer.body.append(data, n);
  return n;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(user)->load() ? 1 : 0;
}

/// This machine, link-local (clouds tell their secrets there), or no address of a host at all.
bool is_private_to_machine(const sockaddr* address) {
  const auto of_v4 = [](std::uint32_t v4) { return v4 >> 24 == 127 || v4 >> 16 == 0xA9FE || v4 >> 24 == 0; };
  if (address->sa_family == AF_INET)
    return of_v4(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
  if (address->sa_family != AF_INET6)
    return true;
  const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&v6)) {
    const auto* b = &v6.s6_addr[12];
    return of_v4(std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3]);
  }
  return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6);
}

curl_socket_t on_socket(void* user, curlsocktype, curl_sockaddr* to) {
  auto& t = *static_cast<transfer*>(user);
  if (!t.may_be_here && is_private_to_machine(&to->addr)) {
    t.kept_away = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

std::string host_of(std::string_view url) {
  const auto from = url.find("://") + 3;
  return std::string(url.substr(from, url.find_first_of("/?", from) - from));
}

caf::error failed(CURLcode code, const transfer& t, const std::string& host, bool stopped) {
  if (stopped)
    return make_error(errc::shutting_down);
  if (t.too_large)
    return make_error(errc::provider_answer_wrong, fmt::format("{}: more than {} bytes", host, t.limit));
  if (t.kept_away)
    return make_error(errc::provider_unreachable,
                      fmt::format("{}: its name leads to this machine, so it is not asked", host));
  switch (code) {
    case CURLE_PARTIAL_FILE:
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_RECV_ERROR:
    case CURLE_GOT_NOTHING:
      return make_error(errc::provider_answer_wrong, fmt::format("{}: {}", host, curl_easy_strerror(code)));
    default: return make_error(errc::provider_unreachable, fmt::format("{}: {}", host, curl_easy_strerror(code)));
  }
}

caf::expected<http_answer> made(CURL* curl, const http_call& call, const http_caller::bounds& most,
                                std::atomic<bool>& stopped) {
  transfer t;
  t.limit = most.answer_bytes;
  if (auto wrong = check_provider_url(call.url, &t.may_be_here); !wrong.empty())
    return make_error(errc::provider_answer_wrong, std::move(wrong));
  const auto host = host_of(call.url);
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  list = curl_slist_append(list, "Accept: application/json");
  if (!call.authorization.empty())
    list = curl_slist_append(list, ("Authorization: " + call.authorization.reveal()).c_str());
  if (!call.content_type.empty())
    list = curl_slist_append(list, ("Content-Type: " + call.content_type).c_str());
  const header_list lines{list};

  curl_easy_reset(curl);
  curl_easy_setopt(curl, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, t.may_be_here ? "http,https" : "https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!most.authorities.empty())
    curl_easy_setopt(curl, CURLOPT_CAINFO, most.authorities.c_str());
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");      // client secrets never go through whatever http_proxy names
  curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L); // sign-ins are rare; an old connection is a stale one
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "keyportal");
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, lines.get());
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(most.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(most.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &t);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &on_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &t);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stopped);
  if (!call.content_type.empty()) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.reveal().data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.reveal().size()));
  }
  const auto code = curl_easy_perform(curl);
  if (code != CURLE_OK)
    return failed(code, t, host, stopped);
  const char* type = nullptr;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &t.answer.status);
  curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
  t.answer.content_type = type ? type : "";
  return std::move(t.answer);
}

} // namespace

http_caller::http_caller(bounds most) : bounds_(std::move(most)) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)ready; // where it failed, making a handle fails too
  for (std::size_t i = 0; i < bounds_.threads; ++i)
    threads_.emplace_back([this] { work(); });
}

http_caller::~http_caller() {
  {
    const std::lock_guard guard(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_)
    thread.join();
  for (auto& one : waiting_)
    one.then(make_error(errc::shutting_down));
}

void http_caller::ask(http_call call, done then) {
  {
    const std::lock_guard guard(mutex_);
    if (!stopped_ && waiting_.size() < bounds_.waiting) {
      waiting_.push_back({std::move(call), std::move(then)});
      changed_.notify_one();
      return;
    }
  }
  then(make_error(stopped_ ? errc::shutting_down : errc::too_many_requests));
}

void http_caller::work() {
  const handle curl{curl_easy_init()};
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    if (stopped_)
      return;
    auto one = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    one.then(curl ? made(curl.get(), one.call, bounds_, stopped_)
                  : caf::expected<http_answer>{make_error(errc::internal, "libcurl")});
  }
}

} // namespace keyportal::identity
