// Client keys: who has which, from the pool to their end. Their texts go to the person who asked, once.
#include <algorithm>
#include <istream>
#include <map>
#include <ostream>

#include <termios.h>
#include <unistd.h>

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

constexpr std::size_t most_owners = 100; ///< looked up for one list; with more of them their ids have to do
constexpr std::size_t longest_key = 4096;

/// E-mail addresses of owners, by id; an id that could not be looked up stands for itself.
class owner_names {
public:
  owner_names(const service& portal, const std::vector<json>& keys) {
    for (const auto& key : keys)
      if (const auto id = text(key, {"owner"}); !id.empty())
        names_.emplace(id, id);
    if (names_.size() > most_owners)
      return;
    for (auto& [id, name] : names_)
      if (const auto person = look(portal, path_of_person(id)))
        if (const auto email = text(*person, {"email"}); !email.empty())
          name = email;
  }
  [[nodiscard]] std::string of(const json& key) const {
    const auto found = names_.find(text(key, {"owner"}));
    return found == names_.end() ? std::string{} : found->second;
  }

private:
  std::map<std::string, std::string> names_;
};

std::string key_text(const json& key) { return fmt::format("{} ({})", text(key, {"shown"}), text(key, {"id"})); }

void print_key(const context& here, const service& portal, const json& key) {
  table rows({{"KEY"}, {text(key, {"id"})}});
  for (const char* field : {"shown", "status", "origin", "label"})
    rows.add({field, text(key, {field})});
  rows.add({"owner", owner_names(portal, {key}).of(key)});
  if (const auto why = text(key, {"why_suspended"}); !why.empty() && why != "none")
    rows.add({"suspended by", why});
  for (const auto& [field, name] :
       {std::pair{"created_at", "made"}, {"assigned_at", "given"}, {"expires_at", "ends"}, {"retires_at", "retires"}})
    rows.add({name, local_time(text(key, {field}))});
  for (const char* field : {"predecessor", "successor"})
    if (const auto other = text(key, {field}); !other.empty())
      rows.add({field, other});
  rows.add({"budgets", budgets_text(at(key, {"budgets"}))});
  rows.add({"nodes", joined(at(key, {"nodes"}))});
  rows.add({"works at", joined(at(key, {"in_force"}))});
  here.io.out << rows.text();
}

void print_budgets(const context& here, const service& portal, const json& key) {
  const auto uses = look(portal, path_of_key(key) + "/budgets");
  if (!uses || items_of(*uses).empty())
    return;
  table list({{"BUDGET"}, {"OF"}, {"USED", table::side::right}, {"AMOUNT", table::side::right}, {"SINCE"}});
  for (const auto& one : items_of(*uses))
    list.add({text(one, {"unit"}) + "/" + text(one, {"window"}), text(one, {"of"}), budget_amount(one, "used"),
              budget_amount(one, "amount"),
              text(one, {"window"}) == "lifetime" ? "" : local_time(text(one, {"since"}))});
  here.io.out << list.text();
}

/// What a command did to a key. The text of a new one goes to standard output alone, so that a script can take it.
int tell(const context& here, const json& done, const std::string& what, const std::string& id = {}) {
  if (here.asked.json) {
    print(here, done);
    return exit_done;
  }
  const auto& keys = at(done, {"keys"});
  const auto fresh = text(done, {"key"});
  json shown;
  for (const auto& key : keys.is_array() ? keys : json::array())
    if (shown.is_null() || text(key, {"id"}) == id)
      shown = key;
  auto& to = fresh.empty() ? here.io.out : here.io.err;
  if (shown.is_null())
    to << "nothing had to change\n";
  else
    to << printable(fmt::format("{} {}", what, key_text(shown))) << "\n";
  if (!fresh.empty()) {
    to << "this is the key; it is not shown again:\n";
    here.io.out << fresh << "\n" << std::flush;
  }
  return here.io.out ? exit_done : exit_failed;
}

template <class Then>
int with_key(const context& here, Then then) {
  return with_service(here, [&](const service& portal) {
    const auto key = chosen_key(portal, here.asked.registry.key);
    return key ? then(portal, *key) : fail(here, key.error());
  });
}

/// A line without showing what is typed.
std::string read_hidden(const context& here) {
  termios before{};
  const bool hidden = here.io.in_is_terminal && ::tcgetattr(STDIN_FILENO, &before) == 0;
  if (hidden) {
    auto without = before;
    without.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &without);
  }
  if (here.io.in_is_terminal)
    here.io.err << "key: " << std::flush;
  std::string line;
  for (char c = 0; line.size() <= longest_key && here.io.in.get(c) && c != '\n';)
    line += c;
  if (hidden) {
    ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
    here.io.err << "\n";
  }
  while (!line.empty() && (line.back() == '\r' || line.back() == ' '))
    line.pop_back();
  return line;
}

} // namespace

