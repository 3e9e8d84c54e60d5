#include "actors/collector/collector.hpp"

#include <algorithm>
#include <deque>

#include <caf/all.hpp>
#include <fmt/format.h>

#include "actors/collector/unpack.hpp"
#include "actors/cpa/answers.hpp"
#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {
namespace {
struct collect_tick {
  std::uint64_t number = 0; ///< only the newest one counts
};
struct pump {};
struct again {
  std::function<void()> what; ///< what the disk refused
};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::collect_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::pump)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::again)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using collector_impl =
  collector_actor::extend<caf::reacts_to<collect_tick>, caf::reacts_to<pump>, caf::reacts_to<again>>;
struct collector_state;
using self_ptr = collector_impl::stateful_pointer<collector_state>;

constexpr auto ledger_patience = 60s;
constexpr auto disk_pause = 500ms;             ///< before the disk is asked again
constexpr std::size_t records_at_once = 4'000; ///< decoded into one commit at most, unless one message has more
constexpr std::size_t commits_at_once = 2;     ///< the next one is decoded while the ledger is busy with the one before
constexpr std::size_t inbox_rows_at_once = 2;  ///< what comes meanwhile goes together into the next one
constexpr std::size_t largest_inbox_row = std::size_t{4} << 20; ///< unless one message has more
constexpr std::size_t connections_kept = 8;
constexpr std::uint32_t popped_at_once = 1'000; ///< over HTTP: 1.3 MB
constexpr std::uint32_t letters_at_once = 200;

/// What came, in the order in which it came. A message is ready to be decoded once it is in the inbox.
struct slot {
  std::uint64_t number = 0; ///< in the inbox; 0: not yet there
  moment at{};
  inbox_channel channel = inbox_channel::subscribe;
  std::shared_ptr<const payload_batch> payloads; ///< null: a new connection begins here
  std::shared_ptr<payload_batch> growing;        ///< `payloads`, while they can become more
};

struct replay_run;

struct collector_core {
  collector_core(collector_settings s, collector_peers p, metrics& m)
    : settings(std::move(s)), peers(std::move(p)), plan(settings.setting), numbers(m.of_node(settings.node)) {}

  collector_settings settings;
  collector_peers peers;
  collect_plan plan;
  node_metrics numbers;
  std::unique_ptr<tap> session;
  queue_mode running = queue_mode::off; ///< what is under way
  bool connected = false;
  bool popping = false; ///< an HTTP pop is under way
  bool drained_once = false;
  std::string problem;
  poller_actor poller;

  std::deque<std::shared_ptr<slot>> slots;   ///< not decoded yet
  std::uint64_t undecoded = 0;               ///< payloads in them and in `commits`
  bool recalled = false;                     ///< what an earlier life left in the inbox is in `slots`
  std::deque<std::shared_ptr<slot>> to_keep; ///< of `slots`, what is not on its way into the inbox
  std::size_t keeping = 0;                   ///< on their way into it
  std::size_t commits = 0;                   ///< on their way to the ledger
  bool asking = false;                       ///< what the ledger holds, for a new connection
  std::deque<queue_state::connection> connections;
  std::uint64_t newest_tick = 0;
  bool draining = false;
  caf::typed_response_promise<drained> drain_promise;

  [[nodiscard]] std::int64_t first_ns() const { return settings.first_ns ? settings.first_ns() : INT64_MIN; }
  void recall_inbox(self_ptr self, std::uint64_t after);
  void act(self_ptr self);
  void run(self_ptr self, queue_mode mode);
  void pop_over_http(self_ptr self);
  void came(self_ptr self, inbox_channel channel, std::shared_ptr<const payload_batch> payloads);
  void keep_next(self_ptr self);
  void put_into_inbox(self_ptr self, std::shared_ptr<slot> what);
  void decode_next(self_ptr self);
  void open_connection(self_ptr self);
  void commit(self_ptr self, std::shared_ptr<const collection> what, std::uint64_t payloads);
  void entered(self_ptr self, std::uint64_t payloads);
  void changed(self_ptr self, const tap_changed& m);
  void lost(self_ptr self, queue_mode mode, const caf::error& why);
  void tell_if_drained(self_ptr self);
  void replay(self_ptr self, std::shared_ptr<replay_run> run, std::uint64_t after);
  void enter_replayed(self_ptr self, std::shared_ptr<replay_run> run);
};

