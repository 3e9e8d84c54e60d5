// What a stand-in is started with.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

/// One upstream model and the name clients ask for.
struct model_name {
  std::string alias;
  std::string upstream;
};

/// One upstream account: by OAuth (a file, `label` is its e-mail), or an upstream key of the config (`label`).
struct account {
  std::string provider; ///< codex, claude, antigravity, gemini, …; decides how tokens are counted
  std::string label;
  std::string model; ///< what invented traffic asks it for
  bool file = true;
};

/// A dozen accounts for invented traffic, always the same.
std::vector<account> invented_accounts();

struct options {
  std::uint16_t port = 0;         ///< 0: any
  std::uint16_t control_port = 0; ///< 0: any
  std::string version = "6.9.49"; ///< decides everything that differs between versions; see version.hpp
  std::string secret = "demo-management-key";
  bool allow_remote = false;
  std::vector<std::string> keys; ///< client keys; those in the state file win
  bool statistics = true;        ///< usage-statistics-enabled
  int retention = -1;            ///< redis-usage-queue-retention-seconds; negative: not in the config
  std::string time_zone = "Asia/Shanghai";
  std::string state_file;    ///< config.yaml of the stand-in; empty: kept in memory
  std::string oracle_file;   ///< empty: a temporary file
  bool oracle_brief = false; ///< lines without payload
  double rate = 0;           ///< records a second made by itself
  std::uint64_t seed = 1;
  std::size_t preload = 0;                      ///< records to begin with, when the oracle has none yet
  std::chrono::milliseconds bcrypt{0};          ///< processor time of one management call; the real one: 70
  std::chrono::milliseconds reload_delay{150};  ///< from a key write to its enforcement
  std::chrono::milliseconds reload_run{10};     ///< while the reload runs, a further write is lost
  std::chrono::milliseconds starting_up{0};     ///< clients get 502 for so long after a start; the real one: 100
  bool silent_socket_blocks = true;             ///< one connected, silent client keeps all others out, up to 7.0.2
  std::chrono::milliseconds first_byte{10'000}; ///< from 7.0.3: a connection that is silent so long is closed
  std::chrono::milliseconds push_patience{250}; ///< how long invented traffic waits for a full subscriber
  bool may_kill_itself = false;                 ///< the fault "kill" ends the process; else it restarts in place
  std::string provider = "fakeup";
  std::string provider_url = "http://127.0.0.1:18900/v1";
  std::vector<std::string> upstream_keys{"up-key-A", "up-key-B"};
  std::vector<model_name> models{{"team-model", "up-model-1"}, {"team-model-2", "up-model-2"}};
  std::vector<account> accounts = invented_accounts(); ///< beside the upstream keys
};

} // namespace keyportal::cpa_sim
