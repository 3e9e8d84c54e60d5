// What one process reads from and writes to the table of leases so that each duty has one holder. Decisions only: no
// I/O, no clock.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/cluster/duty_share.hpp"

namespace keyportal::cluster {

/// Of this process's own clock, which never goes back and goes on while the process or the machine sleeps (CLOCK_BOOTTIME).
/// Points of different processes are never compared.
using local_time = std::chrono::nanoseconds;

struct lease_settings {
  std::chrono::milliseconds ttl{3000};   ///< so long after its last renewal a lease may be another's
  std::chrono::milliseconds renew{1000}; ///< how often it is renewed
  std::chrono::milliseconds margin{500}; ///< so much earlier its holder stops: clocks go at different speeds
  std::chrono::milliseconds retry{200};  ///< between two writes of one row
};

/// A row of the table as it was seen, by a watch or a read.
struct lease_row {
  std::string key;
  std::string value;          ///< empty: there is none
  std::uint64_t revision = 0; ///< of the row's last change, removal included; grows with every change of the table
};

struct lease_step {
  enum class kind : std::uint8_t {
    put,    ///< `value`, if the row's revision is still `expected`; 0: if there is no row
    remove, ///< likewise
    look,   ///< read the row and tell by `see`, also that there is none
  };
  kind what = kind::look;
  std::string key;
  std::string value;
  std::uint64_t expected = 0;
};

enum class write_outcome : std::uint8_t { done, conflict, unknown };

/// What a value of the table says; nothing for what is not understood.
[[nodiscard]] std::string encode_lease(std::string_view holder);
[[nodiscard]] std::optional<std::string> decode_lease(std::string_view value);
[[nodiscard]] std::string encode_member(role_set roles, std::uint64_t beat);
[[nodiscard]] std::optional<role_set> decode_member(std::string_view value);

/// Promises, whatever is lost, late or doubled between it and the table, while the table's changes are one after the
/// other: no two processes `may_act` on a duty at one moment. Who was paused finds its time over when it wakes up. What it had
/// begun before carries an older `fence` than what its successor does. A duty whose holder died is another's after `ttl`
/// and the time of a write; one that was given back, after the time of a write. One thread.
class lease_plan {
public:
  lease_plan(lease_settings how, member self, std::vector<duty> duties);

  /// All duties there are now; those that are no more are given back.
  void set_duties(std::vector<duty> duties);
  void see(const lease_row& row, local_time now);
  /// What to write and read now. Each `put` and `remove` has to be answered by `wrote`, each `look` by `see`.
  [[nodiscard]] std::vector<lease_step> next(local_time now);
  /// How a step went; `revision` where it was done.
  void wrote(const std::string& key, write_outcome how, std::uint64_t revision, local_time now);
  /// From now on everything is given back and nothing taken.
  void leave() { leaving_ = true; }
  /// Everything is given back.
  [[nodiscard]] bool has_left() const;

  /// Looked at before each thing that is done for a duty, and after each wait.
  [[nodiscard]] bool may_act(const std::string& name, local_time now) const { return fence(name, now).has_value(); }
  /// What goes with every write for the duty: grows from holder to holder. Nothing when this process may not act.
  [[nodiscard]] std::optional<std::uint64_t> fence(const std::string& name, local_time now) const;
  /// Those that live, by what was seen of them, ourselves included unless we leave; ascending by id.
  [[nodiscard]] std::vector<member> members(local_time now) const;
  /// Who holds the duty by what was seen; empty: nobody.
  [[nodiscard]] std::string holder(const std::string& name) const;

private:
  struct row_state {
    std::string value;
    std::uint64_t revision = 0;
    local_time changed{}; ///< when this revision was first seen here
    bool seen = false;    ///< anything at all is known
    bool waiting = false; ///< for the outcome of a write
    bool unsure = false;  ///< a write of unknown outcome may have changed it
    bool look = false;    ///< somebody else changed it
    std::string written;  ///< what waits or is unsure
    local_time sent{};    ///< of the last write
    bool was_sent = false;
    std::optional<local_time> until; ///< ours, and we may act for so long
    std::uint64_t fence = 0;
  };
  [[nodiscard]] bool ours(const row_state& row) const;
  [[nodiscard]] bool free(const row_state& row, local_time now) const;
  void write(std::vector<lease_step>& out, lease_step::kind what, const std::string& key, std::string value,
             local_time now);
  void plan_duty(std::vector<lease_step>& out, const std::string& key, bool mine, bool has_heir, local_time now);
  void plan_self(std::vector<lease_step>& out, local_time now);

  lease_settings how_;
  member self_;
  std::vector<duty> duties_;
  std::map<std::string, row_state> rows_;
  std::uint64_t beat_ = 0;
  bool leaving_ = false;
};

} // namespace keyportal::cluster
