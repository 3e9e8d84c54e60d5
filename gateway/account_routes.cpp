#include "gateway/account_routes.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "gateway/account_answers.hpp"
#include "gateway/body_fields.hpp"
#include "gateway/handlers.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;

constexpr std::chrono::seconds login_wait{100}; ///< three calls of a node, one after the other
constexpr std::size_t longest_text = 512;

const std::string& me(const visit& here) { return here.by->who.subject; }
const account_keeper_actor& keeper(const visit& here) { return here.self->state.handles.accounts; }

std::string asked_for(const visit& here, std::string_view name) {
  for (const auto& [key, value] : here.exchange->request.query)
    if (key == name)
      return value;
  return {};
}

/// An address of a login is nobody else's, and an account may be one's own: nothing on the way keeps it.
http_response private_answer(const json& body, int status = 200) {
  auto out = json_answer(body, status);
  out.headers.emplace_back("Cache-Control", "no-store");
  return out;
}

void list(const visit& here, bool in_full) {
  const auto node = asked_for(here, "node"), provider = asked_for(here, "provider"),
             condition = asked_for(here, "condition"), mine = asked_for(here, "mine");
  if (!mine.empty() && mine != "true" && mine != "false")
    return here.fail(make_error(errc::bad_request, "mine is true or false"));
  if (here.asked.after_name.size() > longest_text)
    return here.fail(make_error(errc::bad_request, "after is too long"));
  here.ask<account_list_ptr>(keeper(here), list_accounts{}, short_wait, [=](const account_list_ptr& all) {
    std::vector<const account_view*> chosen;
    for (const auto& a : all->accounts)
      if ((node.empty() || a.node == node) && (provider.empty() || a.provider == provider)
          && (condition.empty() || to_text(a.condition) == condition)
          && (mine != "true" || (!me(here).empty() && a.owner == me(here))) && a.id > here.asked.after_name)
        chosen.push_back(&a);
    // Pages go by id; what fits on one is in the order of nodes and providers.
    std::stable_sort(chosen.begin(), chosen.end(),
                     [](const account_view* a, const account_view* b) { return a->id < b->id; });
    const bool more = chosen.size() > here.asked.limit;
    if (more)
      chosen.resize(here.asked.limit);
    const json next = more ? json(chosen.back()->id) : json(nullptr);
    std::stable_sort(chosen.begin(), chosen.end(), [](const account_view* a, const account_view* b) {
      return std::tie(a->node, a->provider, a->file) < std::tie(b->node, b->provider, b->file);
    });
    auto items = json::array();
    for (const auto* a : chosen)
      items.push_back(in_full ? to_full_json(*a, me(here)) : to_json(*a, me(here)));
    auto body = sums_of(*all);
    body["items"] = std::move(items);
    body["next"] = next;
    here.answer(private_answer(body));
  });
}

void one(const visit& here) {
  here.ask<account_list_ptr>(keeper(here), list_accounts{}, short_wait, [here](const account_list_ptr& all) {
    for (const auto& a : all->accounts)
      if (a.id == here.asked.name)
        return here.answer(private_answer(here.by->who.rights.has(right::read_accounts) ? to_full_json(a, me(here))
                                                                                        : to_json(a, me(here))));
    here.fail(make_error(errc::account_unknown));
  });
}

void change(const visit& here, change_account::deed what) {
  change_account m{what, here.who(), here.asked.name};
  if (what == change_account::deed::remove)
    return here.ask_or<account_view>(
      keeper(here), std::move(m), login_wait,
      [here](const account_view&) {
        here.answer(private_answer({{"id", here.asked.name}, {"deleted", true}}));
      },
      [here](const caf::error& e) { here.fail(e); });
  here.ask<account_view>(keeper(here), std::move(m), login_wait,
                         [here](const account_view& a) { here.answer(private_answer(to_full_json(a, me(here)))); });
}

