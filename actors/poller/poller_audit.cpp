// The poller at a node without `/usage`: its records come by the collector, and its counters say whether all of them did.
#include <algorithm>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/account_book.hpp"
#include "actors/poller/poller_core.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {
using namespace std::chrono_literals;
constexpr std::int64_t least_retention_s = 3'600;
} // namespace

void poller_core::recall_audits(self_ptr self) {
  self->request(peers.ledger, ledger_patience, recall_audit{settings.node})
    .then(
      [this, self](const audit_memory& memory) {
        self->request(peers.ledger, ledger_patience, list_incompletes{settings.node, 1000})
          .then(
            [this, self, memory](const std::vector<incomplete_record>& newest) {
              audits.recall(memory, newest);
              if (memory.boot > 0) {
                before = {};
                for (const auto& one : memory.credentials) {
                  before.requests += one.node_ok + one.node_failed;
                  before.ok += one.node_ok;
                  before.failed += one.node_failed;
                  held_at_look += static_cast<std::uint64_t>(one.held_ok + one.held_failed);
                }
                last_seen_at = std::max(last_seen_at, memory.compared_at);
              }
              act(self);
            },
            [self](const caf::error& e) { self->quit(e); });
      },
      [self](const caf::error& e) { self->quit(e); });
}

void poller_core::look_for_queue(self_ptr self, const caf::error& why) {
  self->request(peers.upstream, caf::infinite, find_era{})
    .then([this, self](const era_answer& found) { found_era(self, found); },
          [this, self, why](const caf::error& e) { failed(self, code_of(e) == errc::node_without_usage ? why : e); });
}

void poller_core::found_era(self_ptr self, const era_answer& found) {
  if (!era)
    log::info("poller", "era", "{}: CLIProxyAPI {} keeps no totals; its records are taken out of its queue",
              settings.node, found.version);
  era = found;
  plan.set_interval(std::max(settings.poll.interval, settings.audit_interval));
  const bool off = found.statistics_enabled == false;
  const bool brief = found.retention_s && *found.retention_s < least_retention_s;
  if (settings.mend_settings && (off || brief) && !mended) {
    mended = true; // once a life of ours: an operator who takes it back means it
    self->request(peers.upstream, caf::infinite, mend_settings{off, brief ? least_retention_s : 0})
      .then(
        [this, self](const settings_mended&) {
          log::info("poller", "mended", "{}: usage-statistics-enabled and the queue's retention are set",
                    settings.node);
          look_for_queue(self, {});
        },
        [this, self](const caf::error& e) {
          log::warn("poller", "mended", "{}: its settings could not be changed: {}", settings.node, render(e));
          audit(self);
        });
    return;
  }
  audit(self);
}

/// What keeps the node from giving its usage out, with the line that changes it.
std::string poller_core::advice() const {
  if (!era || era->has_usage)
    return {};
  if (era->statistics_enabled == false)
    return fmt::format(
      "{}: records no usage; put the line `usage-statistics-enabled: true` into its config.yaml, or set "
      "collect.manage_cpa_settings",
      settings.node);
  if (era->retention_s && *era->retention_s < least_retention_s)
    return fmt::format(
      "{}: forgets records that nobody took for {} s; put the line "
      "`redis-usage-queue-retention-seconds: {}` into its config.yaml, or set collect.manage_cpa_settings",
      settings.node, *era->retention_s, least_retention_s);
  return {};
}

void poller_core::audit(self_ptr self) {
  self->request(peers.ledger, ledger_patience, recall_audit{settings.node})
    .then([this, self](audit_memory& held_before) { read_counters(self, std::move(held_before)); },
          [this, self](const caf::error& e) { failed(self, e); });
}

void poller_core::read_counters(self_ptr self, audit_memory held_before) {
  look = {};
  look.before = std::move(held_before);
  self->request(peers.upstream, caf::infinite, fetch_accounts{})
    .then(
      [this, self](const accounts_answer& answer) {
        auto counters = cpa::read_accounts(settings.node, *answer.files, *answer.keys, answer.version);
        if (!counters)
          return failed(self, counters.error());
        look.counters = std::move(*counters);
        look.version = answer.version;
        condition.version = answer.version;
        condition.poll_ms = answer.took_ms;
        condition.answer_bytes = answer.files->size() + answer.keys->size();
        look.at = settings.now();
        judge_counters(self);
      },
      [this, self](const caf::error& e) { failed(self, e); });
}

/// A new process is told at once; of the same one what was under way is given time to arrive.
void poller_core::judge_counters(self_ptr self) {
  const auto says = audits.compare_process(look);
  node_counters now;
  for (const auto& one : look.counters) {
    now.requests += one.ok + one.failed;
    now.ok += one.ok;
    now.failed += one.failed;
  }
  condition.counters = now;
  observation seen;
  seen.node = settings.node;
  seen.at = look.at;
  seen.counters = now;
  // Of our own absence nothing is known.
  seen.connection_lost = plan.connection_lost() || (first_look && before.requests > 0);
  seen.last_seen_at = last_seen_at;
  seen.before = before;
  seen.by_accounts = true;
  seen.accounts_known = says.known;
  seen.accounts_fell = says.fell;
  seen.records_surplus = says.surplus;
  seen.version_changed = says.version_changed;
  seen.records_missing = condition.missing;
  std::uint64_t held_now = 0;
  for (const auto& one : look.before.credentials)
    held_now += static_cast<std::uint64_t>(one.held_ok + one.held_failed);
  seen.records_came = held_now - std::min(held_now, held_at_look);
  self->request(peers.detector, ledger_patience, seen)
    .then(
      [this, self](verdict& judged) {
        look_says = std::move(judged);
        switch (look_says.is) {
          case verdict::kind::suspect:
            log::info("poller", "restart-suspected", "Restart suspected at {}: looking again", settings.node);
            plan.poll_again();
            return ended(self);
          case verdict::kind::restarted: return compare(self);
          case verdict::kind::same: self->delayed_send(self, audit_grace, audit_grace_over{}); return;
        }
      },
      [this, self](const caf::error& e) { failed(self, e); });
}

