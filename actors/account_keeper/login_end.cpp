// A login from the moment its code was handed in to the account that works, or to what went wrong.
#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/account_keeper/account_keeper_core.hpp"
#include "messages/json.hpp"

namespace keyportal {

using namespace std::chrono_literals;

namespace {

constexpr auto call_wait = 40s;

/// CPA's sentence about a login that failed, for people.
std::string plain(const std::string& why, const std::string& title) {
  if (why.starts_with("Timeout") || why == "OAuth flow timed out")
    return "it took too long until the address was handed in";
  if (why == "Bad request" || why == "Bad Request" || why == "Authentication failed")
    return fmt::format("{} refused the login", title);
  if (why.starts_with("Failed to exchange"))
    return fmt::format("{} did not accept the code; each works once and for a short time", title);
  if (why.starts_with("Failed to save"))
    return "the node cannot write the account to its disk";
  if (why.starts_with("Cloud AI API") || why.starts_with("Failed to verify Cloud"))
    return "the Google project of this account has no access to the API";
  if (why == "State code error")
    return "the address did not fit the login";
  return why.empty() ? "" : fmt::format("the node says: {}", why);
}

} // namespace

// --- until it works ------------------------------------------------------------------------------

void account_keeper_core::follow_logins(self_ptr self) {
  const auto now = settings.now();
  for (auto* const one : logins.expired(now)) {
    if (one->state.empty()) { // its beginning is not answered yet
      logins.end(*one, login_stage::failed, errc::account_login_over,
                 std::string(row_of(errc::account_login_over).sentence), now);
      continue;
    }
    nodes.at(one->shown.node).numbers.logins_failed.Increment();
    cancel(self, *one, login_stage::failed, errc::account_login_over,
           std::string(row_of(errc::account_login_over).sentence));
  }
  for (auto& [id, one] : logins.all()) {
    const auto& s = one.shown;
    if (s.stage == login_stage::testing && !calls_of_logins.contains(id))
      try_account(self, one);
    const bool asks = login_book::is_open(s.stage) && s.stage != login_stage::testing && !one.state.empty()
                      && (s.way == login_way::device || one.handed_in);
    if (!asks || calls_of_logins.contains(id) || !nodes.contains(s.node))
      continue;
    const auto every = s.stage == login_stage::finishing ? 1s : 3s;
    auto& last = asked_logins[id];
    if (last != moment{} && now - last < every && now >= last)
      continue;
    last = now;
    ask_how(self, one);
  }
  std::erase_if(asked_logins, [this](const auto& one) { return open_login(one.first) == nullptr; });
}

void account_keeper_core::ask_how(self_ptr self, login_entry& of) {
  const auto id = of.shown.id;
  const auto& calls = nodes.at(of.shown.node).calls;
  calls_of_logins.insert(id);
  const auto list = [this, self, id, calls] {
    self->request(calls, call_wait, fetch_auth_files{})
      .then(
        [this, self, id](const cpa::auth_files_answer& files) {
          calls_of_logins.erase(id);
          if (auto* const now_of = open_login(id)) {
            looked(self, now_of->shown.node, files);
            find_file(self, id, files.files);
          }
        },
        [this, id](const caf::error&) { calls_of_logins.erase(id); });
  };
  if (of.said_done)
    return list();
  self->request(calls, call_wait, ask_login{of.state})
    .then(
      [this, id, list](const cpa::login_said& said) {
        auto* const now_of = open_login(id);
        if (now_of == nullptr || said.is == cpa::login_word::wait) {
          calls_of_logins.erase(id);
          return;
        }
        if (said.is == cpa::login_word::ok) { // it may also mean that it knows nothing of it: the account is the proof
          now_of->said_done = settings.now();
          now_of->shown.ends = std::max(now_of->shown.ends, settings.now() + login_book::shows_within + 10s);
          keep_login(*now_of);
          return list();
        }
        calls_of_logins.erase(id);
        if (said.is == cpa::login_word::unknown)
          return fail(*now_of, errc::account_login_over, "the node knows nothing of this login any more");
        const bool declined = said.why == "Bad request" || said.why == "Bad Request";
        fail(*now_of, declined ? errc::account_login_declined : errc::account_login_failed,
             plain(said.why, now_of->shown.title));
      },
      [this, id](const caf::error&) { calls_of_logins.erase(id); }); // asked again, until its time is over
}

void account_keeper_core::find_file(self_ptr self, const std::string& id, const std::vector<cpa::auth_file>& files) {
  auto* const of = open_login(id);
  const auto name = new_file(of->before, marks_of(files, of->shown.provider));
  if (name.empty()) {
    if (of->said_done && settings.now() - *of->said_done > login_book::shows_within)
      fail(*of, errc::account_not_seen, "");
    return;
  }
  const auto* const account = book.find(of->shown.node, name);
  if (account == nullptr)
    return;
  of->shown.account = account->id;
  of->shown.was_there =
    std::any_of(of->before.begin(), of->before.end(), [&](const file_mark& f) { return f.name == name; });
  of->shown.stage = login_stage::testing;
  of->shown.words = "The account is there and is tried.";
  book.contributed(account->id, of->who, of->name, settings.now());
  keep_login(*of);
  keep_changes(true);
  try_account(self, *of);
}

/// Asks its provider, unless that was done since the login; called until it could be.
void account_keeper_core::try_account(self_ptr self, login_entry& of) {
  const auto id = of.shown.id;
  const auto account = of.shown.account;
  const auto* const one = book.find(account);
  if (one == nullptr || !one->present)
    return fail(of, errc::account_not_seen, "it went again");
  if (!one->seen_now)
    return; // we have only just begun
  if (!plan.has(account))
    return finish(self, id, account, false);
  if (one->provider_stamp == one->stamp && one->tested_at && *one->tested_at >= of.shown.begun_at)
    return finish(self, id, account, one->provider_status == 200);
  if (!plan.hurry(account, settings.now()))
    return;
  calls_of_logins.insert(id);
  ask_quota(self, account, [this, self, id, account] {
    calls_of_logins.erase(id);
    const auto* const now_of = book.find(account);
    finish(self, id, account, now_of != nullptr && now_of->provider_status == 200 && now_of->quota_problem.empty());
  });
}

void account_keeper_core::finish(self_ptr self, const std::string& id, const account_id& account, bool tested) {
  auto* const of = open_login(id);
  const auto* const one = book.find(account);
  if (of == nullptr || one == nullptr)
    return;
  auto& s = of->shown;
  if (one->provider_status == 401 && one->provider_stamp == one->stamp) {
    fail(*of, errc::account_login_failed, fmt::format("the account is there, but {} refuses it", s.title));
    return;
  }
  const bool own = one->owner == of->who;
  std::string words = "Thank you! ";
  words += s.was_there ? "The account was here already and has a fresh login now" : "The account has joined the others";
  words += tested ? ", and it works." : "; how it works will show.";
  if (!own)
    words += fmt::format(" It stays with {}, who contributed it first.",
                         one->owner_name.empty() ? "its owner" : one->owner_name);
  auto told = book.event(event_kind::account_contributed, *one, settings.now(), words);
  auto data = nlohmann::json::parse(told.data);
  data["by"] = of->who;
  data["was_there"] = s.was_there;
  data["tested"] = tested;
  told.data = dump(data);
  nodes.at(s.node).numbers.logins_done.Increment();
  logins.end(*of, login_stage::done, errc::none, words, settings.now());
  keep_login(*of);
  tell(self, {std::move(told)});
}

} // namespace keyportal
