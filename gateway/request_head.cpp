#include "gateway/request_head.hpp"

#include <iterator>

#include <boost/beast/websocket/rfc6455.hpp>

#include "gateway/problem.hpp"
#include "gateway/target.hpp"
#include "messages/errors.hpp"

namespace keyportal::gateway {

namespace {

namespace beast = boost::beast;
namespace http = beast::http;

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

std::size_t count_of(const http::fields& fields, http::field name) {
  const auto range = fields.equal_range(name);
  return static_cast<std::size_t>(std::distance(range.first, range.second));
}

} // namespace

bool is_plain_body(const request_header& head) {
  const auto codings = count_of(head, http::field::transfer_encoding);
  return codings == 0
         || (codings == 1 && count_of(head, http::field::content_length) == 0 && head.version() == 11
             && beast::iequals(head[http::field::transfer_encoding], "chunked"));
}

std::optional<http_response> take_head(const request_header& head, const host_rules& hosts, std::string_view base,
                                       http_request& into) {
  if (count_of(head, http::field::host) != 1)
    return problem(make_error(errc::bad_request, "exactly one Host header is needed"));
  if (!is_plain_body(head))
    return problem(make_error(errc::bad_request, "a body has a Content-Length, or is chunked and nothing else"));
  const auto host = view(head[http::field::host]);
  if (!hosts.takes(host))
    return problem(make_error(errc::wrong_host, std::string(host.substr(0, 100))));
  const auto method = view(head.method_string());
  // Reading from elsewhere is harmless since no answer allows it (no CORS header); doing something is not.
  const bool only_reads = (method == "GET" || method == "HEAD") && !beast::websocket::is_upgrade(head);
  const auto origin = head.find(http::field::origin);
  if (origin != head.end() && !only_reads && !same_origin(view(origin->value()), host))
    return problem(make_error(errc::wrong_origin, std::string(view(origin->value()).substr(0, 100))));
  if (!read_target(view(head.target()), into))
    return problem(make_error(errc::bad_request, "the address is malformed"));
  if (!base.empty() && into.path.starts_with(base)
      && (into.path.size() == base.size() || into.path[base.size()] == '/'))
    into.path.erase(0, base.size());
  if (into.path.empty())
    into.path = "/";
  into.method = std::string(method);
  for (const auto& field : head) {
    std::string name(view(field.name_string()));
    for (char& c : name)
      if (c >= 'A' && c <= 'Z')
        c = static_cast<char>(c - 'A' + 'a');
    into.headers.emplace_back(std::move(name), std::string(view(field.value())));
  }
  return std::nullopt;
}

} // namespace keyportal::gateway
