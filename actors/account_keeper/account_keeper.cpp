#include "actors/account_keeper/account_keeper.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/account_keeper/account_keeper_core.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {

using namespace std::chrono_literals;

namespace {

constexpr auto call_wait = 40s;
constexpr auto tick_time = 500ms;

} // namespace

account_keeper_core::account_keeper_core(account_keeper_settings s, account_keeper_peers p, metrics& m)
  : settings(std::move(s)), peers(std::move(p)), book(settings.id_of, settings.reminders),
    plan(settings.quota_interval) {
  for (const auto& node : peers.nodes) {
    nodes.emplace(
      node.name,
      node_part{node.calls, node.questions, m.accounts_of_node(node.name), {}, {}, {}, false, false, {}, {}});
    order.push_back(node.name);
  }
}

// --- what admins do ----------------------------------------------------------------------------------

void account_keeper_core::change(self_ptr self, const change_account& m, view_promise answer) {
  using deed = change_account::deed;
  const auto* const one = book.find(m.account);
  if (one == nullptr || !one->present)
    return give(answer, make_error(errc::account_unknown));
  if (m.what == deed::test) {
    const auto show = [this, id = m.account, answer] {
      const auto* const now_of = book.find(id);
      if (now_of == nullptr)
        give(answer, make_error(errc::account_unknown));
      else
        give(answer, book.view(*now_of, settings.now()));
    };
    if (!plan.hurry(m.account, settings.now())) // within the last second, or there is no question for it
      return show();
    return ask_quota(self, m.account, show);
  }
  const auto done = [this, self, m, node = one->node, answer](bool) mutable {
    const auto* const now_of = book.find(m.account);
    log::info("accounts", "changed", "{}: account {}: {} by {}", node, m.account,
              m.what == deed::remove   ? "deleted"
              : m.what == deed::enable ? "switched on"
                                       : "switched off",
              m.who);
    if (now_of != nullptr && m.what != deed::remove) {
      auto told = book.event(event_kind::account_changed, *now_of, settings.now(),
                             m.what == deed::enable ? "an admin switched it on" : "an admin switched it off");
      auto data = nlohmann::json::parse(told.data);
      data["by"] = m.who;
      data["on"] = m.what == deed::enable;
      told.data = dump(data);
      tell(self, {std::move(told)});
    }
    look(self, node, [this, id = m.account, answer](const caf::error& e) mutable {
      const auto* const after = book.find(id);
      if (after == nullptr || e)
        give(answer, e ? e : make_error(errc::account_unknown));
      else
        give(answer, book.view(*after, settings.now()));
    });
  };
  const auto failed = [answer](caf::error& e) mutable { give(answer, std::move(e)); };
  const auto& calls = nodes.at(one->node).calls;
  if (m.what == deed::remove)
    self->request(calls, call_wait, delete_account_file{one->file.name}).then(done, failed);
  else
    self->request(calls, call_wait, switch_account{one->file.name, m.what == deed::disable}).then(done, failed);
}

