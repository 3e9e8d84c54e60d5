#include "actors/poller/poller.hpp"

#include <algorithm>
#include <optional>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/account_book.hpp"
#include "actors/cpa/answers.hpp"
#include "actors/cpa/usage_document.hpp"
#include "actors/poller/audit_book.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {
namespace {
struct tick {
  std::uint64_t number = 0; ///< only the newest one counts: a planned look may have been moved
};
/// What the node had counted has had time to arrive.
struct audit_grace_over {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::audit_grace_over)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using poller_impl = poller_actor::extend<caf::reacts_to<tick>, caf::reacts_to<audit_grace_over>>;

struct poller_state;
using self_ptr = poller_impl::stateful_pointer<poller_state>;

constexpr auto ledger_patience = 60s; ///< a commit waits for the disk at most this long
constexpr auto audit_grace = 500ms;   ///< from a node's counting a record to our having it, unless it is lost
constexpr std::int64_t least_retention_s = 3'600;

/// Everything of one poller; the decisions are in poll_plan, usage_book and the detector's rules.
struct poller_core {
  poller_core(poller_settings s, poller_peers p, metrics& m)
    : settings(std::move(s)), peers(std::move(p)), plan(settings.poll), book(settings.node),
      numbers(m.of_node(settings.node)) {
    condition.node = settings.node;
    condition.url = settings.url;
    condition.since = settings.now();
  }

  poller_settings settings;
  poller_peers peers;
  poll_plan plan;
  cpa::usage_book book;
  node_metrics numbers;

  node_condition condition;
  node_counters before; ///< at the last poll that was made durable
  moment last_seen_at{};
  std::int64_t held = 0; ///< records of this node in the ledger
  std::int64_t held_at_fetch = 0;
  std::int64_t shortfall = 0; ///< how many of them the node lacked when the keeper was last told
  std::uint64_t restarts = 0;
  std::uint64_t gaps = 0;
  bool draining = false;
  bool busy = false;
  bool keeper_waits = false; ///< for our next look at the node
  std::uint64_t newest_tick = 0;
  caf::typed_response_promise<drained> drain_promise;

  std::optional<era_answer> era; ///< as last found; not set until the node was reached
  audit_book audits;
  audit_look look; ///< the one under way
  verdict look_says;
  bool first_look = true;         ///< of this life of ours
  std::uint64_t held_at_look = 0; ///< records in the ledger when it was last compared
  bool mended = false;

