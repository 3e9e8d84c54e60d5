// What is now: the latest of everything that pages show, and the frames that tell of changes. Pure.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "messages/actors.hpp"
#include "messages/live.hpp"

namespace keyportal {

/// Sums of a node's records at or after a moment, from the ledger.
using sums_since_fn = std::function<totals(const node_name&, moment)>;

class board {
public:
  /// `start` holds the nodes in configured order as the ledger knows them; `midnight` tells the beginning of the day
  /// that a moment lies in, in the zone that people here live in.
  board(std::vector<node_overview> start, std::function<moment(moment)> midnight, sums_since_fn sums_since, moment now);

  /// Each returns the frames that tell of it, possibly none; events are told by whoever knows who may see them.
  std::vector<live_frame_ptr> on(const committed& m, moment now);
  std::vector<live_frame_ptr> on(const node_condition& m, moment now);
  std::vector<live_frame_ptr> on(const restart_noticed& m, moment now);
  std::vector<live_frame_ptr> on(const snapshot_made& m, moment now);

  /// The ledger's position, before the first commit tells it.
  void begin_at(sequence position) { overview_.position = position; }
  /// A new day begins all of today's sums anew.
  [[nodiscard]] const overview& now_is(moment now);
  /// The overview; its position is the ledger's.
  [[nodiscard]] live_frame_ptr greeting(moment now);

private:
  node_overview* find(const node_name& node);
  void roll_day(moment now);
  live_frame_ptr usage_frame(const node_overview& node, moment now) const;

  overview overview_;
  std::function<moment(moment)> midnight_;
  sums_since_fn sums_since_;
  moment day_{};
};

/// Midnight before `t` in the process's time zone (TZ).
moment local_midnight(moment t);

} // namespace keyportal
