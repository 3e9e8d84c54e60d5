// Accounts with providers: contributing them, and how they are.
#include <ostream>
#include <thread>

#include <fmt/format.h>

#include "actors/cli/callback_catcher.hpp"
#include "actors/cli/files.hpp"
#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

std::string path_of(const json& account) { return "/api/v1/accounts/" + escaped(text(account, {"id"})); }

/// The account of that id, or the only one whose id, file or address begins so.
caf::expected<json> chosen_account(const service& portal, const std::string& name) {
  const auto all = look_at_all(portal, "/api/v1/accounts/all?", 0);
  if (!all)
    return all.error();
  const json* found = nullptr;
  for (const auto& one : *all) {
    bool fits = false;
    for (const char* field : {"id", "file", "email"})
      fits = fits || text(one, {field}).starts_with(name);
    if (!fits)
      continue;
    if (text(one, {"id"}) == name)
      return one;
    if (found != nullptr)
      return make_error(errc::bad_request, fmt::format("several accounts begin with {}; say more of it", name));
    found = &one;
  }
  if (found == nullptr || name.empty())
    return make_error(errc::account_unknown);
  return *found;
}

std::string quota_text(const json& account) {
  std::string out;
  for (const auto& w : at(account, {"quota"})) {
    const auto& used = at(w, {"used"});
    out += fmt::format("{}{} {:.0f}%", out.empty() ? "" : ", ", text(w, {"name"}),
                       used.is_number() ? used.get<double>() : 0.0);
  }
  return out;
}

std::string use_text(const json& account, const char* span) {
  return number(account, {"used", span, "ok"}) + " / " + number(account, {"used", span, "failed"});
}

int end_of(const context& here, const json& login) {
  if (here.asked.json)
    print(here, login);
  const auto stage = text(login, {"stage"});
  if (!here.asked.json)
    (stage == "done" ? here.io.out : here.io.err) << printable(text(login, {"words"})) << "\n";
  return stage == "done" ? exit_done : exit_failed;
}

/// Asks until it is over.
int follow(const context& here, const service& portal, const std::string& id) {
  for (;;) {
    const auto now = look(portal, "/api/v1/account-logins/" + escaped(id));
    if (!now)
      return fail(here, now.error());
    const auto stage = text(*now, {"stage"});
    if (stage == "done" || stage == "failed" || stage == "cancelled")
      return end_of(here, *now);
    std::this_thread::sleep_for(500ms);
  }
}

caf::expected<json> hand_in(const context& here, const service& portal, const std::string& id,
                            const std::string& what) {
  return order(here, portal, "POST", "/api/v1/account-logins/" + (id.empty() ? "" : escaped(id) + "/") + "callback",
               "Handing in", {{"text", what}});
}

int change_one(const context& here, const char* deed, const char* question) {
  return with_service(here, [&](const service& portal) {
    const auto account = chosen_account(portal, here.asked.account.account);
    if (!account)
      return fail(here, account.error());
    const bool deletes = std::string_view{deed} == "delete";
    const auto name = text(*account, {"file"}) + " at " + text(*account, {"node"});
    if (*question != '\0' && !confirmed(here, fmt::format("{} {}?", question, name)))
      return exit_failed;
    const auto done = deletes ? order(here, portal, "DELETE", path_of(*account), "Deleting")
                              : order(here, portal, "POST", path_of(*account) + "/" + deed, "Asking the node");
    if (!done)
      return fail(here, done.error());
    if (here.asked.json)
      print(here, *done);
    else if (deletes)
      here.io.out << printable(name) << " is deleted\n";
    else
      here.io.out << printable(name) << ": " << printable(text(*done, {"why"})) << "\n";
    return exit_done;
  });
}

} // namespace

