// The stand-in whole: a node behind a port, its traffic, its faults, its restarts, and a control port.
#pragma once

#include "faults.hpp"
#include "listener.hpp"
#include "node.hpp"
#include "options.hpp"
#include "oracle.hpp"
#include "resp_connection.hpp"
#include "traffic.hpp"

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace keyportal::cpa_sim {

/// The steady clock in milliseconds.
std::int64_t steady_ms();

/// Runs from construction to destruction. All members may be called from any thread.
///
///   cpa_sim::server s{{.secret = "s", .keys = {"k"}}};
///   REQUIRE(s.problem().empty());
///   s.record(10); s.restart(); s.oracle_records();
class server {
public:
  explicit server(options o);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  /// Empty when it runs; else why it does not. `ended()` is then true too.
  [[nodiscard]] const std::string& problem() const { return problem_; }
  /// True once the stand-in has ended as the real one would, by itself (empty config file at a start).
  [[nodiscard]] bool ended() const { return ended_; }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] std::uint16_t control_port() const { return control_.port(); }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }
  [[nodiscard]] std::string control_url() const { return "http://127.0.0.1:" + std::to_string(control_.port()); }

  /// Like a crash and a new start: cuts all connections, forgets usage, failures and bans, keeps the config file and
  /// the oracle, refuses connections for `down`. Returns when it answers again.
  void restart(std::chrono::milliseconds down = std::chrono::milliseconds(0));

  /// Makes `count` invented attempts now; returns how many were recorded (0 while restarting or switched off).
  /// `patience`: how long a subscriber whose buffers are full may take to make room before it is dropped.
  std::size_t record(std::size_t count);
  std::size_t record(std::size_t count, std::chrono::milliseconds patience);
  /// Records exactly these.
  bool record(const std::vector<cpa_sim::record>& records);
  bool record(const std::vector<attempt>& attempts);
  /// Invented records a second from now on.
  void set_rate(double records_per_second);

  /// Everything ever recorded live; imports are not in it.
  [[nodiscard]] std::vector<remembered> oracle_records() const;

  /// A second consumer inside the stand-in: `pop` takes what is queued every `every`, at most `most` records;
  /// `subscribe` is a subscriber that is never slow, also after restarts; `off`. False for another mode.
  bool rival(const std::string& mode, std::chrono::milliseconds every = std::chrono::milliseconds(100),
             std::size_t most = 1000);

  /// What became of every record so far, by its number.
  [[nodiscard]] std::map<std::uint64_t, fate> fates() const;

  /// Begins a fault (see faults.hpp). False when the name or its value makes no sense.
  bool fault(const cpa_sim::fault& f);
  void clear_faults();

  /// Its accounts, and how logins with providers come out.
  account_room& accounts() { return accounts_; }

  [[nodiscard]] node::numbers numbers() const;
  /// The JSON that `GET /state` of the control port answers.
  [[nodiscard]] std::string state_json() const;

private:
  answer serve(const request& r);
  answer control(const request& r);
  answer control_fault(const request& r);
  std::optional<twist> next_twist(const std::string& path);
  void serve_resp(int fd, int stop_fd, const std::string& peer);
  void let_rival_work();
  std::size_t record(std::span<const attempt> attempts, std::chrono::milliseconds patience);
  void preload();
  bool begin(std::string& why);
  void worker();
  void emit_traffic(double seconds);
  void restart_now(std::chrono::milliseconds down);
  void ask_restart(std::chrono::milliseconds down, bool wait);
  [[nodiscard]] std::shared_ptr<node> current() const;

  options options_;
  std::string problem_;
  std::uint16_t port_ = 0;
  std::atomic<bool> ended_{false};
  std::atomic<bool> down_{false};
  std::atomic<std::uint64_t> restarts_{0};
  std::atomic<std::int64_t> starting_until_ms_{0}; // on the steady clock
  fault_list faults_;

  push_manner manner_;
  oracle memory_;
  account_room accounts_;
  double owed_ = 0; // traffic not yet made; the worker's own

  std::mutex record_lock_; // guards traffic_; held while a batch is recorded
  traffic traffic_;

  mutable std::mutex lock_; // guards what follows
  std::condition_variable changed_;
  zone place_;
  std::shared_ptr<node> node_;
  std::map<std::string, std::uint64_t> calls_by_path_;
  double rate_ = 0;
  bool stopping_ = false;
  std::optional<std::chrono::milliseconds> restart_asked_;
  std::uint64_t restarts_asked_ = 0, restarts_done_ = 0;
  std::optional<steady_time> thaw_at_, push_on_at_;
  std::string rival_mode_ = "off";
  std::chrono::milliseconds rival_every_{100};
  std::size_t rival_most_ = 1000;
  steady_time rival_last_{};
  std::shared_ptr<node> rival_node_;
  std::shared_ptr<subscriber> rival_;

  listener front_;
  listener control_;
  std::thread worker_;
};

} // namespace keyportal::cpa_sim
