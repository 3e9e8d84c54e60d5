// What the account keeper keeps and tells. An event is on disk together with what it tells of, until the ledger has it.
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/account_keeper/account_keeper_core.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {

using nlohmann::json;
using namespace std::chrono_literals;
using storage::account_row_kind;

namespace {

constexpr auto patience = 60s;
constexpr auto pause = 2s;

std::string write_event(const node_event& e) {
  return dump({{"kind", static_cast<int>(e.kind)},
               {"node", e.node},
               {"about", e.about},
               {"at", unix_ns(e.at)},
               {"data", e.data}});
}

bool read_event(std::string_view text, node_event& out) {
  const auto j = json::parse(text, nullptr, false);
  if (!j.is_object() || !j.value("kind", json()).is_number_integer() || !j.value("at", json()).is_number_integer()
      || !j.value("data", json()).is_string() || !j.value("about", json()).is_string()
      || !j.value("node", json()).is_string())
    return false;
  out.kind = static_cast<event_kind>(j["kind"].get<int>());
  out.node = j["node"];
  out.about = j["about"];
  out.at = moment_of(j["at"].get<std::int64_t>());
  out.data = j["data"];
  return is_of_account(out.kind);
}

} // namespace

void account_keeper_core::load() {
  const auto rows = [this](account_row_kind kind) {
    auto got = settings.kept(kind);
    if (got)
      return std::move(*got);
    log::error("accounts", "storage", "What is kept of accounts cannot be read: {}", render(got.error()));
    return std::vector<storage::account_row>{};
  };
  for (const auto& row : rows(account_row_kind::account))
    if (!book.load_account(row.text))
      log::warn("accounts", "storage", "A row of an account is not understood and left out");
  for (const auto& row : rows(account_row_kind::windows))
    book.load_windows(row.id, row.text);
  for (const auto& row : rows(account_row_kind::mapping))
    book.load_mapping(row.text);
  for (const auto& row : rows(account_row_kind::login))
    if (login_entry one; read_login(row.text, one))
      logins.begin(std::move(one));
  for (const auto& row : rows(account_row_kind::event)) {
    if (node_event one; read_event(row.text, one))
      events.push_back({row.id, std::move(one)});
    event_number = std::max<std::uint64_t>(event_number, std::strtoull(row.id.c_str(), nullptr, 10));
  }
}

bool account_keeper_core::keep(storage::account_rows_change what) {
  if (what.put.empty() && what.drop.empty())
    return true;
  if (auto wrong = settings.keep(what)) {
    log::error("accounts", "storage", "What changed of accounts cannot be kept: {}", render(wrong));
    return false;
  }
  return true;
}

void account_keeper_core::keep_login(const login_entry& which) {
  keep({{{account_row_kind::login, which.shown.id, write_login(which)}}, {}});
}

/// Windows change all the time: they are written every ten seconds.
void account_keeper_core::keep_changes(bool all) {
  const auto now = settings.now();
  if (!all && kept_at && now - *kept_at < 10s && now >= *kept_at)
    return;
  kept_at = now;
  const auto changed = book.take_changes();
  storage::account_rows_change what;
  for (const auto& id : changed.accounts)
    if (const auto* one = book.find(id))
      what.put.push_back({account_row_kind::account, id, account_book::write_account(*one)});
  for (const auto& id : changed.windows)
    if (const auto* one = book.find(id))
      what.put.push_back({account_row_kind::windows, id, one->windows.write()});
  for (const auto& id : logins.forget(now))
    what.drop.push_back({account_row_kind::login, id, {}});
  keep(std::move(what));
}

void account_keeper_core::tell(self_ptr self, std::vector<node_event> what) {
  if (what.empty())
    return;
  storage::account_rows_change change;
  for (auto& e : what) {
    log::info("accounts", "event", "{}: account {} of {}: {}", e.node, e.about, static_cast<int>(e.kind),
              json::parse(e.data, nullptr, false).value("words", ""));
    waiting_event one{fmt::format("{:020}", ++event_number), std::move(e)};
    change.put.push_back({account_row_kind::event, one.id, write_event(one.what)});
    events.push_back(std::move(one));
  }
  const auto changed = book.take_changes(); // what is told now must not be told again after a crash
  for (const auto& id : changed.accounts)
    if (const auto* one = book.find(id))
      change.put.push_back({account_row_kind::account, id, account_book::write_account(*one)});
  for (const auto& id : changed.windows)
    if (const auto* one = book.find(id))
      change.put.push_back({account_row_kind::windows, id, one->windows.write()});
  keep(std::move(change));
  send_events(self);
}

void account_keeper_core::send_events(self_ptr self) {
  if (event_under_way || events.empty())
    return;
  if (event_in_doubt && settings.is_kept && settings.is_kept(events.front().what)) {
    keep({{}, {{account_row_kind::event, events.front().id, {}}}});
    events.pop_front();
    event_in_doubt = false; // they go one after the other: no other one was on its way
    return send_events(self);
  }
  event_in_doubt = false;
  event_under_way = true;
  journal_entry entry;
  entry.events.push_back(events.front().what);
  self->request(peers.ledger, patience, std::move(entry))
    .then(
      [this, self](const committed&) {
        event_under_way = false;
        keep({{}, {{account_row_kind::event, events.front().id, {}}}});
        events.pop_front();
        send_events(self);
      },
      [this, self](const caf::error& e) {
        event_in_doubt = true;
        log::warn("accounts", "event", "An event cannot be kept yet: {}", render(e));
        self->delayed_send(self, pause, accounts_tell_again{});
      });
}

} // namespace keyportal