struct collector_state {
  collector_state() = default;
  static inline const char* name = "collector";
  std::unique_ptr<collector_core> core;
};

/// First of all what an earlier life received and did not come to decode.
void collector_core::recall_inbox(self_ptr self, std::uint64_t after) {
  self->request(peers.ledger, ledger_patience, read_inbox{settings.node, after, 16})
    .then(
      [this, self](const std::vector<inbox_entry>& page) {
        for (const auto& entry : page) {
          slots.push_back(
            std::make_shared<slot>(slot{entry.number, entry.what.at, entry.what.channel, entry.what.payloads, {}}));
          undecoded += entry.what.payloads->size();
        }
        if (!page.empty())
          return recall_inbox(self, page.back().number);
        if (undecoded > 0)
          log::info("collector", "inbox", "{}: {} payloads that were received before are decoded now", settings.node,
                    undecoded);
        recalled = true;
        decode_next(self);
        act(self);
      },
      [self](const caf::error& e) { self->quit(e); });
}

/// Does what the plan wants now.
void collector_core::act(self_ptr self) {
  if (draining || !recalled)
    return;
  const auto now = self->clock().now();
  if (running != queue_mode::off && plan.better_way_due(now)) {
    if (running == queue_mode::http_pop) {
      if (!popping)
        running = queue_mode::off;
    } else {
      session->end(); // goes on in `changed`
    }
  }
  if (running == queue_mode::off)
    run(self, plan.mode(now));
  if (const auto at = plan.wake_at(now))
    self->delayed_send(self, std::chrono::ceil<std::chrono::milliseconds>(*at - now) + 1ms,
                       collect_tick{++newest_tick});
}

void collector_core::run(self_ptr self, queue_mode mode) {
  running = mode;
  connected = false;
  switch (mode) {
    case queue_mode::off: return;
    case queue_mode::http_pop: return pop_over_http(self);
    case queue_mode::subscribe:
    case queue_mode::resp_pop: return session->begin(mode);
  }
}

void collector_core::pop_over_http(self_ptr self) {
  if (draining || popping || running != queue_mode::http_pop)
    return;
  popping = true;
  self->request(peers.upstream, caf::infinite, pop_queue{popped_at_once})
    .then(
      [this, self](const queue_answer& answer) {
        popping = false;
        if (!connected)
          changed(self, tap_changed{queue_mode::http_pop, true, {}});
        constexpr std::size_t smallest_record = 64;
        const bool more = answer.body->size() > popped_at_once * smallest_record;
        if (answer.body->size() > 2) { // not "[]"
          auto batch = std::make_shared<payload_batch>();
          batch->add(*answer.body);
          came(self, inbox_channel::http_pop, std::move(batch));
        }
        act(self);
        if (running == queue_mode::http_pop)
          self->delayed_send(self, more ? 10ms : settings.pop_interval, pump{});
        tell_if_drained(self);
      },
      [this, self](const caf::error& e) {
        popping = false;
        lost(self, queue_mode::http_pop, e);
        tell_if_drained(self);
      });
}

