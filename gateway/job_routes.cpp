#include "gateway/job_routes.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "gateway/handlers.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::gateway {

namespace {

using nlohmann::json;

/// One job as it is told. `total` 0: nobody knows how much there is.
json job_json(std::string id, std::string_view what, bool running, const std::string& problem, std::uint64_t done,
              std::uint64_t total, std::string_view unit, std::string_view begin, std::optional<moment> began = {}) {
  const auto state = running ? "running" : problem.empty() ? "done" : "failed";
  return {{"id", std::move(id)},
          {"what", what},
          {"state", state},
          {"done", done},
          {"total", total > 0 ? json(total) : json(nullptr)},
          {"unit", unit},
          {"began_at", began ? json(to_rfc3339_ms(*began)) : json(nullptr)},
          {"problem", problem},
          {"begin", begin}};
}

void add(json& to, const ledger_check& c) {
  if (c.running || c.days > 0 || !c.problem.empty())
    to.push_back(job_json("ledger-check", c.mends ? "ledger rebuild" : "ledger verify", c.running, c.problem,
                          c.days_done, c.days, "days", "POST /api/v1/ledger/check"));
}

void add(json& to, const reprice_state& r) {
  if (r.running || r.records > 0 || !r.problem.empty())
    to.push_back(job_json("reprice", r.what.dry_run ? "reprice, dry run" : "reprice", r.running, r.problem, r.records,
                          0, "records", "POST /api/v1/prices/reprice"));
}

void add(json& to, const backup_state& b) {
  if (b.doing.empty() && b.jobs == 0)
    return;
  const bool running = !b.doing.empty();
  to.push_back(job_json("backup", "backup: " + (running ? b.doing : b.did), running,
                        running ? std::string{} : b.problem, running ? b.done_bytes : 0, 0, "bytes",
                        "POST /api/v1/backups", running ? b.began : std::nullopt));
}

void add(json& to, const retention_state& r) {
  if (r.running || r.ran_at)
    to.push_back(job_json("retention", "letting raw records go", r.running, {}, r.records, 0, "records",
                          "POST /api/v1/retention", r.ran_at));
}

void add(json& to, const overview& now) {
  for (const auto& node : now.nodes) {
    const auto& restart = node.last_restart;
    if (!restart || restart->state == restore_state::impossible)
      continue;
    const bool failed = restart->state == restore_state::incomplete;
    to.push_back(job_json("restore-" + node.condition.node, "restore of " + node.condition.node,
                          restart->state == restore_state::pending,
                          failed ? fmt::format("{} records are still lacking", restart->still_lacking) : std::string{},
                          restart->records_imported, 0, "records",
                          fmt::format("POST /api/v1/nodes/{}/restore", node.condition.node), restart->noticed_at));
  }
}

/// All that can be asked, side by side; who does not answer is left out.
template <class Then>
void gather(const visit& here, Then then) {
  const auto all = std::make_shared<json>(json::array());
  const auto& state = here.self->state;
  const auto came = [all, then, awaited = std::make_shared<int>(5)] {
    if (--*awaited == 0)
      then(*all);
  };
  const auto ask = [&]<class Answer, class Handle, class Message>(std::type_identity<Answer>, const Handle& whom,
                                                                  Message what) {
    here.template ask_or<Answer>(
      whom, std::move(what), short_wait,
      [all, came](const Answer& now) {
        add(*all, now);
        came();
      },
      [came](const caf::error&) { came(); });
  };
  for (const auto& [number, one] : state.long_requests)
    all->push_back(job_json(fmt::format("request-{}", number), one.what, true, {}, 0, 0, "", one.what, one.began));
  ask(std::type_identity<ledger_check>{}, state.handles.checker, read_ledger_check{});
  ask(std::type_identity<reprice_state>{}, state.handles.ledger, read_reprice{});
  ask(std::type_identity<backup_state>{}, state.handles.backups, read_backup_state{});
  ask(std::type_identity<retention_state>{}, state.handles.retention, read_retention_state{});
  ask(std::type_identity<overview>{}, state.handles.feed, read_overview{});
}

void tell_settings(const visit& here) {
  auto shown = json::parse(here.self->state.hooks.settings_text, nullptr, false);
  if (!shown.is_object())
    return here.fail(make_error(errc::not_found, "settings"));
  shown["changeable"] = json::array(); // a start reads them; nothing changes them while the process lives
  here.answer(json_answer(shown));
}

} // namespace

void note_long_request(const visit& here) {
  auto* const state = &here.self->state;
  const auto number = ++state->last_long_request;
  const auto& request = here.exchange->request;
  state->long_requests.emplace(
    number, long_request{fmt::format("{} {}", request.method, request.path),
                         std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now())});
  auto& reply = here.exchange->reply;
  reply = [state, number, next = std::move(reply)](http_response response) { // called in the actor, as all answers are
    state->long_requests.erase(number);
    next(std::move(response));
  };
}

void about_jobs(const visit& here) {
  if (here.asked.row->about == topic::settings)
    return tell_settings(here);
  const auto id = here.asked.row->about == topic::job ? here.asked.name : std::string{};
  gather(here, [here, id](const json& all) {
    if (id.empty())
      return here.answer(json_answer({{"items", all}}));
    for (const auto& one : all)
      if (one["id"] == id)
        return here.answer(json_answer(one));
    here.fail(make_error(errc::not_found, "job"));
  });
}

} // namespace keyportal::gateway
