#include "actors/snapshot_keeper/snapshot_keeper.hpp"

#include <optional>
#include <random>

#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "actors/cpa/export_document.hpp"
#include "actors/cpa/usage_document.hpp"
#include "actors/snapshot_keeper/restore_plan.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {
namespace {
struct snapshot_tick {};
struct try_again {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::snapshot_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::try_again)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using keeper_impl = snapshot_keeper_actor::extend<caf::reacts_to<snapshot_tick>, caf::reacts_to<try_again>>;
struct keeper_state;
using self_ptr = keeper_impl::stateful_pointer<keeper_state>;

constexpr auto ledger_patience = 60s;
constexpr std::size_t import_chunk = 5'000; ///< records of a file per commit

/// One restore under way.
struct restore_run {
  explicit restore_run(int retries) : plan(retries) {}
  restore_plan plan;
  std::optional<restart_record> restart; ///< the restart it answers, if any
  std::vector<caf::typed_response_promise<restore_report>> askers;
  std::unique_ptr<storage::ledger::scan> scan;
  node_counters counters; ///< of the node, as last read
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  std::chrono::milliseconds backoff = 200ms;
  bool interrupted = false; ///< waits until the poller has judged the node anew
};

struct keeper_core {
  keeper_settings settings;
  keeper_peers peers;
  std::shared_ptr<storage::ledger> store;
  std::optional<node_metrics> numbers;
  std::optional<restore_run> run;
  poller_actor poller;                        ///< null until met
  std::optional<restart_record> next_restart; ///< noticed while a restore was under way: that one begins anew

