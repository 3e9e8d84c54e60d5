#include "gateway/gateway.hpp"

#include <caf/send.hpp>
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "gateway/access_routes.hpp"
#include "gateway/account_routes.hpp"
#include "gateway/copies.hpp"
#include "gateway/elsewhere.hpp"
#include "gateway/export_routes.hpp"
#include "gateway/handlers.hpp"
#include "gateway/job_routes.hpp"
#include "gateway/live_clients.hpp"
#include "gateway/original_routes.hpp"
#include "gateway/own_routes.hpp"
#include "gateway/problem.hpp"
#include "gateway/registry_routes.hpp"
#include "gateway/routes.hpp"
#include "gateway/notice_routes.hpp"
#include "gateway/store_routes.hpp"
#include "gateway/usage_routes.hpp"
#include "gateway/visit.hpp"

namespace keyportal::gateway {

namespace {

using self_pointer = gateway_pointer;
using exchange_pointer = std::shared_ptr<http_exchange>;

/// More at once would slow every answer: the bookkeeping of open requests in an actor is linear.
constexpr std::size_t most_waiting = 512;

const node_handles* find_node(const gateway_state& state, const node_name& node) {
  for (const auto& one : state.handles.nodes)
    if (one.name == node)
      return &one;
  return nullptr;
}

/// Asks for a part of the summary that it can do without.
template <class Part, class Handle, class Message, class Then>
void gather(const visit& here, const Handle& whom, Message message, std::shared_ptr<summary_parts> all,
            std::optional<Part> summary_parts::*part, Then then) {
  if (!whom)
    return then();
  here.ask_or<Part>(
    whom, std::move(message), short_wait,
    [all, part, then](const Part& got) {
      (*all).*part = got;
      then();
    },
    [then](const caf::error&) { then(); });
}

/// The summary is the same for everybody, and pages ask for it all the time. It is put together from what five actors say
/// at most every `summary_lasts`; who comes while it is, shares it.
constexpr std::chrono::milliseconds summary_lasts{20};

void make_summary(const visit& here) {
  const auto told = [here](http_response answer) {
    auto& asked = here.self->state.summary;
    asked.under_way = false;
    for (const auto& one : std::exchange(asked.wanted, {}))
      one.answer(answer);
    asked.answer = answer.status == 200 ? std::optional(std::move(answer)) : std::nullopt;
  };
  const auto& handles = here.self->state.handles;
  here.ask_or<overview>(
    handles.feed, read_overview{}, short_wait,
    [here, told](const overview& now) {
      const auto& state = here.self->state;
      auto all = std::make_shared<summary_parts>(
        summary_parts{now, {}, {}, state.hooks.demo, state.hooks.currency, state.hooks.currency_rate, {}, {}});
      const auto came = [told, all, awaited = std::make_shared<int>(4)] {
        if (--*awaited == 0)
          told(summary_answer(*all));
      };
      gather(here, state.handles.publisher, read_publisher_state{}, all, &summary_parts::publisher, came);
      gather(here, state.handles.ledger, read_ledger_state{}, all, &summary_parts::ledger, came);
      gather(here, state.handles.backups, read_backup_state{}, all, &summary_parts::backups, came);
      gather(here, state.handles.retention, read_retention_state{}, all, &summary_parts::retention, came);
    },
    [told](const caf::error& error) { told(problem(error)); });
}

void summary(const visit& here) {
  auto& asked = here.self->state.summary;
  if (!asked.under_way && asked.answer && here.began - asked.began < summary_lasts)
    return here.answer(*asked.answer);
  asked.wanted.push_back(here);
  if (std::exchange(asked.under_way, true))
    return;
  asked.began = here.began;
  make_summary(here);
}

void listen(const visit& here) {
  const auto& state = here.self->state;
  if (!state.handles.live)
    return here.fail(make_error(errc::shutting_down, "not started yet"));
  const auto& request = here.exchange->request;
  auto what = read_live_query(request);
  if (!what)
    return here.fail(what.error());
  http_response out;
  out.content_type = "text/event-stream";
  out.headers.emplace_back("X-Accel-Buffering", "no"); // a proxy that gathers it would hold it up
  if (request.method == "GET")
    out.pieces = make_live_stream(state.handles.live, person_of(*here.by), std::move(*what),
                                  look_of(state.hooks.door, request, *here.by));
  here.answer(std::move(out));
}

void readiness(const visit& here) {
  const auto& state = here.self->state;
  if (!state.handles.feed || !state.handles.ledger)
    return here.fail(make_error(errc::shutting_down, "still starting"));
  here.ask_or<ledger_state>(
    state.handles.ledger, read_ledger_state{}, short_wait,
    [here](const ledger_state& ledger) { here.answer(ready_answer(ledger)); },
    [here](const caf::error& error) { here.answer(problem(error, 503)); });
}

/// The ledger's letter of that number, or none: letters are listed by what they come after.
list_dead_letters just(std::uint64_t number, bool whole) { return {number - 1, 1, whole}; }

/// Answers with what was given up, which the caller may want to tell.
void drop_letter(const visit& here) {
  const auto ledger = here.self->state.handles.ledger;
  const auto number = here.asked.id;
  here.ask<std::vector<dead_letter>>(
    ledger, just(number, false), short_wait, [here, ledger, number](const std::vector<dead_letter>& found) {
      if (found.empty() || found.front().number != number)
        return here.fail(make_error(errc::dead_letter_unknown, std::to_string(number)));
      journal_entry given_up;
      given_up.dropped_letters = {number};
      here.ask<committed>(
        ledger, std::move(given_up), short_wait,
        [here, letter = to_json(found.front())](const committed&) { here.answer(json_answer(letter)); });
    });
}

/// A collector takes so many at a time: it is asked until there is nothing more that can be decoded.
void replay(const visit& here, const collector_actor& collector, const replay_letters& which,
            const replay_report& so_far) {
  here.ask<replay_report>(collector, which, long_wait, [here, collector, which, so_far](const replay_report& got) {
    const replay_report now{so_far.replayed + got.replayed, so_far.added + got.added, got.still_dead};
    if (got.replayed == 0)
      return here.answer(json_answer(to_json(now)));
    if (here.self->clock().now() - here.began > long_wait)
      return here.fail(make_error(errc::timed_out, fmt::format("{} are decoded, more are left", now.replayed)));
    replay(here, collector, which, now);
  });
}

void about_node(const visit& here) {
  const auto& state = here.self->state;
  const auto& node = here.asked.node;
  const auto* const of = find_node(state, node);
  if (!of)
    return here.fail(make_error(errc::node_unknown, node));
  switch (here.asked.row->about) {
    case topic::node:
      return here.relay<overview>(state.handles.feed, read_overview{}, short_wait,
                                  [](const question& q, const overview& now) { return node_answer(now, q.node); });
    case topic::restarts:
      return here.relay<std::vector<restart_record>>(state.handles.ledger, list_restarts{node, here.asked.limit},
                                                     short_wait,
                                                     [](const question&, const auto& all) { return list_answer(all); });
    case topic::gaps:
      return here.relay<std::vector<gap_record>>(state.handles.ledger, list_gaps{node, here.asked.limit}, short_wait,
                                                 [](const question&, const auto& all) { return list_answer(all); });
    case topic::incompletes:
      return here.relay<std::vector<incomplete_record>>(
        state.handles.ledger, list_incompletes{node, here.asked.limit}, short_wait,
        [](const question&, const auto& all) { return list_answer(all); });
    case topic::queue:
      return here.relay<queue_state>(of->collector, read_queue_state{}, short_wait,
                                     [](const question&, const queue_state& now) { return json_answer(to_json(now)); });
    case topic::replay_letters: {
      const auto which = read_replay(here.exchange->request.body);
      return which ? replay(here, of->collector, *which, {}) : here.fail(which.error());
    }
    case topic::snapshots:
      return here.relay<std::vector<snapshot_info>>(of->keeper, list_snapshots{}, short_wait,
                                                    [](const question&, const auto& all) { return list_answer(all); });
    case topic::snapshot:
      return here.relay<std::vector<snapshot_info>>(
        of->keeper, list_snapshots{}, short_wait,
        [](const question& q, const auto& all) { return snapshot_answer(all, q.id); });
    case topic::export_file:
      return here.relay<export_file>(of->keeper, export_snapshot{here.asked.id}, file_wait,
                                     [](const question&, const export_file& file) { return export_answer(file); });
    case topic::make_snapshot:
      return here.relay<snapshot_info>(
        of->keeper, make_snapshot{"request"}, file_wait,
        [](const question&, const snapshot_info& made) { return json_answer(to_json(made), 201); });
    case topic::import_file:
      return here.relay<import_report>(
        of->keeper, import_file{std::make_shared<const std::string>(std::move(here.exchange->request.body))}, long_wait,
        [](const question&, const import_report& report) { return json_answer(to_json(report)); });
    case topic::copy_records: {
      auto what = read_copies(here.exchange->request.body, node);
      if (!what)
        return here.fail(what.error());
      return here.relay<copy_report>(state.handles.ledger, std::move(*what), file_wait,
                                     [](const question&, const copy_report& report) { return copy_answer(report); });
    }
    case topic::keep_history: {
      auto what = read_days(here.exchange->request.body, node);
      if (!what)
        return here.fail(what.error());
      return here.relay<history_report>(
        state.handles.ledger, std::move(*what), file_wait,
        [](const question&, const history_report& report) { return kept_answer(report); });
    }
    case topic::restore:
      return here.relay<restore_report>(
        of->keeper, restore_now{}, long_wait,
        [](const question&, const restore_report& report) { return json_answer(to_json(report)); });
    default: return about_keys_of(here, *of);
  }
}

void handle(const visit& here) {
  const auto& state = here.self->state;
  const auto about = here.asked.row->about;
  if (about == topic::health)
    return here.answer(health_answer());
  if (state.draining)
    return here.fail(make_error(errc::shutting_down));
  if (state.waiting + state.summary.wanted.size() >= most_waiting && about != topic::asset && about != topic::page)
    return here.fail(make_error(errc::too_many_requests));
  if (goes_elsewhere(here))
    return;
  if (about == topic::cluster || about == topic::cluster_diff)
    return about_cluster(here);
  if (about == topic::import_file || about == topic::restore || about == topic::replay_letters
      || about == topic::verify_audit)
    note_long_request(here);
  if (is_about_store(about))
    return about_store(here);
  if (is_about_accounts(about))
    return about_accounts(here);
  if (is_about_jobs(about))
    return about_jobs(here);
  if (is_about_notices(about))
    return about_notices(here);
  if (is_about_original(about))
    return about_original(here);
  if (is_about_access(about))
    return about_access(here);
  if (is_about_oneself(about))
    return about_oneself(here);
  switch (about) {
    case topic::asset: return here.answer(asset_answer(here.asked));
    case topic::page: return here.answer(page_answer(state.page, here.asked));
    case topic::metrics:
      return here.answer(metrics_answer(state.hooks.metrics_text ? state.hooks.metrics_text() : std::string{}));
    case topic::readiness: return readiness(here);
    case topic::events: return listen(here);
    case topic::summary: return summary(here);
    case topic::nodes:
      return here.relay<overview>(state.handles.feed, read_overview{}, short_wait,
                                  [](const question&, const overview& now) { return nodes_answer(now); });
    case topic::letters:
      return here.relay<std::vector<dead_letter>>(
        state.handles.ledger, list_dead_letters{here.asked.after, here.asked.limit, false}, short_wait,
        [](const question&, const auto& all) { return list_answer(all); });
    case topic::letter:
      return here.relay<std::vector<dead_letter>>(
        state.handles.ledger, just(here.asked.id, true), short_wait,
        [](const question& q, const auto& found) { return letter_answer(found, q.id); });
    case topic::drop_letter: return drop_letter(here);
    case topic::history: {
      auto which = read_history_query(here.asked, here.exchange->request);
      if (!which)
        return here.fail(which.error());
      return here.relay<history_page>(state.handles.ledger, std::move(*which), file_wait,
                                      [](const question&, const history_page& page) { return history_answer(page); });
    }
    case topic::usage:
    case topic::records: return about_usage(here);
    case topic::ledger_check:
    case topic::check_ledger: return about_ledger_check(here);
    case topic::open_export:
    case topic::export_body:
    case topic::close_export: return about_exports(here);
    default: return here.asked.node.empty() ? about_registry(here) : about_node(here);
  }
}

/// Whether the caller's share of requests is not used up; else it is answered.
bool take(visit& here) {
  const auto& path = here.exchange->request.path;
  const auto callers = here.self->state.hooks.door->callers();
  if (!callers || here.by->who.kind == caller_kind::control
      || !(path.starts_with("/api/") || path.starts_with("/sign-in/")))
    return true;
  here.rate = callers->take(here.by->who, here.by->from.address);
  if (here.rate->allowed)
    return true;
  auto refusal = problem(make_error(errc::too_many_requests));
  for (auto& [name, value] : refusal.headers)
    if (name == "Retry-After")
      value = std::to_string(std::max<std::int64_t>(here.rate->reset.count(), 1));
  here.note(access_event::rate_exceeded, errc::too_many_requests);
  here.answer(std::move(refusal));
  return false;
}

/// Attempts at what one may not do are told; that nobody signed in is not, since anybody can do that all day.
void note_refusal(const visit& here, const http_request& request) {
  const auto& by = *here.by;
  if (request.method != "GET" && request.method != "HEAD" && by.forged)
    here.note(access_event::csrf_refused, code_of(by.forged));
  else if (by.who.kind != caller_kind::nobody && !by.unknown)
    here.note(access_event::right_missing, errc::right_missing);
}

} // namespace

gateway_state::gateway_state() = default;
gateway_state::~gateway_state() = default;

std::shared_ptr<entrance> make_entrance(const gateway_hooks& hooks) {
  return std::make_shared<entrance>(
    entrance_settings{hooks.control_token, hooks.anonymous, hooks.proxies, hooks.inside, hooks.anonymous_inside});
}

void visit::note(access_event what, errc result) const {
  // A line a second of each kind: whoever is refused a thousand times a second shall not fill the disk.
  auto& last = self->state.noted[static_cast<std::size_t>(what)];
  const auto now = self->clock().now();
  if (last != caf::actor_clock::time_point{} && now - last < std::chrono::seconds{1})
    return;
  last = now;
  const auto path = exchange->request.method + " " + exchange->request.path;
  access_note told;
  told.what = what;
  told.at = std::chrono::time_point_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now());
  told.actor = by->who.kind == caller_kind::control ? std::string_view{"control"} : std::string_view{by->who.subject};
  told.address = by->from.address;
  told.request_id = by->from.request;
  told.result = row_of(result).name;
  told.about = path;
  spdlog::warn("access {}", line_of(told));
}

