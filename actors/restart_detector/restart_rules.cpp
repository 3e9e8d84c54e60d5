#include "actors/restart_detector/restart_rules.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace keyportal {

verdict restart_rules::judge(const observation& seen) {
  verdict out;
  const double seconds = std::chrono::duration<double>(seen.at - seen.last_seen_at).count();
  const bool counts_less = seen.counters.requests < seen.before.requests;
  if (seen.lists_broken == 0 && !counts_less && !seen.marker_gone) {
    suspected_ = false;
    if (seen.connection_lost && seen.lists_known == 0 && seen.before.requests == 0 && seen.last_seen_at != moment{})
      out.gap = gap_record{
        seen.node, 0, seen.last_seen_at,
        seen.at,   0, "the node was away before anything was seen of it; what it recorded until then may be gone"};
    const auto made = seen.counters.requests - seen.before.requests;
    if (seen.last_seen_at != moment{} && seconds > 0 && made >= 0) {
      // Half a minute of memory: long enough to be calm, short enough to follow the day.
      const double share = 1 - std::exp(-seconds / 30);
      records_per_second_ += share * (static_cast<double>(made) / seconds - records_per_second_);
    }
    return out;
  }
  if (!suspected_) {
    suspected_ = true;
    out.is = verdict::kind::suspect;
    return out;
  }
  suspected_ = false;
  out.is = verdict::kind::restarted;
  auto& r = out.restart;
  r.node = seen.node;
  r.noticed_at = seen.at;
  r.last_seen_at = seen.last_seen_at;
  r.before = seen.before;
  r.after = seen.counters;
  r.expected_loss = static_cast<std::uint64_t>(std::max(0.0, std::round(records_per_second_ * seconds)));
  if (seen.lists_broken > 0)
    r.evidence.push_back(fmt::format("{} of {} lists with {} requests seen before are gone or begin anew",
                                     seen.lists_broken, seen.lists_known, seen.details_gone));
  if (counts_less)
    r.evidence.push_back(fmt::format("the node counts {} requests where it counted {} before", seen.counters.requests,
                                     seen.before.requests));
  if (seen.marker_gone)
    r.evidence.push_back("the boot marker is gone");
  if (seen.connection_lost)
    r.evidence.push_back("the connection to the node was lost in between");
  return out;
}

} // namespace keyportal
