#include "gateway/original_routes.hpp"

#include <algorithm>
#include <ctime>
#include <map>

#include <caf/send.hpp>
#include <fmt/chrono.h>
#include <nlohmann/json.hpp>

#include "gateway/account_answers.hpp"
#include "gateway/account_routes.hpp"
#include "gateway/body_fields.hpp"
#include "gateway/handlers.hpp"
#include "messages/registry_json.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;
using report_pointer = std::shared_ptr<const usage_report>;

constexpr std::chrono::seconds command_wait{30};
constexpr auto from_the_first = "2020-01-01"; ///< before there was a CLIProxyAPI
constexpr std::size_t longest_text = 512;

const std::string& me(const visit& here) { return here.by->who.subject; }

std::string asked_for(const visit& here, std::string_view name) {
  for (const auto& [key, value] : here.exchange->request.query)
    if (key == name)
      return value;
  return {};
}

http_response shown(const json& body, int status = 200) {
  auto out = json_answer(body, status);
  out.headers.emplace_back("Cache-Control", "no-store");
  return out;
}

// --- usage ---------------------------------------------------------------------------------

/// As the original's CSV and pages had them.
json sums_json(const usage_sums& s) {
  return {{"total_requests", s.requests},   {"success_count", s.requests - s.failed},
          {"failure_count", s.failed},      {"total_tokens", s.tokens.total},
          {"input_tokens", s.tokens.input}, {"output_tokens", s.tokens.output}};
}

template <class Then>
void ask_usage_of(const visit& here, std::string from, std::vector<usage_by> by, usage_filter where, usage_step step,
                  Then then) {
  ask_usage what;
  what.from = std::move(from);
  what.to = "now";
  what.what.by = std::move(by);
  what.what.where = std::move(where);
  what.what.step = step;
  what.what.top = 1000;
  what.what.order = "tokens";
  here.ask<report_pointer>(here.self->state.handles.analyst, std::move(what), file_wait, std::move(then));
}

const std::string& name_in(const usage_report& report, const std::string& id) {
  const auto found = report.names.find(id);
  return found == report.names.end() ? id : found->second;
}

/// Where a statistic begins, by the original's words.
std::optional<std::string> begin_of(const std::string& period) {
  if (period.empty() || period == "total")
    return from_the_first;
  if (period == "day")
    return "today";
  if (period == "month" || period == "year")
    return period;
  return std::nullopt;
}

/// In the zone in which the service shows times, which is that of its process.
std::string local_day(moment at) {
  const auto seconds =
    std::chrono::system_clock::to_time_t(std::chrono::time_point_cast<std::chrono::system_clock::duration>(at));
  std::tm parts{};
  localtime_r(&seconds, &parts);
  return fmt::format("{:%Y-%m-%d}", parts);
}

void usage(const visit& here) {
  ask_usage_of(here, from_the_first, {usage_by::key}, {}, usage_step::none, [here](const report_pointer& report) {
    json keys = json::object(); // by key id: the texts are nobody's business but their owners'
    for (const auto& row : report->rows)
      keys[row.of[0]] = sums_json(row.all.sums);
    auto all = sums_json(report->total.all.sums);
    all["apis"] = std::move(keys);
    here.answer(json_answer({{"usage", std::move(all)}, {"failed_requests", report->total.all.sums.failed}}));
  });
}

void usage_summary(const visit& here) {
  here.relay<overview>(here.self->state.handles.feed, read_overview{}, short_wait,
                       [](const question&, const overview& now) {
                         totals all, today;
                         for (const auto& node : now.nodes) {
                           all.add(node.sums);
                           today.add(node.today);
                         }
                         return json_answer({{"total_tokens", all.tokens.total},
                                             {"total_requests", all.requests},
                                             {"today_tokens", today.tokens.total},
                                             {"today_requests", today.requests},
                                             {"success_count", all.ok},
                                             {"failure_count", all.failed},
                                             {"timestamp", to_rfc3339_ms(now.at)}});
                       });
}

void usage_history(const visit& here) {
  const auto days = asked_for(here, "days");
  const bool fits = days.size() <= 4 && days.find_first_not_of("0123456789") == std::string::npos && days != "0";
  if (!fits)
    return here.fail(make_error(errc::bad_request, "days is a number from 1 to 9999"));
  ask_usage_of(here, (days.empty() ? "30" : days) + "d", {}, {}, usage_step::day, [here](const report_pointer& report) {
    auto history = json::array();
    for (std::size_t i = 0; i < report->starts.size() && i < report->total.buckets.size(); ++i) {
      auto day = sums_json(report->total.buckets[i].sums);
      day["date"] = local_day(report->starts[i]);
      history.push_back(std::move(day));
    }
    here.answer(json_answer({{"history", std::move(history)}, {"zone", report->zone}}));
  });
}