/// As the original's user_mapping.json has it: {"users":[{"claude_email","feishu_email","name"}]}.
void map_people(const visit& here) {
  const auto given = json::parse(here.exchange->request.body, nullptr, false);
  if (!given.is_object() || !given.contains("users") || !given["users"].is_array())
    return here.fail(
      make_error(errc::bad_request, "the body is {\"users\":[{\"claude_email\",\"feishu_email\",\"name\"}]}"));
  if (given["users"].size() > most_in_list)
    return here.fail(make_error(errc::bad_request, "users are at most 1,000 at a time"));
  put_account_mapping m;
  m.who = here.who();
  std::size_t place = 0;
  for (const auto& row : given["users"]) {
    const auto text = [&](std::initializer_list<const char*> names) {
      for (const char* name : names)
        if (row.is_object() && row.contains(name) && row[name].is_string())
          return row[name].get<std::string>();
      return std::string{};
    };
    put_account_mapping::one person{text({"account_email", "claude_email"}), text({"owner_email", "feishu_email"}),
                                    text({"name"})};
    const auto where = fmt::format("users[{}]", place++);
    if (person.email.empty() || person.email.find('@') == std::string::npos)
      return here.fail(make_error(errc::bad_request, where + " has no claude_email; nothing was taken"));
    if (person.email.size() > longest_text || person.owner_email.size() > longest_text
        || person.owner_name.size() > longest_text)
      return here.fail(make_error(errc::bad_request, where + " has a text that is too long; nothing was taken"));
    m.people.push_back(std::move(person));
  }
  here.relay<mapping_report>(keeper(here), std::move(m), login_wait, [](const question&, const mapping_report& r) {
    return json_answer({{"taken", r.taken}, {"known", r.known}, {"accounts", r.accounts}});
  });
}

void offers(const visit& here) {
  here.relay<std::vector<account_offer>>(keeper(here), list_account_offers{}, short_wait,
                                         [](const question&, const std::vector<account_offer>& all) {
                                           auto items = json::array();
                                           for (const auto& o : all)
                                             items.push_back(to_json(o));
                                           return json_answer({{"items", std::move(items)}});
                                         });
}

void begin(const visit& here) {
  fields all(here.exchange->request.body);
  begin_account_login what;
  all.text("provider", what.provider, true);
  all.text("node", what.node);
  all.text("project", what.project);
  if (auto wrong = all.finish())
    return here.fail(wrong);
  if (what.project.size() > 100 || what.provider.size() > 100 || what.node.size() > 100)
    return here.fail(make_error(errc::bad_request, "provider, node and project have at most 100 characters"));
  begin_login(here, std::move(what), [here](const account_login& l) { here.answer(private_answer(to_json(l), 201)); });
}

void submit(const visit& here) {
  fields all(here.exchange->request.body);
  submit_callback what;
  what.who = here.who();
  what.login = here.asked.name;
  all.text("text", what.text, true);
  all.text("provider", what.provider);
  if (auto wrong = all.finish())
    return here.fail(wrong);
  here.ask<account_login>(keeper(here), std::move(what), login_wait,
                          [here](const account_login& l) { here.answer(private_answer(to_json(l), 202)); });
}

} // namespace

void begin_login(const visit& here, begin_account_login what, std::function<void(const account_login&)> then) {
  what.who = here.who();
  what.admin = here.by->who.rights.has(right::write_accounts);
  const auto go_on = [here, then](begin_account_login with) {
    here.ask<account_login>(keeper(here), std::move(with), login_wait, then);
  };
  if (me(here).empty()) {
    what.name = "an admin";
    return go_on(std::move(what));
  }
  here.ask_or<user>(
    here.self->state.handles.registry, find_user{me(here)}, short_wait,
    [what, go_on](const user& person) {
      auto with = what;
      with.name = person.name.empty() ? person.email.substr(0, person.email.find('@')) : person.name;
      go_on(std::move(with));
    },
    [here](const caf::error& e) { here.fail(e); });
}

void about_accounts(const visit& here) {
  using deed = change_account::deed;
  const auto shown = [](const question&, const account_login& l) { return private_answer(to_json(l)); };
  switch (here.asked.row->about) {
    case topic::accounts: return list(here, false);
    case topic::accounts_in_full: return list(here, true);
    case topic::account_of: return one(here);
    case topic::account_quota:
      return here.relay<account_windows>(keeper(here), read_account_windows{here.asked.name}, short_wait,
                                         [](const question&, const account_windows& all) {
                                           return private_answer({{"items", to_json(all)}});
                                         });
    case topic::enable_account: return change(here, deed::enable);
    case topic::disable_account: return change(here, deed::disable);
    case topic::delete_account: return change(here, deed::remove);
    case topic::test_account: return change(here, deed::test);
    case topic::map_accounts: return map_people(here);
    case topic::account_offers: return offers(here);
    case topic::begin_login: return begin(here);
    case topic::login_now:
      return here.relay<account_login>(keeper(here), read_account_login{here.who(), here.asked.name}, short_wait,
                                       shown);
    case topic::submit_login:
    case topic::submit_any_login: return submit(here);
    default:
      return here.relay<account_login>(keeper(here), cancel_account_login{here.who(), here.asked.name}, short_wait,
                                       shown);
  }
}

} // namespace keyportal::gateway
