#include "actors/key_keeper/key_keeper.hpp"

#include <deque>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/cpa/answers.hpp"
#include "actors/cpa/config_text.hpp"
#include "actors/key_keeper/key_plan.hpp"
#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {
namespace {
struct keep_tick {
  std::uint64_t number = 0; ///< only the newest one counts
};
struct announce {};
struct tell_again {
  bool event = false; ///< to the ledger; else a sighting to the registry
};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::keep_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::announce)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::tell_again)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using key_keeper_impl =
  key_keeper_actor::extend<caf::reacts_to<keep_tick>, caf::reacts_to<announce>, caf::reacts_to<tell_again>>;
struct key_keeper_state;
using self_ptr = key_keeper_impl::stateful_pointer<key_keeper_state>;
using config_ptr = std::shared_ptr<const std::string>;
using call = key_plan::call::kind;

constexpr auto patience = 60s; ///< with ledger and registry
constexpr auto announce_again = 10s;
constexpr auto pause = 1s; ///< before ledger or registry are asked again

struct restore_run {
  caf::typed_response_promise<key_written> answer;
  config_ptr text;
  std::uint64_t number = 0;
};

struct key_keeper_core {
  key_keeper_core(key_keeper_settings s, key_keeper_peers p, metrics& m)
    : settings(std::move(s)), peers(std::move(p)), plan(settings.reconcile_interval),
      numbers(m.keys_of_node(settings.node)) {}

  key_keeper_settings settings;
  key_keeper_peers peers;
  key_plan plan;
  node_key_metrics numbers;
  bool ordered = false;
  std::string problem; ///< with asking the node
  bool config_empty = false;
  config_ptr kept; ///< the config.yaml that was kept last
  std::deque<restore_run> restores;
  bool restoring = false;
  bool telling = false; ///< the registry, or a pause after it refused
  bool alarm_told = false, drift_told = false;
  std::deque<node_event> events; ///< for the ledger; the first one may be under way
  bool event_under_way = false;
  std::optional<moment> in_step_at;
  std::uint64_t newest_tick = 0;
  bool draining = false;
  caf::typed_response_promise<drained> drain_promise;

  void act(self_ptr self);
  template <class Answer, class Question, class Then>
  void ask(self_ptr self, Question question, Then then);
  void make(self_ptr self, const key_plan::call& c);
  void failed(self_ptr self, const caf::error& why);
  void config_came(self_ptr self, const config_ptr& text, std::function<void()> then);
  void restore(self_ptr self, std::uint64_t number, caf::typed_response_promise<key_written> answer);
  [[nodiscard]] caf::expected<config_ptr> renewed(const restore_run& run) const;
  void restore_next(self_ptr self);
  void end_restore(self_ptr self, caf::error why);
  void report(self_ptr self);
  void tell_registry(self_ptr self);
  void add_event(self_ptr self, event_kind kind, nlohmann::json data);
  void send_events(self_ptr self);
  [[nodiscard]] bool drift(self_ptr self) const;
  [[nodiscard]] node_keys show() const;
  void tell_if_drained();
};

struct key_keeper_state {
  key_keeper_state() = default;
  static inline const char* name = "key-keeper";
  std::unique_ptr<key_keeper_core> core;
};

/// Does what the plan wants now.
void key_keeper_core::act(self_ptr self) {
  report(self);
  if (draining)
    return tell_if_drained();
  if (restoring || plan.call_under_way())
    return;
  if (!restores.empty())
    return restore_next(self);
  const auto now = self->clock().now();
  if (const auto c = plan.next(now); c.is != call::nothing)
    return make(self, c);
  if (const auto at = plan.wake_at(now)) {
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(*at - now);
    self->delayed_send(self, std::max<std::chrono::milliseconds>(wait, 1ms), keep_tick{++newest_tick});
  }
}

template <class Answer, class Question, class Then>
void key_keeper_core::ask(self_ptr self, Question question, Then then) {
  self->request(peers.upstream, caf::infinite, std::move(question))
    .then(
      [this, self, then](const Answer& answer) {
        then(answer, self->clock().now());
        if (plan.in_step())
          in_step_at = settings.now();
        act(self);
      },
      [this, self](const caf::error& e) { failed(self, e); });
}

