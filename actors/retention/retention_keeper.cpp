#include "actors/retention/retention_keeper.hpp"

#include <optional>
#include <set>
#include <utility>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"
#include "storage/cells.hpp"

namespace keyportal {
namespace {
struct retention_tick {};
/// What may take long is done by another actor, so that the state is told at once.
struct retention_work {
  std::function<void()> run;
};
struct retention_work_done {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::retention_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::retention_work)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::retention_work_done)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using retention_impl = retention_actor::extend<caf::reacts_to<retention_tick>>;
struct retention_holder;
using self_ptr = retention_impl::stateful_pointer<retention_holder>;
using usage_day = storage::ledger::usage_day;
using worker_actor = caf::typed_actor<caf::replies_to<retention_work>::with<retention_work_done>>;

worker_actor::behavior_type retention_worker() {
  return {[](const retention_work& m) {
    m.run();
    return retention_work_done{};
  }};
}

constexpr auto look_every = 10min;
constexpr auto ledger_patience = 60s;
constexpr std::size_t days_between_looks = 8; ///< for want of room: then the size is measured again

std::string shown(std::int32_t day) {
  return to_rfc3339_ms(moment_of(std::int64_t{day} * storage::ns_of(storage::granularity::day))).substr(0, 10);
}

/// One look: days to let go, oldest first, then their disk to give back.
struct retention_run {
  bool asked = false;
  bool early = false; ///< for want of room
  sequence unread = 0;
  std::vector<usage_day> days;
  std::size_t at = 0;
  std::size_t dropped = 0;
  std::set<node_name> stuck; ///< a day of it stays, so all behind it do
  std::vector<usage_day> went;
  std::size_t given_back = 0;
};

struct retention_core {
  retention_settings settings;
  ledger_actor ledger;
  std::shared_ptr<const storage::ledger> store;
  metrics* numbers = nullptr;
  retention_plan plan{{}};
  retention_state state;
  retention_plan::room room = retention_plan::room::fine;
  std::optional<retention_run> run;

  worker_actor worker;

