// How somebody signs in with a provider: from the button to the account that works.
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

} // namespace

std::vector<file_mark> marks_of(const std::vector<cpa::auth_file>& files, std::string_view provider) {
  std::vector<file_mark> out;
  for (const auto& f : files)
    if (f.provider == provider && !f.runtime_only)
      out.push_back({f.name, f.changed_at ? unix_ns(*f.changed_at) : 0, f.size});
  return out;
}

// --- where -----------------------------------------------------------------------------------

bool account_keeper_core::offers(const node_name& node, const provider_row& row) const {
  const auto& part = nodes.at(node);
  const auto version = book.version_of(node);
  if (part.not_offered_by == version && part.not_offered.contains(std::string(row.name)))
    return false;
  return offers_login(row, version);
}

std::vector<account_offer> account_keeper_core::offers() const {
  std::vector<account_offer> out;
  for (const auto& row : providers()) {
    account_offer one{std::string(row.name),
                      std::string(row.title),
                      row.ends_at.empty() ? login_way::device : login_way::browser,
                      std::string(row.ends_at),
                      {}};
    for (const auto& node : order)
      if (offers(node, row))
        one.nodes.push_back(node);
    if (!one.nodes.empty())
      out.push_back(std::move(one));
  }
  return out;
}

/// Where fewest accounts of that provider are; a node that does not answer comes last.
caf::expected<node_name> account_keeper_core::choose_node(const provider_row& row, const node_name& wanted) const {
  if (!wanted.empty() && !nodes.contains(wanted))
    return make_error(errc::node_unknown, wanted);
  const node_name* best = nullptr;
  std::size_t least = 0;
  for (const auto& node : order) {
    if ((!wanted.empty() && node != wanted) || !offers(node, row))
      continue;
    std::size_t count = nodes.at(node).problem.empty() ? 0 : 1'000'000;
    for (const auto& [id, one] : const_cast<account_book&>(book).all())
      count += one.present && one.node == node && one.file.provider == row.name ? 1 : 0;
    if (best == nullptr || count < least) {
      best = &node;
      least = count;
    }
  }
  if (best == nullptr)
    return make_error(errc::account_provider_unknown, std::string(row.title));
  return *best;
}

login_entry* account_keeper_core::open_login(const std::string& id) {
  const auto found = logins.all().find(id);
  return found != logins.all().end() && login_book::is_open(found->second.shown.stage) ? &found->second : nullptr;
}

// --- begin -------------------------------------------------------------------------------------

void account_keeper_core::begin(self_ptr self, const begin_account_login& m, login_promise answer) {
  if (!settings.everybody && !m.admin)
    return give(answer, make_error(errc::contributions_closed));
  const auto* const row = find_provider(m.provider);
  if (row == nullptr || row->route.empty())
    return give(answer, make_error(errc::account_provider_unknown, m.provider.substr(0, 40)));
  auto node = choose_node(*row, m.node);
  if (!node)
    return give(answer, std::move(node.error()));
  const auto now = settings.now();
  auto replaced = logins.may_begin(m.who, std::string(row->name), *node, now);
  if (!replaced)
    return give(answer, std::move(replaced.error()));
  if (auto* const before = open_login(*replaced))
    cancel(self, *before, login_stage::cancelled, errc::none, "a new login took its place");
  login_entry one;
  one.shown.id = settings.draw();
  one.shown.provider = row->name;
  one.shown.title = row->title;
  one.shown.node = *node;
  one.shown.begun_at = now;
  one.shown.ends = now + login_book::browser_time;
  one.who = m.who;
  one.name = m.name;
  const auto id = one.shown.id;
  logins.begin(std::move(one)); // from here on nobody else begins one there
  self->request(nodes.at(*node).calls, call_wait, fetch_auth_files{})
    .then(
      [this, self, id, row, project = m.project, answer](const cpa::auth_files_answer& files) mutable {
        auto* const of = open_login(id);
        if (of == nullptr)
          return give(answer, make_error(errc::account_login_over));
        of->before = marks_of(files.files, row->name);
        looked(self, of->shown.node, files);
        begin_at(self, id, *row, project, std::move(answer));
      },
      [this, id, answer](caf::error& e) mutable {
        logins.all().erase(id);
        give(answer, std::move(e));
      });
}

