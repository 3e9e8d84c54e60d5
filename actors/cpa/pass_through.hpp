// Hands management requests of other tools to a node, as they are, with the node's own key.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include <caf/expected.hpp>

#include "actors/cpa/management_client.hpp"
#include "messages/http.hpp"

namespace keyportal::cpa {

/// One connection to one node, used by one caller at a time; the others wait. Nothing of the caller's headers goes on
/// but the type of the body: neither keys nor addresses. Any thread.
class pass_through {
public:
  explicit pass_through(client_settings settings);
  ~pass_through();
  pass_through(const pass_through&) = delete;
  pass_through& operator=(const pass_through&) = delete;

  /// `target`: path and query as written, beginning with /v0/management. The node's answer, whatever its status, with
  /// its content type and nothing else of its head. At most 64 MiB. Errors: those of a node.
  caf::expected<http_response> forward(const http_request& request, const std::string& target);
  /// The call under way and all later ones end with shutting_down.
  void stop() { stopped_ = true; }

private:
  client_settings settings_;
  std::mutex mutex_;
  void* curl_; ///< null if the library could not be had
  std::atomic<bool> stopped_{false};
};

} // namespace keyportal::cpa
