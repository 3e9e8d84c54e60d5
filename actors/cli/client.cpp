#include "actors/cli/client.hpp"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace keyportal::cli {

namespace {

struct easy_deleter {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
struct list_deleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using header_list = std::unique_ptr<curl_slist, list_deleter>;

void append(header_list& headers, const std::string& line) {
  if (auto* grown = curl_slist_append(headers.get(), line.c_str())) {
    (void)headers.release();
    headers.reset(grown);
  }
}

bool is_success(int status) { return status >= 200 && status < 300; }

struct transfer {
  const http_call& call;
  CURL* handle = nullptr;
  http_answer answer;
  bool too_large = false;
  bool not_taken = false;
};

std::size_t on_bytes(char* data, std::size_t, std::size_t count, void* to) {
  auto& now = *static_cast<transfer*>(to);
  if (now.call.on_body) {
    long status = 0;
    curl_easy_getinfo(now.handle, CURLINFO_RESPONSE_CODE, &status);
    if (is_success(static_cast<int>(status))) {
      now.not_taken = !now.call.on_body({data, count});
      return now.not_taken ? 0 : count;
    }
  }
  if (now.answer.body.size() + count > now.call.max_bytes) {
    now.too_large = true;
    return 0; // ends the transfer
  }
  now.answer.body.append(data, count);
  return count;
}

int on_progress(void* to, curl_off_t to_receive, curl_off_t received, curl_off_t to_send, curl_off_t sent) {
  const auto& call = static_cast<transfer*>(to)->call;
  const auto whole = call.body.empty() ? to_receive : to_send;
  call.on_progress(static_cast<std::uint64_t>(sent), static_cast<std::uint64_t>(received),
                   static_cast<std::uint64_t>(whole));
  return 0;
}

/// Of an address that anybody reaches: not of this machine, a private network, or a special use.
bool is_public(int family, const char* address) {
  const auto v4 = [](std::uint32_t a) { // in the machine's order
    const auto in = [a](std::uint32_t net, int bits) { return a >> (32 - bits) == net >> (32 - bits); };
    return !(in(0x00000000, 8) || in(0x0a000000, 8) || in(0x64400000, 10) || in(0x7f000000, 8) || in(0xa9fe0000, 16)
             || in(0xac100000, 12) || in(0xc0000000, 24) || in(0xc0a80000, 16) || in(0xc6120000, 15)
             || in(0xe0000000, 3));
  };
  if (family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    return v4(ntohl(in.sin_addr.s_addr));
  }
  if (family != AF_INET6)
    return false;
  sockaddr_in6 in{};
  std::memcpy(&in, address, sizeof in);
  const auto* b = in.sin6_addr.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&in.sin6_addr) || (b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b))
    return v4(std::uint32_t{b[12]} << 24 | std::uint32_t{b[13]} << 16 | std::uint32_t{b[14]} << 8 | b[15]);
  return (b[0] & 0xe0) == 0x20 && !(b[0] == 0x20 && b[1] == 0x02); // 2000::/3 without 6to4
}

/// Looked at when the name has become an address, so that a name cannot lead elsewhere.
curl_socket_t open_public_socket(void*, curlsocktype, curl_sockaddr* to) {
  // The address is longer than the type of the last member says.
  const auto* address = reinterpret_cast<const char*>(to) + offsetof(curl_sockaddr, addr);
  return is_public(to->family, address) ? ::socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol)
                                        : CURL_SOCKET_BAD;
}

/// The error that an answer of the service tells (problem+json).
caf::error told_by_service(const http_answer& answer) {
  const auto problem = nlohmann::json::parse(answer.body, nullptr, false);
  const auto text = [&](const char* key) {
    const auto found = problem.is_object() ? problem.find(key) : problem.end();
    return problem.is_object() && found != problem.end() && found->is_string() ? found->get<std::string>()
                                                                               : std::string{};
  };
  const auto code = text("code");
  for (const auto* row = error_rows_begin(); row != error_rows_end(); ++row)
    if (row->name == code) {
      const auto about = text("detail");
      return about.empty() ? make_error(row->code) : make_error(row->code, about);
    }
  return make_error(errc::service_unreachable,
                    fmt::format("the address answers with HTTP {} but is no Key Portal", answer.status));
}