void account_keeper_core::begin_at(self_ptr self, const std::string& id, const provider_row& row,
                                   const std::string& project, login_promise answer) {
  const auto node = logins.all().at(id).shown.node;
  self->request(nodes.at(node).calls, call_wait, start_login{std::string(row.route), project})
    .then(
      [this, self, id, answer](const cpa::login_started& started) mutable {
        auto* const of = open_login(id);
        if (of == nullptr) { // cancelled meanwhile
          const auto found = logins.all().find(id);
          if (found != logins.all().end())
            self->request(nodes.at(found->second.shown.node).calls, call_wait, end_login{started.state})
              .then([](const cpa::login_said&) {}, [](const caf::error&) {});
          return give(answer, make_error(errc::account_login_over));
        }
        auto& s = of->shown;
        of->state = started.state;
        s.url = started.url;
        s.user_code = started.user_code;
        s.way = started.device ? login_way::device : login_way::browser;
        s.ends_at = started.device ? "" : started.ends_at;
        const auto time = !started.device      ? login_book::browser_time
                          : started.lasts > 0s ? std::min<std::chrono::seconds>(started.lasts, 30min)
                                               : login_book::device_time;
        s.ends = settings.now() + time;
        s.words =
          started.device
            ? fmt::format("Open the page of {}, sign in{} and agree. This page goes on by itself.", s.title,
                          s.user_code.empty() ? "" : fmt::format(", type the code {}", s.user_code))
            : fmt::format("Open the page of {} and sign in. The browser then ends at an address that begins with {} "
                          "and shows an error: that is right. Copy that whole address and hand it in here.",
                          s.title, s.ends_at);
        keep_login(*of);
        log::info("accounts", "login-begun", "{}: a login with {} was begun by {}", s.node, s.provider, of->who);
        give(answer, shown_of(*of));
        tick(self);
      },
      [this, id, &row, node, answer](caf::error& e) mutable {
        if (code_of(e) == errc::account_provider_unknown) {
          auto& part = nodes.at(node);
          part.not_offered_by = book.version_of(node);
          part.not_offered.insert(std::string(row.name));
        }
        logins.all().erase(id);
        give(answer, std::move(e));
      });
}

// --- what was pasted -----------------------------------------------------------------------------

void account_keeper_core::submit(self_ptr self, const submit_callback& m, login_promise answer) {
  const auto what = read_callback(m.text);
  if (!what) {
    if (!m.login.empty()) // of somebody else's login nothing is told, not even this
      if (auto mine = logins.find(m.who, m.login); !mine)
        return give(answer, std::move(mine.error()));
    return give(answer, what.error());
  }
  auto judged = logins.judge(m.who, m.login, *what, m.provider, settings.now());
  if (!judged)
    return give(answer, std::move(judged.error()));
  auto& of = **judged;
  of.handed_in = true;
  of.shown.stage = login_stage::finishing;
  of.shown.words = fmt::format("The node exchanges the code with {}.", of.shown.title);
  keep_login(of); // the code itself is not kept
  const auto id = of.shown.id;
  const auto session = std::string(find_provider(of.shown.provider)->session);
  calls_of_logins.insert(id);
  self->request(nodes.at(of.shown.node).calls, call_wait, hand_in_code{session, of.state, what->code, what->refused})
    .then(
      [this, self, id, refused = what->refused, answer](const cpa::login_said&) mutable {
        calls_of_logins.erase(id);
        auto* const now_of = open_login(id);
        if (now_of == nullptr)
          return give(answer, make_error(errc::account_login_over));
        if (!refused.empty()) {
          fail(*now_of, errc::account_login_declined, refused);
          return give(answer, make_error(errc::account_login_declined, refused));
        }
        give(answer, shown_of(*now_of));
        tick(self);
      },
      [this, id, answer](caf::error& e) mutable {
        calls_of_logins.erase(id);
        auto* const now_of = open_login(id);
        const auto code = code_of(e);
        if (now_of != nullptr) {
          if (code == errc::account_login_over || code == errc::account_login_failed || code == errc::account_too_old)
            fail(*now_of, code, about_of(e));
          else if (code != errc::callback_used) { // it may be handed in once more
            now_of->handed_in = false;
            now_of->shown.stage = login_stage::waiting;
            keep_login(*now_of);
          }
        }
        give(answer, std::move(e));
      });
}

void account_keeper_core::cancel(self_ptr self, login_entry& of, login_stage how, errc code, const std::string& words) {
  const auto state = of.state;
  if (!state.empty())
    self->request(nodes.at(of.shown.node).calls, call_wait, end_login{state})
      .then([](const cpa::login_said&) {}, [](const caf::error&) {}); // else it ends by itself
  logins.end(of, how, code, words, settings.now());
  keep_login(of);
}

void account_keeper_core::fail(login_entry& of, errc code, const std::string& detail) {
  const auto words = (detail.empty() ? "" : detail + ": ") + std::string(row_of(code).sentence);
  log::warn("accounts", "login-failed", "{}: a login with {} failed: {}", of.shown.node, of.shown.provider, words);
  nodes.at(of.shown.node).numbers.logins_failed.Increment();
  logins.end(of, login_stage::failed, code, words, settings.now());
  keep_login(of);
}

} // namespace keyportal
