// For tests only: named points on the way of a record, or of a key, at which the process ends itself as by `kill -9`.
//
//     KEYPORTAL_END_AT=kept:3 keyportal serve        ends at the third passing of `kept`
//
// Without the variable a point costs the reading of one byte.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

namespace keyportal {

enum class fail_at : std::uint8_t {
  nowhere,
  received,       ///< taken from the node, not yet in the inbox
  kept,           ///< synced in the inbox, not decoded
  decoded,        ///< not yet committed
  committed,      ///< synced in the ledger, nobody was told
  published,      ///< JetStream has it, the outbox does not know
  decided,        ///< a command of the registry, not on its way to the disk
  appended,       ///< synced in the registry's log, nobody was told
  ordered,        ///< a change of a node's keys is about to be sent
  written,        ///< the node answered it, nothing was tried
  seen,           ///< the key was seen to be as it should, the registry does not know
  closed,         ///< a day of raw records is closed, and still there
  retired,        ///< it went, its disk is not given back
  copied,         ///< a backup's file is written, the backup is not listed
  decided_notice, ///< notices are on disk with the position, none is in the queue
  queued_notice,  ///< in the queue
  taken_notice,   ///< out of the queue, no attempt is noted
  begun_notice,   ///< an attempt is noted, nothing is sent
  sent_notice,    ///< the channel answered, its answer is not noted
  noted_notice,   ///< it is, the queue still has the order
};

namespace fail_point_detail {
inline std::atomic<fail_at> chosen{fail_at::nowhere};
void passed(); ///< the chosen one
} // namespace fail_point_detail

inline void fail_point(fail_at here) {
  if (fail_point_detail::chosen.load(std::memory_order_relaxed) == here)
    fail_point_detail::passed();
}

/// "point:n", the value of KEYPORTAL_END_AT. False, and nothing is changed, when it is not understood.
bool choose_fail_point(std::string_view text);

} // namespace keyportal