int list_accounts(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& said = here.asked.account;
    std::string path = "/api/v1/accounts/all?limit=1000";
    for (const auto& [name, value] :
         {std::pair{"node", here.asked.node}, {"provider", said.provider}, {"condition", said.condition}})
      if (!value.empty())
        path += fmt::format("&{}={}", name, escaped(value));
    const auto all = look(portal, path);
    if (!all)
      return fail(here, all.error());
    if (here.asked.json) {
      print(here, *all);
      return exit_done;
    }
    table list(
      {{"ID"}, {"NODE"}, {"PROVIDER"}, {"ACCOUNT"}, {"OWNER"}, {"CONDITION"}, {"QUOTA USED"}, {"24 H OK / FAILED"}});
    for (const auto& a : items_of(*all))
      list.add({text(a, {"id"}).substr(0, 8), text(a, {"node"}), text(a, {"provider"}), text(a, {"email"}),
                text(a, {"owner_name"}), text(a, {"condition"}), quota_text(a), use_text(a, "24h")});
    here.io.out << (list.empty() ? "no account with a provider\n" : list.text());
    for (const auto& n : at(*all, {"nodes"}))
      if (const auto problem = text(n, {"problem"}); !problem.empty())
        here.io.err << printable(problem) << "\n";
    return exit_done;
  });
}

int show_account(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto a = chosen_account(portal, here.asked.account.account);
    if (!a)
      return fail(here, a.error());
    if (here.asked.json) {
      print(here, *a);
      return exit_done;
    }
    table rows({{"ACCOUNT"}, {text(*a, {"id"})}});
    for (const char* field : {"node", "provider", "file", "email", "plan", "owner_name", "owner", "owner_email",
                              "condition", "why", "last_error", "quota_problem"})
      if (const auto value = text(*a, {field}); !value.empty())
        rows.add({field, value});
    for (const char* field :
         {"rests_until", "token_ends", "refreshed_at", "contributed_at", "seen_at", "tested_at", "quota_at"})
      if (const auto value = text(*a, {field}); !value.empty())
        rows.add({field, local_time(value)});
    for (const char* span : {"1h", "5h", "24h", "7d"})
      rows.add({fmt::format("last {}", span),
                fmt::format("{} ok / failed, {} tokens", use_text(*a, span), number(*a, {"used", span, "tokens"}))});
    for (const auto& w : at(*a, {"quota"})) {
      const auto& used = at(w, {"used"});
      rows.add({"window " + text(w, {"name"}),
                fmt::format("{:.0f} % used, begins anew {}; {}", used.is_number() ? used.get<double>() : 0.0,
                            local_time(text(w, {"begins_anew"})), text(w, {"forecast", "words"}))});
    }
    here.io.out << rows.text();
    return exit_done;
  });
}

int show_account_quota(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto a = chosen_account(portal, here.asked.account.account);
    if (!a)
      return fail(here, a.error());
    if (here.asked.account.fresh)
      if (const auto asked = order(here, portal, "POST", path_of(*a) + "/test", "Asking the provider"); !asked)
        return fail(here, asked.error());
    const auto all = look(portal, path_of(*a) + "/quota");
    if (!all)
      return fail(here, all.error());
    if (here.asked.json) {
      print(here, *all);
      return exit_done;
    }
    table list({{"WINDOW"}, {"WHEN"}, {"USED", table::side::right}, {""}});
    for (const auto& w : items_of(*all)) {
      for (const auto& e : at(w, {"ended"}))
        list.add({text(w, {"name"}), local_time(text(e, {"ended"})), fmt::format("{:.1f} %", e.value("most", 0.0)),
                  "at most, in an earlier one"});
      for (const auto& s : at(w, {"samples"}))
        list.add({text(w, {"name"}), local_time(text(s, {"at"})), fmt::format("{:.1f} %", s.value("used", 0.0)), ""});
    }
    here.io.out << (list.empty() ? "nothing was told of its quota yet\n" : list.text());
    return exit_done;
  });
}

int list_account_providers(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto all = look(portal, "/api/v1/account-providers");
    if (!all)
      return fail(here, all.error());
    if (here.asked.json) {
      print(here, *all);
      return exit_done;
    }
    table list({{"PROVIDER"}, {"NAME"}, {"HOW"}, {"NODES"}});
    for (const auto& o : items_of(*all))
      list.add(
        {text(o, {"provider"}), text(o, {"title"}),
         text(o, {"way"}) == "device" ? "a code is typed at its page" : "its page ends at an address that is handed in",
         joined(at(o, {"nodes"}))});
    here.io.out << (list.empty() ? "no node offers a login with a provider\n" : list.text());
    return exit_done;
  });
}

