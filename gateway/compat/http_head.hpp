// Heads of HTTP answers as CLIProxyAPI writes them. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "messages/http.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::compat {

/// Whether CLIProxyAPI of that version ("7.2.140", "v6.9.49") judges the key before it says that a path is unknown.
bool judges_unknown_paths(std::string_view version);

/// What stands in the head of an answer.
struct answer_head {
  int status = 200;
  std::string content_type;          ///< empty: none
  std::string version;               ///< of the headers X-Cpa-*; empty: without them
  std::optional<std::size_t> length; ///< none: chunked, or up to the end for HTTP/1.0
  bool keep_alive = true;
  bool http_1_0 = false;
  std::vector<std::pair<std::string, std::string>> more;
};
std::string write_head(const answer_head& head, moment now);

/// The key that a request presents; empty when there is none.
std::string presented_key(const http_request& request);
/// A header, by its name in lower case; empty if it is not there.
std::string_view header_of(const http_request& request, std::string_view name);

} // namespace keyportal::compat
