#include "gateway/gateway.hpp"

#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <spdlog/spdlog.h>

#include "gateway/handlers.hpp"
#include "gateway/problem.hpp"
#include "gateway/routes.hpp"

namespace keyportal::gateway {

namespace {

using self_pointer = gateway_actor::stateful_pointer<gateway_state>;
using exchange_pointer = std::shared_ptr<http_exchange>;

// Short for what is at hand; long for what moves a whole ledger to a node.
constexpr auto short_wait = std::chrono::seconds(5);
constexpr auto file_wait = std::chrono::seconds(60);
constexpr auto long_wait = std::chrono::seconds(300);

/// More at once would slow every answer: the bookkeeping of open requests in an actor is linear.
constexpr std::size_t most_waiting = 512;

/// One request on its way through the actor.
struct visit {
  self_pointer self;
  exchange_pointer exchange;
  question asked;
  caf::actor_clock::time_point began;

  void answer(http_response response) const {
    const auto& told = self->state.hooks.on_answer;
    const std::chrono::duration<double> took = self->clock().now() - began;
    if (told)
      told(asked.row ? asked.row->pattern : std::string_view{}, response.status, took.count());
    exchange->reply(std::move(response));
  }

  void fail(const caf::error& error) const { answer(problem(error)); }

  /// Asks `whom` and makes the answer into a response; every way out answers.
  template <class Answer, class Handle, class Message, class Make>
  void ask(const Handle& whom, Message message, std::chrono::seconds at_most, Make make) const {
    if (!whom)
      return fail(make_error(errc::shutting_down, "not started yet"));
    ask_or<Answer>(whom, std::move(message), at_most, std::move(make),
                   [here = *this](const caf::error& error) { here.fail(error); });
  }

  template <class Answer, class Handle, class Message, class Make, class Otherwise>
  void ask_or(const Handle& whom, Message message, std::chrono::seconds at_most, Make make, Otherwise otherwise) const {
    auto* const state = &self->state;
    ++state->waiting;
    self->request(whom, at_most, std::move(message))
      .then(
        [state, make = std::move(make)](const Answer& value) {
          --state->waiting;
          make(value);
        },
        [state, otherwise = std::move(otherwise)](const caf::error& error) {
          --state->waiting;
          otherwise(error);
        });
  }

  /// Answers with what `make` makes of the answer.
  template <class Answer, class Handle, class Message, class Make>
  void relay(const Handle& whom, Message message, std::chrono::seconds at_most, Make make) const {
    ask<Answer>(whom, std::move(message), at_most,
                [here = *this, make = std::move(make)](const Answer& value) { here.answer(make(here.asked, value)); });
  }
};

const node_handles* find_node(const gateway_state& state, const node_name& node) {
  for (const auto& one : state.handles.nodes)
    if (one.name == node)
      return &one;
  return nullptr;
}

void summary(const visit& here) {
  here.ask<overview>(here.self->state.handles.feed, read_overview{}, short_wait, [here](const overview& now) {
    const auto& publisher = here.self->state.handles.publisher;
    if (!publisher)
      return here.answer(summary_answer(now, std::nullopt, here.self->state.hooks.demo));
    here.ask_or<publisher_state>(
      publisher, read_publisher_state{}, short_wait,
      [here, now](const publisher_state& link) { here.answer(summary_answer(now, link, here.self->state.hooks.demo)); },
      [here, now](const caf::error&) { here.answer(summary_answer(now, std::nullopt, here.self->state.hooks.demo)); });
  });
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
    case topic::restore:
      return here.relay<restore_report>(
        of->keeper, restore_now{}, long_wait,
        [](const question&, const restore_report& report) { return json_answer(to_json(report)); });
    default: return here.fail(make_error(errc::not_found, here.asked.path));
  }
}

void handle(const visit& here) {
  const auto& state = here.self->state;
  const auto about = here.asked.row->about;
  if (about == topic::health)
    return here.answer(health_answer());
  if (state.draining)
    return here.fail(make_error(errc::shutting_down));
  if (state.waiting >= most_waiting && about != topic::asset)
    return here.fail(make_error(errc::too_many_requests));
  switch (about) {
    case topic::asset: return here.answer(asset_answer(here.asked));
    case topic::metrics:
      return here.answer(metrics_answer(state.hooks.metrics_text ? state.hooks.metrics_text() : std::string{}));
    case topic::readiness: return readiness(here);
    case topic::greeting:
      return here.relay<frame>(state.handles.feed, read_greeting{}, short_wait, [](const question&, const frame& text) {
        http_response out;
        out.body = text;
        return out;
      });
    case topic::summary: return summary(here);
    case topic::nodes:
      return here.relay<overview>(state.handles.feed, read_overview{}, short_wait,
                                  [](const question&, const overview& now) { return nodes_answer(now); });
    default: return about_node(here);
  }
}

} // namespace

gateway_actor::behavior_type gateway(self_pointer self, gateway_handles handles, gateway_hooks hooks) {
  self->state.handles = std::move(handles);
  self->state.hooks = std::move(hooks);
  return {
    [self](const exchange_pointer& exchange) {
      visit here{self, exchange, {}, self->clock().now()};
      auto read = understand(exchange->request, self->state.hooks.control_token);
      if (auto* refusal = std::get_if<http_response>(&read))
        return here.answer(std::move(*refusal));
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

server_callbacks callbacks_for(gateway_actor actor, secret control_token) {
  server_callbacks out;
  out.on_request = [actor](exchange_pointer exchange) { caf::anon_send(actor, std::move(exchange)); };
  out.on_websocket = [actor](std::function<void(frame)> send_first) {
    // The greeting is a request like others; its answer goes to the WebSocket instead.
    auto exchange = std::make_shared<http_exchange>();
    exchange->request.method = "GET";
    exchange->request.path = "/ws";
    exchange->reply = [send_first = std::move(send_first)](http_response response) {
      send_first(response.status == 200 ? std::move(response.body) : nullptr);
    };
    caf::anon_send(actor, std::move(exchange));
  };
  out.rule_for_body = [token = std::move(control_token)](const http_request& head) {
    return rule_for_body(head, token);
  };
  return out;
}

} // namespace keyportal::gateway
