#include "actors/replicator/replicator.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>

#include <caf/all.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/key_registry/registry_start.hpp"
#include "actors/ledger/totals_pace.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"
#include "storage/retirement.hpp"

namespace keyportal {
namespace {

constexpr std::size_t most_pages = 8;

/// So that a log which is read faster than it is written waits.
class page_gate {
public:
  bool enter() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return closed_ || pages_ < most_pages; });
    ++pages_;
    return !closed_;
  }
  void leave() {
    const std::lock_guard guard(mutex_);
    --pages_;
    changed_.notify_all();
  }
  void close() {
    const std::lock_guard guard(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t pages_ = 0;
  bool closed_ = false;
};

/// One message of the log, opened on the log's own thread.
struct opened_message {
  std::uint64_t sequence = 0;
  std::string id;
  caf::expected<cluster::shared_message> what{caf::error{}};
};
struct log_came {
  std::uint64_t opening = 0; ///< which opening of the log it is of
  std::shared_ptr<std::vector<opened_message>> messages;
  std::shared_ptr<page_gate> through;
};
struct link_told {
  std::uint64_t opening = 0;
  caf::error why;
  std::uint64_t end = 0;
};
struct replicator_tick {};

} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::log_came)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::link_told)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::replicator_tick)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using time = caf::actor_clock::time_point;
using replicator_impl =
  replicator_actor::extend<caf::reacts_to<log_came>, caf::reacts_to<link_told>, caf::reacts_to<replicator_tick>>;
struct replicator_holder;
using self_ptr = replicator_impl::stateful_pointer<replicator_holder>;
using cluster::shared_message;

constexpr auto tick = 100ms;
constexpr auto published_again = 700ms;
using outcome = std::function<void(caf::expected<committed>)>;

/// Of this process, and not seen in the log yet.
struct proposal {
  std::string bytes;
  time published{};
  time since{};
  bool is_command = false; ///< is refused when no majority is there for long
  outcome answer;
};

struct replicator_core {
  replicator_core(replicator_settings how, writer_actor w) : settings(std::move(how)), writer(std::move(w)) {}
  ~replicator_core() {
    if (gate)
      gate->close();
  }

  replicator_settings settings;
  writer_actor writer;
  std::map<std::uint64_t, proposal> waiting; ///< by number
  std::map<std::uint64_t, outcome> applying; ///< ours, at the ledger
  std::uint64_t numbers = 0;
  storage::shared_progress progress; ///< with what is at the ledger
  std::map<std::string, std::uint64_t> fences;
  std::map<std::string, price> prices;
  std::uint64_t opening = 0, end = 0, left_out = 0;
  bool linked = false, rewinding = false;
  caf::error problem = make_error(errc::cluster_no_quorum);
  time caught_up{};
  totals_pace pace;
  bool draining = false;
  caf::typed_response_promise<drained> drain_promise;
  std::shared_ptr<page_gate> gate;
  std::unique_ptr<cluster::shared_log> log; ///< last: its thread ends before the rest goes

  void open(self_ptr self);
  void rewind(self_ptr self, const caf::error& why);
  void propose(self_ptr self, shared_message what, bool is_command, outcome answer);
  void came(self_ptr self, opened_message& m);
  void apply(self_ptr self, std::uint64_t sequence, std::vector<storage::ledger::write> writes, outcome answer);
  void on_tick(self_ptr self);
  void tell_totals(self_ptr self);
  void drained_yet(self_ptr self);
  std::optional<std::uint64_t> fence_of(const std::string& duty) const {
    return duty.empty() ? std::optional<std::uint64_t>{0} : settings.fence(duty);
  }

  caf::result<committed> take(self_ptr self, collection& what);
  caf::result<committed> take(self_ptr self, journal_entry& what);
  caf::result<appended> take(self_ptr self, append_entry& what);
  caf::result<committed> share(self_ptr self, shared_message what);
};

struct replicator_holder {
  replicator_holder() = default;
  static inline const char* name = "replicator";
  std::unique_ptr<replicator_core> core;
};

// --- the log ------------------------------------------------------------------------------------