gateway_actor::behavior_type gateway(self_pointer self, gateway_handles handles, gateway_hooks hooks) {
  self->state.handles = std::move(handles);
  self->state.hooks = std::move(hooks);
  self->state.page = make_page(self->state.hooks.base_path, self->state.hooks.frame_ancestors);
  if (!self->state.hooks.door)
    self->state.hooks.door = make_entrance(self->state.hooks);
  if (const auto& callers = self->state.handles.callers) {
    self->state.hooks.door->know(callers);
    callers->on_end([close = self->state.hooks.on_session_end, live = self->state.handles.live](const session& ended) {
      const auto tag = tag_of(ended);
      if (close)
        close(tag);
      if (live)
        caf::anon_send(live, live_end{tag});
    });
    callers->on_change([live = self->state.handles.live](std::string_view subject) {
      if (live)
        caf::anon_send(live, live_look_again{std::string(subject)});
    });
  }
  return {
    [self](const exchange_pointer& exchange) {
      const auto& request = exchange->request;
      auto by = std::make_shared<const visitor>(self->state.hooks.door->look(request));
      visit here{self, exchange, {}, self->clock().now(), std::move(by)};
      if (!take(here))
        return;
      auto read = understand(request, *here.by);
      if (auto* refusal = std::get_if<http_response>(&read)) {
        if (refusal->status == 403)
          note_refusal(here, request);
        return here.answer(std::move(*refusal));
      }
      here.asked = std::move(std::get<question>(read));
      try {
        handle(here);
      } catch (const std::exception& e) { // out of memory, a hook: the actor goes on
        spdlog::error("gateway.handler_failed route=\"{}\" cause=\"{}\"", here.asked.row->pattern, e.what());
        here.fail(make_error(errc::internal));
      }
    },
    [self](const node_directory& nodes) { self->state.handles.nodes = nodes; },
    [self](drain) {
      self->state.draining = true;
      return drained{};
    },
  };
}

