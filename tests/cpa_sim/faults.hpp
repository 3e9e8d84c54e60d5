// What goes wrong on command.
#pragma once

#include "http.hpp"

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

/// One thing that goes wrong. Names, and what `value` means to each:
///   on the connection  hang; response_lost; slow (`250` ms or `64000B/s`); truncate (bytes sent, default half);
///   in the answer      truncate_json; garbage; empty; wrong_type; numeric_auth_index; gigantic (MB, default 256);
///                      http_status (default 500); ban; wrong_key
///   inside the node    save_fails; lost_write; startup_502; cap1000
///   to the process     restart (down for ms); kill; frozen (ms, default until cleared); empty_config; tz (zone name)
///   to single records  odd_fields; malformed_payload; push_duplicate; push_garbage (the bytes); overflow
///   to subscribers     push_paused (ms, default until cleared); push_split (bytes); half_open (ms);
///                      control_object (JSON)
struct fault {
  std::string name;
  std::string value;
  int count = 0;    ///< only the next so many matching requests (or records); 0: until cleared
  std::string path; ///< only requests whose path begins so; a RESP command has the path `RESP LPOP`; empty: all
};

/// The paths by which faults of single records are taken: when one is pushed, queued, popped.
inline const std::string path_of_push = "\x01push", path_of_queue = "\x01queue", path_of_pop = "\x01pop";

/// Every name that `fault_list::add` takes.
const std::vector<std::string>& fault_names();

/// Thread-safe.
class fault_list {
public:
  /// False when the name is unknown.
  bool add(const fault& f);
  void clear();
  /// The faults that concern a request for `path`, each counted down.
  std::vector<fault> take(const std::string& path);
  [[nodiscard]] std::vector<fault> all() const;
  /// Removes those of that name; true when there was one.
  bool remove(const std::string& name);

private:
  std::atomic<std::size_t> count_{0}; // so that nobody waits for the lock when there is none
  mutable std::mutex lock_;
  std::vector<fault> faults_;
};

/// `value` as a number, or `otherwise`.
long number_of(const std::string& value, long otherwise);

/// An answer that replaces the node's, for faults that need none of its work.
std::optional<answer> instead(const fault& f);

/// Spoils the node's answer as the fault says; faults of other kinds leave it alone.
void spoil(answer& a, const fault& f);

} // namespace keyportal::cpa_sim