void replicator_core::open(self_ptr self) {
  if (gate)
    gate->close();
  log.reset();
  const auto there = settings.store->shared();
  progress = there && *there ? **there : storage::shared_progress{};
  progress.cluster = settings.cluster;
  fences = {progress.fences.begin(), progress.fences.end()};
  prices.clear();
  if (auto image = settings.store->load_registry())
    for (const auto& one : image->prices)
      prices.emplace(one.id, one);
  rewinding = false;
  gate = std::make_shared<page_gate>();
  const auto which = ++opening;
  const auto to = caf::actor_cast<caf::strong_actor_ptr>(self);
  const auto post = [weak = caf::actor_cast<caf::weak_actor_ptr>(to)](auto message) {
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send(caf::actor_cast<caf::actor>(strong), std::move(message));
  };
  cluster::log_callbacks told;
  told.on_messages = [post, which, seal = settings.seal, through = gate](std::vector<cluster::log_message> page) {
    if (!through->enter())
      return;
    auto opened = std::make_shared<std::vector<opened_message>>();
    opened->reserve(page.size());
    for (auto& one : page)
      opened->push_back({one.sequence, std::move(one.id), cluster::decode(*seal, one.bytes)});
    post(log_came{which, std::move(opened), through});
  };
  told.on_link = [post, which](const caf::error& why, std::uint64_t last) { post(link_told{which, why, last}); };
  log = settings.open(progress.sequence, std::move(told));
}

/// The disk refused something: nothing that lies behind it may be written before it.
void replicator_core::rewind(self_ptr self, const caf::error& why) {
  if (rewinding)
    return;
  rewinding = true;
  log::error("replicator", "apply", "{}; going back to what is on disk", render(why));
  for (auto& [number, answer] : std::exchange(applying, {})) // they come again; who asked does not wait for it
    answer(why);
  self->delayed_send(self, 500ms, link_told{opening, make_error(errc::storage_failed), 0});
}

void replicator_core::propose(self_ptr self, shared_message what, bool is_command, outcome answer) {
  if (draining)
    return answer(make_error(errc::shutting_down));
  if (is_command && !linked)
    return answer(make_error(errc::cluster_no_quorum));
  const auto fence = fence_of(what.duty);
  if (!fence)
    return answer(make_error(errc::cluster_elsewhere, what.duty));
  what.fence = *fence;
  what.from = settings.member;
  what.number = ++numbers;
  auto bytes = cluster::encode(*settings.seal, what);
  if (!bytes)
    return answer(std::move(bytes.error()));
  const auto now = self->clock().now();
  auto& one = waiting[what.number];
  one = {std::move(*bytes), now, now, is_command, std::move(answer)};
  if (log)
    log->publish(fmt::format("{}/{}", settings.member, what.number), one.bytes);
}

/// The next message of the log, from whomever it is. What becomes of it depends on nothing but what was before it in the log:
/// so it is the same everywhere.
void replicator_core::came(self_ptr self, opened_message& m) {
  outcome answer;
  const auto skip = [&](const caf::error& why) {
    ++left_out;
    apply(self, m.sequence, {}, [answer, why](const caf::expected<committed>&) {
      if (answer)
        answer(why);
    });
  };
  if (!m.what) {
    log::error("replicator", "message", "message {} of the shared log: {}", m.sequence, render(m.what.error()));
    if (settings.on_poison)
      settings.on_poison(render(m.what.error()), m.id);
    return skip(m.what.error());
  }
  auto& what = *m.what;
  if (what.from == settings.member)
    if (const auto own = waiting.find(what.number); own != waiting.end()) {
      answer = std::move(own->second.answer);
      waiting.erase(own);
    }
  if (!what.duty.empty()) {
    auto& highest = fences[what.duty];
    if (what.fence < highest) // whoever held the duty was succeeded before this came into the log
      return skip(make_error(errc::cluster_elsewhere, what.duty));
    highest = what.fence;
  }
  std::vector<storage::ledger::write> writes;
  if (auto* records = std::get_if<collection>(&what.what)) {
    auto facts = std::exchange(records->facts, std::nullopt);
    writes.emplace_back(std::move(*records));
    if (facts)
      writes.emplace_back(std::move(*facts));
  } else if (auto* entry = std::get_if<append_entry>(&what.what)) {
    for (const auto& change : entry->entry->prices)
      if (change.after)
        prices.insert_or_assign(change.after->id, *change.after);
      else if (change.before)
        prices.erase(change.before->id);
    if (!entry->entry->prices.empty())
      entry->prices = make_price_book(prices);
    writes.emplace_back(std::move(*entry));
  } else if (auto* journal = std::get_if<journal_entry>(&what.what))
    writes.emplace_back(std::move(*journal));
  else if (auto* consumer = std::get_if<consumer_progress>(&what.what))
    writes.emplace_back(std::move(*consumer));
  else if (auto* rows = std::get_if<storage::shared_rows>(&what.what))
    writes.emplace_back(std::move(*rows));
  else if (auto* shipped = std::get_if<outbox_acked>(&what.what))
    self->send(writer, std::move(*shipped));
  else if (auto* costs = std::get_if<reprice_prices>(&what.what))
    caf::anon_send(writer, *costs);
  apply(self, m.sequence, std::move(writes), std::move(answer));
}