void auth_stats(const visit& here) {
  ask_usage_of(here, from_the_first, {usage_by::account}, {}, usage_step::none, [here](const report_pointer& report) {
    auto stats = json::array();
    for (const auto& row : report->rows) {
      auto one = sums_json(row.all.sums);
      one["account"] = row.of[0];
      stats.push_back(std::move(one));
    }
    here.answer(json_answer({{"stats", std::move(stats)}}));
  });
}

void all_users_stats(const visit& here) {
  const auto from = begin_of(asked_for(here, "period"));
  if (!from)
    return here.fail(make_error(errc::bad_request, "period is total, day, month or year"));
  ask_usage_of(here, *from, {usage_by::user}, {}, usage_step::none, [here](const report_pointer& report) {
    auto users = json::array();
    for (const auto& row : report->rows) {
      if (row.of[0].empty())
        continue; // what nobody's keys used
      auto one = sums_json(row.all.sums);
      one["email"] = name_in(*report, row.of[0]);
      one["user"] = row.of[0];
      users.push_back(std::move(one));
    }
    here.answer(json_answer({{"users", std::move(users)}}));
  });
}

// --- keys ------------------------------------------------------------------------------------

json key_json(const client_key& key) {
  return {{"key", key.shown}, // never its text
          {"key_id", key.id},
          {"label", key.label},
          {"state", to_text(key.state)},
          {"created_at", to_rfc3339_ms(key.created_at)}};
}

