#include "actors/notifier/wire.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <curl/curl.h>
#include <fmt/format.h>

#include "config/settings.hpp"

namespace keyportal {

namespace {

struct list_free {
  void operator()(curl_slist* l) const { curl_slist_free_all(l); }
};
using text_list = std::unique_ptr<curl_slist, list_free>;
struct easy_free {
  void operator()(CURL* c) const { curl_easy_cleanup(c); }
};

struct transfer {
  const wire_request& what;
  wire_answer answer;
  std::size_t limit = 0;
  std::size_t given = 0; ///< of the body
  bool too_large = false;
  bool kept_away = false;
  bool named_here = false; ///< the address itself says this machine
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

/// Headers by which a channel says when to come again, in seconds.
std::size_t on_header(char* data, std::size_t, std::size_t n, void* user) {
  auto& t = *static_cast<transfer*>(user);
  std::string line(data, n);
  std::transform(line.begin(), line.end(), line.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  for (const std::string_view name : {"retry-after:", "x-ogw-ratelimit-reset:"})
    if (line.starts_with(name)) {
      const auto at = line.find_first_not_of(" \t", name.size());
      std::int64_t seconds = 0;
      if (at != std::string::npos
          && std::from_chars(line.data() + at, line.data() + line.size(), seconds).ec == std::errc{})
        t.answer.retry_after_s = std::clamp<std::int64_t>(seconds, 0, 86'400);
    }
  return n;
}

std::size_t on_upload(char* to, std::size_t size, std::size_t count, void* user) {
  auto& t = *static_cast<transfer*>(user);
  const auto& text = t.what.body.reveal();
  const auto n = std::min(size * count, text.size() - t.given);
  std::memcpy(to, text.data() + t.given, n);
  t.given += n;
  return n;
}

int on_progress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(user)->load() ? 1 : 0;
}

curl_socket_t on_socket(void* user, curlsocktype, curl_sockaddr* to) {
  auto& t = *static_cast<transfer*>(user);
  if (!t.what.allow_private && !t.named_here && is_inside(&to->addr)) {
    t.kept_away = true;
    return CURL_SOCKET_BAD;
  }
  return ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/// Host and port, without what a credential may be in.
std::string host_of(std::string_view url) {
  const auto begin = url.find("://");
  const auto rest = url.substr(begin == std::string_view::npos ? 0 : begin + 3);
  return std::string(rest.substr(0, rest.find_first_of("/?")));
}

/// Empty when it may be asked.
std::string check_address(transfer& t) {
  const auto& url = t.what.url.reveal();
  const auto authority = host_of(url);
  std::string host;
  if (authority.empty() || authority.find('@') != std::string::npos || !split_authority(authority, host).empty())
    return "the channel's address is none";
  t.named_here = is_loopback(host);
  if (t.what.mail)
    return url.starts_with("smtp://") || url.starts_with("smtps://") ? ""
                                                                     : "the channel's address is none of a mail server";
  if (url.starts_with("https://") || (url.starts_with("http://") && (t.named_here || t.what.allow_private)))
    return {};
  return fmt::format("{}: its address must begin with https://", authority);
}

void set_common(CURL* curl, transfer& t, const notice_wire::bounds& most, std::atomic<bool>& stopped) {
  curl_easy_setopt(curl, CURLOPT_URL, t.what.url.reveal().c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, t.what.mail ? "smtp,smtps" : "http,https");
  curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
  curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!most.authorities.empty())
    curl_easy_setopt(curl, CURLOPT_CAINFO, most.authorities.c_str());
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  // A connection of its own for each: where one that was used before breaks without an answer, curl sends the request a second
  // time and says nothing of it; and of a mail it would be in doubt what a reply belongs to.
  curl_easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
  curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "keyportal");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(most.timeout.count()));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(most.connect_timeout.count()));
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &on_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &t);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &on_socket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &t);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &on_progress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &stopped);
}

text_list set_http(CURL* curl, transfer& t) {
  curl_slist* list = curl_slist_append(nullptr, "Expect:");
  for (const auto& [name, value] : t.what.headers)
    list = curl_slist_append(list, (name + ": " + value).c_str());
  if (!t.what.authorization.empty())
    list = curl_slist_append(list, ("Authorization: " + t.what.authorization.reveal()).c_str());
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &on_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &t);
  curl_easy_setopt(curl, CURLOPT_POST, 1L);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, t.what.body.reveal().data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(t.what.body.reveal().size()));
  return text_list{list};
}

