// HTTP to one CPA: good manners included (one connection, never idle at its beginning, no user's headers).
#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>

#include <caf/expected.hpp>

#include "actors/cpa/key_watch.hpp"
#include "messages/actors.hpp"

namespace keyportal::cpa {

struct client_settings {
  node_name node;
  std::string url; ///< scheme, host, port, optional path prefix; no credentials
  secret management_key;
  std::chrono::milliseconds timeout{30'000}; ///< for a whole management call
  std::chrono::milliseconds probe_timeout{2'000};
  std::size_t max_answer_bytes = 256U << 20;
  std::shared_ptr<key_watch> watch = {}; ///< is told how the key fares; may be null
};

/// One connection to one node. Calls block; one thread at a time. `stop` may be called from any thread: the call under
/// way and all later ones end with shutting_down within a second.
class management_client {
public:
  explicit management_client(client_settings settings);
  ~management_client();
  management_client(const management_client&) = delete;
  management_client& operator=(const management_client&) = delete;

  /// GET /v0/management/usage. The body has 64 bytes of capacity to spare.
  caf::expected<usage_answer> usage();
  /// POST /v0/management/usage/import.
  caf::expected<import_answer> import_usage(const std::string& document);
  /// What the node offers besides `/usage`, which is asked for by `usage`: nothing is taken from its queue.
  caf::expected<era_answer> find_era();
  /// GET /v0/management/auth-files and /api-key-usage.
  caf::expected<accounts_answer> accounts();
  /// GET /v0/management/usage-queue: what is answered is gone from the node, so the caller must keep it.
  caf::expected<queue_answer> pop_queue(std::uint32_t count);
  /// Switches recording on; raises the retention in config.yaml, every other line of which stays as it is.
  caf::expected<settings_mended> mend(const mend_settings& what);
  /// GET /healthz, or / where CPA is older: no management call, no cost at CPA. Any answer but 502 to 504 is alive.
  caf::expected<probe_answer> probe();
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace keyportal::cpa