void replicator_core::apply(self_ptr self, std::uint64_t sequence, std::vector<storage::ledger::write> writes,
                            outcome answer) {
  apply_shared next;
  next.after = progress.sequence;
  progress.sequence = sequence;
  progress.fences = {fences.begin(), fences.end()};
  next.progress = progress;
  next.writes = std::move(writes);
  if (answer)
    applying.emplace(sequence, std::move(answer));
  const auto take_answer = [this](std::uint64_t of) -> outcome {
    const auto found = applying.find(of);
    if (found == applying.end())
      return {};
    auto out = std::move(found->second);
    applying.erase(found);
    return out;
  };
  self->request(writer, caf::infinite, std::move(next))
    .then(
      [sequence, take_answer](committed& done) {
        if (auto tell = take_answer(sequence))
          tell(std::move(done));
      },
      [this, self, sequence, take_answer, which = opening](const caf::error& why) {
        if (which != opening)
          return;
        if (code_of(why) != errc::bad_request)
          return rewind(self, why);
        ++left_out; // it says the same everywhere
        log::error("replicator", "message", "message {} of the shared log: {}", sequence, render(why));
        if (settings.on_poison)
          settings.on_poison(render(why), std::to_string(sequence));
        if (auto tell = take_answer(sequence))
          tell(why);
      });
}

void replicator_core::on_tick(self_ptr self) {
  const auto now = self->clock().now();
  if (linked && progress.sequence >= end)
    caught_up = now;
  std::vector<outcome> refused;
  for (auto at = waiting.begin(); at != waiting.end();) {
    auto& one = at->second;
    if (one.is_command && now - one.since > settings.patience) {
      refused.push_back(std::move(one.answer));
      at = waiting.erase(at);
      continue;
    }
    // Only once all is read that was in the log: so what is published again is not there yet, or was minutes ago at most.
    if (linked && progress.sequence >= end && now - one.published > published_again) {
      one.published = now;
      log->publish(fmt::format("{}/{}", settings.member, at->first), one.bytes);
    }
    ++at;
  }
  for (auto& answer : refused)
    answer(make_error(errc::cluster_no_quorum));
  tell_totals(self);
  drained_yet(self);
}

/// Of nodes whose records this process brought, as an event, so that a subscriber has them without adding up.
void replicator_core::tell_totals(self_ptr self) {
  const auto due = pace.due(self->clock().now());
  if (due.empty())
    return;
  journal_entry entry;
  for (const auto& [node, sums] : due)
    entry.events.push_back({0, event_kind::totals, node, settings.now(),
                            dump({{"node", node}, {"at", to_rfc3339_ms(settings.now())}, {"totals", to_json(sums)}})});
  propose(self, {{}, 0, {}, 0, std::move(entry)}, false, [](const caf::expected<committed>&) {});
}

