// The key list of one CPA, over a connection of its own.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include <caf/expected.hpp>

#include "messages/actors.hpp"

namespace keyportal::cpa {

struct key_client_settings {
  node_name node;
  std::string url; ///< scheme, host, port, optional path prefix; no credentials
  secret management_key;
  std::chrono::milliseconds timeout{15'000};      ///< for a management call
  std::chrono::milliseconds trial_timeout{3'000}; ///< for a trial of a key
};

/// Keys travel in bodies and headers only: CPA logs the query of every URL. Calls block; one thread at a time, except
/// `stop`, after which the call under way and all later ones end with shutting_down.
class key_client {
public:
  explicit key_client(key_client_settings settings);
  ~key_client();
  key_client(const key_client&) = delete;
  key_client& operator=(const key_client&) = delete;

  /// GET /v0/management/api-keys; no keys where the node answers null.
  caf::expected<keys_answer> keys();
  /// PUT of the whole list. config_unsafe for an empty one and for one with keys that must not be there.
  caf::expected<key_written> put(const std::vector<secret>& keys);
  /// PATCH {old, new}.
  caf::expected<key_written> swap(const secret& from, const secret& to);
  /// GET /v1/models with that key, or without any: no management call, next to no cost at CPA, no usage record.
  /// `unclear` is every answer but 200 and 401.
  caf::expected<key_trial> trial(const std::optional<secret>& key);
  /// GET /v0/management/config.yaml. An empty file is an answer; config_unknown where the node has none to show.
  caf::expected<std::shared_ptr<const std::string>> config();
  /// PUT of it, unless that would lock us out or open the node (config_unsafe).
  caf::expected<key_written> put_config(const std::string& text);
  /// Closes the connection; the next call opens another.
  void close();
  void stop();

private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

} // namespace keyportal::cpa
