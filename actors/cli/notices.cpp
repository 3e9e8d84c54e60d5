// Who was told what, by which channel, and what came of it.
#include <ostream>
#include <thread>

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "messages/json.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;
using namespace std::chrono_literals;

std::string path_of(const std::string& id) { return "/api/v1/notices/" + escaped(id); }

void tell(const context& here, const json& one) {
  table rows({{"NOTICE"}, {text(one, {"id"})}});
  for (const char* field : {"kind", "state", "weight", "about", "why", "channel", "recipient", "address", "language"})
    rows.add({field, text(one, {field})});
  for (const char* field : {"at", "due_at", "until"})
    if (!text(one, {field}).empty())
      rows.add({field, local_time(text(one, {field}))});
  for (const char* field : {"digest", "message"})
    if (!text(one, {field}).empty())
      rows.add({field, text(one, {field})});
  const auto& facts = at(one, {"facts"});
  if (facts.is_object())
    for (const auto& [name, value] : facts.items())
      rows.add({"fact " + name, value.is_string() ? value.get<std::string>() : value.dump()});
  here.io.out << rows.text();
  const auto& attempts = at(one, {"attempts"});
  table tries({{"ATTEMPT"}, {"OUTCOME"}, {"MS", table::side::right}, {"ANSWER"}});
  if (attempts.is_array())
    for (const auto& a : attempts)
      tries.add({local_time(text(a, {"at"})), text(a, {"outcome"}), number(a, {"took_ms"}), text(a, {"answer"})});
  if (!tries.empty())
    here.io.out << "\n" << tries.text();
}

/// Until it is over, for some seconds: what came of it.
int follow(const context& here, const service& portal, const std::string& id) {
  caf::expected<json> now = json();
  for (int i = 0; i < 100; ++i) {
    now = look(portal, path_of(id));
    if (!now)
      return fail(here, now.error());
    const auto state = text(*now, {"state"});
    const auto& attempts = at(*now, {"attempts"});
    const bool failed_once =
      attempts.is_array() && !attempts.empty() && state == "waiting" && text(attempts.back(), {"outcome"}) != "resent";
    if ((state != "waiting" && state != "sending") || failed_once)
      break;
    std::this_thread::sleep_for(200ms);
  }
  if (here.asked.json)
    print(here, *now);
  else
    tell(here, *now);
  return text(*now, {"state"}) == "delivered" ? exit_done : exit_failed;
}

} // namespace

int list_notices(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& n = here.asked.notices;
    const auto question =
      fmt::format("/api/v1/notices?state={}&kind={}&channel={}&about={}&recipient={}", escaped(n.state),
                  escaped(n.kind), escaped(n.channel), escaped(n.about), escaped(n.recipient));
    auto all = json::array();
    for (std::string before;;) {
      const auto left = n.limit == 0 ? 1000 : std::min<std::uint64_t>(1000, n.limit - all.size());
      const auto page = look(portal, fmt::format("{}&limit={}&before={}", question, left, before));
      if (!page)
        return fail(here, page.error());
      for (const auto& one : items_of(*page))
        all.push_back(one);
      before = text(*page, {"next"});
      if (before.empty() || (n.limit > 0 && all.size() >= n.limit))
        break;
    }
    if (here.asked.json) {
      print(here, {{"items", all}});
      return exit_done;
    }
    table list({{"WHEN"}, {"KIND"}, {"STATE"}, {"CHANNEL"}, {"TO"}, {"TRIES", table::side::right}, {"ID"}});
    for (const auto& one : all)
      list.add({local_time(text(one, {"at"})), text(one, {"kind"}), text(one, {"state"}), text(one, {"channel"}),
                text(one, {"address"}).empty() ? text(one, {"why"}) : text(one, {"address"}),
                std::to_string(at(one, {"attempts"}).size()), text(one, {"id"})});
    here.io.out << (list.empty() ? "nobody was told anything that fits\n" : list.text());
    return exit_done;
  });
}

int show_notice(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto one = look(portal, path_of(here.asked.notices.id));
    if (!one)
      return fail(here, one.error());
    here.asked.json ? print(here, *one) : tell(here, *one);
    return exit_done;
  });
}

int resend_notice(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto done = change(here, portal, "POST", path_of(here.asked.notices.id) + "/resend", "sending it once more");
    return done ? follow(here, portal, text(*done, {"id"})) : fail(here, done.error());
  });
}

int test_channel(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& n = here.asked.notices;
    const auto done = change(here, portal, "POST", fmt::format("/api/v1/notice-channels/{}/test", escaped(n.channel)),
                             "sending a test", dump(n.address.empty() ? json::object() : json{{"address", n.address}}));
    return done ? follow(here, portal, text(*done, {"id"})) : fail(here, done.error());
  });
}

int preview_notice(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto& n = here.asked.notices;
    const auto shown = change(here, portal, "POST", "/api/v1/notices/preview", "writing it",
                              dump({{"kind", n.kind}, {"language", n.language}}));
    if (!shown)
      return fail(here, shown.error());
    if (here.asked.json) {
      print(here, *shown);
      return exit_done;
    }
    here.io.out << printable(text(*shown, {"title"})) << "\n\n";
    for (const auto& line : at(*shown, {"lines"}))
      here.io.out << printable(line.is_string() ? line.get<std::string>() : std::string{}) << "\n";
    if (!text(*shown, {"link"}).empty())
      here.io.out << printable(fmt::format("\n[{}] {}", text(*shown, {"button"}), text(*shown, {"link"}))) << "\n";
    return exit_done;
  });
}

int show_channels(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto now = look(portal, "/api/v1/notice-channels");
    if (!now)
      return fail(here, now.error());
    if (here.asked.json) {
      print(here, *now);
      return exit_done;
    }
    table list({{"CHANNEL"},
                {"KIND"},
                {"WAITING", table::side::right},
                {"DELIVERED", table::side::right},
                {"REFUSED", table::side::right},
                {"AGAIN", table::side::right},
                {"UNKNOWN", table::side::right},
                {"PROBLEM"}});
    const auto& channels = at(*now, {"channels"});
    if (channels.is_array())
      for (const auto& one : channels)
        list.add({text(one, {"name"}), text(one, {"kind"}), number(one, {"waiting"}), number(one, {"delivered"}),
                  number(one, {"refused"}), number(one, {"again"}), number(one, {"unknown"}), text(one, {"problem"})});
    here.io.out << (list.empty() ? "there are no channels: see [[notices.channel]] in the configuration\n"
                                 : list.text());
    if (!text(*now, {"problem"}).empty())
      here.io.out << printable(text(*now, {"problem"})) << "\n";
    return exit_done;
  });
}

} // namespace keyportal::cli