void poller_core::compare(self_ptr self) {
  self->request(peers.ledger, ledger_patience, recall_audit{settings.node})
    .then(
      [this, self](audit_memory& after) {
        look.after = std::move(after);
        // Asked only now: whatever came until the counters were read is known to it.
        self->request(peers.collector, ledger_patience, read_queue_state{})
          .then([this, self](const queue_state& queue) { commit_audit(self, look_says, queue); },
                [this, self](const caf::error& e) { failed(self, e); });
      },
      [this, self](const caf::error& e) { failed(self, e); });
}

/// What the comparison found, and the restart or gap that the detector declared, as one entry; `found` is what to tell.
journal_entry poller_core::audit_entry(const verdict& judged, const restart_record& restart, const queue_state& queue,
                                       audit_book::finding& found) {
  const bool anew = judged.is == verdict::kind::restarted;
  journal_entry entry;
  if (anew) {
    entry = facts_of(restart, gaps + 1);
    // What the ledger held when the new process was first connected to. Where there was no connection since, nothing
    // has come of it; but pops over HTTP need none that we would know of.
    const auto first = std::find_if(queue.connections.begin(), queue.connections.end(),
                                    [&](const auto& c) { return c.opened_at > last_seen_at; });
    const auto* held_then = first != queue.connections.end()     ? &first->held
                            : queue.mode == queue_mode::http_pop ? nullptr
                                                                 : &look.after.credentials;
    audits.begin_boot(look, held_then);
  } else if (judged.gap) {
    auto gap = *judged.gap;
    gap.number = gaps + 1;
    entry = facts_of(gap);
  }
  found = audits.compare(look);
  for (const auto& c : audits.memory().credentials)
    log::debug("poller", "audit", "{}: account {}: counts {} + {}, base {} + {}", settings.node, c.auth_index,
               c.node_ok, c.node_failed, c.base_ok, c.base_failed);
  const auto tell_incomplete = [&](incomplete_record record, bool is_new) {
    record.node = settings.node;
    auto body = nlohmann::json::parse(incomplete_body(record));
    if (!record.closed_at && queue.connected && queue.mode != queue_mode::subscribe)
      body["starved"] = true; // it is most likely that somebody else takes them
    entry.events.push_back({0, event_kind::incomplete, settings.node, look.at, dump(body)});
    log::warn("poller", "incomplete", "{}: {} records of account {} {}", settings.node,
              record.missing_ok + record.missing_failed, record.credential,
              record.closed_at ? "that were missing have come" : "were counted by the node and never arrived");
    if (is_new)
      record.number = 0;
    entry.incompletes.push_back(std::move(record));
  };
  for (const auto& record : found.opened)
    tell_incomplete(record, true);
  for (const auto& record : found.amended)
    tell_incomplete(record, false);
  if (found.worth_keeping || anew || judged.gap) {
    entry.audit = audits.memory();
    entry.audit->node = settings.node;
  }
  return entry;
}

void poller_core::commit_audit(self_ptr self, const verdict& judged, const queue_state& queue) {
  const bool anew = judged.is == verdict::kind::restarted;
  auto restart = judged.restart;
  if (anew)
    restart.number = restarts + 1;
  audit_book::finding found;
  auto entry = audit_entry(judged, restart, queue, found);
  const bool has_gap = entry.gap.has_value();
  const auto settle = [this, self, restart, anew, has_gap, missing = found.missing, queue] {
    gaps += has_gap;
    if (anew)
      tell_restart(self, restart);
    self->send(peers.collector, era_found{*era, anew});
    audited(self, missing, queue);
  };
  if (!entry.audit)
    return settle();
  self->request(peers.ledger, ledger_patience, std::move(entry))
    .then([settle](const committed&) { settle(); }, [this, self](const caf::error& e) { failed(self, e); });
}

/// The look is over, and what it found is durable.
void poller_core::audited(self_ptr self, std::uint64_t missing, const queue_state& queue) {
  plan.poll_succeeded(self->clock().now());
  first_look = false;
  held_at_look = 0;
  for (const auto& one : look.after.credentials)
    held_at_look += static_cast<std::uint64_t>(one.held_ok + one.held_failed);
  before = condition.counters;
  last_seen_at = look.at;
  numbers.polls_ok.Increment();
  numbers.missing.Set(static_cast<double>(missing));
  condition.missing = missing;
  condition.last_poll = look.at;
  condition.collecting = std::string(name_of(queue.mode));
  if (std::exchange(keeper_waits, false))
    self->send(peers.keeper, node_seen{});
  if (!std::exchange(looked, true) && peers.keys)
    self->send(peers.keys, node_seen{});
  const bool starved = missing > 0 && queue.connected && queue.mode != queue_mode::subscribe;
  tell(self, node_condition::light::up,
       !queue.problem.empty() ? queue.problem
       : starved ? fmt::format("{}: another collector takes its records: {} were counted and never arrived; "
                               "stop it, or let it read from Key Portal",
                               settings.node, missing)
                 : advice());
  ended(self);
}

} // namespace keyportal