  void start(self_ptr self);
  void leave_marker(self_ptr self);
  void begin_restore(self_ptr self, std::optional<restart_record> restart);
  void read_node(self_ptr self);
  void next_piece(self_ptr self);
  void finish(self_ptr self, bool complete);
  void fail(self_ptr self, const caf::error& why);
  totals sums() const;
  caf::expected<export_file> build(const std::string& reason) const;
  caf::expected<snapshot_info> snapshot(self_ptr self, const std::string& reason);
};

struct keeper_state {
  keeper_state() = default;
  static inline const char* name = "snapshot-keeper";
  std::unique_ptr<keeper_core> core;
};

template <class T>
caf::result<T> pass(caf::expected<T> answer) {
  if (!answer)
    return std::move(answer.error());
  return std::move(*answer);
}

/// A restart that was noticed before we ended and not put right yet.
void keeper_core::start(self_ptr self) {
  auto newest = store->restarts(settings.node, 1);
  if (newest && !newest->empty() && newest->front().state == restore_state::pending)
    begin_restore(self, newest->front());
  self->delayed_send(self, settings.snapshot_interval, snapshot_tick{});
}

// --- restore ------------------------------------------------------------------------------------------------------

void keeper_core::begin_restore(self_ptr self, std::optional<restart_record> restart) {
  if (restart && !settings.restore_enabled) {
    log::warn("snapshot-keeper", "restore-off", "Restart of {}: nothing is restored, restore.enabled is false",
              settings.node);
    return;
  }
  if (run) { // what was imported before the second restart is gone: compare anew
    if (restart)
      next_restart = std::move(restart);
    return;
  }
  run.emplace(settings.retries);
  run->restart = std::move(restart);
  read_node(self);
}

void keeper_core::read_node(self_ptr self) {
  run->interrupted = false;
  self->request(peers.upstream, caf::infinite, fetch_usage{})
    .then(
      [this, self](const usage_answer& answer) {
        cpa::usage_book book{settings.node};
        auto read = book.read(*answer.body);
        if (!read)
          return fail(self, read.error());
        auto present = std::make_shared<std::unordered_set<record_id>>();
        present->reserve(read->details);
        for (const auto& group : read->fresh)
          for (const auto& d : group.details)
            present->insert(d.id);
        run->counters = read->counters;
        run->scan = store->records(settings.node, std::move(present));
        run->plan.reading_done();
        next_piece(self);
      },
      [this, self](const caf::error& e) { fail(self, e); });
}

void keeper_core::next_piece(self_ptr self) {
  for (;;) {
    auto piece = run->scan->next(settings.piece_records);
    if (!piece)
      return fail(self, piece.error());
    std::uint64_t records = 0;
    for (const auto& group : *piece)
      records += group.details.size();
    if (records == 0)
      break;
    if (!run->plan.piece_found(records))
      continue;
    self
      ->request(peers.upstream, caf::infinite,
                import_usage{std::make_shared<const std::string>(cpa::export_writer::piece(*piece))})
      .then(
        [this, self](const import_answer& answer) {
          run->plan.piece_imported(answer);
          if (poller)
            self->send(poller, node_counted{answer.counters.requests});
          next_piece(self);
        },
        [this, self](const caf::error& e) { fail(self, e); });
    return;
  }
  run->scan.reset();
  switch (run->plan.comparison_done()) {
    case restore_plan::next::read_back: return read_node(self);
    case restore_plan::next::complete: return finish(self, true);
    case restore_plan::next::incomplete: return finish(self, false);
  }
}

/// The node went away, or answers nonsense: the state is on disk, so patience costs nothing. It goes on only when the
/// poller has looked at the node again: were another process filled before that, its restart would not show. A node that refuses our key
/// is not asked again until something changes.
void keeper_core::fail(self_ptr self, const caf::error& why) {
  run->scan.reset();
  const auto code = code_of(why);
  if (code == errc::shutting_down)
    return;
  log::warn("snapshot-keeper", "restore-delayed", "Restart: restoring {} has to wait: {}", settings.node, render(why));
  if (code == errc::node_wrong_key || code == errc::node_banned || code == errc::node_forbidden
      || code == errc::node_without_usage) {
    for (auto& asker : run->askers)
      asker.deliver(why);
    run.reset();
    return;
  }
  run->interrupted = true;
  self->delayed_send(self, run->backoff, try_again{});
  run->backoff = std::min<std::chrono::milliseconds>(run->backoff * 2, 5s);
}

void keeper_core::finish(self_ptr self, bool complete) {
  auto done = std::move(*run);
  run.reset();
  if (poller) // the sooner it has seen what was restored, the sooner it would see that vanish
    self->send(poller, poll_now{});
  const auto took =
    std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - done.began);
  const restore_report report{done.plan.lacking_at_first(), done.plan.imported(), done.plan.still_lacking(),
                              took.count()};
  numbers->restored.Increment(static_cast<double>(report.imported));
  numbers->lacking.Set(static_cast<double>(report.still_lacking));
  for (auto& asker : done.askers)
    asker.deliver(report);
  if (done.restart) {
    auto& r = *done.restart;
    r.state = complete ? restore_state::complete : restore_state::incomplete;
    r.restored_at = settings.now();
    r.restored = done.counters;
    r.records_imported = report.imported;
    r.still_lacking = report.still_lacking;
    log::info("snapshot-keeper", "restored",
              "Snapshot restored after Restart {} of {}: {} records imported, {} lacking, {} requests in all, {} ms",
              r.number, settings.node, report.imported, report.still_lacking, r.restored.requests, report.took_ms);
    journal_entry entry;
    entry.restart = r;
    entry.events.push_back({0, event_kind::restored, settings.node, *r.restored_at, dump(to_json(r))});
    if (!complete)
      entry.events.push_back({0, event_kind::incomplete, settings.node, *r.restored_at, incomplete_body(r)});
    self->request(peers.ledger, ledger_patience, std::move(entry))
      .then(
        [this, self, r](const committed&) {
          self->send(peers.feed, restart_noticed{r, true});
        },
        [](const caf::error&) {}); // it stays pending and is done again at the next start
    if (auto made = snapshot(self, "restart"); !made)
      log::error("snapshot-keeper", "snapshot-failed", "Snapshot of {}: {}", settings.node, render(made.error()));
  }
  if (next_restart)
    begin_restore(self, std::exchange(next_restart, std::nullopt));
}

/// An entry without details: nothing is counted, and it lasts as long as the process (contract of CPA's import).
void keeper_core::leave_marker(self_ptr self) {
  const auto name = fmt::format("{}{:08x}", cpa::boot_marker_prefix, std::random_device{}());
  const auto document = fmt::format(R"({{"version":1,"usage":{{"apis":{{"{}":{{}}}}}}}})", name);
  self->request(peers.upstream, caf::infinite, import_usage{std::make_shared<const std::string>(document)})
    .then([](const import_answer&) {}, [](const caf::error&) {}); // the next poll sees whether it is there
}