/// The error that an answer of CLIProxyAPI tells.
caf::error told_by_cpa(const http_answer& answer, const std::string& url) {
  const auto body = nlohmann::json::parse(answer.body, nullptr, false);
  const auto found = body.is_object() ? body.find("error") : body.end();
  const auto said = body.is_object() && found != body.end() && found->is_string()
                      ? found->get<std::string>().substr(0, 200)
                      : fmt::format("HTTP {}", answer.status);
  const auto code = answer.status == 401                                               ? errc::node_wrong_key
                    : answer.status == 403 && said.find("banned") != std::string::npos ? errc::node_banned
                    : answer.status == 403                                             ? errc::node_forbidden
                    : answer.status == 404                                             ? errc::node_without_usage
                    : answer.status == 400                                             ? errc::node_import_refused
                                                                                       : errc::node_failed;
  return make_error(code, fmt::format("{} ({})", url, said));
}

/// A host that nobody can listen in on the way to.
bool is_private_way(const std::string& url) {
  if (url.starts_with("https://"))
    return true;
  auto authority = std::string_view(url).substr(url.find("://") + 3);
  authority = authority.substr(0, authority.find('/'));
  if (authority.starts_with("["))
    return is_loopback(authority.substr(1, authority.find(']') - 1));
  return is_loopback(authority.substr(0, authority.find(':')));
}

} // namespace

caf::expected<http_answer> send(const http_call& call) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, easy_deleter> handle(ready == CURLE_OK ? curl_easy_init() : nullptr);
  if (!handle)
    return make_error(errc::internal, "libcurl cannot be used");
  transfer now{call, handle.get(), {}, false, false};
  char reason[CURL_ERROR_SIZE] = "";
  header_list headers;
  append(headers, "Expect:"); // no round trip before a body
  if (!call.bearer.empty())
    append(headers, "Authorization: Bearer " + call.bearer.reveal());
  if (!call.idempotency_key.empty())
    append(headers, "Idempotency-Key: " + call.idempotency_key);
  if (!call.body.empty())
    append(headers, "Content-Type: application/json");

  if (!call.range.empty())
    append(headers, "Range: " + call.range);

  auto* curl = handle.get();
  curl_easy_setopt(curl, CURLOPT_URL, call.url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, call.public_only ? "https" : "http,https");
  if (call.public_only)
    curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, open_public_socket);
  if (!call.pin.empty()) { // this key and no other; whom its certificate names does not matter then
    curl_easy_setopt(curl, CURLOPT_PINNEDPUBLICKEY, call.pin.c_str());
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "keyportal");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
  if (call.on_body) { // as long as it takes, but not without a byte
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(call.timeout.count()));
  } else {
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, static_cast<long>(call.timeout.count()));
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_bytes);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &now);
  if (call.method == "POST" || (call.method != "GET" && !call.body.empty())) {
    curl_easy_setopt(curl, CURLOPT_POST, 1L);
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
  }
  if (call.method != "GET" && call.method != "POST") {
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  }
  if (call.on_progress) {
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &now);
  }

  const auto code = curl_easy_perform(curl);
  if (code == CURLE_OK) {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    now.answer.status = static_cast<int>(status);
    return std::move(now.answer);
  }
  const std::string said = *reason ? reason : curl_easy_strerror(code);
  if (now.not_taken)
    return make_error(errc::file_unreadable, "what came");
  if (now.too_large)
    return make_error(errc::body_too_large, fmt::format("the answer is larger than {} bytes", call.max_bytes));
  if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
    return make_error(errc::bad_request, said);
  if (code == CURLE_OPERATION_TIMEDOUT)
    return make_error(errc::timed_out, said);
  return make_error(errc::service_unreachable, said);
}