namespace {

/// Whether its sender gets a WebSocket, for how long, and what he is told over it.
websocket_admission admit(const std::shared_ptr<const entrance>& door, const live_actor& live,
                          const http_request& request) {
  const auto by = door->look(request);
  websocket_admission out;
  auto read = understand(request, by);
  if (auto* refusal = std::get_if<http_response>(&read)) {
    out.refusal = std::move(*refusal);
    return out;
  }
  auto what = read_live_query(request);
  if (!what) {
    out.refusal = problem(what.error());
    return out;
  }
  auto person = person_of(by);
  out.tag = person.tag;
  auto look = look_of(door, request, by);
  if (by.who.kind != caller_kind::nobody && by.who.kind != caller_kind::control)
    out.still = [look] {
      const auto now = look();
      return now && !now->may.empty();
    };
  if (live)
    out.user = make_live_socket(live, std::move(person), std::move(*what), std::move(look));
  return out;
}

} // namespace

server_callbacks callbacks_for(gateway_actor actor, live_actor live, std::shared_ptr<const entrance> door) {
  server_callbacks out;
  out.on_request = [actor](exchange_pointer exchange) { caf::anon_send(actor, std::move(exchange)); };
  out.admit_websocket = [door, live](const http_request& request) { return admit(door, live, request); };
  out.rule_for_body = [door](const http_request& head) { return rule_for_body(head, door->look(head)); };
  return out;
}

} // namespace keyportal::gateway