// --- snapshots ----------------------------------------------------------------------------------------------------

/// Of the records that a snapshot would hold now.
totals keeper_core::sums() const {
  for (const auto& one : store->kept())
    if (one.node == settings.node)
      return one.sums;
  return {};
}

/// The node's whole usage as the ledger has it now.
caf::expected<export_file> keeper_core::build(const std::string& reason) const {
  export_file file;
  file.info.node = settings.node;
  file.info.made_at = settings.now();
  file.info.reason = reason;
  file.info.position = store->state().last;
  cpa::export_writer writer;
  const auto scan = store->records(settings.node, nullptr);
  for (;;) {
    auto piece = scan->next(settings.piece_records);
    if (!piece)
      return piece.error();
    if (piece->empty())
      break;
    writer.add(*piece);
  }
  file.info.sums = writer.sums();
  file.json = std::make_shared<const std::string>(std::move(writer).finish(file.info.made_at));
  file.info.json_bytes = file.json->size();
  return file;
}

/// Makes one unless the newest one shows the same already.
caf::expected<snapshot_info> keeper_core::snapshot(self_ptr self, const std::string& reason) {
  auto kept = store->snapshots(settings.node);
  if (!kept)
    return kept.error();
  if (!kept->empty() && kept->front().sums == sums() && reason != "request")
    return kept->front();
  if (kept->empty() && sums().requests == 0 && reason != "request")
    return snapshot_info{};
  auto file = build(reason);
  if (!file)
    return file.error();
  auto made = store->keep_snapshot(file->info, *file->json);
  if (!made)
    return made.error();
  numbers->snapshots.Increment();
  log::info("snapshot-keeper", "snapshot", "Snapshot {} of {}: {} requests, {} bytes kept ({})", made->id,
            settings.node, made->sums.requests, made->stored_bytes, reason);
  journal_entry entry;
  entry.events.push_back({0, event_kind::snapshot, settings.node, made->made_at, dump(to_json(*made))});
  self->request(peers.ledger, ledger_patience, std::move(entry))
    .then([](const committed&) {}, [](const caf::error&) {});
  self->send(peers.feed, snapshot_made{*made});
  return *made;
}

// --- files --------------------------------------------------------------------------------------------------------

/// Sends a file's records to the ledger chunk by chunk, then answers and lets the node have what it lacks.
struct file_import {
  std::vector<collection> chunks;
  std::size_t next = 0;
  import_report report;
  caf::typed_response_promise<import_report> answer;
};

std::vector<collection> chunks_of(const node_name& node, std::vector<record_group> groups, moment now) {
  std::vector<collection> out;
  std::vector<record_group> chunk;
  std::size_t records = 0;
  const auto close = [&] {
    if (chunk.empty())
      return;
    collection c;
    c.node = node;
    c.seen_at = now;
    c.from_poll = false;
    c.groups = std::make_shared<const std::vector<record_group>>(std::exchange(chunk, {}));
    out.push_back(std::move(c));
    records = 0;
  };
  for (auto& group : groups) {
    for (std::size_t at = 0; at < group.details.size();) {
      const auto n = std::min(import_chunk - records, group.details.size() - at);
      const auto from = group.details.begin() + static_cast<std::ptrdiff_t>(at);
      chunk.push_back({group.client_key, group.model, {from, from + static_cast<std::ptrdiff_t>(n)}});
      at += n;
      records += n;
      if (records == import_chunk)
        close();
    }
  }
  close();
  return out;
}

void send_chunks(self_ptr self, keeper_core* core, std::shared_ptr<file_import> file) {
  if (file->next == file->chunks.size()) {
    log::info("snapshot-keeper", "file-imported", "Snapshot file taken into {}: {} records, {} new",
              core->settings.node, file->report.records, file->report.added);
    file->answer.deliver(file->report);
    if (file->report.added > 0)
      core->begin_restore(self, std::nullopt);
    return;
  }
  self->request(core->peers.ledger, ledger_patience, std::move(file->chunks[file->next++]))
    .then(
      [self, core, file](const committed& done) {
        file->report.added += done.records->size();
        file->report.records += done.records->size() + done.duplicates + done.refused;
        file->report.refused += done.refused;
        send_chunks(self, core, file);
      },
      [file](const caf::error& e) { file->answer.deliver(e); });
}

