// Whether what is added up is what the records come to: by the running service, or in the data folder where none runs.
#include <algorithm>
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

constexpr const char* path = "/api/v1/ledger/check";

void show_progress(const context& here, std::int64_t done, std::int64_t days) {
  if (here.io.err_is_terminal)
    here.io.err << "\r\x1b[K" << (days == 0 ? "looking for days" : fmt::format("{} of {} days", done, days))
                << std::flush;
}

void end_progress(const context& here) {
  if (here.io.err_is_terminal)
    here.io.err << "\r\x1b[K" << std::flush;
}

int tell(const context& here, const json& state) {
  const auto problem = text(state, {"problem"});
  const auto wrong = integer(state, {"rows_wrong"}), mended = integer(state, {"rows_mended"});
  const bool mends = at(state, {"mends"}) == true;
  if (here.asked.json) {
    print(here, state);
  } else {
    table rows({{"NODE"}, {"DAY (UTC)"}, {"ROWS WRONG", table::side::right}});
    const auto& days = at(state, {"wrong"});
    if (days.is_array())
      for (const auto& one : days)
        rows.add({text(one, {"node"}), text(one, {"day"}), number(one, {"rows"})});
    if (!rows.empty())
      here.io.out << rows.text();
    here.io.out << number(state, {"days_done"}) << " days compared with their records: "
                << (wrong == 0 ? std::string("no difference")
                               : fmt::format("{} of them with rows that are wrong{}", number(state, {"days_wrong"}),
                                             mends ? ", " + number(state, {"rows_mended"}) + " rows made anew"
                                                   : "; keyportal ledger rebuild makes them anew"))
                << "\n";
  }
  if (!problem.empty()) {
    here.io.err << "error: it ended early: " << printable(problem) << "\n";
    return exit_failed;
  }
  return wrong == 0 || (mends && mended > 0) ? exit_done : exit_failed;
}

caf::expected<json> by_service(const context& here, const service& portal, bool mends) {
  for (;;) {
    auto state = change(here, portal, "POST", path, "beginning", dump(json{{"mend", mends}}));
    // Somebody else's may be under way: ours comes behind it.
    const bool ours = state && at(*state, {"mends"}) == mends;
    for (auto pause = 20ms; state && at(*state, {"running"}) == true;
         pause = std::min<std::chrono::milliseconds>(pause * 2, 500ms)) {
      show_progress(here, integer(*state, {"days_done"}), integer(*state, {"days"}));
      std::this_thread::sleep_for(pause);
      state = look(portal, path);
    }
    end_progress(here);
    if (!state || ours)
      return state;
  }
}

} // namespace

int check_ledger(const context& here, const hooks& borrowed) {
  const bool mends = here.asked.what == command::ledger_rebuild;
  auto portal = service::find(here.values, here.asked.url);
  auto state = portal ? by_service(here, *portal, mends) : caf::expected<json>{portal.error()};
  // Nothing runs there: what lies in the data folder is looked at. Not where a certain service was meant.
  if (!state && code_of(state.error()) == errc::service_unreachable && here.asked.url.empty()
      && borrowed.check_ledger) {
    state = borrowed.check_ledger(here.values, mends, [&](std::uint64_t done, std::uint64_t days) {
      show_progress(here, static_cast<std::int64_t>(done), static_cast<std::int64_t>(days));
    });
    end_progress(here);
  }
  return state ? tell(here, *state) : fail(here, state.error());
}

} // namespace keyportal::cli
