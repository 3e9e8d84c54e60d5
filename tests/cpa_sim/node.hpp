// One life of CPA: everything it knows and how it answers. No sockets.
#pragma once

#include "api_keys.hpp"
#include "config_file.hpp"
#include "http.hpp"
#include "management_auth.hpp"
#include "options.hpp"
#include "oracle.hpp"
#include "upstream.hpp"
#include "usage_store.hpp"

#include <map>
#include <mutex>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

/// What faults change inside a node while they last.
struct switches {
  bool save_fails = false;  ///< the config file cannot be written
  bool lose_write = false;  ///< this key write is answered well and lost
  bool wrong_key = false;   ///< every management key is wrong
  bool starting_up = false; ///< no provider is registered yet
};

/// Thread-safe. `memory` must outlive the node.
class node {
public:
  /// `keys` and `statistics` are what the config file says at this start.
  node(const options& o, const zone& place, oracle& memory, std::vector<std::string> keys, bool statistics);

  answer handle(const request& r, const switches& s);

  /// Makes the oracle remember the records, then shows them. False when the oracle could not be written or
  /// recording is switched off.
  bool record_live(const std::vector<record>& records);

  void keep_newest(std::size_t details);

  struct numbers {
    std::int64_t requests = 0, failed = 0, tokens = 0;
    std::size_t details = 0, keys = 0, enforced = 0, banned = 0;
    std::uint64_t calls = 0, management_calls = 0, refused = 0;
  };
  [[nodiscard]] numbers now() const;
  /// The client keys as config.yaml holds them.
  [[nodiscard]] std::vector<std::string> saved_keys() const;
  [[nodiscard]] bool statistics() const;

private:
  using action = answer (node::*)(const request&, const switches&);
  static const std::map<std::string, action>& routes();
  static action find_route(const std::string& method, const std::string& path);

  answer management(const request& r, const switches& s, action act);
  answer client(const request& r, const switches& s, action act);

  // management API
  answer get_usage(const request&, const switches&);
  answer get_export(const request&, const switches&);
  answer post_import(const request&, const switches&);
  answer get_keys(const request&, const switches&);
  answer change_keys(const request&, const switches&);
  answer get_flag(const request&, const switches&);
  answer put_flag(const request&, const switches&);
  answer get_strategy(const request&, const switches&);
  answer get_auth_files(const request&, const switches&);
  answer get_auth_file_models(const request&, const switches&);
  answer get_key_usage(const request&, const switches&);
  answer get_config(const request&, const switches&);
  answer get_config_yaml(const request&, const switches&);
  answer put_config_yaml(const request&, const switches&);
  answer get_latest_version(const request&, const switches&);
  answer get_logs(const request&, const switches&);
  answer get_error_logs(const request&, const switches&);
  answer get_model_definitions(const request&, const switches&);
  answer get_log_by_id(const request&, const switches&);
  // client and public API
  answer get_root(const request&, const switches&);
  answer get_healthz(const request&, const switches&);
  answer get_management_page(const request&, const switches&);
  answer get_models(const request&, const switches&);
  answer get_gemini_models(const request&, const switches&);
  answer post_chat(const request&, const switches&);
  answer post_messages(const request&, const switches&);
  answer post_count_tokens(const request&, const switches&);
  answer post_responses(const request&, const switches&);
  answer post_gemini(const request&, const switches&);

  answer upstream_call(client_api form, const request& r, const switches& s, const std::string& route,
                       const std::string& model_in_path);
  answer saved(const switches& s);
  std::string keys_json() const;
  bool show_records(const std::vector<record>& records);
  [[nodiscard]] instant wall_now() const;

  const options options_;
  const traits traits_;
  const zone place_;
  oracle& memory_;
  mutable std::mutex lock_; // guards what follows
  usage_store usage_;
  management_auth auth_;
  api_keys keys_;
  fake_upstream upstream_;
  std::map<std::string, bool> flags_;
  bool file_wiped_ = false;
  bool management_off_ = false; // the secret was taken out of the config while running
  std::string client_key_;      // of the client call being answered
  numbers counted_;
};

/// The wall clock in nanoseconds since 1970.
std::int64_t unix_now_ns();

} // namespace keyportal::cpa_sim
