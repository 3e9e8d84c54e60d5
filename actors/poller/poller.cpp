#include "actors/poller/poller.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/answers.hpp"
#include "actors/poller/poller_core.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {

using namespace std::chrono_literals;

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
                          note_held(state.at_node);
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
  self->delayed_send(self, std::chrono::ceil<std::chrono::milliseconds>(wait), poll_tick{++newest_tick});
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
  if (*change && peers.keys && looked)
    self->send(peers.keys, node_seen{}); // perhaps with another list of keys
  // Should the disk refuse it, the condition is still shown; the next change is told again.
  self->request(peers.ledger, ledger_patience, std::move(entry))
    .then([](const committed&) {}, [](const caf::error&) {});
}

/// After a commit with a restart: whoever acts on it hears of it.
void poller_core::tell_restart(self_ptr self, const restart_record& restart) {
  ++restarts;
  numbers.restarts.Increment();
  log::warn("restart-detector", "restarted", "Restart of {} noticed: {} requests before, {} after; {}", settings.node,
            restart.before.requests, restart.after.requests, fmt::join(restart.evidence, "; "));
  self->send(peers.keeper, restart_noticed{restart});
  self->send(peers.feed, restart_noticed{restart});
  if (peers.keys)
    self->send(peers.keys, node_seen{});
}

namespace {

poller_impl::behavior_type poller(poller_core::self_ptr self, poller_settings settings, poller_peers peers,
                                  metrics* numbers) {
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
    [core, self](const poll_tick& m) {
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
