// Tells a restart of CPA from everything that looks like one. Pure.
#pragma once

#include "messages/actors.hpp"

namespace keyportal {

/// A CPA process only ever appends to its lists of details, and an import appends too. So lists that are gone, shorter
/// or begin otherwise mean another process, however high its totals; so do fewer requests than the node counted before
/// (it may have restarted before what was restored was seen in its lists). Nothing else means one: not falling token
/// totals (an import may carry negative ones), not silence, not another clock. One look may have met a foreign answer
/// (a proxy's empty page), so a second one must say the same before a restart is declared.
class restart_rules {
public:
  verdict judge(const observation& seen);

private:
  void note_busiest(double records, double seconds);

  bool suspected_ = false;
  double records_per_second_ = 0; ///< recent traffic, for the estimate of what was lost unseen
  double busiest_ = 0; ///< records a second between two looks, forgotten within the hour; nodes without lists
};

} // namespace keyportal