void key_keeper_core::make(self_ptr self, const key_plan::call& c) {
  const auto was_written = [this](const key_written&, auto now) {
    fail_point(fail_at::written);
    problem.clear();
    plan.written(now);
  };
  if (c.is == call::swap || c.is == call::put)
    fail_point(fail_at::ordered);
  switch (c.is) {
    case call::nothing: return;
    case call::list:
      return ask<keys_answer>(self, fetch_keys{}, [this](const keys_answer& a, auto now) {
        problem.clear();
        plan.listed(a.keys, now);
      });
    case call::trial:
      return ask<key_trial>(self, try_key{c.key}, [this](const key_trial& a, auto now) { plan.tried(a, now); });
    case call::swap: return ask<key_written>(self, swap_key{c.from, c.to}, was_written);
    case call::put:
      log::info("key_keeper", "write", "{}: its list is written anew, with {} keys", settings.node, c.keys.size());
      return ask<key_written>(self, put_keys{c.keys}, was_written);
    case call::config:
      self->request(peers.upstream, caf::infinite, fetch_config{})
        .then(
          [this, self](const config_ptr& text) {
            config_came(self, text, [this, self] {
              plan.config_kept(self->clock().now());
              act(self);
            });
          },
          [this, self](const caf::error& e) {
            switch (code_of(e)) { // whatever the node says of its file, keys go on
              case errc::config_unknown:
              case errc::node_failed:
              case errc::node_answer_malformed:
              case errc::node_answer_too_large:
                log::warn("key_keeper", "config", "{}: its config.yaml cannot be kept", render(e));
                plan.config_kept(self->clock().now());
                return act(self);
              default: return failed(self, e);
            }
          });
      return;
  }
}

void key_keeper_core::failed(self_ptr self, const caf::error& why) {
  plan.failed(code_of(why), self->clock().now(), cpa::ban_left(why));
  if (auto text = render(why); text != problem) {
    problem = std::move(text);
    if (code_of(why) != errc::shutting_down)
      log::warn("key_keeper", "node", "{}", problem);
  }
  act(self);
}

/// Keeps a config.yaml unless it is the one kept last. An empty one is what a crash of CPA leaves: it would only push
/// good ones out.
void key_keeper_core::config_came(self_ptr self, const config_ptr& text, std::function<void()> then) {
  const bool empty = trimmed(*text).empty();
  if (empty && !config_empty)
    log::error("key_keeper", "config-empty",
               "{}: its config.yaml is empty; `keyportal node config restore` brings it back before CLIProxyAPI "
               "restarts without any",
               settings.node);
  config_empty = empty;
  if (empty || (kept && *kept == *text))
    return then();
  self->request(peers.ledger, patience, keep_config{settings.node, settings.now(), text})
    .then(
      [this, text, then](const config_info&) {
        kept = text;
        then();
      },
      [this, then](const caf::error& e) { // a key that must go does not wait for our disk
        log::warn("key_keeper", "config", "{}: its config.yaml could not be kept: {}", settings.node, render(e));
        then();
      });
}

// --- bringing an earlier config.yaml back -------------------------------------------

void key_keeper_core::restore(self_ptr self, std::uint64_t number, caf::typed_response_promise<key_written> answer) {
  self->request(peers.ledger, patience, read_config{settings.node, number})
    .then(
      [this, self, number, answer](const config_ptr& text) mutable {
        if (draining) {
          answer.deliver(make_error(errc::shutting_down, settings.node));
          return;
        }
        restores.push_back({answer, text, number});
        act(self);
      },
      [answer](caf::error& e) mutable { answer.deliver(std::move(e)); });
}

/// The file of then with the keys of now: a key that was revoked since must not come back with it, not even for a moment.
caf::expected<config_ptr> key_keeper_core::renewed(const restore_run& run) const {
  const auto unsafe = [&](std::string_view why) {
    return make_error(errc::config_unsafe, fmt::format("{}: number {}: {}", settings.node, run.number, why));
  };
  const auto facts = cpa::read_config_text(*run.text);
  if (!facts)
    return unsafe(cpa::config_danger(*run.text, {}));
  std::vector<secret> then;
  for (const auto& key : facts->api_keys)
    then.emplace_back(key);
  const auto text = std::make_shared<const std::string>(*cpa::with_keys(*run.text, plan.keys_of_now(then)));
  if (const auto danger = cpa::config_danger(*text, plan.sentinel()); !danger.empty())
    return unsafe(danger);
  return text;
}