void account_keeper_core::map_people(self_ptr self, std::shared_ptr<const put_account_mapping> m, std::size_t at,
                                     mapping_report so_far, caf::typed_response_promise<mapping_report> answer) {
  if (at == m->people.size()) {
    storage::account_rows_change what;
    for (auto& [id, text] : book.mapping_rows())
      what.put.push_back({storage::account_row_kind::mapping, std::move(id), std::move(text)});
    const bool kept = keep(std::move(what));
    keep_changes(true);
    if (!kept)
      return give(answer, make_error(errc::storage_failed));
    log::info("accounts", "mapping", "{} rows say whose accounts are, by {}", so_far.taken, m->who);
    return give(answer, so_far);
  }
  const auto one = m->people[at];
  const auto go_on = [this, self, m, at, so_far, answer, one](const std::string& owner, const std::string& name) {
    auto now_is = so_far;
    ++now_is.taken;
    now_is.known += owner.empty() ? 0 : 1;
    now_is.accounts +=
      book.map_owner(one.email, one.owner_email, one.owner_name.empty() ? name : one.owner_name, owner);
    map_people(self, m, at + 1, now_is, answer);
  };
  if (!peers.registry || one.owner_email.empty())
    return go_on("", "");
  auto wanted = one.owner_email;
  std::transform(wanted.begin(), wanted.end(), wanted.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  self->request(peers.registry, call_wait, find_user{wanted})
    .then([go_on](const user& person) { go_on(person.id, person.name); },
          [go_on](const caf::error&) { go_on("", ""); }); // nobody of ours, or not yet
}

account_list_ptr account_keeper_core::list() const {
  auto out = std::make_shared<account_list>();
  out->at = settings.now();
  out->accounts = book.views(out->at);
  for (const auto& node : order) {
    const auto& part = nodes.at(node);
    out->nodes.push_back({node, part.seen_at, part.problem});
  }
  return out;
}

void account_keeper_core::count() {
  const auto now = settings.now();
  std::map<node_name, std::array<double, 4>> sums;
  for (const auto& node : order)
    sums[node] = {};
  for (const auto& [id, one] : book.all()) {
    if (!one.present || !one.seen_at || !nodes.contains(one.node))
      continue;
    const auto c = book.view(one, now).condition;
    const std::size_t which = c == account_condition::fine || c == account_condition::degraded ? 0
                              : c == account_condition::resting                                ? 1
                              : c == account_condition::off                                    ? 3
                                                                                               : 2;
    ++sums[one.node][which];
  }
  for (auto& [node, part] : nodes) {
    const auto& s = sums[node];
    part.numbers.fine.Set(s[0]);
    part.numbers.resting.Set(s[1]);
    part.numbers.login_needed.Set(s[2]);
    part.numbers.off.Set(s[3]);
  }
}

// --- time --------------------------------------------------------------------------------------------

/// Where others may be the ones that look after accounts: whoever's turn it becomes reads anew what was kept.
bool account_keeper_core::takes_turn(self_ptr self) {
  if (!settings.may_act)
    return true;
  const bool was_ours = std::exchange(is_ours, settings.may_act());
  if (is_ours && !was_ours) {
    book = account_book(settings.id_of, settings.reminders);
    logins = {};
    plan = quota_plan(settings.quota_interval); // of accounts that the book knows
    asked_logins.clear();
    calls_of_logins.clear();
    for (auto& [node, part] : nodes)
      part.looked_at.reset();
    events.clear();
    load();
    send_events(self);
  }
  return is_ours;
}

void account_keeper_core::act(self_ptr self) {
  if (draining || !takes_turn(self))
    return;
  const auto now = settings.now();
  for (auto& [node, part] : nodes)
    if (!part.looking && (!settings.answers || settings.answers(node))
        && (!part.looked_at || now - *part.looked_at >= settings.refresh_interval || now < *part.looked_at))
      look(self, node);
  follow_logins(self);
  ask_quotas(self);
  ask_used(self);
  tell(self, book.pass_time(now));
  keep_changes(false);
}

void account_keeper_core::tick(self_ptr self) {
  act(self);
  self->delayed_send(self, tick_time, accounts_tick{++tick_number});
}

namespace {

account_keeper_impl::behavior_type account_keeper(account_keeper_core::self_ptr self, account_keeper_settings settings,
                                                  account_keeper_peers peers, metrics* numbers) {
  self->state.core = std::make_unique<account_keeper_core>(std::move(settings), std::move(peers), *numbers);
  auto* core = self->state.core.get();
  core->load();
  if (!core->settings.may_act)
    core->send_events(self);
  self->send(self, accounts_tick{++core->tick_number});
  const auto stopping = [core] {
    return core->draining                                        ? make_error(errc::shutting_down)
           : core->settings.may_act && !core->settings.may_act() ? make_error(errc::cluster_elsewhere)
                                                                 : caf::error{};
  };
  return {
    [core](const list_accounts&) -> account_list_ptr { return core->list(); },
    [core](const list_account_offers&) { return core->offers(); },
    [core, self, stopping](const begin_account_login& m) -> caf::result<account_login> {
      if (auto no = stopping())
        return no;
      auto answer = self->make_response_promise<account_login>();
      core->begin(self, m, answer);
      return answer;
    },
    [core, self, stopping](const submit_callback& m) -> caf::result<account_login> {
      if (auto no = stopping())
        return no;
      auto answer = self->make_response_promise<account_login>();
      core->submit(self, m, answer);
      return answer;
    },
    [core](const read_account_login& m) -> caf::result<account_login> {
      auto found = core->logins.find(m.who, m.login);
      if (!found)
        return std::move(found.error());
      return shown_of(**found);
    },
    [core, self](const cancel_account_login& m) -> caf::result<account_login> {
      auto found = core->logins.find(m.who, m.login);
      if (!found)
        return std::move(found.error());
      if (login_book::is_open((*found)->shown.stage))
        core->cancel(self, **found, login_stage::cancelled, errc::none, "you cancelled it");
      return shown_of(**found);
    },
    [core, self, stopping](const change_account& m) -> caf::result<account_view> {
      if (auto no = stopping())
        return no;
      auto answer = self->make_response_promise<account_view>();
      core->change(self, m, answer);
      return answer;
    },
    [core, self](const put_account_mapping& m) -> caf::result<mapping_report> {
      auto answer = self->make_response_promise<mapping_report>();
      core->map_people(self, std::make_shared<const put_account_mapping>(m), 0, {}, answer);
      return answer;
    },
    [core](const read_account_windows& m) -> caf::result<account_windows> {
      const auto* const one = core->book.find(m.account);
      if (one == nullptr)
        return make_error(errc::account_unknown);
      return one->windows.history();
    },
    [core](const drain&) -> drained {
      core->draining = true;
      if (!core->settings.may_act || core->is_ours)
        core->keep_changes(true);
      return {};
    },
    [core, self](const accounts_tick& m) {
      if (m.number == core->tick_number && !core->draining)
        core->tick(self);
    },
    [core, self](const accounts_tell_again&) {
      core->event_under_way = false;
      core->send_events(self);
    },
  };
}

} // namespace

account_keeper_actor spawn_account_keeper(caf::actor_system& system, bool own_thread, account_keeper_settings settings,
                                          account_keeper_peers peers, metrics& numbers) {
  return own_thread ? system.spawn<caf::detached>(account_keeper, std::move(settings), std::move(peers), &numbers)
                    : system.spawn(account_keeper, std::move(settings), std::move(peers), &numbers);
}

} // namespace keyportal