// --- behaviour ----------------------------------------------------------------------------------------------------

keeper_impl::behavior_type keeper(self_ptr self, keeper_settings settings, keeper_peers peers,
                                  std::shared_ptr<storage::ledger> store, metrics* numbers) {
  self->state.core = std::make_unique<keeper_core>();
  auto* core = self->state.core.get();
  core->numbers.emplace(numbers->of_node(settings.node));
  core->settings = std::move(settings);
  core->peers = std::move(peers);
  core->store = std::move(store);
  core->start(self);
  return {
    [core, self](const restart_noticed& m) {
      if (m.can_restore)
        core->begin_restore(self, m.restart);
      else if (auto made = core->snapshot(self, "restart"); !made)
        log::error("snapshot-keeper", "snapshot-failed", "Snapshot of {}: {}", core->settings.node,
                   render(made.error()));
    },
    [core, self](const restore_wanted&) {
      if (core->settings.restore_enabled && !core->run)
        core->begin_restore(self, std::nullopt);
    },
    [core, self](const place_marker&) { core->leave_marker(self); },
    [core, self](const node_seen&) {
      if (core->run && core->run->interrupted)
        core->read_node(self);
    },
    [core](const meet_poller& m) { core->poller = m.poller; },
    [core, self](const make_snapshot& m) { return pass(core->snapshot(self, m.reason)); },
    [core](const list_snapshots&) { return pass(core->store->snapshots(core->settings.node)); },
    [core](const export_snapshot& m) -> caf::result<export_file> {
      if (m.id == 0)
        return pass(core->build("request"));
      auto kept = core->store->snapshots(core->settings.node);
      if (!kept)
        return kept.error();
      for (auto& info : *kept) {
        if (info.id != m.id)
          continue;
        auto json = core->store->read_snapshot(m.id);
        if (!json)
          return json.error();
        return export_file{info, std::make_shared<const std::string>(std::move(*json))};
      }
      return make_error(errc::snapshot_unknown, std::to_string(m.id));
    },
    [core, self](const import_file& m) -> caf::result<import_report> {
      auto groups = cpa::read_export(core->settings.node, *m.json);
      if (!groups)
        return groups.error();
      auto file = std::make_shared<file_import>();
      file->chunks = chunks_of(core->settings.node, std::move(*groups), core->settings.now());
      file->answer = self->make_response_promise<import_report>();
      send_chunks(self, core, file);
      return file->answer;
    },
    [core, self](const restore_now&) -> caf::result<restore_report> {
      core->begin_restore(self, std::nullopt);
      core->run->askers.push_back(self->make_response_promise<restore_report>());
      return core->run->askers.back();
    },
    [core, self](const drain&) -> caf::result<drained> {
      if (auto made = core->snapshot(self, "shutdown"); !made)
        log::error("snapshot-keeper", "snapshot-failed", "Snapshot of {}: {}", core->settings.node,
                   render(made.error()));
      return drained{};
    },
    [core, self](const snapshot_tick&) {
      if (auto made = core->snapshot(self, "interval"); !made)
        log::error("snapshot-keeper", "snapshot-failed", "Snapshot of {}: {}", core->settings.node,
                   render(made.error()));
      self->delayed_send(self, core->settings.snapshot_interval, snapshot_tick{});
    },
    [core, self](const try_again&) {
      if (core->run && core->poller)
        self->send(core->poller, tell_when_seen{});
    },
  };
}

} // namespace

snapshot_keeper_actor spawn_snapshot_keeper(caf::actor_system& system, bool own_thread, keeper_settings settings,
                                            keeper_peers peers, std::shared_ptr<storage::ledger> store,
                                            metrics& numbers) {
  return own_thread
           ? system.spawn<caf::detached>(keeper, std::move(settings), std::move(peers), std::move(store), &numbers)
           : system.spawn(keeper, std::move(settings), std::move(peers), std::move(store), &numbers);
}

} // namespace keyportal