void key_keeper_core::restore_next(self_ptr self) {
  restoring = true;
  const auto put = [this, self] {
    const auto text = renewed(restores.front());
    if (!text)
      return end_restore(self, text.error());
    self->request(peers.upstream, caf::infinite, put_config{*text})
      .then(
        [this, self](const key_written&) {
          config_empty = false;
          plan.config_restored(self->clock().now());
          log::info("key_keeper", "config-restored", "{}: its config.yaml is the one kept as number {}", settings.node,
                    restores.front().number);
          end_restore(self, {});
        },
        [this, self](const caf::error& e) { end_restore(self, e); });
  };
  // What is there now may be wanted back too.
  self->request(peers.upstream, caf::infinite, fetch_config{})
    .then([this, self, put](const config_ptr& text) { config_came(self, text, put); },
          [put](const caf::error&) { put(); });
}

void key_keeper_core::end_restore(self_ptr self, caf::error why) {
  restoring = false;
  auto run = std::move(restores.front());
  restores.pop_front();
  if (why)
    run.answer.deliver(std::move(why));
  else
    run.answer.deliver(key_written{});
  act(self);
}

// --- telling others -------------------------------------------------------------------

bool key_keeper_core::drift(self_ptr self) const { return plan.drift(self->clock().now()) || config_empty; }

node_keys key_keeper_core::show() const {
  node_keys out;
  out.wanted = plan.wanted();
  out.changing = plan.changing();
  out.external = plan.external();
  out.taken_away = plan.taken_away();
  out.open = plan.open();
  out.drift = drift_told;
  out.in_step_at = in_step_at;
  out.problem = plan.problem();
  if (out.problem.empty() && config_empty)
    out.problem = "the node's config.yaml is empty; `keyportal node config restore` brings it back";
  if (out.problem.empty())
    out.problem = problem;
  return out;
}

void key_keeper_core::report(self_ptr self) {
  for (const auto& change : plan.take_changes())
    (change.works ? numbers.works : numbers.ceases).Observe(std::chrono::duration<double>(change.took).count());
  numbers.wanted.Set(static_cast<double>(plan.wanted()));
  numbers.changing.Set(static_cast<double>(plan.changing()));
  numbers.external.Set(static_cast<double>(plan.external()));
  numbers.taken_away.Set(static_cast<double>(plan.taken_away()));
  numbers.open.Set(plan.open() ? 1 : 0);
  const nlohmann::json node_at = {{"node", settings.node}, {"at", to_rfc3339_ms(settings.now())}};
  if (plan.open() != alarm_told) {
    alarm_told = plan.open();
    auto data = node_at;
    data["open"] = alarm_told;
    if (alarm_told)
      log::error("key_keeper", "open-access", "{}: {}", settings.node, row_of(errc::node_open).sentence);
    else
      log::info("key_keeper", "open-access", "{}: requests without a key are refused again", settings.node);
    add_event(self, event_kind::open_access, std::move(data));
  }
  if (const bool now_drift = drift(self); now_drift != drift_told) {
    drift_told = now_drift;
    numbers.drift.Set(now_drift ? 1 : 0);
    const auto state = show();
    auto data = node_at;
    data["drift"] = now_drift;
    data["wanted"] = state.wanted;
    data["changing"] = state.changing;
    data["taken_away"] = state.taken_away;
    data["problem"] = state.problem;
    if (now_drift)
      log::warn("key_keeper", "drift", "{}: its keys are not what they should be{}{}", settings.node,
                state.problem.empty() ? "" : ": ", state.problem);
    else
      log::info("key_keeper", "drift", "{}: its keys are what they should be again", settings.node);
    add_event(self, event_kind::drift, std::move(data));
  }
  tell_registry(self);
}

