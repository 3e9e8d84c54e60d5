// People: who there is, who may come in, who has to go.
#include <ostream>

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

/// The person as it is after a command; null where nothing had to change.
json changed_person(const json& done) {
  const auto& users = at(done, {"users"});
  return users.is_array() && !users.empty() ? users.front() : json();
}

int tell(const context& here, const json& done, const std::string& what) {
  if (here.asked.json) {
    print(here, done);
    return exit_done;
  }
  const auto person = changed_person(done);
  if (person.is_null()) {
    here.io.out << "nothing had to change\n";
    return exit_done;
  }
  const auto keys = at(done, {"keys"}).size();
  here.io.out << printable(fmt::format(
    "{} {} ({}){}", what, text(person, {"email"}).empty() ? text(person, {"name"}) : text(person, {"email"}),
    text(person, {"id"}), keys == 0 ? std::string{} : fmt::format(", {} keys changed", keys)))
              << "\n";
  return exit_done;
}

/// What was given for a person; a field that was not given is not there.
caf::expected<json> details(const registry_words& given) {
  auto out = json::object();
  if (given.email)
    out["email"] = *given.email;
  if (given.name)
    out["name"] = *given.name;
  if (given.label)
    out["label"] = *given.label;
  if (given.role)
    out["role"] = *given.role;
  if (!given.groups.empty())
    out["groups"] = list_of(given.groups, "none");
  if (!given.budgets.empty()) {
    auto budgets = budgets_of("--budget", given.budgets);
    if (!budgets)
      return budgets.error();
    out["budgets"] = std::move(*budgets);
  }
  return out;
}

} // namespace

int list_people(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& r = here.asked.registry;
    const auto people =
      look_at_all(portal, fmt::format("/api/v1/users?state={}&text={}", escaped(r.state), escaped(r.text)), r.limit);
    if (!people)
      return fail(here, people.error());
    if (here.asked.json) {
      print(here, {{"items", *people}});
      return exit_done;
    }
    table list({{"E-MAIL"}, {"NAME"}, {"STATE"}, {"ROLE"}, {"GROUPS"}, {"LABEL"}, {"SINCE"}, {"ID"}});
    for (const auto& one : *people)
      list.add({text(one, {"email"}), text(one, {"name"}), text(one, {"state"}), text(one, {"role"}),
                joined(at(one, {"groups"})), text(one, {"label"}), local_time(text(one, {"created_at"})),
                text(one, {"id"})});
    here.io.out << (list.empty() ? "nobody fits\n" : list.text());
    return exit_done;
  });
}

int show_person(const context& here) {
  return with_service(here, [&](const service& portal) {
    auto person = look(portal, path_of_person(here.asked.registry.person));
    if (!person)
      return fail(here, person.error());
    const auto keys = look_at_all(portal, "/api/v1/keys?owner=" + escaped(text(*person, {"id"})), 0);
    if (!keys)
      return fail(here, keys.error());
    if (here.asked.json) {
      (*person)["keys"] = *keys;
      print(here, *person);
      return exit_done;
    }
    table rows({{"PERSON"}, {text(*person, {"id"})}});
    for (const char* field : {"email", "name", "label", "role", "state"})
      rows.add({field, text(*person, {field})});
    rows.add({"groups", joined(at(*person, {"groups"}))});
    rows.add({"budgets", budgets_text(at(*person, {"budgets"}))});
    rows.add({"since", local_time(text(*person, {"created_at"}))});
    rows.add({"changed", local_time(text(*person, {"changed_at"}))});
    here.io.out << rows.text();
    table list({{"KEY"}, {"ID"}, {"STATUS"}, {"LABEL"}, {"ENDS"}});
    for (const auto& key : *keys)
      list.add({text(key, {"shown"}), text(key, {"id"}), text(key, {"status"}), text(key, {"label"}),
                local_time(text(key, {"expires_at"}))});
    here.io.out << "\n" << (list.empty() ? "no key\n" : list.text());
    return exit_done;
  });
}

int add_person(const context& here) {
  return with_service(here, [&](const service& portal) {
    auto body = details(here.asked.registry);
    if (!body)
      return fail(here, body.error());
    if (here.asked.registry.pending)
      (*body)["active"] = false;
    const auto done = order(here, portal, "POST", "/api/v1/users", "adding", *body);
    return done ? tell(here, *done, "added") : fail(here, done.error());
  });
}

int change_person(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto body = details(here.asked.registry);
    if (!body)
      return fail(here, body.error());
    if (body->empty())
      return fail(here, make_error(errc::bad_request, "say what to change"));
    const auto done = order(here, portal, "PATCH", path_of_person(here.asked.registry.person), "changing", *body);
    return done ? tell(here, *done, "changed") : fail(here, done.error());
  });
}

int set_person_state(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& r = here.asked.registry;
    const bool deletes = r.to == "deleted";
    if (deletes && !confirmed(here, fmt::format("Delete {}? All keys are revoked for good.", printable(r.person))))
      return exit_failed;
    json what{{"to", r.to}};
    if (!r.reason.empty())
      what["reason"] = r.reason;
    const auto done = order(here, portal, "POST", path_of_person(r.person) + "/state", "changing", what);
    return done ? tell(here, *done, r.to + ":") : fail(here, done.error());
  });
}

} // namespace keyportal::cli
