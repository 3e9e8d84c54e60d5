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

struct options {
  std::uint16_t port = 0;         ///< 0: any
  std::uint16_t control_port = 0; ///< 0: any
  std::string version = "6.9.49"; ///< decides the small differences between versions of era A
  std::string secret = "demo-management-key";
  bool allow_remote = false;
  std::vector<std::string> keys; ///< client keys; those in the state file win
  bool statistics = true;        ///< usage-statistics-enabled
  std::string time_zone = "Asia/Shanghai";
  std::string state_file;  ///< config.yaml of the stand-in; empty: kept in memory
  std::string oracle_file; ///< empty: kept in memory
  double rate = 0;         ///< records a second made by itself
  std::uint64_t seed = 1;
  std::size_t preload = 0;                     ///< records to begin with, when the oracle has none yet
  std::chrono::milliseconds bcrypt{0};         ///< processor time of one management call; the real one: 70
  std::chrono::milliseconds reload_delay{150}; ///< from a key write to its enforcement
  std::chrono::milliseconds reload_run{10};    ///< while the reload runs, a further write is lost
  std::chrono::milliseconds starting_up{0};    ///< clients get 502 for so long after a start; the real one: 100
  bool silent_socket_blocks = true;            ///< one connected, silent client keeps all others out
  bool may_kill_itself = false;                ///< the fault "kill" ends the process; else it restarts in place
  std::string provider = "fakeup";
  std::string provider_url = "http://127.0.0.1:18900/v1";
  std::vector<std::string> upstream_keys{"up-key-A", "up-key-B"};
  std::vector<model_name> models{{"team-model", "up-model-1"}, {"team-model-2", "up-model-2"}};
};

/// What of era A depends on the version.
struct traits {
  bool latency = true;       ///< latency_ms, from 6.9.1
  bool healthz = true;       ///< from 6.9.10
  bool healthz_head = true;  ///< from 6.9.31
  bool ban_localhost = true; ///< from 6.9.38
  bool api_key_usage = true; ///< from 6.9.47
  std::size_t newest = 0;    ///< 6.6.96 kept the newest 1000 details of each list only
};
traits traits_of(const std::string& version);

} // namespace keyportal::cpa_sim