text_list set_mail(CURL* curl, transfer& t) {
  curl_slist* list = nullptr;
  for (const auto& one : t.what.to)
    list = curl_slist_append(list, ("<" + one + ">").c_str());
  curl_easy_setopt(curl, CURLOPT_MAIL_FROM, ("<" + t.what.from + ">").c_str());
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, list);
  curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(curl, CURLOPT_READFUNCTION, &on_upload);
  curl_easy_setopt(curl, CURLOPT_READDATA, &t);
  curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(t.what.body.reveal().size()));
  if (t.what.start_tls)
    curl_easy_setopt(curl, CURLOPT_USE_SSL, static_cast<long>(CURLUSESSL_ALL));
  if (!t.what.user.empty()) {
    curl_easy_setopt(curl, CURLOPT_USERNAME, t.what.user.c_str());
    curl_easy_setopt(curl, CURLOPT_PASSWORD, t.what.password.reveal().c_str());
  }
  return text_list{list};
}

/// Whether nothing can have reached the other side's ears.
bool never_sent(CURL* curl, CURLcode code, const transfer& t) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_USE_SSL_FAILED:
    case CURLE_SSL_CACERT_BADFILE: return true;
    default: break;
  }
  if (t.what.mail) // it had to say 354 before it was told anything that counts
    return t.answer.status != 354;
  // The last byte of a request makes it one.
  curl_off_t up = 0;
  curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &up);
  return up < static_cast<curl_off_t>(t.what.body.reveal().size());
}

wire_answer sent(CURL* curl, const wire_request& what, const notice_wire::bounds& most, std::atomic<bool>& stopped) {
  transfer t{what, {}, most.answer_bytes, 0, false, false, false};
  const auto host = host_of(what.url.reveal());
  if (auto wrong = check_address(t); !wrong.empty()) {
    t.answer.refused_here = true;
    t.answer.problem = std::move(wrong);
    return std::move(t.answer);
  }
  curl_easy_reset(curl);
  set_common(curl, t, most, stopped);
  const auto list = what.mail ? set_mail(curl, t) : set_http(curl, t);
  const auto code = curl_easy_perform(curl);
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &t.answer.status);
  t.answer.sent = code == CURLE_OK || !never_sent(curl, code, t);
  t.answer.complete = code == CURLE_OK;
  if (t.kept_away) {
    t.answer.refused_here = true;
    t.answer.problem =
      fmt::format("{}: its name leads into a private network; notices.channel.allow_private would let it", host);
  } else if (code != CURLE_OK) {
    t.answer.problem = fmt::format("{}: {}", host, t.too_large ? "its answer is too long" : curl_easy_strerror(code));
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, nullptr); // the lists end here
  curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, nullptr);
  return std::move(t.answer);
}

} // namespace

bool is_inside(const sockaddr* address) {
  const auto of_v4 = [](std::uint32_t v4) {
    return v4 >> 24 == 127 || v4 >> 24 == 10 || v4 >> 24 == 0 || v4 >> 16 == 0xA9FE || v4 >> 16 == 0xC0A8
           || v4 >> 20 == 0xAC1 || v4 >> 22 == 0x191 /* 100.64/10 */ || v4 >> 24 >= 224;
  };
  if (address->sa_family == AF_INET)
    return of_v4(ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr));
  if (address->sa_family != AF_INET6)
    return true;
  const auto& v6 = reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr;
  const auto v4_at = [&](std::size_t i) {
    const auto* b = &v6.s6_addr[i];
    return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
  };
  if (IN6_IS_ADDR_V4MAPPED(&v6))
    return of_v4(v4_at(12));
  if (v6.s6_addr[0] == 0 && v6.s6_addr[1] == 0x64 && v6.s6_addr[2] == 0xff && v6.s6_addr[3] == 0x9b) // NAT64
    return of_v4(v4_at(12));
  return IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_LINKLOCAL(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6)
         || IN6_IS_ADDR_MULTICAST(&v6) || (v6.s6_addr[0] & 0xfe) == 0xfc;
}

notice_wire::notice_wire(bounds most) : bounds_(std::move(most)) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  (void)ready; // where it failed, making a handle fails too
  for (std::size_t i = 0; i < bounds_.threads; ++i)
    threads_.emplace_back([this] { work(); });
}

notice_wire::~notice_wire() {
  {
    const std::lock_guard guard(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_)
    thread.join();
}

void notice_wire::send(wire_request what, done then) {
  {
    const std::lock_guard guard(mutex_);
    waiting_.push_back({std::move(what), std::move(then)});
  }
  changed_.notify_one();
}

void notice_wire::work() {
  const std::unique_ptr<CURL, easy_free> curl{curl_easy_init()};
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    if (stopped_)
      return;
    auto one = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    wire_answer none;
    none.problem = "libcurl could not be started";
    one.then(curl ? sent(curl.get(), one.what, bounds_, stopped_) : std::move(none));
  }
}

} // namespace keyportal
