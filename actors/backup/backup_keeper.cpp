#include "actors/backup/backup_keeper.hpp"

#include <atomic>
#include <fstream>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/backup/backup_plan.hpp"
#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {
namespace {
/// To the worker: what was asked for, one after the other.
struct backup_job {
  std::variant<make_backup, verify_backups, prune_backups> what;
};
struct backup_job_done {
  std::string result;
  std::optional<backup_info> made;
  std::uint64_t stored_bytes = 0;
};
struct backup_tick {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::backup_job)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::backup_job_done)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::backup_tick)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

using worker_actor = caf::typed_actor<caf::replies_to<backup_job>::with<backup_job_done>,
                                      caf::replies_to<list_backups>::with<std::vector<backup_info>>>;
using backup_impl = backup_actor::extend<caf::reacts_to<backup_tick>>;
struct backup_holder;
using self_ptr = backup_impl::stateful_pointer<backup_holder>;

constexpr auto ledger_patience = 60s;
constexpr auto look_every = 1s;

/// What the worker tells of while it works, and how it is told to give up.
struct worker_progress {
  std::atomic<std::uint64_t> done{0};
  std::atomic<bool> stop{false};
};

struct worker_core {
  backup_keeper_settings settings;
  std::shared_ptr<const storage::ledger> store;
  std::shared_ptr<worker_progress> progress;

  [[nodiscard]] caf::expected<backup::repository> open(bool may_make) const {
    return backup::repository::open(settings.folder, settings.key, may_make);
  }
  [[nodiscard]] backup::told_progress told() const {
    return [p = progress](std::uint64_t bytes) -> caf::error {
      p->done += bytes;
      return p->stop ? make_error(errc::shutting_down) : caf::error{};
    };
  }

  caf::expected<backup_job_done> run(const make_backup& what) const {
    const auto to = open(true);
    if (!to)
      return to.error();
    const auto state = store->state();
    auto made = to->make({settings.ledger, [this](const fs::path& folder) { return store->checkpoint(folder); },
                          state.last, state.records, settings.now(), what.full,
                          [told = told()](std::uint64_t bytes) {
                            fail_point(fail_at::copied);
                            return told(bytes);
                          }});
    if (!made)
      return made.error();
    auto result = fmt::format("backup {} is made: {} files, {} bytes, {} of them new", made->id, made->files,
                              made->bytes, made->new_bytes);
    const auto gone = to->prune(settings.keep);
    if (!gone)
      return gone.error();
    return backup_job_done{std::move(result), *made, to->stored_bytes()};
  }

  caf::expected<backup_job_done> run(const verify_backups& what) const {
    const auto from = open(false);
    if (!from)
      return from.error();
    const auto all = from->list();
    if (!all)
      return all.error();
    std::set<std::string> proved;
    std::uint64_t count = 0;
    for (const auto& one : *all) {
      if (!what.id.empty() && one.id != what.id)
        continue;
      if (!one.problem.empty())
        return make_error(errc::backup_broken, fmt::format("{}: {}", one.id, one.problem));
      const auto bytes = from->verify(one.id, proved, told());
      if (!bytes)
        return bytes.error();
      ++count;
    }
    if (count == 0)
      return make_error(errc::backup_unknown, what.id.empty() ? "there is none yet" : what.id.substr(0, 40));
    auto result = fmt::format("{} backups with {} files are as they were written", count, proved.size());
    if (what.restore) {
      const auto records = backup::prove(*from, what.id, settings.ledger / "backup.proof", told());
      if (!records)
        return records.error();
      result += fmt::format("; {} was restored, and its ledger with {} records is sound",
                            what.id.empty() ? all->front().id : what.id, *records);
    }
    return backup_job_done{std::move(result), {}, from->stored_bytes()};
  }

  caf::expected<backup_job_done> run(const prune_backups&) const {
    const auto at = open(false);
    if (!at)
      return at.error();
    const auto gone = at->prune(settings.keep);
    if (!gone)
      return gone.error();
    return backup_job_done{
      fmt::format("{} backups, {} files with {} bytes went", gone->backups, gone->files, gone->bytes),
      {},
      at->stored_bytes()};
  }
};

template <class T>
caf::result<T> pass(caf::expected<T> answer) {
  if (!answer)
    return std::move(answer.error());
  return std::move(*answer);
}

