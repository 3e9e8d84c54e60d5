// One HTTP request and its answer, free of any server library.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace keyportal {

/// Stands in `http_request::path` for a slash that was escaped: it belongs to a name, and parts no segments. No other
/// control character is ever there.
inline constexpr char escaped_slash = '\x1f';

struct http_request {
  std::string method;                                       ///< upper case
  std::string path;                                         ///< decoded, without query, begins with '/'
  std::vector<std::pair<std::string, std::string>> query;   ///< decoded
  std::vector<std::pair<std::string, std::string>> headers; ///< names in lower case
  std::string body;
  std::string peer;       ///< address of the other end
  bool encrypted = false; ///< it came to us over TLS
};

/// Of a body that is made while it is sent.
struct body_piece {
  /// Null: it could not be made. The connection is cut then, so that nobody takes what came for the whole.
  std::shared_ptr<const std::string> text;
  bool last = false;
};
/// Asked for the next piece; calls what it is given with it, from any thread, once. Dropping that counts as a failure.
using body_source = std::function<void(std::function<void(body_piece)>)>;

struct http_response {
  int status = 200;
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const std::string> body = std::make_shared<const std::string>();
  /// Where it is set it takes the place of `body`: asked for one piece after the other, each when the one before is on its
  /// way, so never for more than two that are not sent yet.
  body_source pieces = {};
};

/// A request on its way. `reply` may be called once, from any thread; later calls do nothing.
struct http_exchange {
  http_request request;
  std::function<void(http_response)> reply;
};

} // namespace keyportal