int list_client_keys(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& r = here.asked.registry;
    const auto keys = look_at_all(
      portal,
      fmt::format("/api/v1/keys?state={}&owner={}&text={}", escaped(r.state), escaped(r.owner), escaped(r.text)),
      r.limit);
    if (!keys)
      return fail(here, keys.error());
    if (here.asked.json) {
      print(here, {{"items", *keys}});
      return exit_done;
    }
    const owner_names owners(portal, *keys);
    table list({{"KEY"}, {"STATUS"}, {"OWNER"}, {"LABEL"}, {"ENDS"}, {"NODES"}, {"ID"}});
    for (const auto& key : *keys)
      list.add({text(key, {"shown"}), text(key, {"status"}), owners.of(key), text(key, {"label"}),
                local_time(text(key, {"expires_at"})), joined(at(key, {"nodes"})), text(key, {"id"})});
    here.io.out << (list.empty() ? "no key fits\n" : list.text());
    return exit_done;
  });
}

int show_client_key(const context& here) {
  return with_key(here, [&](const service& portal, const json& key) {
    if (here.asked.json)
      print(here, key);
    else {
      print_key(here, portal, key);
      print_budgets(here, portal, key);
    }
    return exit_done;
  });
}

int assign_client_key(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& r = here.asked.registry;
    json body = {{"owner", r.person}, {"label", r.label.value_or("")}};
    if (r.lifetime) {
      const auto lifetime = seconds_of("--lifetime", *r.lifetime);
      if (!lifetime)
        return fail(here, lifetime.error());
      body["lifetime_s"] = *lifetime;
    }
    if (!r.nodes.empty())
      body["nodes"] = list_of(r.nodes, "all");
    const auto done = order(here, portal, "POST", "/api/v1/keys", "giving", body);
    return done ? tell(here, *done, "given:") : fail(here, done.error());
  });
}

int renew_client_key(const context& here) {
  return with_key(here, [&](const service& portal, const json& key) {
    auto body = json::object();
    if (const auto& given = here.asked.registry.lifetime) {
      const auto lifetime = seconds_of("--lifetime", *given);
      if (!lifetime)
        return fail(here, lifetime.error());
      body["lifetime_s"] = *lifetime;
    }
    const auto done = order(here, portal, "POST", path_of_key(key) + "/renew", "renewing", body);
    return done ? tell(here, *done, "renewed:") : fail(here, done.error());
  });
}

int rotate_client_key(const context& here) {
  return with_key(here, [&](const service& portal, const json& key) {
    const auto grace = seconds_of("--grace", here.asked.registry.grace.value_or("never"));
    if (!grace)
      return fail(here, grace.error());
    const auto done = order(here, portal, "POST", path_of_key(key) + "/rotate", "rotating", {{"grace_s", *grace}});
    return done ? tell(here, *done, "rotated:", text(key, {"id"})) : fail(here, done.error());
  });
}

int step_client_key(const context& here) {
  return with_key(here, [&](const service& portal, const json& key) {
    const auto& step = here.asked.registry.to;
    if (step == "revoke" && !confirmed(here, fmt::format("Revoke {}? It never works again.", printable(key_text(key)))))
      return exit_failed;
    const auto done = order(here, portal, "POST", path_of_key(key) + "/" + step, "changing");
    return done ? tell(here, *done, step + ":") : fail(here, done.error());
  });
}

int adopt_client_key(const context& here) {
  return with_key(here, [&](const service& portal, const json& key) {
    const auto& r = here.asked.registry;
    const auto done = order(here, portal, "POST", path_of_key(key) + "/adopt", "changing",
                            {{"owner", r.person}, {"label", r.label.value_or("")}});
    return done ? tell(here, *done, "adopted:") : fail(here, done.error());
  });
}

int change_client_key(const context& here) {
  return with_key(here, [&](const service& portal, const json& key) {
    const auto& r = here.asked.registry;
    auto body = json::object();
    if (r.label)
      body["label"] = *r.label;
    if (!r.nodes.empty())
      body["nodes"] = list_of(r.nodes, "all");
    if (!r.budgets.empty()) {
      auto budgets = budgets_of("--budget", r.budgets);
      if (!budgets)
        return fail(here, budgets.error());
      body["budgets"] = std::move(*budgets);
    }
    if (body.empty())
      return fail(here, make_error(errc::bad_request, "say what to change"));
    const auto done = order(here, portal, "PATCH", path_of_key(key), "changing", body);
    return done ? tell(here, *done, "changed:") : fail(here, done.error());
  });
}

int find_client_key(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto given = read_hidden(here);
    if (given.empty() || given.size() > longest_key)
      return fail(here, make_error(errc::bad_request, "the key is read from standard input, as one line"));
    const auto key = change(here, portal, "POST", "/api/v1/keys/find", "looking",
                            json{{"text", given}}.dump(-1, ' ', false, json::error_handler_t::replace));
    if (!key)
      return fail(here, key.error());
    if (here.asked.json)
      print(here, *key);
    else
      print_key(here, portal, *key);
    return exit_done;
  });
}