worker_actor::behavior_type backup_worker(worker_core core) {
  return {
    [core](const backup_job& job) {
      return pass(std::visit([&](const auto& what) { return core.run(what); }, job.what));
    },
    [core](const list_backups&) -> caf::result<std::vector<backup_info>> {
      const auto from = core.open(false);
      if (!from) {
        if (code_of(from.error()) == errc::backup_unknown)
          return std::vector<backup_info>{};
        return from.error();
      }
      return pass(from->list());
    },
  };
}

struct backup_core {
  backup_keeper_settings settings;
  ledger_actor ledger;
  metrics* numbers = nullptr;
  worker_actor worker, lister;
  std::shared_ptr<worker_progress> progress = std::make_shared<worker_progress>();
  backup_plan plan{0ms};
  backup_state state;
  std::chrono::steady_clock::time_point began;

  void start(self_ptr self);
  caf::result<backup_state> begin(self_ptr self, backup_job job);
  void work(self_ptr self, backup_job job);
  void tell(self_ptr self, event_kind kind, nlohmann::json data);
  void tell_of_restore(self_ptr self);
  [[nodiscard]] backup_state now() const;
};

struct backup_holder {
  backup_holder() = default;
  static inline const char* name = "backup-keeper";
  std::unique_ptr<backup_core> core;
};

backup_state backup_core::now() const {
  auto out = state;
  out.due = plan.due();
  out.done_bytes = progress->done;
  return out;
}

void backup_core::tell(self_ptr self, event_kind kind, nlohmann::json data) {
  data["at"] = to_rfc3339_ms(settings.now());
  journal_entry entry;
  entry.events.push_back({0, kind, {}, settings.now(), dump(data), "backup"});
  self->request(ledger, ledger_patience, std::move(entry)).then([](const committed&) {}, [](const caf::error&) {});
}

/// A ledger that came out of a backup says so once, whoever started it.
void backup_core::tell_of_restore(self_ptr self) {
  const auto file = settings.ledger / backup::restored_note;
  std::ifstream in{file};
  if (!in)
    return;
  auto data = nlohmann::json::parse(in, nullptr, false);
  if (!data.is_object())
    data = nlohmann::json::object();
  log::warn("backup", "restored",
            "The ledger came out of backup {}. What was recorded after it was made comes again from nodes with "
            "/usage; of others see keyportal incompletes",
            data.value("backup", std::string{"?"}));
  journal_entry entry;
  entry.events.push_back({0, event_kind::backup_restored, {}, settings.now(), dump(data), "backup"});
  self->request(ledger, ledger_patience, std::move(entry))
    .then(
      [file](const committed&) {
        std::error_code ignored;
        fs::remove(file, ignored);
      },
      [](const caf::error&) {}); // told at the next start
}

void backup_core::start(self_ptr self) {
  tell_of_restore(self);
  std::error_code ignored; // what an earlier life left half done
  fs::remove_all(settings.ledger / "backup.staging", ignored);
  fs::remove_all(settings.ledger / "backup.proof", ignored);
  if (settings.folder.empty())
    return;
  state.configured = true;
  state.folder = settings.folder.string();
  self->request(lister, caf::infinite, list_backups{})
    .then(
      [this, self](const std::vector<backup_info>& all) {
        for (const auto& one : all)
          if (one.problem.empty()) {
            state.newest = one;
            numbers->backup_made_at.Set(static_cast<double>(unix_ns(one.made_at)) / 1e9);
            break;
          }
        plan.started(settings.now(), state.newest ? std::optional{state.newest->made_at} : std::nullopt);
        self->send(self, backup_tick{});
      },
      [this, self](const caf::error& e) {
        state.alarm = render(e);
        numbers->backup_failing.Set(1);
        log::error("backup", "cannot-list", "{}", state.alarm);
        plan.started(settings.now(), std::nullopt); // the next try tells of it
        self->send(self, backup_tick{});
      });
}

caf::result<backup_state> backup_core::begin(self_ptr self, backup_job job) {
  if (settings.folder.empty())
    return make_error(errc::backup_off);
  if (!state.doing.empty())
    return make_error(errc::backup_in_use, state.doing);
  work(self, std::move(job));
  return now();
}

