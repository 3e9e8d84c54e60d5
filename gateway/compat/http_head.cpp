#include "gateway/compat/http_head.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "gateway/wire.hpp"

namespace keyportal::compat {

namespace {

constexpr std::string_view cors = "Access-Control-Allow-Headers: *\r\n"
                                  "Access-Control-Allow-Methods: GET, POST, PUT, PATCH, DELETE, OPTIONS\r\n"
                                  "Access-Control-Allow-Origin: *\r\n";
constexpr std::string_view exposed =
  "Access-Control-Expose-Headers: X-CPA-TRACE-ID, X-CPA-VERSION, X-CPA-COMMIT, X-CPA-BUILD-DATE, "
  "X-CPA-SUPPORT-PLUGIN, X-CPA-HOME-VERSION, X-CPA-HOME-BUILD-DATE, X-SERVER-VERSION, X-SERVER-BUILD-DATE, Location, "
  "Retry-After, X-Request-Id, OpenAI-Request-Id\r\n";

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 413: return "Request Entity Too Large";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Other";
  }
}

} // namespace

bool judges_unknown_paths(std::string_view version) {
  if (version.starts_with('v'))
    version.remove_prefix(1);
  std::array<int, 3> parts{};
  for (auto& part : parts) {
    const auto [end, failed] = std::from_chars(version.data(), version.data() + version.size(), part);
    if (failed != std::errc{})
      return false;
    version.remove_prefix(static_cast<std::size_t>(end - version.data()));
    if (version.starts_with('.'))
      version.remove_prefix(1);
  }
  return parts >= std::array{7, 1, 47};
}

std::string write_head(const answer_head& head, moment now) {
  std::string out;
  const auto to = std::back_inserter(out);
  fmt::format_to(to, "HTTP/1.1 {} {}\r\n", head.status, reason_of(head.status));
  out += cors;
  if (judges_unknown_paths(head.version))
    out += exposed;
  if (!head.content_type.empty())
    fmt::format_to(to, "Content-Type: {}\r\n", head.content_type);
  if (!head.version.empty())
    fmt::format_to(to, "X-Cpa-Build-Date: unknown\r\nX-Cpa-Commit: none\r\n{}X-Cpa-Version: {}\r\n",
                   judges_unknown_paths(head.version) ? "X-Cpa-Support-Plugin: 0\r\n" : "", head.version);
  for (const auto& [name, value] : head.more)
    fmt::format_to(to, "{}: {}\r\n", name, value);
  const std::time_t seconds =
    std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  fmt::format_to(to, "Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", fmt::gmtime(seconds));
  if (head.length && gateway::has_body(head.status))
    fmt::format_to(to, "Content-Length: {}\r\n", *head.length);
  if (!head.keep_alive)
    out += "Connection: close\r\n";
  else if (head.http_1_0)
    out += "Connection: keep-alive\r\n";
  if (!head.length && !head.http_1_0)
    out += "Transfer-Encoding: chunked\r\n";
  out += "\r\n";
  return out;
}

std::string_view header_of(const http_request& request, std::string_view name) {
  for (const auto& [one, value] : request.headers)
    if (one == name)
      return value;
  return {};
}

std::string presented_key(const http_request& request) {
  const auto given = header_of(request, "authorization");
  if (given.empty())
    return std::string(header_of(request, "x-management-key"));
  const auto blank = given.find(' ');
  if (blank != std::string_view::npos && equal_ignoring_case(given.substr(0, blank), "bearer"))
    return std::string(given.substr(blank + 1));
  return std::string(given);
}

} // namespace keyportal::compat
