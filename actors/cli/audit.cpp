// Who did what.
#include <deque>
#include <ostream>

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

constexpr std::uint64_t newest = 100;
constexpr std::size_t most_objects = 3; ///< told of one entry

std::string shown_value(const json& value) { return value.is_string() ? value.get<std::string>() : dump(value); }

/// "state active → suspended" of one object.
std::string differences(const json& change) {
  std::string out;
  const auto& before = at(change, {"before"});
  const auto& after = at(change, {"after"});
  if (!before.is_object() || !after.is_object())
    return out;
  if (before.empty())
    return "new";
  if (after.empty())
    return "gone";
  for (const auto& [field, value] : after.items()) {
    if (field == "changed_at" || field == "status")
      continue;
    out += fmt::format("{}{} {} → {}", out.empty() ? "" : ", ", field, shown_value(at(before, {field.c_str()})),
                       shown_value(value));
  }
  return out;
}

std::string summary(const json& entry) {
  std::string out;
  std::size_t told = 0, all = 0;
  for (const char* kind : {"users", "keys", "policies"}) {
    const auto& changes = at(entry, {kind});
    for (const auto& change : changes.is_array() ? changes : json::array()) {
      ++all;
      if (told == most_objects)
        continue;
      ++told;
      out += fmt::format("{}{}: {}", out.empty() ? "" : "; ", text(change, {"id"}), differences(change));
    }
  }
  return all > told ? fmt::format("{}; and {} more", out, all - told) : out;
}

/// An e-mail address stands for the person's id.
caf::expected<std::string> subject(const service& portal, const std::string& about) {
  if (about.find('@') == std::string::npos)
    return about;
  const auto person = look(portal, path_of_person(about));
  return person ? caf::expected<std::string>(text(*person, {"id"})) : caf::expected<std::string>(person.error());
}

} // namespace

int list_audit(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& r = here.asked.registry;
    const auto most = r.limit == 0 ? newest : r.limit;
    const auto about = subject(portal, r.about);
    if (!about)
      return fail(here, about.error());
    auto after = r.after;
    if (after == 0 && about->empty() && r.what.empty()) {
      const auto state = look(portal, "/api/v1/pool");
      if (!state)
        return fail(here, state.error());
      const auto position = static_cast<std::uint64_t>(std::max<std::int64_t>(0, integer(*state, {"position"})));
      after = position > most ? position - most : 0;
    }
    std::deque<json> entries; // the newest of those that fit
    for (;;) {
      const auto page =
        look(portal, fmt::format("/api/v1/audit?limit={}&after={}&what={}&about={}",
                                 std::min<std::uint64_t>(most, 1000), after, escaped(r.what), escaped(*about)));
      if (!page)
        return fail(here, page.error());
      for (const auto& entry : items_of(*page)) {
        entries.push_back(entry);
        if (entries.size() > most)
          entries.pop_front();
      }
      const auto next = static_cast<std::uint64_t>(integer(*page, {"next"}));
      if (at(*page, {"more"}) != true || next <= after)
        break;
      after = next;
    }
    if (here.asked.json) {
      print(here, {{"items", entries}});
      return exit_done;
    }
    table list({{"POSITION", table::side::right}, {"AT"}, {"WHO"}, {"FROM"}, {"WHAT"}, {"CHANGED"}});
    for (const auto& entry : entries)
      list.add({std::to_string(integer(entry, {"position"})), local_time(text(entry, {"at"})), text(entry, {"who"}),
                text(entry, {"from"}), text(entry, {"what"}), summary(entry)});
    here.io.out << (list.empty() ? "nothing that fits happened\n" : list.text());
    return exit_done;
  });
}

int verify_audit(const context& here) {
  return with_service(here, [&](const service& portal) {
    http_call call;
    call.timeout = std::chrono::seconds{900};
    const auto& last = here.asked.registry.last;
    const auto body = portal.call(call, "/api/v1/audit/verify" + (last.empty() ? "" : "?last=" + escaped(last)), true);
    if (!body)
      return fail(here, body.error());
    const auto verified = json::parse(*body, nullptr, false);
    if (here.asked.json)
      print(here, verified);
    else
      here.io.out << fmt::format(
        "all {} entries are as they were written, none is missing\nthe last one's hash is {}\n",
        number(verified, {"position"}), text(verified, {"hash"}));
    return exit_done;
  });
}

} // namespace keyportal::cli
