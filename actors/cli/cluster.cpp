// Several processes that are one Key Portal: how they are, who sees to what, and whether they hold the same.
#include <filesystem>
#include <ostream>

#include <fmt/format.h>

#include "actors/cli/registry_calls.hpp"
#include "actors/cli/table.hpp"
#include "messages/json.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::cli {

namespace {

using nlohmann::json;

const json& list_of(const json& from, const char* what) {
  static const json none = json::array();
  const auto& found = at(from, {what});
  return found.is_array() ? found : none;
}

std::string freshness(const json& member) {
  const auto& stale = at(member, {"stale_s"});
  const double seconds = stale.is_number() ? stale.get<double>() : 0;
  return seconds < 1 ? std::string{"-"} : fmt::format("{:.0f} s", seconds);
}

std::string counted(const json& from, const char* what) {
  return at(from, {what}).is_null() ? std::string{"-"} : number(from, {what});
}

} // namespace

int show_cluster(const context& here, bool members, bool leases) {
  return with_service(here, [&](const service& portal) {
    const auto state = fetch(portal, "/api/v1/cluster");
    if (!state)
      return fail(here, state.error());
    if (here.asked.json) {
      print(here, *state);
      return exit_done;
    }
    auto& out = here.io.out;
    using side = table::side;
    if (members) {
      table rows({{"PROCESS"},
                  {"VERSION"},
                  {"LOG", side::right},
                  {"BEHIND", side::right},
                  {"STALE FOR", side::right},
                  {"RECORDS", side::right},
                  {"DUTIES", side::right},
                  {"PROBLEM"}});
      for (const auto& one : list_of(*state, "members"))
        rows.add({text(one, {"address"}), text(one, {"version"}), counted(one, "applied"), counted(one, "behind"),
                  freshness(one), counted(one, "records"), std::to_string(list_of(one, "duties").size()),
                  text(one, {"problem"})});
      out << "cluster " << printable(text(*state, {"name"})) << ", as " << printable(text(*state, {"answered_by"}))
          << " sees it\n"
          << rows.text();
    }
    if (leases) {
      table rows({{"DUTY"}, {"SEEN TO BY"}});
      for (const auto& one : list_of(*state, "leases")) {
        const auto who = text(one, {"address"});
        rows.add({text(one, {"duty"}), who.empty() ? "nobody" : who});
      }
      out << (members ? "\n" : "") << rows.text();
    }
    if (const auto problem = text(*state, {"problem"}); !problem.empty())
      here.io.err << "error: " << printable(problem) << "\n";
    return exit_done;
  });
}

int compare_cluster(const context& here) {
  return with_service(here, [&](const service& portal) {
    const auto told = fetch(portal, "/api/v1/cluster/diff");
    if (!told)
      return fail(here, told.error());
    const auto& differences = list_of(*told, "differences");
    const auto& silent = list_of(*told, "silent");
    if (here.asked.json) {
      print(here, *told);
    } else {
      for (const auto& one : differences)
        if (one.is_string())
          here.io.out << printable(one.get<std::string>()) << "\n";
      for (const auto& one : silent)
        if (one.is_string())
          here.io.out << printable(one.get<std::string>()) << " did not answer\n";
      here.io.out << fmt::format("{} processes compared: {}\n", list_of(*told, "members").size(),
                                 differences.empty() ? "they hold the same"
                                                     : fmt::format("{} differences; what was on its way is none, so "
                                                                   "compare again before you repair one",
                                                                   differences.size()));
    }
    return differences.empty() && silent.empty() ? exit_done : exit_failed;
  });
}

int repair_cluster(const context& here) {
  const auto folder = here.values.data_dir / "ledger";
  std::error_code problem;
  if (!here.values.cluster.enabled)
    return fail(here, make_error(errc::cluster_off));
  if (std::filesystem::exists(here.values.data_dir / "gateway.url", problem))
    return fail(here, make_error(errc::storage_in_use, here.values.data_dir.string()));
  if (!std::filesystem::exists(folder / "db" / "CURRENT", problem)) {
    here.io.out << "There is no ledger here; the next start takes the cluster's\n";
    return exit_done;
  }
  auto stamp = to_rfc3339_ms(std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now()));
  std::erase_if(stamp, [](char c) { return c == ':' || c == '-' || c == '.'; });
  const auto aside = folder / ("db.before-" + stamp);
  std::filesystem::rename(folder / "db", aside, problem);
  if (problem)
    return fail(here, make_error(errc::storage_failed, problem.message()));
  here.io.out
    << "The ledger of this process is set aside as " << aside.string()
    << "; at its next start it takes the cluster's. Delete that folder once `keyportal cluster diff` finds nothing\n";
  return exit_done;
}

} // namespace keyportal::cli
