#include "actors/ledger/ledger.hpp"

#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "actors/ledger/totals_pace.hpp"
#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {
namespace {
struct flush {};
struct totals_tick {};
struct reprice_next {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::flush)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::totals_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::reprice_next)

namespace keyportal {
namespace {

using ledger_impl =
  writer_actor::extend<caf::reacts_to<flush>, caf::reacts_to<totals_tick>, caf::reacts_to<reprice_next>>;
struct ledger_state_holder;
using self_ptr = ledger_impl::stateful_pointer<ledger_state_holder>;

/// Reads that may take long, beside the commits: the ledger lets any thread read.
using reader_actor = caf::typed_actor<caf::replies_to<read_arrivals>::with<std::vector<arrival>>,
                                      caf::replies_to<list_dead_letters>::with<std::vector<dead_letter>>,
                                      caf::replies_to<read_inbox>::with<std::vector<inbox_entry>>,
                                      caf::replies_to<read_entries>::with<std::vector<registry_entry>>,
                                      caf::replies_to<list_unpriced>::with<std::vector<unpriced_model>>,
                                      caf::replies_to<load_registry>::with<std::shared_ptr<const registry_image>>>;

/// Bounds the memory of one batch; what is over waits for the next.
constexpr std::size_t most_writes = 512;
constexpr std::size_t enough_received_bytes = std::size_t{32} << 20;

struct ledger_core {
  std::shared_ptr<storage::ledger> store;
  std::function<moment()> now;
  metrics* numbers = nullptr;
  reader_actor reader; ///< null: the ledger has no thread of its own, so neither do the reads

  /// One message: a collection with facts is two writes of the same batch.
  struct waiting {
    std::vector<storage::ledger::write> writes;
    std::function<void(caf::expected<committed>)> answer; ///< null for our own events
    bool is_shared = false;                               ///< of the log of several processes: not without those before
  };
  std::vector<waiting> queue;
  bool alone = true;
  std::size_t single = 0;    ///< so many are committed one by one
  std::uint64_t applied = 0; ///< of the shared log, with what waits
  bool flush_sent = false;
  bool tick_sent = false;
  std::vector<listener_actor> listeners;
  totals_pace pace;
  reprice_state repriced; ///< under way or the last one
  storage::ledger::reprice_step reprice_at;
  std::vector<node_name> reprice_nodes; ///< still to come, the next one last

