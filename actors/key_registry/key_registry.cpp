#include "actors/key_registry/key_registry.hpp"

#include <algorithm>
#include <deque>

#include <caf/all.hpp>

#include "actors/key_registry/budget_book.hpp"
#include "actors/key_registry/registry_start.hpp"
#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"

namespace keyportal {
namespace {
struct registry_tick {};
struct budget_tick {};
struct follow_again {
  std::shared_ptr<const std::function<void()>> then;
};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::registry_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::budget_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::follow_again)

namespace keyportal {
namespace {

using namespace std::chrono_literals;
using registry_impl =
  key_registry_actor::extend<caf::reacts_to<registry_tick>, caf::reacts_to<budget_tick>, caf::reacts_to<follow_again>>;
struct registry_holder;
using self_ptr = registry_impl::stateful_pointer<registry_holder>;
using promise = caf::typed_response_promise<command_done>;

constexpr auto tick = 1s;
constexpr auto soon = 50ms;
constexpr std::size_t most_waiting = 10'000; ///< commands, where they are done one by one
constexpr int most_tries = 50;

struct registry_core {
  registry_core(key_registry_settings s, key_vault vault, ledger_actor l, metrics& m)
    : settings(std::move(s)), book(settings.rules, std::move(vault)), budgets(book), ledger(std::move(l)), numbers(m) {}

  key_registry_settings settings;
  registry_book book; ///< with what is on its way to the disk
  budget_book budgets;
  ledger_actor ledger;
  metrics& numbers;
  std::vector<keeper_ready> keepers;
  std::uint64_t life = 0; ///< counts how often what is known was thrown away; answers from before mean nothing
  bool reloading = false; ///< the disk refused something: what is known is read anew
  bool judging = false;   ///< of budgets: soon
  bool draining = false;
  caf::typed_response_promise<drained> drain_promise;

  /// A decided command. In order; answered when it and all before it are on disk, since it builds upon them.
  struct waiting {
    log_position position = 0;
    promise answer; ///< not pending for our own
    command_done done;
    std::shared_ptr<const registry_entry> entry;
    std::optional<registry_command> replay; ///< the entry that answers it is to be read
  };
  std::deque<waiting> queue;
  log_position durable = 0;

  // Where others append to the same log: one command at a time, upon all that is in it.
  struct asked {
    registry_command what;
    promise answer;
    int tries = 0;
  };
  std::deque<asked> backlog;
  bool busy = false;       ///< an entry is on its way, or entries of others are being read
  log_position others = 0; ///< the log is known to have so much
  void work_shared(self_ptr self);
  void append_shared(self_ptr self, asked one, registry_book::decision decided);
  void follow(self_ptr self, std::function<void()> then);
  void take_in(self_ptr self, const registry_entry& entry);

