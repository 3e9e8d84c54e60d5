#include "actors/restart_detector/restart_rules.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace keyportal {

namespace {

/// What a node without lists shows. Its counters fall with a restart, or are soon higher again; then the ledger holds
/// more of this process than it counts. Those of one account fall as well when it is taken away and added again, but
/// the connection lasts then.
std::vector<std::string> evidence_of_accounts(const observation& seen) {
  std::vector<std::string> out;
  const bool all_fell = seen.accounts_known > 1 && seen.accounts_fell == seen.accounts_known;
  if (seen.version_changed)
    out.push_back("the node is of another version");
  if (seen.accounts_fell > 0 && (all_fell || seen.connection_lost))
    out.push_back(fmt::format("the counters of {} of {} accounts fell", seen.accounts_fell, seen.accounts_known));
  if (seen.records_surplus > 0 && seen.connection_lost)
    out.push_back(fmt::format("it counts {} records less than came of it", seen.records_surplus));
  return out;
}

} // namespace

void restart_rules::note_busiest(double records, double seconds) {
  if (seconds > 0)
    busiest_ = std::max(busiest_ * std::exp(-seconds / 1'800), records / std::max(seconds, 0.1));
}

verdict restart_rules::judge(const observation& seen) {
  verdict out;
  const double seconds = std::chrono::duration<double>(seen.at - seen.last_seen_at).count();
  const bool counts_less = !seen.by_accounts && seen.counters.requests < seen.before.requests;
  const auto by_accounts = seen.by_accounts ? evidence_of_accounts(seen) : std::vector<std::string>{};
  if (seen.lists_broken == 0 && !counts_less && !seen.marker_gone && by_accounts.empty()) {
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
      note_busiest(static_cast<double>(made), seconds);
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
  if (seen.by_accounts) {
    r.state = restore_state::impossible;
    note_busiest(static_cast<double>(seen.records_came), seconds);
    // At most what twice the busiest traffic would have made, less what came; and what the old process had counted and
    // never gave.
    const auto most = std::ceil(2 * busiest_ * seconds) - static_cast<double>(seen.records_came);
    r.expected_loss = static_cast<std::uint64_t>(std::max(0.0, most)) + seen.records_missing;
  }
  if (seen.lists_broken > 0)
    r.evidence.push_back(fmt::format("{} of {} lists with {} requests seen before are gone or begin anew",
                                     seen.lists_broken, seen.lists_known, seen.details_gone));
  if (counts_less)
    r.evidence.push_back(fmt::format("the node counts {} requests where it counted {} before", seen.counters.requests,
                                     seen.before.requests));
  r.evidence.insert(r.evidence.end(), by_accounts.begin(), by_accounts.end());
  if (seen.marker_gone)
    r.evidence.push_back("the boot marker is gone");
  if (seen.connection_lost)
    r.evidence.push_back("the connection to the node was lost in between");
  return out;
}

} // namespace keyportal