caf::expected<std::string> read_line_file(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text(4097, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r'))
    text.pop_back();
  if (text.empty() || text.size() > 4096 || text.find_first_of("\r\n") != std::string::npos)
    return make_error(errc::file_unreadable, file.string());
  return text;
}

caf::expected<service> service::find(const settings& values, std::string url) {
  service found;
  if (url.empty()) {
    if (auto written = read_line_file(values.data_dir / "gateway.url")) {
      url = *written;
      if (auto pin = read_line_file(values.data_dir / "gateway.pin"); pin && url.starts_with("https://"))
        found.pin_ = std::move(*pin);
    } else if (values.gateway.port != 0)
      url = fmt::format("{}://{}", values.gateway.tls.certificate.empty() ? "http" : "https",
                        values.gateway.address == "0.0.0.0" || values.gateway.address == "::"
                          ? fmt::format("127.0.0.1:{}", values.gateway.port)
                          : values.gateway.listen);
    else
      return make_error(errc::service_unreachable, fmt::format("no gateway.url in {}", values.data_dir.string()));
  }
  if (auto wrong = check_node_url(url); !wrong.empty())
    return make_error(errc::bad_request, fmt::format("{}: {}", url, wrong));
  found.url_ = url;
  const auto file = values.data_dir / "control.token";
  if (!is_private_way(url))
    found.token_problem_ = "the control token is sent to this machine or over https only";
  else if (auto token = read_line_file(file))
    found.token_ = secret{std::move(*token)};
  else
    found.token_problem_ = fmt::format("{} cannot be read", file.string());
  return found;
}

caf::expected<std::string> service::get(const std::string& path) const { return call({}, path, false); }

caf::expected<std::string> service::call(http_call what, const std::string& path, bool with_token) const {
  if (with_token) {
    if (token_.empty())
      return make_error(errc::not_authorised, token_problem_);
    what.bearer = token_;
  }
  what.url = url_ + path;
  what.pin = pin_;
  auto answer = send(what);
  if (!answer)
    return code_of(answer.error()) == errc::service_unreachable
             ? make_error(errc::service_unreachable, fmt::format("{} ({})", url_, about_of(answer.error())))
             : answer.error();
  if (!is_success(answer->status))
    return told_by_service(*answer);
  return std::move(answer->body);
}

caf::expected<cpa_client> cpa_client::open(std::string url, const std::filesystem::path& key_file) {
  cpa_client node;
  if (auto wrong = check_node_url(url); !wrong.empty())
    return make_error(errc::bad_request, fmt::format("--cpa: {}", wrong));
  node.url_ = std::move(url);
  if (!key_file.empty()) {
    auto key = read_line_file(key_file);
    if (!key)
      return key.error();
    node.key_ = secret{std::move(*key)};
  } else if (const char* key = std::getenv("KEYPORTAL_CPA_KEY"); key && *key) {
    node.key_ = secret{key};
  } else {
    return make_error(errc::bad_request,
                      "--cpa needs the management key: --key-file or the variable KEYPORTAL_CPA_KEY");
  }
  return node;
}

caf::expected<std::string> cpa_client::call(http_call what, const std::string& path) const {
  what.url = fmt::format("{}/v0/management{}", url_, path);
  what.bearer = key_;
  auto answer = send(what);
  if (!answer) {
    const auto code = code_of(answer.error());
    const auto about = fmt::format("{} ({})", url_, about_of(answer.error()));
    return code == errc::service_unreachable ? make_error(errc::node_unreachable, about)
           : code == errc::timed_out         ? make_error(errc::node_timeout, about)
           : code == errc::body_too_large    ? make_error(errc::node_answer_too_large, about)
                                             : answer.error();
  }
  if (!is_success(answer->status))
    return told_by_cpa(*answer, url_);
  return std::move(answer->body);
}

} // namespace keyportal::cli