void backup_core::work(self_ptr self, backup_job job) {
  constexpr const char* words[] = {"making", "verifying", "pruning"};
  const bool making = std::holds_alternative<make_backup>(job.what);
  const bool pruning = std::holds_alternative<prune_backups>(job.what);
  state.doing = words[job.what.index()];
  state.began = settings.now();
  progress->done = 0;
  began = self->clock().now();
  const auto ended = [this, self] {
    ++state.jobs;
    state.did = std::exchange(state.doing, {});
    state.took_ms = std::chrono::duration_cast<std::chrono::milliseconds>(self->clock().now() - began).count();
  };
  self->request(worker, caf::infinite, std::move(job))
    .then(
      [this, self, making, ended](const backup_job_done& done) {
        ended();
        state.result = done.result;
        state.problem.clear();
        state.stored_bytes = done.stored_bytes;
        numbers->backup_bytes.Set(static_cast<double>(done.stored_bytes));
        log::info("backup", "done", "{} ({} ms)", done.result, state.took_ms);
        if (!making || !done.made)
          return;
        state.newest = done.made;
        state.alarm.clear();
        numbers->backup_failing.Set(0);
        numbers->backup_made_at.Set(static_cast<double>(unix_ns(done.made->made_at)) / 1e9);
        plan.made(settings.now());
        tell(self, event_kind::backup_made,
             {{"backup", done.made->id},
              {"position", done.made->position},
              {"bytes", done.made->bytes},
              {"new_bytes", done.made->new_bytes},
              {"took_ms", state.took_ms}});
      },
      [this, self, pruning, ended](const caf::error& e) {
        ended();
        state.result.clear();
        state.problem = render(e);
        if (code_of(e) == errc::shutting_down)
          return;
        // A backup that does not verify is as bad as one that was not made.
        log::error("backup", "failed", "{}: {}", state.did, state.problem);
        if (pruning)
          return;
        state.alarm = fmt::format("{} failed: {}", state.did == "making" ? "making a backup" : "verifying the backups",
                                  state.problem);
        numbers->backup_failing.Set(1);
        if (state.did == "making")
          plan.failed(settings.now());
        tell(self, event_kind::backup_failed, {{"doing", state.did}, {"problem", state.problem}});
      });
}

backup_impl::behavior_type backup_keeper(self_ptr self, bool own_thread, backup_keeper_settings settings,
                                         ledger_actor ledger, std::shared_ptr<const storage::ledger> store,
                                         metrics* numbers) {
  self->state.core = std::make_unique<backup_core>();
  auto* core = self->state.core.get();
  core->settings = settings;
  core->plan = backup_plan{settings.interval};
  core->ledger = std::move(ledger);
  core->numbers = numbers;
  if (!settings.folder.empty()) {
    const worker_core work{settings, std::move(store), core->progress};
    const auto spawn_worker = [&] {
      return own_thread ? self->spawn<caf::detached>(backup_worker, work) : self->spawn(backup_worker, work);
    };
    core->worker = spawn_worker();
    core->lister = spawn_worker();
    self->attach_functor([progress = core->progress, one = core->worker, other = core->lister] {
      progress->stop = true;
      caf::anon_send_exit(one, caf::exit_reason::user_shutdown);
      caf::anon_send_exit(other, caf::exit_reason::user_shutdown);
    });
  }
  core->start(self);
  return {
    [core, self](const make_backup& m) { return core->begin(self, {m}); },
    [core, self](const verify_backups& m) { return core->begin(self, {m}); },
    [core, self](const prune_backups& m) { return core->begin(self, {m}); },
    [core, self](const list_backups& m) -> caf::result<std::vector<backup_info>> {
      if (core->settings.folder.empty())
        return make_error(errc::backup_off);
      return self->delegate(core->lister, m);
    },
    [core](const read_backup_state&) -> caf::result<backup_state> { return core->now(); },
    [core, self](const backup_tick&) {
      if (core->state.doing.empty() && core->plan.is_due(core->settings.now()))
        core->work(self, {make_backup{}});
      self->delayed_send(self, look_every, backup_tick{});
    },
  };
}

} // namespace

backup_actor spawn_backup_keeper(caf::actor_system& system, bool own_thread, backup_keeper_settings settings,
                                 ledger_actor ledger, std::shared_ptr<const storage::ledger> store, metrics& numbers) {
  return system.spawn(backup_keeper, own_thread, std::move(settings), std::move(ledger), std::move(store), &numbers);
}

} // namespace keyportal
