// One HTTP connection to one CPA, with the manners it needs: one connection, never an idle one that has said nothing,
// no proxy in between, no user's headers, bounded answers.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <caf/expected.hpp>

#include "messages/ids.hpp"
#include "messages/secret.hpp"

namespace keyportal::cpa {

struct http_question {
  std::string path = {}; ///< behind the node's url; holds no secret, since CPA logs it
  const std::string* body = nullptr;
  const char* method = nullptr;   ///< null: GET, or POST where there is a body
  const secret* bearer = nullptr; ///< null: none
  std::chrono::milliseconds timeout{30'000};
  std::size_t limit = std::size_t{1} << 16; ///< bytes of the answer at most
  std::size_t room = 0;                     ///< bytes it is expected to have
};

struct http_reply {
  std::shared_ptr<std::string> body; ///< with 64 bytes of capacity to spare, which simdjson reads past the end
  long status = 0;
  std::string version;         ///< X-CPA-VERSION
  bool new_connection = false; ///< the former one was gone
  std::int64_t took_ms = 0;
};

/// Calls block; one thread at a time. `stop` may be called from any thread: the call under way and all later ones end
/// with shutting_down within a second.
class node_http {
public:
  /// `url` without a slash at its end, without credentials.
  node_http(node_name node, std::string url);
  ~node_http();
  node_http(const node_http&) = delete;
  node_http& operator=(const node_http&) = delete;

  /// Any status is an answer.
  caf::expected<http_reply> ask(const http_question& question);
  /// The next call opens a new connection.
  void close();
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace keyportal::cpa
