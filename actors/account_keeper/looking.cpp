// What the account keeper asks: nodes for their accounts, providers for quota, the analyst for use.
#include <algorithm>

#include "actors/account_keeper/account_keeper_core.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

#include <nlohmann/json.hpp>

namespace keyportal {

using namespace std::chrono_literals;

namespace {

constexpr auto call_wait = 40s;
constexpr auto question_wait = 90s;
constexpr auto usage_wait = 60s;

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

} // namespace keyportal
