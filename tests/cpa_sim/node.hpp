// One life of CPA: everything it knows and how it answers. No sockets.
#pragma once

#include "api_keys.hpp"
#include "config_file.hpp"
#include "credentials.hpp"
#include "http.hpp"
#include "logins.hpp"
#include "management_auth.hpp"
#include "options.hpp"
#include "oracle.hpp"
#include "subscriber.hpp"
#include "upstream.hpp"
#include "usage_queue.hpp"
#include "usage_store.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <span>
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

/// What faults do to one message of the queue.
struct twist {
  bool twice = false;
  bool malformed = false;  ///< half the JSON
  bool odd_fields = false; ///< fields nobody has heard of yet
  bool overflow = false;   ///< every subscriber is full
  std::string before;      ///< bytes that are no message
};

/// What a node shares with its stand-in.
struct surroundings {
  oracle& memory;
  account_room& accounts;
  const push_manner& manner;
  /// Of the next record that is pushed, queued or popped (see the paths in faults.hpp); nothing: no such fault.
  std::function<std::optional<twist>(const std::string&)> next_twist;
};

/// Thread-safe. The surroundings must outlive the node.
class node {
public:
  node(const options& o, const zone& place, surroundings around, const config_values& config);

  answer handle(const request& r, const switches& s);

  /// Makes the oracle remember attempts, then shows them. `made` may be less than asked for, even 0, when a subscriber
  /// has no room and `patient` is set: see `wait_for_room`. Without, it is dropped and the record lost to it.
  /// `recorded` is less than `made` when recording is switched off; nothing is made when the oracle cannot be written.
  struct made {
    std::size_t made = 0;
    std::size_t recorded = 0;
  };
  made record_live(std::span<const attempt> attempts, bool patient);
  /// True when some subscriber took a message or went away in time.
  bool wait_for_room(std::chrono::milliseconds most);

  // The queue.
  [[nodiscard]] const traits& version() const { return traits_; }
  [[nodiscard]] bool managed() const; ///< there is a secret
  [[nodiscard]] bool split_pushes() const { return around_.manner.split != 0; }
  management_auth::refusal authenticate(const std::string& peer, const std::string& key);
  /// Takes the oldest records; the oracle knows before anybody else does who took them.
  struct popped {
    std::vector<std::string> payloads;
    record_ranges which;
    bool spoilt = false; ///< some payload is no JSON
  };
  popped pop(std::size_t count, const char* by);
  /// What was popped did not get through.
  void unanswered(const record_ranges& which);
  /// `fd` negative: an inner subscriber.
  std::shared_ptr<subscriber> subscribe(channel what, int fd);
  void unsubscribe(const std::shared_ptr<subscriber>& s, const char* why);
  /// A message without a record to every usage subscriber.
  void push_control(const std::string& payload);
  /// Every usage subscriber of now seems to be gone without a word for so long.
  void make_ghosts(std::chrono::milliseconds time);
  /// After pushes were paused.
  void wake_subscribers();
  /// Takes notice of a config file edited by hand.
  void reload_config();

  void keep_newest(std::size_t details);

  struct numbers {
    std::int64_t requests = 0, failed = 0, tokens = 0;
    std::size_t details = 0, keys = 0, enforced = 0, banned = 0;
    std::uint64_t calls = 0, management_calls = 0, refused = 0;
    std::size_t queued = 0, subscribers = 0;
    std::uint64_t pushed = 0, popped = 0, expired = 0, lost = 0, dropped_subscribers = 0, attempts = 0;
  };
  [[nodiscard]] numbers now() const;
  /// What config.yaml holds.
  [[nodiscard]] config_values config() const;

private:
  using action = answer (node::*)(const request&, const switches&);
  static const std::map<std::string, action>& routes();
  static action find_route(const std::string& method, const std::string& path);

  answer management(const request& r, const switches& s, action act);
  answer client(const request& r, const switches& s, action act);

  // management API
  answer get_usage(const request&, const switches&);
  answer get_queue(const request&, const switches&);
  answer get_export(const request&, const switches&);
  answer post_import(const request&, const switches&);
  answer get_keys(const request&, const switches&);
  answer change_keys(const request&, const switches&);
  answer get_flag(const request&, const switches&);
  answer put_flag(const request&, const switches&);
  answer get_strategy(const request&, const switches&);
  answer get_auth_files(const request&, const switches&);
  answer get_auth_file_models(const request&, const switches&);
  answer delete_auth_files(const request&, const switches&);
  answer get_auth_file(const request&, const switches&);
  answer patch_auth_file(const request&, const switches&);
  answer get_login(const request&, const switches&);
  answer post_callback(const request&, const switches&);
  answer get_login_status(const request&, const switches&);
  answer delete_login(const request&, const switches&);
  answer post_api_call(const request&, const switches&);
  answer get_key_usage(const request&, const switches&);
  answer get_config(const request&, const switches&);
  answer get_config_yaml(const request&, const switches&);
  answer put_config_yaml(const request&, const switches&);
  answer get_latest_version(const request&, const switches&);
  answer get_logs(const request&, const switches&);
  answer get_error_logs(const request&, const switches&);
  answer get_model_definitions(const request&, const switches&);
  answer get_log_by_id(const request&, const switches&);
  answer get_nothing(const request&, const switches&);
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
  [[nodiscard]] std::string keys_json() const;
  [[nodiscard]] std::string config_file_text() const;
  void apply(const config_values& values);
  void remove_secret();
  void refresh();
  void add_version_headers(answer& a) const;
  [[nodiscard]] bool unsafe() const;
  made record(std::span<const attempt> attempts, bool patient);
  bool keep(std::span<const attempt> attempts, const std::string& fate, const std::string& to, messages* out,
            const twist& how);
  popped take(std::size_t count, const char* by);
  void push_errors(const attempt& a);
  void forget_old();
  void note(const std::string& fields);
  [[nodiscard]] bool queueing() const { return managed_ && (traits_.resp || traits_.queue_http); }
  [[nodiscard]] instant wall_now() const;
  [[nodiscard]] std::string trace_of(const attempt& a, const instant& now) const;

  const options options_;
  const traits traits_;
  const zone place_;
  surroundings around_;
  const instant started_;
  mutable std::mutex lock_; // guards what follows
  usage_store usage_;
  management_auth auth_;
  api_keys keys_;
  fake_upstream upstream_;
  credential_counters counters_;
  logins logins_;
  usage_queue queue_;
  std::vector<std::shared_ptr<subscriber>> subscribers_;
  std::uint64_t subscribers_ever_ = 0;
  std::uint64_t boot_ = 0;
  std::map<std::string, bool> flags_;
  int retention_ = -1; // as configured
  bool file_wiped_ = false;
  bool managed_ = true;         // there is a secret
  bool management_off_ = false; // the secret was taken out of the config while running
  std::string client_key_;      // of the client call being answered
  std::string file_seen_;       // the config file as last read or written
  std::int64_t file_looked_ms_ = 0;
  std::mt19937 ids_{std::random_device{}()};
  std::uint32_t new_id() { return static_cast<std::uint32_t>(ids_()); }
  std::string lines_, payload_; // kept for their memory
  messages batch_;
  attempt odd_;
  numbers counted_;
};

/// The wall clock in nanoseconds since 1970.
std::int64_t unix_now_ns();

} // namespace keyportal::cpa_sim
