#include "gateway/wire.hpp"

#include <array>
#include <ctime>
#include <iterator>

#include <fmt/chrono.h>
#include <fmt/format.h>

namespace keyportal::gateway {

namespace {

constexpr std::string_view policy_header = "Content-Security-Policy";
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> strict{{
  {policy_header, "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"},
  {"X-Content-Type-Options", "nosniff"},
  {"Referrer-Policy", "no-referrer"},
  {"Cross-Origin-Opener-Policy", "same-origin"},
  {"Cross-Origin-Resource-Policy", "same-origin"},
  {"Permissions-Policy", "camera=(), geolocation=(), microphone=()"},
}};

std::string_view reason_of(int status) {
  switch (status) {
    case 200: return "OK";
    case 201: return "Created";
    case 202: return "Accepted";
    case 204: return "No Content";
    case 206: return "Partial Content";
    case 303: return "See Other";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 409: return "Conflict";
    case 410: return "Gone";
    case 413: return "Content Too Large";
    case 416: return "Range Not Satisfiable";
    case 421: return "Misdirected Request";
    case 422: return "Unprocessable Content";
    case 426: return "Upgrade Required";
    case 429: return "Too Many Requests";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return "Other";
  }
}

bool stays_on_its_line(std::string_view text) {
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      return false;
  return true;
}

} // namespace

std::span<const std::pair<std::string_view, std::string_view>> strict_headers() { return strict; }

std::string policy_with_frames(std::span<const std::string> origins) {
  constexpr std::string_view last = "'none'";
  auto out = std::string(strict.front().second);
  out.resize(out.size() - last.size()); // frame-ancestors stands at its end
  out += "'self'";
  for (const auto& one : origins)
    out.append(1, ' ').append(one);
  return out;
}

bool has_body(int status) { return status >= 200 && status != 204 && status != 304; }

std::string response_head(const http_response& answer, bool keep_alive, bool http_1_0, moment now) {
  fmt::memory_buffer out;
  const auto to = std::back_inserter(out);
  const std::time_t seconds =
    std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(now));
  fmt::format_to(to, "HTTP/1.1 {} {}\r\nDate: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", answer.status,
                 reason_of(answer.status), fmt::gmtime(seconds));
  if (has_body(answer.status)) {
    if (!answer.pieces)
      fmt::format_to(to, "Content-Length: {}\r\n", answer.body ? answer.body->size() : 0);
    else if (!http_1_0) // there the end of the connection is the end of the body
      fmt::format_to(to, "Transfer-Encoding: chunked\r\n");
    if (stays_on_its_line(answer.content_type))
      fmt::format_to(to, "Content-Type: {}\r\n", answer.content_type);
  }
  bool own_cache_rule = false, own_policy = false;
  for (const auto& [name, value] : answer.headers) {
    if (!stays_on_its_line(name) || !stays_on_its_line(value))
      continue;
    own_cache_rule = own_cache_rule || name == "Cache-Control";
    own_policy = own_policy || name == policy_header;
    fmt::format_to(to, "{}: {}\r\n", name, value);
  }
  if (!own_cache_rule)
    fmt::format_to(to, "Cache-Control: no-store\r\n");
  for (const auto& [name, value] : strict)
    if (!own_policy || name != policy_header)
      fmt::format_to(to, "{}: {}\r\n", name, value);
  if (!keep_alive)
    fmt::format_to(to, "Connection: close\r\n");
  else if (http_1_0)
    fmt::format_to(to, "Connection: keep-alive\r\n");
  fmt::format_to(to, "\r\n");
  return fmt::to_string(out);
}

} // namespace keyportal::gateway