template <class Then>
void with_person(const visit& here, std::string name, Then then) {
  std::transform(name.begin(), name.end(), name.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (name.empty() || name.size() > longest_text)
    return here.fail(make_error(errc::user_unknown));
  here.ask<user>(here.self->state.handles.registry, find_user{std::move(name)}, short_wait, std::move(then));
}

/// A person's keys with what each used.
void tell_keys_of(const visit& here, const user& person) {
  list_keys which;
  which.owner = person.id;
  which.limit = 1000;
  here.ask<key_page>(here.self->state.handles.registry, std::move(which), short_wait,
                     [here, person](const key_page& page) {
                       ask_usage_of(here, from_the_first, {usage_by::key}, {{usage_by::user, {person.id}}},
                                    usage_step::none, [here, person, page](const report_pointer& report) {
                                      std::map<std::string, const usage_sums*> used;
                                      for (const auto& row : report->rows)
                                        used[row.of[0]] = &row.all.sums;
                                      auto keys = json::array();
                                      for (const auto& key : page.keys) {
                                        const auto found = used.find(key.id);
                                        auto one = key_json(key);
                                        one.update(sums_json(found == used.end() ? usage_sums{} : *found->second));
                                        keys.push_back(std::move(one));
                                      }
                                      auto body = sums_json(report->total.all.sums);
                                      body["email"] = person.email;
                                      body["name"] = person.name;
                                      body["keys"] = std::move(keys);
                                      here.answer(shown(body));
                                    });
                     });
}

/// Of oneself, or of whoever is named, for those who may read that; for others nobody else is there.
void keys_and_usage(const visit& here, const std::string& name) {
  const auto& rights = here.by->who.rights;
  const bool may_all = rights.has(right::read_people) && rights.has(right::read_usage) && rights.has(right::read_keys);
  if (!may_all && me(here).empty())
    return here.fail(make_error(errc::right_missing, "these are somebody's own things, and this token is nobody's"));
  if (name.empty() && me(here).empty())
    return here.fail(make_error(errc::bad_request, "email says whose"));
  with_person(here, name.empty() || !may_all ? me(here) : name, [here, name, may_all](const user& person) {
    auto asked = name;
    std::transform(asked.begin(), asked.end(), asked.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (!may_all && !asked.empty() && asked != person.email && asked != person.id)
      return here.fail(make_error(errc::user_unknown));
    tell_keys_of(here, person);
  });
}

/// Keys with the addresses of their owners, who are looked up one after the other.
struct owners_wanted {
  key_page page;
  std::map<user_id, std::pair<std::string, std::string>> people;
  std::size_t at = 0;
};

void tell_all_keys(const visit& here, const std::shared_ptr<owners_wanted>& all) {
  for (auto& keys = all->page.keys; all->at < keys.size(); ++all->at) {
    const auto& owner = keys[all->at].owner;
    if (owner.empty() || all->people.contains(owner))
      continue;
    const auto go_on = [here, all, owner](std::string email, std::string name) {
      all->people[owner] = {std::move(email), std::move(name)};
      tell_all_keys(here, all);
    };
    return here.ask_or<user>(
      here.self->state.handles.registry, find_user{owner}, short_wait,
      [go_on](const user& person) { go_on(person.email, person.name); }, [go_on](const caf::error&) { go_on({}, {}); });
  }
  auto items = json::array();
  for (const auto& key : all->page.keys) {
    auto one = key_json(key);
    const auto& [email, name] = all->people[key.owner];
    one["email"] = email;
    one["name"] = name;
    items.push_back(std::move(one));
  }
  const auto next = all->page.more && !all->page.keys.empty() ? json(all->page.keys.back().id) : json(nullptr);
  here.answer(shown({{"keys", std::move(items)}, {"next", next}}));
}

void all_keys(const visit& here) {
  list_keys which;
  which.after = here.asked.after_name;
  which.limit = here.asked.limit;
  if (which.after.size() > longest_text)
    return here.fail(make_error(errc::bad_request, "after is too long"));
  here.ask<key_page>(here.self->state.handles.registry, std::move(which), short_wait, [here](const key_page& page) {
    auto all = std::make_shared<owners_wanted>();
    all->page = page;
    tell_all_keys(here, all);
  });
}

void pool_status(const visit& here) {
  here.relay<registry_state>(
    here.self->state.handles.registry, read_registry_state{}, short_wait,
    [](const question&, const registry_state& now) {
      const auto unused = now.keys[static_cast<std::size_t>(key_state::pooled)];
      const auto assigned =
        now.keys[static_cast<std::size_t>(key_state::live)] + now.keys[static_cast<std::size_t>(key_state::suspended)];
      return json_answer({{"unused", unused}, {"assigned", assigned}, {"total", unused + assigned}});
    });
}

template <class Then>
void command(const visit& here, registry_question what, Then then) {
  const auto& address = here.by->from.address;
  here.ask<command_done>(here.self->state.handles.registry,
                         registry_command{{here.who(), address.empty() ? "local" : address,
                                           std::string(header_of(here.exchange->request, "idempotency-key"))},
                                          std::move(what)},
                         command_wait, std::move(then));
}

void register_key(const visit& here) {
  fields all(here.exchange->request.body);
  std::string email, name;
  assign_key what;
  all.text("email", email);
  all.text("name", name); // it was free to choose; now it is the account's
  all.text("label", what.label);
  if (auto wrong = all.finish())
    return here.fail(wrong);
  const bool may_all = here.by->who.rights.has(right::write_keys) && here.by->who.rights.has(right::read_people);
  with_person(here, may_all && !email.empty() ? email : me(here), [here, email, what, may_all](const user& person) {
    if (!may_all && !email.empty() && email != person.email)
      return here.fail(make_error(errc::right_missing, "a key is registered by whoever is to have it"));
    auto theirs = what;
    theirs.owner = person.id;
    command(here, registry_question{std::move(theirs)}, [here, person](const command_done& done) {
      json body{{"success", true}, {"email", person.email}, {"name", person.name}, {"label", ""}, {"key_id", ""}};
      if (!done.keys.empty()) {
        body["key_id"] = done.keys.front().id;
        body["label"] = done.keys.front().label;
      }
      body["api_key"] = done.shown.empty() ? json(nullptr) : json(done.shown.front().reveal());
      here.answer(shown(body, done.replayed ? 200 : 201));
    });
  });
}

void revoke_one(const visit& here) {
  fields all(here.exchange->request.body);
  std::string text;
  all.text("key", text, true);
  if (auto wrong = all.finish())
    return here.fail(wrong);
  keyportal::find_key which; // by its text, as then, or by its id
  const bool is_id = text.size() == 27 && text.front() == 'k';
  if (is_id)
    which.id = text;
  else
    which.text = secret{text};
  here.ask<client_key>(here.self->state.handles.registry, std::move(which), short_wait, [here](const client_key& key) {
    if (key.owner != me(here) && !here.by->who.rights.has(right::write_keys))
      return here.fail(make_error(errc::key_unknown));
    revoke_key what;
    what.key = key.id;
    command(here, registry_question{std::move(what)}, [here, id = key.id](const command_done&) {
      here.answer(json_answer({{"success", true}, {"key_id", id}}));
    });
  });
}

/// Whoever has the key may see what it used. The session that proves it lives for this answer.
void query_by_key(const visit& here) {
  fields all(here.exchange->request.body);
  std::string text;
  all.text("key", text, true);
  if (auto wrong = all.finish())
    return here.fail(wrong);
  const auto& whom = here.self->state.handles.authenticator;
  here.ask<access_done>(whom, access_command{here.by->from, {}, sign_in_with_key{secret{std::move(text)}}},
                        command_wait, [here, whom](const access_done& done) {
                          if (!done.begun)
                            return here.fail(make_error(errc::key_unknown));
                          caf::anon_send(whom, access_command{here.by->from, {}, sign_out{done.begun->id}});
                          const auto id = done.begun->subject;
                          here.ask<client_key>(here.self->state.handles.registry, keyportal::find_key{id, {}},
                                               short_wait, [here](const client_key& key) {
                                                 ask_usage_of(here, from_the_first, {}, {{usage_by::key, {key.id}}},
                                                              usage_step::none,
                                                              [here, key](const report_pointer& report) {
                                                                auto body = key_json(key);
                                                                body.update(sums_json(report->total.all.sums));
                                                                here.answer(shown(body));
                                                              });
                                               });
                        });
}

// --- accounts with providers -----------------------------------------------------------------

/// "active" or "expired", as it was; what else there is now has its own word.
std::string_view original_state(account_condition c) {
  switch (c) {
    case account_condition::fine:
    case account_condition::degraded: return "active";
    case account_condition::login_needed: return "expired";
    default: return to_text(c);
  }
}

void accounts(const visit& here) {
  here.ask<account_list_ptr>(
    here.self->state.handles.accounts, list_accounts{}, short_wait, [here](const account_list_ptr& all) {
      auto items = json::array();
      for (const auto& a : all->accounts) {
        const auto known = to_json(a, me(here));
        json hours = nullptr;
        if (a.token_ends)
          hours = std::chrono::floor<std::chrono::minutes>(*a.token_ends - all->at).count() / 60.0;
        items.push_back({{"id", a.id},
                         {"email", known["address"]},
                         {"owner", a.owner_name},
                         {"provider", a.provider},
                         {"node", a.node},
                         {"status", original_state(a.condition)},
                         {"hours_left", hours}});
      }
      here.answer(shown({{"accounts", std::move(items)}}));
    });
}

void auth_url(const visit& here) {
  begin_account_login what;
  what.provider = asked_for(here, "provider");
  if (what.provider.empty())
    what.provider = "claude"; // it knew no other
  if (what.provider.size() > longest_text)
    return here.fail(make_error(errc::account_provider_unknown));
  begin_login(here, std::move(what), [here](const account_login& l) {
    here.answer(shown({{"auth_url", l.url}, {"user_code", l.user_code}, {"login", l.id}, {"message", l.words}}));
  });
}

void take_callback(const visit& here) {
  fields all(here.exchange->request.body);
  submit_callback what;
  what.who = here.who();
  all.text("callback_url", what.text, true);
  all.text("login", what.login);
  all.text("provider", what.provider);
  if (auto wrong = all.finish())
    return here.fail(wrong);
  here.ask<account_login>(
    here.self->state.handles.accounts, std::move(what), file_wait, [here](const account_login& l) {
      here.answer(shown({{"success", true}, {"login", l.id}, {"stage", to_text(l.stage)}, {"message", l.words}}));
    });
}

void sync_usage(const visit& here) {
  for (const auto& node : here.self->state.handles.nodes)
    if (node.poller)
      caf::anon_send(node.poller, poll_now{});
  here.relay<ledger_state>(here.self->state.handles.ledger, read_ledger_state{}, short_wait,
                           [](const question&, const ledger_state& now) {
                             return json_answer({{"success", true}, {"position", now.last}, {"records", now.records}});
                           });
}

} // namespace

void about_original(const visit& here) {
  const auto not_offered = [&](const char* instead) { here.fail(make_error(errc::not_offered, instead)); };
  switch (here.asked.row->about) {
    case topic::original_usage: return usage(here);
    case topic::original_usage_summary: return usage_summary(here);
    case topic::original_usage_history: return usage_history(here);
    case topic::original_auth_stats: return auth_stats(here);
    case topic::original_keys: return all_keys(here);
    case topic::original_register_key: return register_key(here);
    case topic::original_my_keys: return keys_and_usage(here, asked_for(here, "email"));
    case topic::original_revoke_key: return revoke_one(here);
    case topic::original_user_stats: return keys_and_usage(here, here.asked.name);
    case topic::original_all_users_stats: return all_users_stats(here);
    case topic::original_pool_status: return pool_status(here);
    case topic::original_query_by_key: return query_by_key(here);
    case topic::original_sync_usage: return sync_usage(here);
    case topic::original_accounts: return accounts(here);
    case topic::original_auth_url: return auth_url(here);
    case topic::original_submit_callback: return take_callback(here);
    case topic::original_notices:
      return not_offered(
        "people are told by the channels of [[notices.channel]], before keys expire by keys.reminders; "
        "an admin reminds them with POST /api/v1/notices/reminders");
    default: return here.fail(make_error(errc::not_found, here.asked.path));
  }
}

} // namespace keyportal::gateway
