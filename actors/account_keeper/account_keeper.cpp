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
constexpr auto question_wait = 90s;
constexpr auto usage_wait = 60s;
constexpr auto tick_time = 500ms;

/// The question for the quota of an account.
cpa::provider_question question_for(const account_entry& one, const provider_row& row) {
  cpa::provider_question out{
    one.file.auth_index, std::string(row.method), std::string(row.url), std::string(row.headers), {}};
  if (row.name == "codex" && !one.file.chatgpt_id.empty())
    out.headers += "\nChatgpt-Account-Id: " + one.file.chatgpt_id;
  if (row.sends == provider_row::body::project)
    out.body = dump({{"project", one.file.project.empty() ? one.token.project : one.file.project}});
  return out;
}

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

// --- looking -----------------------------------------------------------------------------------

void account_keeper_core::look(self_ptr self, const node_name& node, std::function<void(const caf::error&)> then) {
  auto& part = nodes.at(node);
  part.looking = true;
  part.looked_at = settings.now();
  self->request(part.calls, call_wait, fetch_auth_files{})
    .then(
      [this, self, node, then](const cpa::auth_files_answer& answer) {
        nodes.at(node).looking = false;
        looked(self, node, answer);
        if (then)
          then({});
      },
      [this, node, then](const caf::error& e) {
        auto& of = nodes.at(node);
        of.looking = false;
        if (auto text = render(e); text != of.problem && code_of(e) != errc::shutting_down) {
          of.problem = std::move(text);
          log::warn("accounts", "node", "{}", of.problem);
        }
        if (then)
          then(e);
      });
}

void account_keeper_core::looked(self_ptr self, const node_name& node, const cpa::auth_files_answer& answer) {
  auto& part = nodes.at(node);
  const auto now = settings.now();
  part.problem.clear();
  part.seen_at = part.looked_at = now;
  auto news = book.seen(node, answer.version, answer.files, now);
  for (const auto& [id, one] : book.all()) {
    if (one.node != node)
      continue;
    const auto* const row = find_provider(one.file.provider);
    if (one.present && !one.file.disabled && !one.file.auth_index.empty() && row != nullptr && !row->url.empty())
      plan.there(id, node, one.stamp, now);
    else
      plan.gone(id);
  }
  count();
  tell(self, std::move(news));
  fetch_tokens(self, node);
}

/// The credentials whose files changed, one after the other: each is a management call.
void account_keeper_core::fetch_tokens(self_ptr self, const node_name& node) {
  auto& part = nodes.at(node);
  if (part.token_under_way || draining)
    return;
  for (const auto& [id, one] : book.all()) {
    if (one.node != node || !one.present || !one.seen_now || one.token_stamp == one.stamp
        || !one.file.name.ends_with(".json"))
      continue;
    part.token_under_way = true;
    self->request(part.questions, question_wait, fetch_token_times{one.file.name})
      .then(
        [this, self, node, id = id](const cpa::token_times& times) {
          nodes.at(node).token_under_way = false;
          tell(self, book.token_seen(id, times, settings.now()));
          fetch_tokens(self, node);
        },
        [this, node, id = id](const caf::error& e) {
          nodes.at(node).token_under_way = false;
          if (code_of(e) == errc::account_unknown) // it went meanwhile
            if (auto* const gone = book.find(id))
              gone->token_stamp = gone->stamp;
        });
    return;
  }
}

void account_keeper_core::ask_quota(self_ptr self, const account_id& id, std::function<void()> then) {
  const auto* const one = book.find(id);
  const auto* const row = one == nullptr ? nullptr : find_provider(one->file.provider);
  if (row == nullptr || row->url.empty() || !one->present)
    return then();
  plan.asked(id, settings.now());
  auto& numbers = nodes.at(one->node).numbers;
  self->request(nodes.at(one->node).questions, question_wait, question_for(*one, *row))
    .then(
      [this, self, id, then, &numbers](const cpa::provider_said& said) {
        using outcome = quota_plan::outcome;
        auto news = book.provider_said(id, said.status, said.body, settings.now());
        plan.answered(id,
                      said.status == 200                         ? outcome::told
                      : said.status == 401 || said.status == 402 ? outcome::refused
                      : said.status == 429                       ? outcome::slow_down
                                                                 : outcome::failed,
                      settings.now());
        (said.status == 200 ? numbers.quota_ok : numbers.quota_failed).Increment();
        count();
        tell(self, std::move(news));
        then();
      },
      [this, id, then, &numbers](const caf::error& e) {
        book.provider_silent(id, render(e));
        plan.answered(id, quota_plan::outcome::failed, settings.now());
        numbers.quota_failed.Increment();
        then();
      });
}

void account_keeper_core::ask_quotas(self_ptr self) {
  for (const auto& node : order)
    if (nodes.at(node).problem.empty())
      if (const auto id = plan.next(node, settings.now()))
        ask_quota(self, *id, [this, self] {
          if (!draining)
            ask_quotas(self);
        });
}

// --- what they were used for -----------------------------------------------------------------------

void account_keeper_core::ask_used(self_ptr self) {
  const auto now = settings.now();
  if (!peers.analyst || (used_asked_at && now - *used_asked_at < 60s && now >= *used_asked_at))
    return;
  used_asked_at = now;
  static constexpr std::array<std::chrono::hours, account_spans.size()> spans{1h, 5h, 24h, 168h};
  for (std::size_t i = 0; i < spans.size(); ++i) {
    ask_usage what;
    what.what.from = now - spans[i];
    what.what.to = now;
    what.what.by = {usage_by::node, usage_by::account};
    what.what.top = 1000;
    self->request(peers.analyst, usage_wait, std::move(what))
      .then([this, i](const std::shared_ptr<const usage_report>& report) { took_used(i, *report); },
            [](const caf::error&) {}); // as it was
  }
}

void account_keeper_core::took_used(std::size_t span, const usage_report& report) {
  std::map<std::pair<std::string, std::string>, account_use> by;
  for (const auto& row : report.rows)
    if (row.of.size() == 2) {
      const auto& s = row.all.sums;
      by[{row.of[0], row.of[1]}] = {static_cast<std::uint64_t>(std::max<std::int64_t>(s.requests - s.failed, 0)),
                                    static_cast<std::uint64_t>(std::max<std::int64_t>(s.failed, 0)), s.tokens.total};
    }
  for (auto& [id, one] : book.all()) {
    const auto found = by.find({one.node, one.file.auth_index});
    one.used[span] = found == by.end() ? account_use{} : found->second;
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

void account_keeper_core::act(self_ptr self) {
  if (draining)
    return;
  const auto now = settings.now();
  for (auto& [node, part] : nodes)
    if (!part.looking
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
  core->send_events(self);
  self->send(self, accounts_tick{++core->tick_number});
  const auto stopping = [core] { return core->draining ? make_error(errc::shutting_down) : caf::error{}; };
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