  void start(self_ptr self);
  void recall_audits(self_ptr self);
  void act(self_ptr self);
  void plan_ahead(self_ptr self);
  void do_probe(self_ptr self);
  void do_poll(self_ptr self);
  void judge(self_ptr self, usage_answer answer);
  void commit(self_ptr self, std::shared_ptr<cpa::usage_reading> reading, verdict judged);
  void note_held(const std::vector<std::pair<node_name, totals>>& sums);
  void compare_with_ledger(self_ptr self, const cpa::usage_reading& reading);
  void failed(self_ptr self, const caf::error& why);
  void ended(self_ptr self);
  // A node without `/usage`:
  void look_for_queue(self_ptr self, const caf::error& why);
  void found_era(self_ptr self, const era_answer& found);
  void audit(self_ptr self);
  void read_counters(self_ptr self, audit_memory held_before);
  void compare(self_ptr self);
  void judge_counters(self_ptr self);
  void commit_audit(self_ptr self, const verdict& judged, const queue_state& queue);
  [[nodiscard]] std::string advice() const;
  void tell(self_ptr self, node_condition::light state, std::string problem);
  void tell_link(self_ptr self);
};

struct poller_state {
  poller_state() = default;
  static inline const char* name = "poller";
  std::unique_ptr<poller_core> core;
};

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

/// Numbers are given by the ledger (0 asks for the next one) and are the same that the events say.
journal_entry facts_of(const gap_record& gap) {
  journal_entry out;
  out.gap = gap;
  out.gap->number = 0;
  out.events.push_back({0, event_kind::gap, gap.node, gap.to, dump(to_json(gap))});
  return out;
}

journal_entry facts_of(const restart_record& restart, std::uint64_t gap_number) {
  auto out =
    facts_of(gap_record{restart.node, gap_number, restart.last_seen_at, restart.noticed_at, restart.expected_loss,
                        "the node restarted; what it recorded after it was last looked at is gone"});
  out.restart = restart;
  out.restart->number = 0;
  out.events.insert(out.events.begin(),
                    {0, event_kind::restarted, restart.node, restart.noticed_at, dump(to_json(restart))});
  return out;
}

void poller_core::start(self_ptr self) {
  // Until the ledger has told what it remembers, nothing may be judged: everything would look new.
  self->request(peers.ledger, ledger_patience, recall{settings.node})
    .then(
      [this, self](const node_memory& memory) {
        book.recall(memory.marks);
        before = memory.counters;
        last_seen_at = memory.last_seen_at;
        self->request(peers.ledger, ledger_patience, list_restarts{settings.node, 1})
          .then(
            [this, self](const std::vector<restart_record>& newest) {
              restarts = newest.empty() ? 0 : newest.front().number;
              self->request(peers.ledger, ledger_patience, list_gaps{settings.node, 1})
                .then(
                  [this, self](const std::vector<gap_record>& last) {
                    gaps = last.empty() ? 0 : last.front().number;
                    self->request(peers.ledger, ledger_patience, read_ledger_state{})
                      .then(
                        [this, self](const ledger_state& state) {
                          note_held(state.sums);
                          recall_audits(self);
                        },
                        [self](const caf::error& e) { self->quit(e); });
                  },
                  [self](const caf::error& e) { self->quit(e); });
            },
            [self](const caf::error& e) { self->quit(e); });
      },
      [self](const caf::error& e) { self->quit(e); });
}

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

/// Does what the plan wants now. Whatever is begun ends in `ended`, which plans ahead.
void poller_core::act(self_ptr self) {
  if (draining || busy)
    return;
  switch (plan.next(self->clock().now())) {
    case poll_plan::step::nothing: return plan_ahead(self);
    case poll_plan::step::probe: return do_probe(self);
    case poll_plan::step::poll: return do_poll(self);
  }
}

void poller_core::plan_ahead(self_ptr self) {
  const auto wait = std::max<std::chrono::steady_clock::duration>(plan.wake_at() - self->clock().now(), 1ms);
  self->delayed_send(self, std::chrono::ceil<std::chrono::milliseconds>(wait), tick{++newest_tick});
}

void poller_core::do_probe(self_ptr self) {
  busy = true;
  self->request(peers.upstream, caf::infinite, probe{})
    .then(
      [this, self](const probe_answer& answer) {
        plan.probe_succeeded(self->clock().now(), answer.new_connection);
        ended(self);
      },
      [this, self](const caf::error&) {
        plan.probe_failed(self->clock().now());
        ended(self);
      });
}

void poller_core::do_poll(self_ptr self) {
  busy = true;
  // Which era the node is of may have changed while it was away.
  if (era && !era->has_usage && !plan.connection_lost())
    return audit(self);
  held_at_fetch = held;
  self->request(peers.upstream, caf::infinite, fetch_usage{})
    .then(
      [this, self](const usage_answer& answer) {
        if (!era || !era->has_usage) {
          era.emplace();
          era->has_usage = true;
          era->version = answer.version;
          plan.set_interval(settings.poll.interval);
          if (peers.collector)
            self->send(peers.collector, era_found{*era, false});
        }
        judge(self, answer);
      },
      [this, self](const caf::error& e) {
        if (code_of(e) == errc::node_without_usage)
          look_for_queue(self, e);
        else
          failed(self, e);
      });
}

// --- a node without /usage: its counters, since its records come by the collector -----------------

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

void poller_core::commit_audit(self_ptr self, const verdict& judged, const queue_state& queue) {
  const bool anew = judged.is == verdict::kind::restarted;
  journal_entry entry;
  auto restart = std::make_shared<restart_record>(judged.restart);
  if (anew) {
    restart->number = restarts + 1;
    entry = facts_of(*restart, gaps + 1);
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
  auto found = audits.compare(look);
  for (const auto& c : audits.memory().credentials)
    log::debug("poller", "audit", "{}: account {}: counts {} + {}, base {} + {}", settings.node, c.auth_index,
               c.node_ok, c.node_failed, c.base_ok, c.base_failed);
  const auto tell_incomplete = [&](incomplete_record record, bool is_new) {
    record.node = settings.node;
    entry.events.push_back({0, event_kind::incomplete, settings.node, look.at, dump(to_json(record))});
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
  const bool has_gap = entry.gap.has_value();
  const auto settle = [this, self, restart, anew, has_gap, missing = found.missing, queue, at = look.at] {
    const auto now = self->clock().now();
    plan.poll_succeeded(now);
    first_look = false;
    held_at_look = 0;
    for (const auto& one : look.after.credentials)
      held_at_look += static_cast<std::uint64_t>(one.held_ok + one.held_failed);
    before = condition.counters;
    last_seen_at = at;
    gaps += has_gap;
    numbers.polls_ok.Increment();
    numbers.missing.Set(static_cast<double>(missing));
    condition.missing = missing;
    condition.last_poll = at;
    condition.collecting = std::string(name_of(queue.mode));
    if (anew) {
      ++restarts;
      numbers.restarts.Increment();
      log::warn("restart-detector", "restarted", "Restart of {} noticed: {} requests before, {} after; {}",
                settings.node, restart->before.requests, restart->after.requests, fmt::join(restart->evidence, "; "));
      self->send(peers.keeper, restart_noticed{*restart, false});
      self->send(peers.feed, restart_noticed{*restart, false});
      self->send(peers.collector, era_found{*era, true});
    } else {
      self->send(peers.collector, era_found{*era, false});
    }
    if (std::exchange(keeper_waits, false))
      self->send(peers.keeper, node_seen{});
    const bool starved = missing > 0 && queue.connected && queue.mode != queue_mode::subscribe;
    tell(self, node_condition::light::up,
         !queue.problem.empty() ? queue.problem
         : starved ? fmt::format("{}: another collector takes its records: {} were counted and never arrived; "
                                 "stop it, or let it read from Key Portal",
                                 settings.node, missing)
                   : advice());
    ended(self);
  };
  if (found.worth_keeping || anew || judged.gap) {
    entry.audit = audits.memory();
    entry.audit->node = settings.node;
    self->request(peers.ledger, ledger_patience, std::move(entry))
      .then([settle](const committed&) { settle(); }, [this, self](const caf::error& e) { failed(self, e); });
  } else {
    settle();
  }
}

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
        note_held(done.sums);
        gaps += has_gap;
        numbers.polls_ok.Increment();
        numbers.records.Increment(static_cast<double>(done.records->size()));
        numbers.duplicates.Increment(static_cast<double>(done.duplicates));
        if (anew) {
          ++restarts;
          numbers.restarts.Increment();
          log::warn("restart-detector", "restarted", "Restart of {} noticed: {} requests before, {} after; {}",
                    settings.node, restart->before.requests, restart->after.requests,
                    fmt::join(restart->evidence, "; "));
          self->send(peers.keeper, restart_noticed{*restart});
          self->send(peers.feed, restart_noticed{*restart});
          shortfall = 0;
        } else {
          compare_with_ledger(self, *reading);
        }
        if (std::exchange(keeper_waits, false))
          self->send(peers.keeper, node_seen{});
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

void poller_core::note_held(const std::vector<std::pair<node_name, totals>>& sums) {
  for (const auto& [node, s] : sums)
    if (node == settings.node)
      held = s.requests;
}

/// All that the ledger holds of a node, the node must hold. Told once per shortfall: a node that cannot be filled (a
/// version that caps its lists) is not tried at every poll.
void poller_core::compare_with_ledger(self_ptr self, const cpa::usage_reading& reading) {
  // Held when the node was asked: its queue may have brought newer ones since.
  const auto lacking = std::max<std::int64_t>(0, held_at_fetch - static_cast<std::int64_t>(reading.details));
  if (lacking > 0 && lacking != shortfall)
    self->send(peers.keeper, restore_wanted{});
  shortfall = lacking;
}

void poller_core::failed(self_ptr self, const caf::error& why) {
  const auto code = code_of(why);
  if (code == errc::shutting_down)
    draining = true;
  numbers.polls_failed.Increment();
  plan.poll_failed(self->clock().now(), code, cpa::ban_left(why));
  const auto state = plan.refused()                   ? node_condition::light::refused
                     : code == errc::node_unreachable ? node_condition::light::down
                                                      : condition.state;
  if (plan.cut_off())
    tell(self, condition.state, render(why)); // there, but it never gives an answer
  else if (code != errc::node_unreachable)    // an absence is told by tell_link, once it lasts
    tell(self, state, render(why));
  ended(self);
}

void poller_core::ended(self_ptr self) {
  busy = false;
  tell_link(self);
  if (!draining)
    plan_ahead(self);
  else if (drain_promise.pending())
    drain_promise.deliver(drained{});
}

/// Tells the feed how the node is, and the log when that changes.
void poller_core::tell(self_ptr self, node_condition::light state, std::string problem) {
  if (problem != condition.problem && !problem.empty())
    log::warn("poller", "node-problem", "{}", problem);
  else if (problem.empty() && !condition.problem.empty())
    log::info("poller", "node-well", "{}: all is well again", settings.node);
  if (state != condition.state)
    condition.since = settings.now();
  condition.state = state;
  condition.problem = std::move(problem);
  numbers.up.Set(state == node_condition::light::up ? 1 : 0);
  self->send(peers.feed, condition);
}

void poller_core::tell_link(self_ptr self) {
  const auto change = plan.link_change(self->clock().now());
  if (!change || plan.refused())
    return;
  if (!*change)
    tell(self, node_condition::light::down, render(make_error(errc::node_unreachable, settings.node)));
  else if (condition.state != node_condition::light::up)
    tell(self, node_condition::light::up, {});
  const auto now = settings.now();
  nlohmann::json data = {{"node", settings.node}, {"since", to_rfc3339_ms(condition.since)}};
  journal_entry entry;
  entry.events.push_back({0, *change ? event_kind::up : event_kind::down, settings.node, now, dump(data)});
  // Should the disk refuse it, the condition is still shown; the next change is told again.
  self->request(peers.ledger, ledger_patience, std::move(entry))
    .then([](const committed&) {}, [](const caf::error&) {});
}

poller_impl::behavior_type poller(self_ptr self, poller_settings settings, poller_peers peers, metrics* numbers) {
  self->state.core = std::make_unique<poller_core>(std::move(settings), std::move(peers), *numbers);
  auto* core = self->state.core.get();
  core->start(self);
  return {
    [core, self](const poll_now&) {
      core->plan.poll_soon();
      core->act(self);
    },
    [core, self](const connection_dropped&) {
      core->plan.connection_dropped();
      core->act(self);
    },
    [core, self](const tell_when_seen&) {
      core->keeper_waits = true;
      core->plan.poll_soon();
      core->act(self);
    },
    [core](const node_counted& m) { core->before.requests = std::max(core->before.requests, m.requests); },
    [core, self](const drain&) -> caf::result<drained> {
      core->draining = true;
      if (!core->busy)
        return drained{};
      core->drain_promise = self->make_response_promise<drained>();
      return core->drain_promise;
    },
    [core, self](const tick& m) {
      if (m.number == core->newest_tick)
        core->act(self);
    },
    [core, self](const audit_grace_over&) {
      core->plan.paused(audit_grace);
      core->compare(self);
    },
  };
}

} // namespace

poller_actor spawn_poller(caf::actor_system& system, bool own_thread, poller_settings settings, poller_peers peers,
                          metrics& numbers) {
  return own_thread ? system.spawn<caf::detached>(poller, std::move(settings), std::move(peers), &numbers)
                    : system.spawn(poller, std::move(settings), std::move(peers), &numbers);
}

} // namespace keyportal