int contribute_account(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& said = here.asked.account;
    json body = {{"provider", said.provider}};
    if (!here.asked.node.empty())
      body["node"] = here.asked.node;
    if (!said.project.empty())
      body["project"] = said.project;
    const auto begun = order(here, portal, "POST", "/api/v1/account-logins", "Asking the node", body);
    if (!begun)
      return fail(here, begun.error());
    const auto id = text(*begun, {"id"});
    if (here.asked.json && said.only_begin) {
      print(here, *begun);
      return exit_done;
    }
    auto& out = here.asked.json ? here.io.err : here.io.out;
    out << printable(text(*begun, {"words"})) << "\n\n" << printable(text(*begun, {"url"})) << "\n\n";
    if (said.only_begin) {
      out << "Then: keyportal account submit --login " << id << "\n";
      return exit_done;
    }
    out.flush();
    if (text(*begun, {"way"}) == "device")
      return follow(here, portal, id);
    std::string address;
    if (here.io.in_is_terminal) {
      callback_catcher catcher(said.no_catch ? "" : text(*begun, {"ends_at"}));
      out << (catcher.listens()
                ? "If the browser is on this machine nothing needs to be pasted; else paste the address here: "
                : "Paste the address here: ");
      out.flush();
      address = catcher.wait(290s, 0);
    } else {
      std::getline(here.io.in, address);
    }
    if (address.empty()) {
      (void)order(here, portal, "DELETE", "/api/v1/account-logins/" + escaped(id), "Cancelling");
      return fail(here, make_error(errc::account_login_over));
    }
    const auto taken = hand_in(here, portal, id, address);
    return taken ? follow(here, portal, id) : fail(here, taken.error());
  });
}

int submit_account(const context& here) {
  return with_service(here, [&](const service& portal) {
    std::string address;
    if (here.io.in_is_terminal)
      here.io.err << "Paste the address at which the browser ended: " << std::flush;
    std::getline(here.io.in, address); // not an argument: those are seen by everybody on the machine
    const auto taken = hand_in(here, portal, here.asked.account.login, address);
    return taken ? follow(here, portal, text(*taken, {"id"})) : fail(here, taken.error());
  });
}

int enable_account(const context& here) { return change_one(here, "enable", ""); }
int disable_account(const context& here) { return change_one(here, "disable", ""); }
int delete_account(const context& here) { return change_one(here, "delete", "Delete the account"); }
int test_account(const context& here) { return change_one(here, "test", ""); }

int import_account_mapping(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto file = read_file(here.asked.file, here.io.in);
    if (!file)
      return fail(here, file.error());
    const auto all = json::parse(*file, nullptr, false);
    if (!all.is_object() || !all.contains("users") || !all["users"].is_array())
      return fail(here,
                  make_error(errc::file_malformed, "it is {\"users\":[{\"claude_email\",\"feishu_email\",\"name\"}]}"));
    std::int64_t taken = 0, known = 0, accounts = 0;
    for (std::size_t from = 0; from < all["users"].size() || from == 0; from += 1000) {
      auto part = json::array();
      for (std::size_t i = from; i < std::min(from + 1000, all["users"].size()); ++i)
        part.push_back(all["users"][i]);
      const auto told = order(here, portal, "POST", "/api/v1/accounts/mapping", "Taking", {{"users", std::move(part)}});
      if (!told)
        return fail(here, told.error());
      taken += integer(*told, {"taken"});
      known += integer(*told, {"known"});
      accounts += integer(*told, {"accounts"});
    }
    if (here.asked.json)
      print(here, {{"taken", taken}, {"known", known}, {"accounts", accounts}});
    else
      here.io.out << fmt::format("{} rows taken, {} of people who are known here; {} accounts have an owner by them\n",
                                 grouped(taken), grouped(known), grouped(accounts));
    return exit_done;
  });
}

} // namespace keyportal::cli
