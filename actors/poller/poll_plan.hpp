// When to look at a node, and whether it is there. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "messages/errors.hpp"

namespace keyportal {

struct poll_settings {
  std::chrono::milliseconds interval{3'000};
  std::chrono::milliseconds probe_interval{500};
  int slack = 10; ///< the next poll begins no sooner than this many times the last one's duration after its beginning
};

/// Decides between doing nothing, a cheap probe and a poll; at most one of them is under way. Tells apart a node that
/// is away (probed quickly, polled the moment it is back) and one that refuses us (left alone, so that it does not ban).
class poll_plan {
public:
  using time = std::chrono::steady_clock::time_point;
  enum class step { nothing, probe, poll };

  explicit poll_plan(poll_settings settings) : settings_(settings) {}

  /// What to do now; the caller does it and reports its end with one of the functions below.
  step next(time now);

  /// When `next` should be asked again, as long as nothing is under way.
  [[nodiscard]] time wake_at() const { return away_ ? next_probe_ : std::min(next_poll_, next_probe_); }

  void poll_succeeded(time now);
  /// So much of the poll under way is waiting by ourselves, which costs the node nothing.
  void paused(std::chrono::milliseconds how_long) { paused_ += how_long; }
  /// The poll raised a suspicion: look again at once.
  void poll_again();
  /// From now on polls come this far apart at the least.
  void set_interval(std::chrono::milliseconds interval) { settings_.interval = interval; }
  /// Somebody wants a look at once; a node that refused us is left alone all the same.
  void poll_soon();
  /// Another connection to the node was lost: look at once, and as at a node that may be another process.
  void connection_dropped() {
    dropped_ = true;
    poll_soon();
  }
  /// `wait`: for node_banned, how long the ban lasts.
  void poll_failed(time now, errc why, std::chrono::seconds wait = {});
  void probe_succeeded(time now, bool new_connection);
  void probe_failed(time now);

  /// The connection was lost since the last successful poll.
  [[nodiscard]] bool connection_lost() const { return connection_lost_ || dropped_at_begin_; }
  /// The node refused our key or us; nothing more is asked of it until it restarts or the time is over.
  [[nodiscard]] bool refused() const { return refused_; }
  /// Probes are answered, but the last polls were cut off without an answer.
  [[nodiscard]] bool cut_off() const { return cut_polls_ >= 2; }

  /// A change worth telling, once each: true = the node is there, false = it has been away for a second.
  std::optional<bool> link_change(time now);

private:
  void lost(time now);
  void found(time now);

  poll_settings settings_;
  step under_way_ = step::nothing;
  time poll_began_{};
  std::chrono::milliseconds paused_{0}; ///< since then
  time next_poll_{};
  time next_probe_{};
  std::chrono::milliseconds backoff_{0};
  int cut_polls_ = 0; ///< in a row, with no failed probe between them
  bool connection_lost_ = false;
  bool dropped_ = false;          ///< told by connection_dropped, not yet looked at
  bool dropped_at_begin_ = false; ///< and the poll under way is that look
  bool connection_lasts_ = false;
  bool refused_ = false;
  bool away_ = false;
  time away_since_{};
  std::optional<bool> told_; ///< what link_change said last
};

} // namespace keyportal
