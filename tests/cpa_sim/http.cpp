#include "http.hpp"

#include <algorithm>
#include <ctime>

namespace keyportal::cpa_sim {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'f')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'F')
    return c - 'A' + 10;
  return -1;
}

} // namespace

const std::string* request::header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name)
      return &value;
  }
  return nullptr;
}

std::optional<std::string> request::query_value(std::string_view name) const {
  for (std::size_t begin = 0; begin < query.size();) {
    const std::size_t end = std::min(query.find('&', begin), query.size());
    const std::string_view pair(query.data() + begin, end - begin);
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (url_decoded(pair.substr(0, equals)) == name) {
      return url_decoded(pair.substr(std::min(equals + 1, pair.size())));
    }
    begin = end + 1;
  }
  return std::nullopt;
}

std::string url_decoded(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? hex(text[i + 1]) : -1;
    const int low = high >= 0 ? hex(text[i + 2]) : -1;
    if (low >= 0) {
      out += static_cast<char>(high * 16 + low);
      i += 2;
    } else {
      out += text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

std::optional<std::string> bearer_value(std::string_view authorization) {
  const std::size_t blank = authorization.find(' ');
  if (blank != 6)
    return std::nullopt;
  std::string scheme(authorization.substr(0, blank));
  std::transform(scheme.begin(), scheme.end(), scheme.begin(), [](unsigned char c) { return std::tolower(c); });
  if (scheme != "bearer")
    return std::nullopt;
  return std::string(authorization.substr(blank + 1));
}

std::string_view reason(int status) {
  switch (status) {
    case 200: return "OK";
    case 204: return "No Content";
    case 301: return "Moved Permanently";
    case 307: return "Temporary Redirect";
    case 400: return "Bad Request";
    case 401: return "Unauthorized";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 413: return "Request Entity Too Large";
    case 422: return "Unprocessable Entity";
    case 429: return "Too Many Requests";
    case 500: return "Internal Server Error";
    case 502: return "Bad Gateway";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    default: return "Status";
  }
}

std::string head_of(const answer& a, framing f, std::size_t length, bool close, std::string_view date) {
  std::string out = "HTTP/1.1 " + std::to_string(a.status) + ' ' + std::string(reason(a.status)) + "\r\n";
  auto headers = a.headers;
  std::stable_sort(headers.begin(), headers.end(), [](const auto& x, const auto& y) { return x.first < y.first; });
  for (const auto& [name, value] : headers)
    out += name + ": " + value + "\r\n";
  out += "Date: ";
  out += date;
  out += "\r\n";
  if (f == framing::length)
    out += "Content-Length: " + std::to_string(length) + "\r\n";
  if (close)
    out += "Connection: close\r\n";
  if (f == framing::chunked)
    out += "Transfer-Encoding: chunked\r\n";
  return out + "\r\n";
}

std::string http_date() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[64];
  return {text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &utc)};
}

} // namespace keyportal::cpa_sim