void replicator_core::drained_yet(self_ptr self) {
  if (!draining || (linked && !waiting.empty())
      || !drain_promise.pending()) // without a link there is nothing to wait for
    return;
  self->request(writer, caf::infinite, drain{})
    .then([answer = drain_promise](const drained&) mutable { answer.deliver(drained{}); },
          [answer = drain_promise](caf::error& why) mutable { answer.deliver(std::move(why)); });
  drain_promise = {};
}

// --- what is proposed -----------------------------------------------------------------------------

template <class Answer>
outcome deliver_to(caf::typed_response_promise<Answer> promise) {
  return [promise](caf::expected<committed> done) mutable {
    if (!promise.pending())
      return;
    if (!done)
      promise.deliver(std::move(done.error()));
    else if constexpr (std::is_same_v<Answer, committed>)
      promise.deliver(std::move(*done));
    else if constexpr (std::is_same_v<Answer, copy_report>)
      promise.deliver(
        copy_report{done->records->size() + done->duplicates + done->refused, done->records->size(), done->refused});
    else if (done->appended == 0)
      promise.deliver(make_error(errc::registry_conflict));
    else
      promise.deliver(appended{done->appended});
  };
}

/// Of several parts one: records of all, all else of the last.
outcome gathered(std::size_t parts, outcome answer) {
  struct all {
    std::size_t left;
    caf::error failed;
    std::vector<stored_record> records;
    std::uint64_t duplicates = 0, refused = 0;
    outcome answer;
  };
  auto sum = std::make_shared<all>(all{parts, {}, {}, 0, 0, std::move(answer)});
  return [sum](caf::expected<committed> done) {
    if (!done)
      sum->failed = std::move(done.error());
    else {
      sum->records.insert(sum->records.end(), done->records->begin(), done->records->end());
      sum->duplicates += done->duplicates;
      sum->refused += done->refused;
    }
    if (--sum->left > 0)
      return;
    if (sum->failed)
      return sum->answer(std::move(sum->failed));
    done->records = std::make_shared<const std::vector<stored_record>>(std::move(sum->records));
    done->duplicates = sum->duplicates;
    done->refused = sum->refused;
    sum->answer(std::move(done));
  };
}

void set_moments(std::vector<node_event>& events, moment now) {
  for (auto& event : events)
    if (event.at == moment{})
      event.at = now;
}

std::string duty_of(const journal_entry& what) {
  if (what.restart)
    return duty_of_node(what.restart->node);
  if (what.gap)
    return duty_of_node(what.gap->node);
  if (!what.incompletes.empty())
    return duty_of_node(what.incompletes.front().node);
  if (what.audit)
    return duty_of_node(what.audit->node);
  for (const auto& event : what.events)
    if (!event.node.empty() && event.kind != event_kind::totals && !is_of_account(event.kind))
      return duty_of_node(event.node);
  return {};
}

caf::result<committed> replicator_core::share(self_ptr self, shared_message what) {
  auto promise = self->make_response_promise<committed>();
  propose(self, std::move(what), false, deliver_to(promise));
  return promise;
}

caf::result<committed> replicator_core::take(self_ptr self, collection& what) {
  auto promise = self->make_response_promise<committed>();
  // What this process received is its own, and done with once the records are everybody's.
  collection own;
  own.node = what.node;
  own.seen_at = what.seen_at;
  own.from_poll = false;
  own.inbox_done = std::exchange(what.inbox_done, {});
  own.dead = std::exchange(what.dead, {});
  own.replayed_letters = std::exchange(what.replayed_letters, {});
  const bool has_own = !own.inbox_done.empty() || !own.dead.empty() || !own.replayed_letters.empty();
  outcome answer = deliver_to(promise);
  if (has_own)
    answer = [this, self, own, answer](caf::expected<committed> done) {
      if (!done)
        return answer(std::move(done));
      self->request(writer, caf::infinite, own)
        .then([answer, all = std::move(*done)](const committed&) { answer(all); },
              [answer](const caf::error& why) { answer(why); });
    };
  const bool is_empty = !what.groups || what.groups->empty();
  if (is_empty && !what.from_poll && !what.facts) { // nothing of it is anybody else's
    committed nothing;
    nothing.records = std::make_shared<const std::vector<stored_record>>();
    nothing.events = std::make_shared<const std::vector<node_event>>();
    answer(std::move(nothing));
    return promise;
  }
  std::string duty;
  if (what.facts) {
    set_moments(what.facts->events, settings.now());
    duty = duty_of(*what.facts);
  }
  if (what.from_poll)
    duty = duty_of_node(what.node);
  const auto node = what.node;
  auto parts = cluster::in_parts(std::move(what));
  answer = gathered(parts.size(), [this, answer, node](caf::expected<committed> done) {
    if (done && !done->records->empty())
      for (const auto& [of, sums] : done->sums)
        pace.changed(of, sums);
    answer(std::move(done));
  });
  for (auto& part : parts)
    propose(self, {{}, 0, duty, 0, std::move(part)}, false, answer);
  return promise;
}