int show_key_drift(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto nodes = fetch(portal, "/api/v1/nodes");
    if (!nodes)
      return fail(here, nodes.error());
    const auto keys = look_at_all(portal, "/api/v1/keys?waiting=choice", 0);
    if (!keys)
      return fail(here, keys.error());
    auto states = json::array();
    bool any = !keys->empty();
    for (const auto& node : items_of(*nodes)) {
      auto now = fetch(portal, "/api/v1/nodes/" + escaped(text(node, {"node"})) + "/keys");
      if (!now)
        return fail(here, now.error());
      (*now)["node"] = text(node, {"node"});
      any |= at(*now, {"drift"}) == true || at(*now, {"open"}) == true;
      states.push_back(std::move(*now));
    }
    if (here.asked.json) {
      print(here, {{"nodes", states}, {"keys", *keys}});
      return any ? exit_failed : exit_done;
    }
    table list({{"NODE"}, {"KEYS"}, {"CHANGING", table::side::right}, {"REMOVED", table::side::right}, {"PROBLEM"}});
    for (const auto& now : states)
      list.add({text(now, {"node"}),
                at(now, {"open"}) == true    ? "open to anybody"
                : at(now, {"drift"}) == true ? "drift"
                                             : "as they should be",
                number(now, {"changing"}), number(now, {"taken_away"}), printable(text(now, {"problem"}))});
    here.io.out << list.text();
    if (keys->empty())
      return any ? exit_failed : exit_done;
    const owner_names owners(portal, *keys);
    table waiting({{"REMOVED BY HAND"}, {"OWNER"}, {"LABEL"}, {"SINCE"}, {"ID"}});
    for (const auto& key : *keys)
      waiting.add({text(key, {"shown"}), owners.of(key), text(key, {"label"}), local_time(text(key, {"changed_at"})),
                   text(key, {"id"})});
    here.io.out << "\n"
                << waiting.text() << "`keyportal keys resume ID` puts one back, `keyportal keys revoke ID` ends it\n";
    return exit_failed;
  });
}

int list_renewals(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto keys = look_at_all(portal, "/api/v1/keys?waiting=renewal", here.asked.registry.limit);
    if (!keys)
      return fail(here, keys.error());
    if (here.asked.json) {
      print(here, {{"items", *keys}});
      return exit_done;
    }
    const owner_names owners(portal, *keys);
    table list({{"KEY"}, {"OWNER"}, {"ENDS"}, {"ASKED"}, {"FOR"}, {"REASON"}, {"ID"}});
    for (const auto& key : *keys)
      list.add({text(key, {"shown"}), owners.of(key), local_time(text(key, {"expires_at"})),
                local_time(text(key, {"renewal", "asked_at"})), lifetime_text(integer(key, {"renewal", "lifetime_s"})),
                text(key, {"renewal", "reason"}), text(key, {"id"})});
    here.io.out << (list.empty() ? "nobody asks for a renewal\n" : list.text());
    return exit_done;
  });
}

int ask_renewal(const context& here) {
  return with_key(here, [&](const service& portal, const json& key) {
    json body = {{"reason", here.asked.registry.reason}};
    if (const auto& given = here.asked.registry.lifetime) {
      const auto lifetime = seconds_of("--lifetime", *given);
      if (!lifetime)
        return fail(here, lifetime.error());
      body["lifetime_s"] = *lifetime;
    }
    const auto done = order(here, portal, "POST", path_of_key(key) + "/renewal", "asking", body);
    return done ? tell(here, *done, "asked for:") : fail(here, done.error());
  });
}

int answer_renewal(const context& here) {
  return with_key(here, [&](const service& portal, const json& key) {
    const bool approve = here.asked.registry.approve;
    const auto done = order(here, portal, "POST", path_of_key(key) + "/renewal/answer", "deciding",
                            {{"approve", approve}, {"reason", here.asked.registry.reason}});
    return done ? tell(here, *done, approve ? "renewed:" : "refused:") : fail(here, done.error());
  });
}

int show_pool(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto state = look(portal, "/api/v1/pool");
    if (!state)
      return fail(here, state.error());
    if (here.asked.json) {
      print(here, *state);
      return exit_done;
    }
    table rows({{"KEYS"}, {"", table::side::right}});
    for (const char* name : {"pooled", "live", "suspended", "external", "expired", "rotated", "revoked"})
      rows.add({name, number(*state, {"keys", name})});
    rows.add({"made here", number(*state, {"made"})});
    rows.add({"imported", number(*state, {"imported"})});
    rows.add({"found at nodes", number(*state, {"found"})});
    rows.add({"on their way", number(*state, {"changing"})});
    rows.add({"removed by hand", number(*state, {"by_hand"})});
    rows.add({"renewals asked for", number(*state, {"renewals"})});
    rows.add({"refilled below", number(*state, {"low_water"})});
    here.io.out << rows.text();
    return exit_done;
  });
}

int fill_pool(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto done =
      order(here, portal, "POST", "/api/v1/pool", "making keys", {{"count", here.asked.registry.count}});
    if (!done)
      return fail(here, done.error());
    if (here.asked.json)
      print(here, *done);
    else
      here.io.out << fmt::format("{} made\n", number(*done, {"made"}));
    return exit_done;
  });
}

} // namespace keyportal::cli