  template <class Answer>
  caf::result<Answer> add(self_ptr self, std::vector<storage::ledger::write> writes);
  caf::result<committed> apply(self_ptr self, apply_shared& what);
  void forget_applied();
  void drop_shared(const caf::error& why);
  void commit_waiting(self_ptr self);
  void tell_totals(self_ptr self);
  void wake(self_ptr self);
  caf::result<reprice_state> begin_reprice(self_ptr self, const reprice_prices& what);
  void reprice_on(self_ptr self);
};

struct ledger_state_holder {
  ledger_state_holder() = default;
  static inline const char* name = "ledger";
  std::unique_ptr<ledger_core> core;
};

template <class T>
caf::result<T> pass(caf::expected<T> answer) {
  if (!answer)
    return std::move(answer.error());
  return std::move(*answer);
}

caf::expected<std::vector<arrival>> answer(const storage::ledger& from, const read_arrivals& what) {
  return from.arrivals(what);
}
caf::expected<std::vector<dead_letter>> answer(const storage::ledger& from, const list_dead_letters& what) {
  return from.dead_letters(what.after, what.limit, what.whole);
}
caf::expected<std::vector<inbox_entry>> answer(const storage::ledger& from, const read_inbox& what) {
  return from.read_inbox(what.node, what.after, what.limit);
}

caf::expected<std::vector<registry_entry>> answer(const storage::ledger& from, const read_entries& what) {
  return from.entries(what.after, what.limit);
}
caf::expected<std::vector<unpriced_model>> answer(const storage::ledger& from, const list_unpriced& what) {
  return from.unpriced(what.from, what.to);
}
caf::expected<std::shared_ptr<const registry_image>> answer(const storage::ledger& from, const load_registry&) {
  auto image = from.load_registry();
  if (!image)
    return std::move(image.error());
  return std::make_shared<const registry_image>(std::move(*image));
}

reader_actor::behavior_type ledger_reader(std::shared_ptr<const storage::ledger> store) {
  return {
    [store](const read_arrivals& m) { return pass(answer(*store, m)); },
    [store](const list_dead_letters& m) { return pass(answer(*store, m)); },
    [store](const read_inbox& m) { return pass(answer(*store, m)); },
    [store](const read_entries& m) { return pass(answer(*store, m)); },
    [store](const list_unpriced& m) { return pass(answer(*store, m)); },
    [store](const load_registry& m) { return pass(answer(*store, m)); },
  };
}

/// By the reader where there is one.
template <class Answer, class Question>
caf::result<Answer> read(self_ptr self, const ledger_core& core, const Question& what) {
  if (core.reader)
    return self->delegate(core.reader, what);
  return pass(answer(*core.store, what));
}

/// The answer to a collection with facts: one commit seen as one.
committed merged(std::vector<committed> parts) {
  auto out = std::move(parts.front());
  for (std::size_t i = 1; i < parts.size(); ++i) {
    auto& p = parts[i];
    out.last = std::max(out.last, p.last);
    out.refused += p.refused;
    out.restart_number = std::max(out.restart_number, p.restart_number);
    if (!p.events->empty())
      out.events = p.events;
    if (!p.incomplete_numbers.empty())
      out.incomplete_numbers = std::move(p.incomplete_numbers);
  }
  return out;
}

caf::expected<committed> answer_to(caf::expected<committed> done, committed*) { return done; }
caf::expected<appended> answer_to(const caf::expected<committed>& done, appended*) {
  if (!done)
    return done.error();
  if (done->appended == 0)
    return make_error(errc::registry_conflict);
  return appended{done->appended};
}

copy_report report_of(const committed& done) {
  return {done.records->size() + done.duplicates + done.refused, done.records->size(), done.refused};
}

caf::expected<copy_report> answer_to(const caf::expected<committed>& done, copy_report*) {
  if (!done)
    return done.error();
  return report_of(*done);
}

template <class Answer>
caf::result<Answer> ledger_core::add(self_ptr self, std::vector<storage::ledger::write> writes) {
  auto promise = self->make_response_promise<Answer>();
  queue.push_back({std::move(writes), [promise](caf::expected<committed> done) mutable {
                     if (!promise.pending())
                       return;
                     auto answer = answer_to(std::move(done), static_cast<Answer*>(nullptr));
                     if (answer)
                       promise.deliver(std::move(*answer));
                     else
                       promise.deliver(std::move(answer.error()));
                   }});
  wake(self);
  return promise;
}

caf::result<committed> ledger_core::apply(self_ptr self, apply_shared& what) {
  if (what.after != applied)
    return make_error(errc::registry_conflict, "the shared log");
  applied = what.progress.sequence;
  what.writes.emplace_back(std::move(what.progress));
  auto answer = add<committed>(self, std::move(what.writes));
  queue.back().is_shared = true;
  return answer;
}

/// What was to come behind a message that did not get to the disk is not taken: it comes again.
void ledger_core::drop_shared(const caf::error& why) {
  for (auto& w : queue)
    if (w.is_shared)
      w.answer(why);
  std::erase_if(queue, [](const waiting& w) { return w.is_shared; });
  forget_applied();
}

void ledger_core::forget_applied() {
  const auto there = store->shared();
  applied = there && *there ? (*there)->sequence : 0;
}

void ledger_core::wake(self_ptr self) {
  if (!flush_sent) {
    flush_sent = true;
    self->send(self, flush{});
  }
}

void ledger_core::commit_waiting(self_ptr self) {
  flush_sent = false;
  if (queue.empty())
    return;
  auto batch = std::move(queue);
  queue.clear();
  std::size_t taken = 0;
  const auto most = single > 0 ? 1 : std::min(batch.size(), most_writes);
  single -= single > 0 ? 1 : 0;
  for (std::size_t bytes = 0; taken < most && bytes < enough_received_bytes; ++taken)
    for (const auto& write : batch[taken].writes)
      if (const auto* what = std::get_if<received>(&write); what != nullptr && what->payloads)
        bytes += what->payloads->bytes.size();
  if (batch.size() > taken) {
    queue.assign(std::make_move_iterator(batch.begin() + static_cast<std::ptrdiff_t>(taken)),
                 std::make_move_iterator(batch.end()));
    batch.resize(taken);
    wake(self);
  }
  std::vector<storage::ledger::write> writes;
  for (auto& w : batch)
    std::move(w.writes.begin(), w.writes.end(), std::back_inserter(writes)); // sizes stay, for the answers

  const auto begin = std::chrono::steady_clock::now();
  auto done = store->commit(writes, now());
  numbers->commit_seconds.Observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  numbers->commit_writes.Observe(static_cast<double>(writes.size()));
  if (!done && code_of(done.error()) == errc::bad_request && batch.size() > 1) {
    // Whoever asked for what makes no sense is told so, and nobody else suffers for it.
    auto next = writes.begin();
    for (auto& w : batch)
      for (auto& write : w.writes)
        write = std::move(*next++);
    single = batch.size();
    queue.insert(queue.begin(), std::make_move_iterator(batch.begin()), std::make_move_iterator(batch.end()));
    return wake(self);
  }
  if (!done) {
    numbers->commits_failed.Increment();
    log::error("ledger", "commit-failed", "{}", render(done.error()));
    for (auto& w : batch)
      if (w.answer)
        w.answer(done.error());
    if (code_of(done.error()) != errc::bad_request)
      drop_shared(done.error());
    if (code_of(done.error()) == errc::storage_stuck)
      self->quit(done.error()); // and with it the service: opening anew is what helps
    return;
  }
  const auto state = store->state();
  numbers->ledger_position.Set(static_cast<double>(state.last));
  numbers->ledger_records.Set(static_cast<double>(state.records));
  numbers->outbox_waiting.Set(static_cast<double>(state.outbox));

  std::size_t next = 0;
  for (auto& w : batch) {
    std::vector<committed> parts(
      std::make_move_iterator(done->begin() + static_cast<std::ptrdiff_t>(next)),
      std::make_move_iterator(done->begin() + static_cast<std::ptrdiff_t>(next + w.writes.size())));
    next += w.writes.size();
    auto answer = merged(std::move(parts));
    if (answer.appended > 0)
      fail_point(fail_at::appended);
    if (!answer.records->empty()) {
      fail_point(fail_at::committed);
      for (const auto& [node, sums] : answer.sums)
        pace.changed(node, sums);
    }
    if (!answer.records->empty() || !answer.events->empty() || answer.appended > 0)
      for (const auto& who : listeners)
        self->send(who, answer);
    if (w.answer)
      w.answer(std::move(answer));
  }
  tell_totals(self);
}

/// Totals travel as events of their own, so that a subscriber has them without adding up.
void ledger_core::tell_totals(self_ptr self) {
  if (!alone)
    return;
  const auto due = pace.due(self->clock().now());
  if (!due.empty()) {
    journal_entry entry;
    for (const auto& [node, sums] : due)
      entry.events.push_back({0, event_kind::totals, node, now(),
                              dump({{"node", node}, {"at", to_rfc3339_ms(now())}, {"totals", to_json(sums)}})});
    queue.push_back({{std::move(entry)}, {}});
    wake(self);
  }
  if (pace.waiting() && !tick_sent) {
    tick_sent = true;
    self->delayed_send(self, totals_pace::pause, totals_tick{});
  }
}

// --- costs worked out anew: a piece at a time, commits in between ------------------------------------

caf::result<reprice_state> ledger_core::begin_reprice(self_ptr self, const reprice_prices& what) {
  if (repriced.running)
    return make_error(errc::reprice_running);
  if (what.from && what.to && *what.from >= *what.to)
    return make_error(errc::bad_request, "from comes before to");
  auto prices = store->prices();
  if (!prices)
    return make_error(errc::shutting_down, "not started yet");
  repriced = {};
  repriced.what = what;
  repriced.running = true;
  reprice_at = {};
  reprice_at.from_ns = what.from ? unix_ns(*what.from) : INT64_MIN;
  reprice_at.to_ns = what.to ? unix_ns(*what.to) : INT64_MAX;
  reprice_at.with = std::move(prices);
  reprice_at.dry_run = what.dry_run;
  reprice_nodes.clear();
  for (const auto& [node, sums] : store->state().sums)
    reprice_nodes.push_back(node);
  std::reverse(reprice_nodes.begin(), reprice_nodes.end());
  self->send(self, reprice_next{});
  return repriced;
}

void ledger_core::reprice_on(self_ptr self) {
  if (!repriced.running)
    return;
  auto& s = repriced;
  const auto end = [&](std::string problem) {
    s.running = false;
    s.problem = std::move(problem);
    s.node.clear();
    s.at.reset();
    reprice_at.with.reset();
    log::info("ledger", "repriced", "{}{} records looked at, {} cost something else now{}{}",
              s.what.dry_run ? "tried only: " : "", s.records, s.changed,
              s.problem.empty() ? "" : "; ended early: ", s.problem);
  };
  if (reprice_nodes.empty())
    return end({});
  s.node = reprice_at.node = reprice_nodes.back();
  auto done = store->reprice(reprice_at);
  if (!done)
    return end(render(done.error()));
  s.records += done->records;
  s.changed += done->changed;
  s.unpriced_before += done->unpriced_before;
  s.unpriced_after += done->unpriced_after;
  for (auto& [sum, more] : {std::pair{&s.cost_before, done->cost_before}, std::pair{&s.cost_after, done->cost_after}})
    if (__builtin_add_overflow(*sum, more, sum))
      *sum = INT64_MAX;
  if (!done->changes.empty()) {
    committed told;
    told.last = store->state().last;
    told.records = std::make_shared<const std::vector<stored_record>>();
    told.events = std::make_shared<const std::vector<node_event>>();
    told.repriced = std::make_shared<const std::vector<cost_change>>(std::move(done->changes));
    for (const auto& who : listeners)
      self->send(who, told);
  }
  reprice_at.next = std::move(done->next);
  s.at = reprice_at.next.empty() ? std::nullopt : std::optional{done->at};
  if (reprice_at.next.empty())
    reprice_nodes.pop_back();
  self->send(self, reprice_next{});
}

/// A message that is one write.
template <class Answer = committed, class Write>
caf::result<Answer> ledger_add(self_ptr self, Write& write) {
  std::vector<storage::ledger::write> writes;
  writes.emplace_back(std::move(write));
  return self->state.core->add<Answer>(self, std::move(writes));
}

} // namespace

caf::expected<collection> collected(const storage::ledger& store, copy_records& m) {
  std::unordered_set<std::string> hashes;
  for (const auto& group : m.groups)
    if (!group.key_sha256.empty())
      hashes.insert(group.key_sha256);
  const auto known = store.keys_by_sha256(hashes);
  if (!known)
    return known.error();
  auto groups = std::make_shared<std::vector<record_group>>();
  groups->reserve(m.groups.size());
  for (auto& group : m.groups) {
    if (!group.key_sha256.empty()) {
      const auto found = known->find(group.key_sha256);
      group.client_key = found == known->end() ? secret{"sha256:" + group.key_sha256} : found->second;
    }
    for (auto& one : group.details) {
      one.copied = true;
      one.id = make_record_id(m.node, group.client_key.reveal(), group.model, one);
    }
    groups->push_back({std::move(group.client_key), std::move(group.model), std::move(group.details)});
  }
  collection out;
  out.node = m.node;
  out.from_poll = false;
  out.groups = std::move(groups);
  return out;
}

namespace {

ledger_impl::behavior_type ledger_behavior(self_ptr self, bool own_thread, std::shared_ptr<storage::ledger> store,
                                           std::function<moment()> now, metrics* numbers, bool alone) {
  self->state.core = std::make_unique<ledger_core>();
  auto* core = self->state.core.get();
  if (own_thread) {
    core->reader = self->spawn<caf::detached>(ledger_reader, std::shared_ptr<const storage::ledger>(store));
    self->attach_functor([reader = core->reader] { caf::anon_send_exit(reader, caf::exit_reason::user_shutdown); });
  }
  core->store = std::move(store);
  core->alone = alone;
  core->forget_applied();
  core->now = std::move(now);
  core->numbers = numbers;
  return {
    [core, self](collection& m) {
      std::vector<storage::ledger::write> writes;
      auto facts = std::exchange(m.facts, std::nullopt);
      writes.emplace_back(std::move(m));
      if (facts)
        writes.emplace_back(std::move(*facts));
      return core->add<committed>(self, std::move(writes));
    },
    [self](journal_entry& m) { return ledger_add(self, m); },
    [self](received& m) { return ledger_add(self, m); },
    [core, self](const read_inbox& m) { return read<std::vector<inbox_entry>>(self, *core, m); },
    [core](const list_incompletes& m) { return pass(core->store->incompletes(m.node, m.limit)); },
    [core](const recall_audit& m) { return pass(core->store->recall_audit(m.node)); },
    [core, self](const list_dead_letters& m) { return read<std::vector<dead_letter>>(self, *core, m); },
    [self](consumer_progress& m) { return ledger_add(self, m); },
    [core, self](const read_arrivals& m) { return read<std::vector<arrival>>(self, *core, m); },
    [core](const list_consumers&) { return pass(core->store->consumers()); },
    [core](const recall& m) { return pass(core->store->recall(m.node)); },
    [core](const read_outbox& m) { return pass(core->store->read_outbox(m.after, m.limit)); },
    [core](const outbox_acked& m) {
      if (auto error = core->store->forget_outbox(m.seqs)) // they are sent again and recognised; nothing is lost
        log::warn("ledger", "outbox", "{}", render(error));
      core->numbers->events_shipped.Increment(static_cast<double>(m.seqs.size()));
      core->numbers->outbox_waiting.Set(static_cast<double>(core->store->state().outbox));
    },
    [core](const list_restarts& m) { return pass(core->store->restarts(m.node, m.limit)); },
    [core](const list_gaps& m) { return pass(core->store->gaps(m.node, m.limit)); },
    [core](const read_ledger_state&) -> caf::result<ledger_state> { return core->store->state(); },
    [core](const add_listener& m) { core->listeners.push_back(m.who); },
    [self](append_entry& m) { return ledger_add<appended>(self, m); },
    [core, self](apply_shared& m) { return core->apply(self, m); },
    [core, self](const read_entries& m) { return read<std::vector<registry_entry>>(self, *core, m); },
    [core, self](const load_registry& m) { return read<std::shared_ptr<const registry_image>>(self, *core, m); },
    [core](const keep_config& m) { return pass(core->store->keep_config(m)); },
    [core](const list_configs& m) { return pass(core->store->configs(m.node)); },
    [core](const read_config& m) -> caf::result<std::shared_ptr<const std::string>> {
      auto text = core->store->read_config(m.node, m.number);
      if (!text)
        return std::move(text.error());
      return std::make_shared<const std::string>(std::move(*text));
    },
    [core, self](const list_unpriced& m) { return read<std::vector<unpriced_model>>(self, *core, m); },
    [core, self](const reprice_prices& m) { return core->begin_reprice(self, m); },
    [core](const read_reprice&) -> caf::result<reprice_state> { return core->repriced; },
    [core, self](copy_records& m) -> caf::result<copy_report> {
      const bool dry_run = m.dry_run;
      auto records = collected(*core->store, m);
      if (!records)
        return std::move(records.error());
      std::vector<storage::ledger::write> writes;
      writes.emplace_back(std::move(*records));
      if (!dry_run)
        return core->add<copy_report>(self, std::move(writes));
      const auto would = core->store->rehearse(writes, core->now());
      if (!would)
        return would.error();
      return report_of(would->front());
    },
    [core](const mend_day& m) {
      return pass(core->store->mend_rollups({m.node, m.day}));
    },
    [core](const keep_history& m) { return pass(core->store->keep_history(m)); },
    [core](const read_history& m) { return pass(core->store->history(m)); },
    [core, self](const drain&) -> caf::result<drained> {
      core->repriced.running = false;
      while (!core->queue.empty())
        core->commit_waiting(self);
      return drained{};
    },
    [core, self](const flush&) { core->commit_waiting(self); },
    [core, self](const reprice_next&) { core->reprice_on(self); },
    [core, self](const totals_tick&) {
      core->tick_sent = false;
      core->tell_totals(self);
    },
  };
}

} // namespace

writer_actor spawn_ledger(caf::actor_system& system, bool own_thread, std::shared_ptr<storage::ledger> store,
                          std::function<moment()> now, metrics& numbers, bool alone) {
  return own_thread
           ? system.spawn<caf::detached>(ledger_behavior, own_thread, std::move(store), std::move(now), &numbers, alone)
           : system.spawn(ledger_behavior, own_thread, std::move(store), std::move(now), &numbers, alone);
}

} // namespace keyportal
