// The poller at a node that has `/usage`: each answer is compared with what is known, and what is new is handed on.
#include <algorithm>

#include "actors/poller/poller_core.hpp"
#include "actors/telemetry/log.hpp"

namespace keyportal {

namespace {

/// After a restart the old process's lists mean nothing: the new ones replace them all.
collection to_collection(const poller_core& core, cpa::usage_reading& reading, bool anew) {
  collection out;
  out.node = core.settings.node;
  out.seen_at = core.settings.now();
  out.groups = std::make_shared<const std::vector<record_group>>(std::move(reading.fresh));
  out.forget_marks = anew;
  out.marks = reading.marks;
  out.counters = reading.counters;
  return out;
}

} // namespace

void poller_core::judge(self_ptr self, usage_answer answer) {
  auto read = book.read(*answer.body);
  if (!read)
    return failed(self, read.error());
  condition.version = answer.version;
  condition.answer_bytes = answer.body->size();
  condition.poll_ms = answer.took_ms;
  answer.body.reset(); // megabytes that nobody needs while the disk works
  auto reading = std::make_shared<cpa::usage_reading>(std::move(*read));
  const observation seen{settings.node,
                         settings.now(),
                         reading->counters,
                         reading->lists_known,
                         reading->lists_broken,
                         reading->lists_capped,
                         reading->details_gone,
                         reading->marker_gone,
                         plan.connection_lost(),
                         last_seen_at,
                         before};
  self->request(peers.detector, ledger_patience, seen)
    .then(
      [this, self, reading](verdict& judged) {
        switch (judged.is) {
          case verdict::kind::suspect:
            log::info("poller", "restart-suspected", "Restart suspected at {}: looking again", settings.node);
            plan.poll_again();
            return ended(self);
          case verdict::kind::restarted:
          case verdict::kind::same: return commit(self, reading, std::move(judged));
        }
      },
      [this, self](const caf::error& e) { failed(self, e); });
}

void poller_core::commit(self_ptr self, std::shared_ptr<cpa::usage_reading> reading, verdict judged) {
  const bool anew = judged.is == verdict::kind::restarted;
  auto message = to_collection(*this, *reading, anew);
  auto restart = std::make_shared<restart_record>(std::move(judged.restart));
  if (anew) {
    restart->number = restarts + 1;
    message.facts = facts_of(*restart, gaps + 1);
  } else if (judged.gap) {
    judged.gap->number = gaps + 1;
    message.facts = facts_of(*judged.gap);
  }
  const bool has_gap = message.facts.has_value();
  const auto seen_at = message.seen_at;
  self->request(peers.ledger, ledger_patience, std::move(message))
    .then(
      [this, self, reading, restart, anew, has_gap, seen_at](const committed& done) {
        const auto now = self->clock().now();
        book.accept(*reading, anew);
        before = reading->counters;
        last_seen_at = seen_at;
        plan.poll_succeeded(now);
        note_held(done.at_node);
        gaps += has_gap;
        numbers.polls_ok.Increment();
        numbers.records.Increment(static_cast<double>(done.records->size()));
        numbers.duplicates.Increment(static_cast<double>(done.duplicates));
        if (done.refused > 0)
          log::info("poller", "too-old", "{}: {} records of days whose raw records are gone were not entered",
                    settings.node, done.refused);
        if (anew) {
          tell_restart(self, *restart);
          shortfall = 0;
        } else {
          compare_with_ledger(self, *reading);
        }
        if (std::exchange(keeper_waits, false))
          self->send(peers.keeper, node_seen{});
        if (!std::exchange(looked, true) && peers.keys)
          self->send(peers.keys, node_seen{});
        if (settings.boot_marker && !reading->marker_here)
          self->send(peers.keeper, place_marker{});
        condition.last_poll = seen_at;
        condition.collecting = "usage";
        condition.counters = reading->counters;
        tell(self, node_condition::light::up, {});
        ended(self);
      },
      [this, self](const caf::error& e) { failed(self, e); });
}

void poller_core::note_held(const std::vector<std::pair<node_name, std::int64_t>>& at_node) {
  for (const auto& [node, records] : at_node)
    if (node == settings.node)
      held = records;
}

/// All that the ledger counted of a node, the node must hold, but for what had gone here when the node lost it. Told once per shortfall: a node that cannot be filled (a
/// version that caps its lists) is not tried at every poll.
void poller_core::compare_with_ledger(self_ptr self, const cpa::usage_reading& reading) {
  // Held when the node was asked: its queue may have brought newer ones since.
  const auto lacking = std::max<std::int64_t>(0, held_at_fetch - static_cast<std::int64_t>(reading.details));
  if (lacking > 0 && lacking != shortfall)
    self->send(peers.keeper, restore_wanted{});
  shortfall = lacking;
}

} // namespace keyportal
