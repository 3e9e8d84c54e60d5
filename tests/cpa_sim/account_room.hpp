// The accounts with providers: their files, how they are, what their providers say of their quota, and everything that
// was ever asked for. Outlives restarts, as the folder of the files does. Thread-safe.
#pragma once

#include "credentials.hpp"
#include "http.hpp"

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

/// One file of the folder.
struct auth_file {
  std::string name;
  std::string provider; ///< "claude", "codex", …
  std::string email;
  std::string auth_index;
  std::string plan;
  std::string account_id; ///< of codex
  std::string project;    ///< of antigravity and gemini-cli
  bool disabled = false;
  std::string status, message; ///< as told; empty: what the counters say
  bool unavailable = false;
  std::int64_t rests_until_ms = 0; ///< 0: not told
  std::int64_t made_ms = 0, changed_ms = 0, refreshed_ms = 0, ends_ms = 0;
  std::int64_t shown_from_ms = 0; ///< the list is late
  std::string note;
  // of its provider
  int quota_status = 200;
  std::string quota_body; ///< instead of the usual one
  int quota_slow_ms = 0;
  double used_short = 10, used_long = 20; ///< percent of 5 h and of a week
  std::uint64_t version = 1;              ///< of its content
};

/// How logins come out from now on.
struct login_manner {
  int exchange_ms = 100;
  int list_late_ms = 50;
  std::string outcome; ///< empty: well; else the error's text
  std::string email;   ///< of the next account; empty: invented
  std::string plan = "plus";
  bool no_file = false; ///< said to be well, and no file comes
  bool never = false;   ///< goes on waiting
  int ends_after_ms = 300'000;
};

class account_room {
public:
  explicit account_room(const std::vector<credential>& given, std::int64_t now_ms);

  /// What can be seen of the folder.
  [[nodiscard]] std::vector<auth_file> shown(std::int64_t now_ms) const;
  [[nodiscard]] std::optional<auth_file> find(const std::string& name) const;
  [[nodiscard]] std::optional<auth_file> find_index(const std::string& auth_index) const;
  /// False when there is no such file.
  bool set_disabled(const std::string& name, bool disabled, std::int64_t now_ms);
  bool set_note(const std::string& name, const std::string& note, std::int64_t now_ms);
  bool remove(const std::string& name);
  std::size_t remove_all();
  /// What a login ends with. Its name.
  std::string save_login(const std::string& session_provider, const std::string& project, const std::string& version,
                         std::int64_t now_ms);

  [[nodiscard]] login_manner manner() const;
  /// True the first time.
  bool use_code(const std::string& code);
  void note_login(const std::string& line);
  void note_call(const std::string& auth_index, const std::string& url, std::int64_t now_ms);

  /// The control port: sets what the query names; the answer says what is wrong, or nothing.
  std::string control_account(const request& r, std::int64_t now_ms);
  std::string control_logins(const request& r);
  [[nodiscard]] std::string record_json() const;
  /// The state of the newest device login, for whoever approves it.
  void device_began(const std::string& state);
  [[nodiscard]] std::string newest_device() const;
  /// What a person did at the provider's page: "approve", "deny" or nothing yet.
  void decide_device(const std::string& state, const std::string& what);
  [[nodiscard]] std::string device_decision(const std::string& state) const;

private:
  auth_file* at(const std::string& name);
  mutable std::mutex lock_;
  std::map<std::string, auth_file> files_; // by name
  login_manner manner_;
  std::set<std::string> codes_;
  std::vector<std::string> logins_; // JSON objects
  struct call {
    std::string auth_index, url;
    std::int64_t at_ms;
  };
  std::vector<call> calls_;
  std::vector<std::string> changes_;
  std::string newest_device_;
  std::map<std::string, std::string> devices_;
  std::uint64_t logins_ever_ = 0;
};

/// What the provider answers to a question for quota; nothing for an address that is none of its.
std::optional<std::string> quota_answer(const auth_file& of, const std::string& url, std::int64_t now_ms);
/// The credential as it lies in the folder; holds tokens.
std::string credential_text(const auth_file& of);

} // namespace keyportal::cpa_sim