  /// Runs `work` elsewhere, then `then` here with what came of it.
  template <class Work, class Then>
  void in_background(self_ptr self, Work work, Then then);
  void measure(self_ptr self, std::function<void()> then);
  void measured(self_ptr self);
  void begin(self_ptr self, bool asked);
  void take_days(self_ptr self, std::int32_t before);
  void step(self_ptr self);
  void checked(self_ptr self, const usage_day& which, caf::expected<storage::ledger::day_check> found);
  void change(self_ptr self, journal_entry entry, std::uint64_t records);
  void end(self_ptr self);
  void stay(const usage_day& which, const std::string& why, bool broken);
  retention_state now() const;
};

struct retention_holder {
  retention_holder() = default;
  static inline const char* name = "retention-keeper";
  std::unique_ptr<retention_core> core;
};

retention_state retention_core::now() const {
  auto out = state;
  for (const auto& one : store->kept()) {
    retention_state::node n;
    n.name = one.node;
    n.first = one.first_ns == INT64_MIN ? std::nullopt : std::optional{moment_of(one.first_ns)};
    n.records = one.records;
    n.gone = one.gone;
    n.refused = one.refused;
    if (one.refused > 0) {
      n.refused_from = moment_of(one.refused_first_ns);
      n.refused_to = moment_of(one.refused_last_ns);
    }
    out.nodes.push_back(std::move(n));
  }
  return out;
}

template <class Work, class Then>
void retention_core::in_background(self_ptr self, Work work, Then then) {
  using result = decltype(work());
  auto found = std::make_shared<std::optional<result>>();
  self->request(worker, caf::infinite, retention_work{[work, found] { found->emplace(work()); }})
    .then([found, then](const retention_work_done&) { then(std::move(**found)); },
          [self](const caf::error& e) { self->quit(e); });
}

void retention_core::measure(self_ptr self, std::function<void()> then) {
  in_background(
    self,
    [size = settings.size, free = settings.free] {
      return std::pair{size(), free ? free() : std::uint64_t{0}};
    },
    [this, self, then](std::pair<std::uint64_t, std::uint64_t> found) {
      state.size = found.first;
      state.free = found.second;
      measured(self);
      then();
    });
}

void retention_core::measured(self_ptr self) {
  numbers->data_bytes.Set(static_cast<double>(state.size));
  double refused = 0;
  for (const auto& one : store->kept())
    refused += static_cast<double>(one.refused);
  numbers->records_refused.Set(refused);
  const auto before = room;
  room = plan.measured(state.size);
  numbers->disk_alarm.Set(room == retention_plan::room::fine ? 0 : 1);
  const auto percent = state.limit == 0 ? 0 : state.size * 100 / state.limit;
  state.alarm =
    room == retention_plan::room::fine
      ? std::string{}
      : fmt::format("the data folder has {} % of retention.max_bytes{}", percent,
                    room == retention_plan::room::full ? "; the oldest days of single records go earlier" : "");
  if (room == before)
    return;
  if (state.alarm.empty())
    log::info("retention", "room", "The data folder is well below retention.max_bytes again");
  else
    log::warn("retention", "room", "{}", state.alarm);
  constexpr const char* names[] = {"fine", "near", "full"};
  const nlohmann::json data = {{"state", names[static_cast<std::size_t>(room)]},
                               {"bytes", state.size},
                               {"limit", state.limit},
                               {"at", to_rfc3339_ms(settings.now())}};
  journal_entry entry;
  entry.events.push_back({0, event_kind::disk_alarm, {}, settings.now(), dump(data), "disk"});
  self->request(ledger, ledger_patience, std::move(entry)).then([](const committed&) {}, [](const caf::error&) {});
}

void retention_core::begin(self_ptr self, bool asked) {
  if (run) {
    run->asked |= asked;
    return;
  }
  run.emplace();
  run->asked = asked;
  state.running = true;
  state.days = state.records = 0;
  state.held_back.clear();
  measure(self, [this, self] {
    const auto settled = plan.settled(self->clock().now(), store->state().last);
    const auto unread = store->first_unread(settings.consumers);
    if (!unread) {
      state.held_back.push_back(render(unread.error()));
      return end(self);
    }
    run->unread = run->asked ? *unread : std::min(*unread, settled + 1);
    take_days(self, plan.first_kept_day(settings.now()));
  });
}

void retention_core::take_days(self_ptr self, std::int32_t before) {
  run->days.clear();
  run->at = 0;
  run->dropped = 0;
  in_background(
    self, [store = store, before] { return store->days_of_records(before); },
    [this, self](caf::expected<std::vector<usage_day>> days) {
      if (!days) {
        state.held_back.push_back(render(days.error()));
        return end(self);
      }
      run->days = std::move(*days);
      std::stable_sort(run->days.begin(), run->days.end(), [](const auto& a, const auto& b) { return a.day < b.day; });
      step(self);
    });
}

void retention_core::stay(const usage_day& which, const std::string& why, bool broken) {
  run->stuck.insert(which.node);
  state.held_back.push_back(fmt::format("{} of {} stays: {}", shown(which.day), which.node, why));
  if (broken)
    log::error("retention", "held-back", "{}", state.held_back.back());
  ++run->at;
}

void retention_core::step(self_ptr self) {
  while (run->at < run->days.size() && run->stuck.contains(run->days[run->at].node))
    ++run->at;
  const bool enough = run->early && run->dropped >= days_between_looks;
  if (run->at < run->days.size() && !enough) {
    const auto which = run->days[run->at];
    return in_background(
      self, [store = store, which, unread = run->unread] { return store->check_day(which, unread); },
      [this, self, which](caf::expected<storage::ledger::day_check> found) { checked(self, which, std::move(found)); });
  }
  if (run->given_back < run->went.size()) {
    const auto which = run->went[run->given_back++];
    return in_background(
      self, [store = store, which] { return store->give_back(which.node, which.day, which.day + 1); },
      [this, self](const caf::error& failed) {
        if (failed)
          log::warn("retention", "give-back", "{}", render(failed));
        step(self);
      });
  }
  measure(self, [this, self] {
    if (room != retention_plan::room::full || (run->early && run->dropped == 0))
      return end(self);
    if (!run->early) { // nothing more is too old, and there is no room all the same
      run->early = true;
      if (const auto unread = store->first_unread(settings.consumers))
        run->unread = *unread;
    }
    take_days(self, plan.first_young_day(settings.now()));
  });
}

void retention_core::checked(self_ptr self, const usage_day& which, caf::expected<storage::ledger::day_check> found) {
  if (!found) {
    stay(which, render(found.error()), true);
    return step(self);
  }
  journal_entry entry;
  if (found->may_close) {
    entry.retired = storage::ledger::close_before({which.node, which.day + 1});
    return change(self, std::move(entry), 0);
  }
  if (found->ready) {
    entry.retired = found->ready;
    const nlohmann::json data = {{"node", which.node},
                                 {"day", shown(which.day)},
                                 {"records", found->records},
                                 {"early", run->early},
                                 {"at", to_rfc3339_ms(settings.now())}};
    entry.events.push_back({0, event_kind::records_retired, {}, settings.now(), dump(data), "records"});
    return change(self, std::move(entry), found->records);
  }
  stay(which, found->why, found->broken);
  // What came lately goes at a later look: that is nothing to tell of.
  const auto unread = store->first_unread(settings.consumers);
  if (!found->broken && unread && *unread > run->unread)
    state.held_back.pop_back();
  step(self);
}

/// Through the ledger, like all that is written. `records` is 0 where a day is only closed.
void retention_core::change(self_ptr self, journal_entry entry, std::uint64_t records) {
  self->request(ledger, ledger_patience, std::move(entry))
    .then(
      [this, self, records](const committed&) {
        if (records > 0) {
          fail_point(fail_at::retired);
          const auto& which = run->days[run->at++];
          ++run->dropped;
          ++state.days;
          state.records += records;
          numbers->records_retired.Increment(static_cast<double>(records));
          run->went.push_back(which);
        } else {
          fail_point(fail_at::closed);
        }
        step(self);
      },
      [this, self](const caf::error& e) {
        state.held_back.push_back(render(e));
        end(self);
      });
}

void retention_core::end(self_ptr) {
  if (state.records > 0)
    log::info("retention", "retired", "{} single records of {} days went; what is added up of them stays",
              state.records, state.days);
  state.running = false;
  state.ran_at = settings.now();
  numbers->retention_held.Set(static_cast<double>(state.held_back.size()));
  run.reset();
}

retention_impl::behavior_type retention(self_ptr self, bool own_thread, retention_settings settings,
                                        ledger_actor ledger, std::shared_ptr<const storage::ledger> store,
                                        metrics* numbers) {
  self->state.core = std::make_unique<retention_core>();
  auto* core = self->state.core.get();
  core->plan = retention_plan{settings.rules};
  core->state.keep_s = settings.rules.keep.count();
  core->state.limit = settings.rules.max_bytes;
  numbers->data_limit.Set(static_cast<double>(settings.rules.max_bytes));
  core->settings = std::move(settings);
  core->ledger = std::move(ledger);
  core->store = std::move(store);
  core->numbers = numbers;
  core->worker = own_thread ? self->spawn<caf::detached>(retention_worker) : self->spawn(retention_worker);
  self->attach_functor([worker = core->worker] { caf::anon_send_exit(worker, caf::exit_reason::user_shutdown); });
  self->send(self, retention_tick{});
  return {
    [core, self](const run_retention&) -> caf::result<retention_state> {
      core->begin(self, true);
      return core->now();
    },
    [core](const read_retention_state&) -> caf::result<retention_state> { return core->now(); },
    [core, self](const retention_tick&) {
      core->begin(self, false);
      self->delayed_send(self, look_every, retention_tick{});
    },
  };
}

} // namespace

retention_actor spawn_retention_keeper(caf::actor_system& system, bool own_thread, retention_settings settings,
                                       ledger_actor ledger, std::shared_ptr<const storage::ledger> store,
                                       metrics& numbers) {
  return system.spawn(retention, own_thread, std::move(settings), std::move(ledger), std::move(store), &numbers);
}

} // namespace keyportal