void key_keeper_core::tell_registry(self_ptr self) {
  if (telling || draining)
    return;
  auto what = plan.untold();
  if (!what)
    return;
  if (!what->keys.empty())
    fail_point(fail_at::seen);
  telling = true;
  what->node = settings.node;
  if (!what->taken_away.empty())
    log::warn("key_keeper", "taken-away", "{}: somebody removed {} of its keys: {}", settings.node,
              what->taken_away.size(), fmt::join(what->taken_away, ", "));
  self->request(peers.registry, patience, registry_command{{"system", "local", ""}, *what})
    .then(
      [this, self, what = *what](const command_done&) {
        telling = false;
        plan.told(what);
        tell_registry(self);
      },
      [this, self](const caf::error& e) {
        log::warn("key_keeper", "registry", "{}: the registry cannot be told yet: {}", settings.node, render(e));
        self->delayed_send(self, pause, tell_again{});
      });
}

void key_keeper_core::add_event(self_ptr self, event_kind kind, nlohmann::json data) {
  events.push_back({.kind = kind, .node = settings.node, .at = settings.now(), .data = dump(data)});
  send_events(self);
}

void key_keeper_core::send_events(self_ptr self) {
  if (event_under_way || events.empty())
    return;
  event_under_way = true;
  journal_entry entry;
  entry.events.push_back(events.front());
  self->request(peers.ledger, patience, std::move(entry))
    .then(
      [this, self](const committed&) {
        event_under_way = false;
        events.pop_front();
        send_events(self);
      },
      [this, self](const caf::error& e) {
        log::warn("key_keeper", "event", "{}: an event cannot be kept yet: {}", settings.node, render(e));
        self->delayed_send(self, pause, tell_again{true});
      });
}

void key_keeper_core::tell_if_drained() {
  if (!restoring && !plan.write_under_way() && drain_promise.pending())
    drain_promise.deliver(drained{});
}

key_keeper_impl::behavior_type key_keeper(self_ptr self, key_keeper_settings settings, key_keeper_peers peers,
                                          metrics* numbers) {
  self->state.core = std::make_unique<key_keeper_core>(std::move(settings), std::move(peers), *numbers);
  auto* core = self->state.core.get();
  self->send(self, announce{});
  return {
    [core, self](const key_orders& m) {
      core->ordered |= m.whole;
      core->plan.ordered(m, self->clock().now());
      core->act(self);
    },
    [core, self](const node_seen&) {
      if (std::exchange(core->settings.after_first_look, false))
        self->send(self, announce{});
      core->plan.node_may_be_new(self->clock().now());
      core->act(self);
    },
    [core](const read_node_keys&) -> caf::result<node_keys> { return core->show(); },
    [core, self](const restore_config& m) -> caf::result<key_written> {
      if (core->draining)
        return make_error(errc::shutting_down);
      if (core->plan.sentinel().empty()) // what the file must hold is not known yet
        return make_error(errc::timed_out, core->settings.node);
      auto answer = self->make_response_promise<key_written>();
      core->restore(self, m.number, answer);
      return answer;
    },
    [core, self](const drain&) -> caf::result<drained> {
      core->draining = true;
      core->drain_promise = self->make_response_promise<drained>();
      for (auto& run : core->restores)
        if (!core->restoring || &run != &core->restores.front())
          run.answer.deliver(make_error(errc::shutting_down, core->settings.node));
      core->tell_if_drained();
      return core->drain_promise;
    },
    [core, self](const keep_tick& m) {
      if (m.number == core->newest_tick)
        core->act(self);
    },
    [core, self](const announce&) {
      if (core->ordered || core->draining || core->settings.after_first_look)
        return;
      self->send(core->peers.registry,
                 keeper_ready{core->settings.node, caf::actor_cast<key_keeper_actor>(self->ctrl())});
      self->delayed_send(self, announce_again, announce{});
    },
    [core, self](const tell_again& m) {
      (m.event ? core->event_under_way : core->telling) = false;
      m.event ? core->send_events(self) : core->tell_registry(self);
    },
  };
}

} // namespace

key_keeper_actor spawn_key_keeper(caf::actor_system& system, bool own_thread, key_keeper_settings settings,
                                  key_keeper_peers peers, metrics& numbers) {
  return own_thread ? system.spawn<caf::detached>(key_keeper, std::move(settings), std::move(peers), &numbers)
                    : system.spawn(key_keeper, std::move(settings), std::move(peers), &numbers);
}

} // namespace keyportal