  void work(self_ptr self, const registry_command& what, promise answer);
  void append(self_ptr self, const registry_book::decision& decided);
  void advance(self_ptr self);
  void replay(self_ptr self, waiting what);
  void give_up(self_ptr self, const caf::error& why);
  void reload(self_ptr self);
  void tell_keepers(self_ptr self, const registry_entry& entry);
  void introduce(self_ptr self, const keeper_ready& who);
  void by_ourselves(self_ptr self, registry_question what);
  void pass(self_ptr self);
  void judge_budgets(self_ptr self);
  void note(const registry_entry& entry);
  void show_numbers();
  [[nodiscard]] key_orders::one order_for(const client_key& key, const node_name& node) const;
};

struct registry_holder {
  registry_holder() = default;
  static inline const char* name = "key-registry";
  std::unique_ptr<registry_core> core;
};

void registry_core::work(self_ptr self, const registry_command& what, promise answer) {
  const auto refuse = [&answer](caf::error why) {
    if (answer.pending())
      answer.deliver(std::move(why));
  };
  if (draining)
    return refuse(make_error(errc::shutting_down));
  if (settings.shared) {
    if (backlog.size() >= most_waiting)
      return refuse(make_error(errc::cluster_no_quorum));
    backlog.push_back({what, std::move(answer)});
    return work_shared(self);
  }
  if (reloading)
    return refuse(make_error(errc::storage_failed, "the registry is being read anew"));
  if (const auto& command = what.by.command; !command.empty()) {
    if (const auto before = book.position_of(command); before > 0) {
      queue.push_back({before, std::move(answer), {}, nullptr, what});
      return advance(self);
    }
  }
  auto decided = book.decide(what, settings.now());
  if (!decided)
    return refuse(std::move(decided.error()));
  queue.push_back({decided->done.position, std::move(answer), std::move(decided->done), decided->entry, {}});
  if (!decided->entry)
    return advance(self);
  book.apply(*decided->entry);
  note(*decided->entry);
  append(self, *decided);
}

void registry_core::append(self_ptr self, const registry_book::decision& decided) {
  fail_point(fail_at::decided);
  append_entry what{decided.entry->position - 1, decided.entry, decided.events, {}};
  if (!decided.entry->prices.empty())
    what.prices = make_price_book(book.prices());
  self->request(ledger, caf::infinite, std::move(what))
    .then(
      [this, self, then = life](const appended& done) {
        if (then != life)
          return;
        durable = std::max(durable, done.position);
        advance(self);
      },
      [this, self, then = life](const caf::error& why) {
        if (then == life)
          give_up(self, why);
      });
}

// --- one log of several processes -------------------------------------------------------------

void registry_core::work_shared(self_ptr self) {
  while (!busy && !backlog.empty()) {
    auto one = std::move(backlog.front());
    backlog.pop_front();
    if (const auto& command = one.what.by.command; !command.empty()) {
      if (const auto before = book.position_of(command); before > 0) {
        replay(self, {before, std::move(one.answer), {}, nullptr, std::move(one.what)});
        continue;
      }
    }
    auto decided = book.decide(one.what, settings.now());
    if (!decided) {
      if (one.answer.pending())
        one.answer.deliver(std::move(decided.error()));
    } else if (!decided->entry) {
      if (one.answer.pending())
        one.answer.deliver(std::move(decided->done));
    } else
      append_shared(self, std::move(one), std::move(*decided));
  }
  show_numbers();
  if (draining && !busy && backlog.empty() && drain_promise.pending())
    drain_promise.deliver(drained{});
}

void registry_core::append_shared(self_ptr self, asked one, registry_book::decision decided) {
  busy = true;
  fail_point(fail_at::decided);
  const auto question = std::make_shared<asked>(std::move(one));
  const auto answer = std::make_shared<command_done>(std::move(decided.done));
  self->request(ledger, caf::infinite, append_entry{decided.entry->position - 1, decided.entry, decided.events, {}})
    .then(
      [this, self, question, answer, entry = decided.entry](const appended& done) {
        if (done.position == book.position() + 1)
          take_in(self, *entry);
        follow(self, [question, answer] {
          if (question->answer.pending())
            question->answer.deliver(std::move(*answer));
        });
      },
      [this, self, question](const caf::error& why) {
        if (code_of(why) == errc::registry_conflict && ++question->tries < most_tries) {
          others = std::max(others, book.position() + 1);
          return follow(self, [this, question] { backlog.push_front(std::move(*question)); });
        }
        if (question->answer.pending())
          question->answer.deliver(why);
        follow(self, [] {});
      });
}

/// Takes in what others appended, as far as it is known to be there; then goes on.
void registry_core::follow(self_ptr self, std::function<void()> then) {
  busy = true;
  if (others <= book.position()) {
    then();
    busy = false;
    return work_shared(self);
  }
  self->request(ledger, caf::infinite, read_entries{book.position(), 1000})
    .then(
      [this, self, then](const std::vector<registry_entry>& entries) {
        for (const auto& entry : entries)
          if (entry.position == book.position() + 1)
            take_in(self, entry);
        if (entries.empty()) // not there yet, whoever said so
          others = book.position();
        follow(self, then);
      },
      [this, self, then](const caf::error& why) {
        log::warn("key-registry", "follow", "{}", render(why));
        self->delayed_send(self, soon, follow_again{std::make_shared<const std::function<void()>>(then)});
      });
}

void registry_core::take_in(self_ptr self, const registry_entry& entry) {
  book.apply(entry);
  note(entry);
  durable = entry.position;
  tell_keepers(self, entry);
}

/// Answers what is on disk.
void registry_core::advance(self_ptr self) {
  while (!queue.empty() && queue.front().position <= durable) {
    auto one = std::move(queue.front());
    queue.pop_front();
    if (one.replay) {
      replay(self, std::move(one));
      continue;
    }
    if (one.entry)
      tell_keepers(self, *one.entry);
    if (one.answer.pending())
      one.answer.deliver(std::move(one.done));
  }
  show_numbers();
  if (draining && queue.empty() && drain_promise.pending())
    drain_promise.deliver(drained{});
}

void registry_core::replay(self_ptr self, waiting what) {
  self->request(ledger, caf::infinite, read_entries{what.position - 1, 1})
    .then(
      [this, what](const std::vector<registry_entry>& entries) mutable {
        caf::expected<command_done> again{make_error(errc::command_differs)};
        if (entries.size() != 1 || entries[0].position != what.position)
          again = make_error(errc::internal, "an entry of the log is missing");
        else if (book.answers(entries[0], *what.replay))
          again = book.answer_again(entries[0]);
        if (again)
          what.answer.deliver(std::move(*again));
        else
          what.answer.deliver(std::move(again.error()));
      },
      [what](caf::error& why) mutable { what.answer.deliver(std::move(why)); });
}

/// The disk refused an entry, and with it all that were built upon it.
void registry_core::give_up(self_ptr self, const caf::error& why) {
  if (reloading)
    return;
  log::error("key-registry", "append", "{}", render(why));
  reloading = true;
  ++life;
  for (auto& one : std::exchange(queue, {}))
    if (one.answer.pending())
      one.answer.deliver(why);
  reload(self);
}

void registry_core::reload(self_ptr self) {
  self->request(ledger, caf::infinite, load_registry{})
    .then(
      [this, self](const std::shared_ptr<const registry_image>& image) {
        book.load(*image);
        budgets.groups_changed();
        durable = image->position;
        reloading = false;
        for (const auto& who : keepers)
          introduce(self, who);
        advance(self);
      },
      [this, self](const caf::error&) { self->delayed_send(self, tick, registry_tick{}); });
}

// --- keepers ---------------------------------------------------------------------------

key_orders::one registry_core::order_for(const client_key& key, const node_name& node) const {
  auto text = book.text_of(key);
  if (!text)
    log::error("key-registry", "seal", "key {}: {}", key.id, render(text.error()));
  return {key.id, text ? *text : secret{}, book.belongs_at(key, node),
          std::binary_search(key.in_force.begin(), key.in_force.end(), node)};
}

void registry_core::tell_keepers(self_ptr self, const registry_entry& entry) {
  for (const auto& who : keepers) {
    key_orders orders;
    for (const auto& change : entry.keys) {
      if (!change.after)
        continue;
      const auto& after = *change.after;
      const bool before = change.before && book.belongs_at(*change.before, who.node);
      const bool now = book.belongs_at(after, who.node);
      // What works there though it should not: an ended key that somebody put back, or one found and now revoked.
      const bool stray = !now && after.state != key_state::external
                         && std::binary_search(after.in_force.begin(), after.in_force.end(), who.node);
      if (now != before || stray)
        orders.keys.push_back(order_for(after, who.node));
    }
    if (!orders.keys.empty())
      self->send(who.keeper, std::move(orders));
  }
}

/// All that should be at the node, and what should not be and may be.
void registry_core::introduce(self_ptr self, const keeper_ready& who) {
  key_orders orders;
  orders.whole = true;
  orders.sentinel = settings.sentinel;
  for (const auto& key : book.all_keys()) {
    const bool there = std::binary_search(key.in_force.begin(), key.in_force.end(), who.node);
    if (book.belongs_at(key, who.node) || (there && key.state != key_state::external))
      orders.keys.push_back(order_for(key, who.node));
  }
  self->send(who.keeper, std::move(orders));
}

// --- by ourselves -------------------------------------------------------------------------

void registry_core::by_ourselves(self_ptr self, registry_question what) {
  work(self, registry_command{{"system", "local", {}}, std::move(what)}, {});
}

/// What a change may mean for budgets.
void registry_core::note(const registry_entry& entry) {
  for (const auto& change : entry.keys) {
    if (change.after && change.after->state == key_state::live)
      budgets.touch(change.after->id);
    if (change.before && change.after && change.before->owner != change.after->owner)
      budgets.owner_changed(change.after->id);
  }
  for (const auto& change : entry.users) {
    if (!change.before || !change.after)
      continue;
    if (change.before->groups != change.after->groups)
      budgets.groups_changed();
    if (change.before->groups != change.after->groups || change.before->budgets != change.after->budgets)
      for (const auto* key : book.keys_of(change.after->id))
        budgets.touch(key->id);
  }
  const auto is_other = [](const change_of<policy>& change) {
    if (!change.before || !change.after)
      return true;
    return change.before->key_budgets != change.after->key_budgets
           || change.before->user_budgets != change.after->user_budgets
           || change.before->group_budgets != change.after->group_budgets;
  };
  if (std::any_of(entry.policies.begin(), entry.policies.end(), is_other)) {
    budgets.groups_changed();
    for (const auto& key : book.all_keys())
      if (key.state == key_state::live)
        budgets.touch(key.id);
  }
}

void registry_core::pass(self_ptr self) {
  if (settings.sees_to_time && !settings.sees_to_time())
    return;
  if (const auto due = book.due_at(); due && *due <= settings.now())
    by_ourselves(self, pass_time{});
  judge_budgets(self);
}

void registry_core::judge_budgets(self_ptr self) {
  if (settings.sees_to_time && !settings.sees_to_time())
    return;
  const auto now = settings.now();
  auto crossed = budgets.judge(now);
  if (!crossed.keys.empty() || !crossed.users.empty() || !crossed.groups.empty() || !crossed.suspend.empty()
      || !crossed.resume.empty())
    by_ourselves(self, std::move(crossed));
}

void registry_core::show_numbers() {
  const auto state = book.state();
  numbers.registry_position.Set(static_cast<double>(state.position));
  numbers.registry_users.Set(static_cast<double>(state.users));
  numbers.keys_pooled.Set(static_cast<double>(state.keys[static_cast<std::size_t>(key_state::pooled)]));
  numbers.keys_live.Set(static_cast<double>(state.keys[static_cast<std::size_t>(key_state::live)]));
  numbers.keys_by_hand.Set(static_cast<double>(state.by_hand));
  numbers.keys_renewals.Set(static_cast<double>(state.renewals));
  numbers.keys_changing.Set(static_cast<double>(state.changing));
}

template <class T>
caf::result<T> found_or(const T* found, errc otherwise) {
  if (found == nullptr)
    return make_error(otherwise);
  return *found;
}

registry_impl::behavior_type key_registry(self_ptr self, key_registry_settings settings, key_vault vault,
                                          key_registry_start start, ledger_actor ledger, metrics* numbers) {
  self->state.core =
    std::make_unique<registry_core>(std::move(settings), std::move(vault), std::move(ledger), *numbers);
  auto* core = self->state.core.get();
  core->durable = start.image->position;
  core->book.load(std::move(*start.image)); // of hundreds of thousands of keys there is one copy at a time
  const auto now = core->settings.now();
  for (const auto& one : start.used)
    core->budgets.add(one.key, one.from, one.requests, one.tokens, now, one.cost_nano);
  core->show_numbers();
  self->delayed_send(self, tick, registry_tick{});
  return {
    [core, self](const registry_command& m) -> caf::result<command_done> {
      auto answer = self->make_response_promise<command_done>();
      core->work(self, m, answer);
      return answer;
    },
    [core](const find_key& m) -> caf::result<client_key> {
      if (m.text.empty()) {
        const auto* key = core->book.find(m.id);
        if (key == nullptr)
          return make_error(errc::key_unknown);
        return core->book.shown(*key);
      }
      auto key = core->book.find_text(m.text.reveal());
      if (!key)
        return key.error();
      return core->book.shown(**key);
    },
    [core](const list_keys& m) -> caf::result<key_page> { return core->book.keys(m); },
    [core](const find_user& m) -> caf::result<user> {
      const auto* who = core->book.find_user(m.id_or_email);
      return found_or(who != nullptr ? who : core->book.find_email(m.id_or_email), errc::user_unknown);
    },
    [core](const list_users& m) -> caf::result<user_page> { return core->book.users(m); },
    [core](const list_policies&) -> caf::result<std::vector<policy>> { return core->book.policies(); },
    [core](const list_prices& m) -> caf::result<price_page> { return core->book.prices(m); },
    [core](const read_budgets& m) -> caf::result<std::vector<budget_use>> {
      if (core->book.find(m.key) == nullptr)
        return make_error(errc::key_unknown);
      return core->budgets.uses_of(m.key, core->settings.now());
    },
    [core](const read_registry_state&) -> caf::result<registry_state> { return core->book.state(); },
    [core, self](const keeper_ready& m) {
      std::erase_if(core->keepers, [&m](const keeper_ready& one) { return one.node == m.node; });
      core->keepers.push_back(m);
      core->introduce(self, m);
    },
    [core, self](const committed& m) {
      if (core->settings.shared && m.appended > core->others) {
        core->others = m.appended;
        if (!core->busy)
          core->follow(self, [] {});
      }
      const auto at = core->settings.now();
      for (const auto& record : *m.records)
        core->budgets.add(record.key, moment{std::chrono::nanoseconds{record.at.unix_ns}}, 1, record.tokens.total, at,
                          record.cost_nano.value_or(0));
      if (m.repriced)
        for (const auto& one : *m.repriced)
          core->budgets.add(one.key, one.at, 0, 0, at, one.by_nano);
      // Soon, since what is used meanwhile is above the budget; not at once, since many records come together.
      if ((!m.records->empty() || m.repriced) && !std::exchange(core->judging, true))
        self->delayed_send(self, soon, budget_tick{});
    },
    [core, self](const drain&) -> caf::result<drained> {
      core->draining = true;
      core->drain_promise = self->make_response_promise<drained>();
      if (core->settings.shared)
        core->work_shared(self);
      else
        core->advance(self);
      return core->drain_promise;
    },
    [core, self](const follow_again& m) { core->follow(self, *m.then); },
    [core, self](const budget_tick&) {
      core->judging = false;
      if (!core->draining && !core->reloading)
        core->judge_budgets(self);
    },
    [core, self](const registry_tick&) {
      if (core->reloading)
        return core->reload(self);
      if (!core->draining)
        core->pass(self);
      self->delayed_send(self, tick, registry_tick{});
    },
  };
}

} // namespace

key_registry_actor spawn_key_registry(caf::actor_system& system, bool own_thread, key_registry_settings settings,
                                      key_vault vault, key_registry_start start, ledger_actor ledger,
                                      metrics& numbers) {
  return own_thread ? system.spawn<caf::detached>(key_registry, std::move(settings), std::move(vault), std::move(start),
                                                  std::move(ledger), &numbers)
                    : system.spawn(key_registry, std::move(settings), std::move(vault), std::move(start),
                                   std::move(ledger), &numbers);
}

} // namespace keyportal