void collector_core::came(self_ptr self, inbox_channel channel, std::shared_ptr<const payload_batch> payloads) {
  fail_point(fail_at::received);
  if (plan.beside_usage() && channel == inbox_channel::resp_pop)
    channel = inbox_channel::beside_usage;
  undecoded += payloads->size();
  numbers.received.Increment(static_cast<double>(payloads->size()));
  numbers.inbox_waiting.Set(static_cast<double>(undecoded));
  if (!to_keep.empty() && to_keep.back() == slots.back() && to_keep.back()->channel == channel
      && to_keep.back()->payloads->bytes.size() + payloads->bytes.size() <= largest_inbox_row) {
    auto& last = *to_keep.back();
    if (!last.growing)
      last.payloads = last.growing = std::make_shared<payload_batch>(*last.payloads);
    for (std::size_t i = 0; i < payloads->size(); ++i)
      last.growing->add((*payloads)[i]);
    return;
  }
  to_keep.push_back(std::make_shared<slot>(slot{0, settings.now(), channel, std::move(payloads), {}}));
  slots.push_back(to_keep.back());
  keep_next(self);
}

void collector_core::keep_next(self_ptr self) {
  if (keeping >= inbox_rows_at_once || to_keep.empty())
    return;
  ++keeping;
  auto what = std::move(to_keep.front());
  to_keep.pop_front();
  what->growing.reset();
  put_into_inbox(self, std::move(what));
}

/// Until the disk takes it, it is only here; so it is tried for as long as it takes.
void collector_core::put_into_inbox(self_ptr self, std::shared_ptr<slot> what) {
  self->request(peers.ledger, ledger_patience, received{settings.node, what->at, what->channel, what->payloads})
    .then(
      [this, self, what](const committed& done) {
        fail_point(fail_at::kept);
        --keeping;
        what->number = done.inbox_number;
        if (what->channel != inbox_channel::http_pop)
          session->taken(what->payloads->bytes.size());
        keep_next(self);
        decode_next(self);
      },
      [this, self, what](const caf::error& e) {
        log::error("collector", "inbox", "{}: what came cannot be kept yet: {}", settings.node, render(e));
        if (code_of(e) != errc::shutting_down)
          self->delayed_send(self, disk_pause, again{[this, self, what] { put_into_inbox(self, what); }});
      });
}

void collector_core::decode_next(self_ptr self) {
  if (commits >= commits_at_once || asking || !recalled || slots.empty())
    return;
  if (!slots.front()->payloads) {
    if (commits == 0)
      open_connection(self);
    return;
  }
  unpacked out;
  auto message = std::make_shared<collection>();
  std::uint64_t payloads = 0;
  while (!slots.empty() && slots.front()->number != 0 && slots.front()->payloads && out.records < records_at_once) {
    const auto& one = *slots.front();
    unpack(settings.node, one.at, one.channel, *one.payloads, out, first_ns());
    message->inbox_done.push_back(one.number);
    payloads += one.payloads->size();
    slots.pop_front();
  }
  if (message->inbox_done.empty())
    return;
  if (!out.dead.empty()) {
    numbers.dead_letters.Increment(static_cast<double>(out.dead.size()));
    log::warn("collector", "dead-letters", "{}: {} payloads cannot be decoded ({}); see `keyportal deadletters list`",
              settings.node, out.dead.size(), out.dead.front().reason);
  }
  message->node = settings.node;
  message->seen_at = settings.now();
  message->from_poll = false;
  message->groups = std::make_shared<const std::vector<record_group>>(std::move(out.groups));
  message->dead = std::move(out.dead);
  if (!out.events.empty()) {
    message->facts.emplace();
    message->facts->events = std::move(out.events);
  }
  ++commits;
  fail_point(fail_at::decoded);
  commit(self, std::move(message), payloads);
  decode_next(self);
}

void collector_core::commit(self_ptr self, std::shared_ptr<const collection> what, std::uint64_t payloads) {
  self->request(peers.ledger, ledger_patience, *what)
    .then(
      [this, self, payloads](const committed& done) {
        numbers.records.Increment(static_cast<double>(done.records->size()));
        numbers.duplicates.Increment(static_cast<double>(done.duplicates));
        entered(self, payloads);
      },
      [this, self, what, payloads](const caf::error& e) {
        log::error("collector", "inbox", "{}: what came is safe and cannot be entered yet: {}", settings.node,
                   render(e));
        if (code_of(e) != errc::shutting_down)
          self->delayed_send(self, disk_pause, again{[this, self, what, payloads] { commit(self, what, payloads); }});
        else
          entered(self, payloads);
      });
}