caf::result<committed> replicator_core::take(self_ptr self, journal_entry& what) {
  // Dead letters are this process's own, and a day's rows go where they lie; that the day is closed is everybody's.
  const bool is_own = !what.dropped_letters.empty() || (what.retired && what.retired->day);
  if (is_own)
    return self->delegate(writer, std::move(what));
  set_moments(what.events, settings.now());
  auto duty = duty_of(what);
  return share(self, {{}, 0, std::move(duty), 0, std::move(what)});
}

caf::result<appended> replicator_core::take(self_ptr self, append_entry& what) {
  auto promise = self->make_response_promise<appended>();
  set_moments(what.events, settings.now());
  propose(self, {{}, 0, {}, 0, std::move(what)}, true, deliver_to(promise));
  return promise;
}

replicator_impl::behavior_type replicator(self_ptr self, replicator_settings settings, writer_actor writer) {
  self->state.core = std::make_unique<replicator_core>(std::move(settings), std::move(writer));
  auto* core = self->state.core.get();
  core->caught_up = self->clock().now();
  self->link_to(core->writer); // neither is of any use without the other
  self->delayed_send(self, tick, replicator_tick{});
  const auto pass = [core, self](const auto& m) { return self->delegate(core->writer, m); };
  return {
    [core, self](collection& m) { return core->take(self, m); },
    [core, self](journal_entry& m) { return core->take(self, m); },
    [core, self](received& m) { return self->delegate(core->writer, std::move(m)); },
    [pass](const read_inbox& m) { return pass(m); },
    [pass](const list_incompletes& m) { return pass(m); },
    [pass](const recall_audit& m) { return pass(m); },
    [pass](const list_dead_letters& m) { return pass(m); },
    [core, self](consumer_progress& m) {
      return core->share(self, {{}, 0, {}, 0, std::move(m)});
    },
    [pass](const read_arrivals& m) { return pass(m); },
    [pass](const list_consumers& m) { return pass(m); },
    [pass](const recall& m) { return pass(m); },
    [pass](const read_outbox& m) { return pass(m); },
    [core, self](const outbox_acked& m) {
      self->send(core->writer, m); // here at once, so that it is not shipped again
      core->propose(self, {{}, 0, {}, 0, m}, false, [](const caf::expected<committed>&) {});
    },
    [pass](const list_restarts& m) { return pass(m); },
    [pass](const list_gaps& m) { return pass(m); },
    [pass](const read_ledger_state& m) { return pass(m); },
    [core, self](const add_listener& m) { self->send(core->writer, m); },
    [core, self](append_entry& m) { return core->take(self, m); },
    [pass](const read_entries& m) { return pass(m); },
    [pass](const load_registry& m) { return pass(m); },
    [pass](const keep_config& m) { return pass(m); },
    [pass](const list_configs& m) { return pass(m); },
    [pass](const read_config& m) { return pass(m); },
    [pass](const list_unpriced& m) { return pass(m); },
    [core, self](const reprice_prices& m) -> caf::result<reprice_state> {
      if (m.dry_run)
        return self->delegate(core->writer, m);
      auto promise = self->make_response_promise<reprice_state>();
      core->propose(self, {{}, 0, {}, 0, m}, true, [core, self, promise](const caf::expected<committed>& done) mutable {
        if (!done) {
          promise.deliver(done.error());
          return;
        }
        self->request(core->writer, caf::infinite, read_reprice{})
          .then([promise](const reprice_state& state) mutable { promise.deliver(state); },
                [promise](caf::error& why) mutable { promise.deliver(std::move(why)); });
      });
      return promise;
    },
    [pass](const read_reprice& m) { return pass(m); },
    [core, self](copy_records& m) -> caf::result<copy_report> {
      if (m.dry_run)
        return self->delegate(core->writer, std::move(m));
      auto records = collected(*core->settings.store, m);
      if (!records)
        return std::move(records.error());
      auto promise = self->make_response_promise<copy_report>();
      auto parts = cluster::in_parts(std::move(*records));
      const auto answer = gathered(parts.size(), deliver_to(promise));
      for (auto& part : parts)
        core->propose(self, {{}, 0, {}, 0, std::move(part)}, false, answer);
      return promise;
    },
    [core, self](const keep_history& m) -> caf::result<history_report> {
      if (!m.dry_run)
        return make_error(errc::cluster_alone);
      return self->delegate(core->writer, m);
    },
    [pass](const read_history& m) { return pass(m); },
    [core, self](const drain&) -> caf::result<drained> {
      core->draining = true;
      core->drain_promise = self->make_response_promise<drained>();
      auto promise = core->drain_promise;
      core->drained_yet(self);
      return promise;
    },
    [core, self](const mend_day& m) { return self->delegate(core->writer, m); },
    [core, self](storage::shared_rows& m) {
      auto promise = self->make_response_promise<committed>();
      core->propose(self, {{}, 0, {}, 0, std::move(m)}, true, deliver_to(promise));
      return promise;
    },
    [core, self](const read_replicator_state&) -> caf::result<replicator_state> {
      replicator_state out;
      out.linked = core->linked;
      if (!core->linked)
        out.problem = render(core->problem);
      out.applied = core->progress.sequence;
      out.end = std::max(core->end, core->progress.sequence);
      out.proposed = core->waiting.size();
      out.left_out = core->left_out;
      out.stale_s = core->linked && core->progress.sequence >= core->end
                      ? 0
                      : std::chrono::duration<double>(self->clock().now() - core->caught_up).count();
      return out;
    },
    [core, self](const begin_following&) {
      if (!core->log)
        core->open(self);
    },
    [core, self](const log_came& m) {
      if (m.opening == core->opening && !core->rewinding)
        for (auto& one : *m.messages)
          core->came(self, one);
      // Once the ledger has seen all of it there is room for more.
      self->request(core->writer, caf::infinite, read_ledger_state{})
        .then([through = m.through](const ledger_state&) { through->leave(); },
              [through = m.through](const caf::error&) { through->leave(); });
    },
    [core, self](const link_told& m) {
      if (m.opening != core->opening)
        return;
      if (core->rewinding)
        return core->open(self);
      const auto before = std::exchange(core->problem, m.why);
      core->linked = !m.why;
      core->end = m.why ? core->end : m.end;
      if (m.why && render(m.why) == render(before))
        return; // it was said
      if (m.why)
        log::warn("replicator", "link", "{}", render(m.why));
      else
        log::info("replicator", "link", "following the shared log from {} of {}", core->progress.sequence, m.end);
    },
    [core, self](const replicator_tick&) {
      core->on_tick(self);
      self->delayed_send(self, tick, replicator_tick{});
    },
  };
}

} // namespace

std::string duty_of_node(const node_name& node) { return "node/" + node; }

replicator_actor spawn_replicator(caf::actor_system& system, bool own_thread, replicator_settings settings,
                                  writer_actor writer) {
  return own_thread ? system.spawn<caf::detached>(replicator, std::move(settings), std::move(writer))
                    : system.spawn(replicator, std::move(settings), std::move(writer));
}

} // namespace keyportal