void collector_core::entered(self_ptr self, std::uint64_t payloads) {
  --commits;
  undecoded -= payloads;
  numbers.inbox_waiting.Set(static_cast<double>(undecoded));
  decode_next(self);
  tell_if_drained(self);
}

/// All that came before is in the ledger: what it holds now is what it held
/// when the connection was opened.
void collector_core::open_connection(self_ptr self) {
  asking = true;
  self->request(peers.ledger, ledger_patience, recall_audit{settings.node})
    .then(
      [this, self](audit_memory& memory) {
        asking = false;
        connections.push_back({slots.front()->at, std::move(memory.credentials)});
        if (connections.size() > connections_kept)
          connections.pop_front();
        slots.pop_front();
        decode_next(self);
        tell_if_drained(self);
      },
      [this, self](const caf::error& e) {
        asking = false;
        if (code_of(e) != errc::shutting_down)
          self->delayed_send(self, disk_pause, again{[this, self] { decode_next(self); }});
      });
}

void collector_core::changed(self_ptr self, const tap_changed& m) {
  if (!m.connected)
    return lost(self, m.mode, m.why);
  connected = true;
  numbers.queue_connected.Set(1);
  plan.connected(self->clock().now());
  slots.push_back(std::make_shared<slot>(slot{0, settings.now(), {}, nullptr, {}}));
  decode_next(self);
  if (!problem.empty() || connections.empty())
    log::info("collector", "collecting", "{}: its records are taken by {}", settings.node, name_of(m.mode));
  problem.clear();
  if (poller)
    self->send(poller, poll_now{});
}

void collector_core::lost(self_ptr self, queue_mode mode, const caf::error& why) {
  const auto code = code_of(why);
  const bool was_connected = std::exchange(connected, false);
  running = queue_mode::off;
  numbers.queue_connected.Set(0);
  if (draining) {
    return tell_if_drained(self);
  }
  if (code != errc::shutting_down) { // ended by ourselves, for a better way
    plan.failed(mode, code, self->clock().now(), cpa::ban_left(why));
    if (const auto text = render(why); text != problem) {
      problem = text;
      if (!plan.beside_usage() && code != errc::node_without_subscribe)
        log::warn("collector", "queue", "{}", text);
    }
    if (was_connected && poller)
      self->send(poller, connection_dropped{});
  }
  act(self);
}

void collector_core::tell_if_drained(self_ptr) {
  if (draining && running == queue_mode::off && !popping && slots.empty() && commits == 0 && drain_promise.pending())
    drain_promise.deliver(drained{});
}

/// Letters are decoded as if they had come just now; those that still cannot be stay where they are. One page of
/// letters after the other, until enough for one commit are found.
struct replay_run {
  caf::typed_response_promise<replay_report> answer;
  replay_letters which;
  replay_report report;
  collection message;
  unpacked out;
};

void collector_core::replay(self_ptr self, std::shared_ptr<replay_run> run, std::uint64_t after) {
  const auto& wanted = run->which.numbers;
  const auto next = std::upper_bound(wanted.begin(), wanted.end(), after);
  if (run->message.replayed_letters.size() >= letters_at_once || (!wanted.empty() && next == wanted.end()))
    return enter_replayed(self, run);
  const auto ask =
    wanted.empty() ? list_dead_letters{after, letters_at_once, true} : list_dead_letters{*next - 1, 1, true};
  self->request(peers.ledger, ledger_patience, ask)
    .then(
      [this, self, run, ask](const std::vector<dead_letter>& letters) {
        for (const auto& letter : letters) {
          const auto& named = run->which.numbers;
          if (letter.node != settings.node || (!named.empty() && letter.number != ask.after + 1))
            continue;
          payload_batch one;
          one.add(letter.payload.reveal());
          unpacked alone;
          unpack(settings.node, letter.at, letter.channel, one, alone, first_ns());
          if (!alone.dead.empty()) {
            ++run->report.still_dead;
            continue;
          }
          unpack(settings.node, letter.at, letter.channel, one, run->out, first_ns());
          run->message.replayed_letters.push_back(letter.number);
        }
        if (letters.empty() && run->which.numbers.empty())
          return enter_replayed(self, run);
        replay(self, run, run->which.numbers.empty() ? letters.back().number : ask.after + 1);
      },
      [run](caf::error& e) { run->answer.deliver(std::move(e)); });
}

void collector_core::enter_replayed(self_ptr self, std::shared_ptr<replay_run> run) {
  run->report.replayed = run->message.replayed_letters.size();
  if (run->report.replayed == 0) {
    run->answer.deliver(run->report);
    return;
  }
  run->message.node = settings.node;
  run->message.seen_at = settings.now();
  run->message.from_poll = false;
  run->message.groups = std::make_shared<const std::vector<record_group>>(std::move(run->out.groups));
  self->request(peers.ledger, ledger_patience, run->message)
    .then(
      [run](const committed& done) {
        run->report.added = done.records->size();
        run->answer.deliver(run->report);
      },
      [run](caf::error& e) { run->answer.deliver(std::move(e)); });
}

collector_impl::behavior_type collector(self_ptr self, collector_settings settings, collector_peers peers,
                                        metrics* numbers) {
  self->state.core = std::make_unique<collector_core>(std::move(settings), std::move(peers), *numbers);
  auto* core = self->state.core.get();
  const auto me = caf::actor_cast<collector_actor>(self->ctrl());
  const auto weak = caf::actor_cast<caf::weak_actor_ptr>(self->ctrl());
  const auto tell = [weak](auto&& what) {
    if (auto strong = weak.lock())
      caf::anon_send(caf::actor_cast<collector_actor>(strong), std::forward<decltype(what)>(what));
  };
  core->session = core->peers.make_tap(
    {[tell](payloads_came m) { tell(std::move(m)); }, [tell](tap_changed m) { tell(std::move(m)); }});
  core->recall_inbox(self, 0);
  return {
    [core, self](const payloads_came& m) { core->came(self, m.channel, m.payloads); },
    [core, self](const tap_changed& m) { core->changed(self, m); },
    [core, self](const era_found& m) {
      core->plan.era_found(m.era, m.restarted);
      core->act(self);
    },
    [core](const read_queue_state&) -> caf::result<queue_state> {
      return queue_state{core->running,
                         core->connected,
                         core->problem,
                         core->undecoded,
                         {core->connections.begin(), core->connections.end()}};
    },
    [core, self](const replay_letters& m) -> caf::result<replay_report> {
      auto run = std::make_shared<replay_run>();
      run->answer = self->make_response_promise<replay_report>();
      run->which = m;
      std::sort(run->which.numbers.begin(), run->which.numbers.end());
      core->replay(self, run, 0);
      return run->answer;
    },
    [core](const meet_poller& m) { core->poller = m.poller; },
    [core, self](const drain&) -> caf::result<drained> {
      core->draining = true;
      core->drain_promise = self->make_response_promise<drained>();
      if (core->running == queue_mode::http_pop)
        core->running = queue_mode::off;
      else
        core->session->end();
      core->tell_if_drained(self);
      return core->drain_promise;
    },
    [core, self](const collect_tick& m) {
      if (m.number == core->newest_tick)
        core->act(self);
    },
    [core, self](const pump&) { core->pop_over_http(self); },
    [](const again& m) { m.what(); },
  };
}

} // namespace

collector_actor spawn_collector(caf::actor_system& system, bool own_thread, collector_settings settings,
                                collector_peers peers, metrics& numbers) {
  return own_thread ? system.spawn<caf::detached>(collector, std::move(settings), std::move(peers), &numbers)
                    : system.spawn(collector, std::move(settings), std::move(peers), &numbers);
}

} // namespace keyportal
