// One request on its way through the actor: for gateway.cpp and what it hands requests to.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/access/access_events.hpp"
#include "gateway/gateway.hpp"
#include "gateway/problem.hpp"
#include "gateway/routes.hpp"

namespace keyportal::gateway {

using gateway_pointer = gateway_actor::stateful_pointer<gateway_state>;

// Short for what is at hand; long for what moves a whole ledger to a node.
inline constexpr std::chrono::seconds short_wait{5};
inline constexpr std::chrono::seconds file_wait{60};
inline constexpr std::chrono::seconds long_wait{300};

/// Plain values and a handle, copied into whatever waits. Every way out answers the exchange.
struct visit {
  gateway_pointer self;
  std::shared_ptr<http_exchange> exchange;
  question asked;
  caf::actor_clock::time_point began;
  std::shared_ptr<const visitor> by;
  std::optional<caller_directory::rate> rate = {};

  /// For what changes something: who it is, for the audit.
  [[nodiscard]] std::string who() const {
    return by->who.kind == caller_kind::control || by->who.subject.empty() ? "cli" : by->who.subject;
  }

  void answer(http_response response) const {
    add_headers(response);
    const auto& told = self->state.hooks.on_answer;
    const std::chrono::duration<double> took = self->clock().now() - began;
    if (told)
      told(asked.row ? asked.row->pattern : std::string_view{}, response.status, took.count());
    exchange->reply(std::move(response));
  }

  void add_headers(http_response& response) const {
    if (by && by->https) // a year
      response.headers.emplace_back("Strict-Transport-Security", "max-age=31536000");
    if (by && asked.row && asked.row->about != topic::asset) // what people name when they ask why
      response.headers.emplace_back("X-Request-Id", by->from.request);
    if (const auto& stale = self->state.hooks.stale_s; stale && asked.row && asked.row->about != topic::asset)
      if (const auto seconds = stale(); seconds >= 1)
        response.headers.emplace_back("X-Key-Portal-Stale", std::to_string(static_cast<std::int64_t>(seconds)));
    if (!rate || rate->limit == 0)
      return;
    response.headers.emplace_back("RateLimit-Limit", std::to_string(rate->limit));
    response.headers.emplace_back("RateLimit-Remaining", std::to_string(rate->left));
    response.headers.emplace_back("RateLimit-Reset", std::to_string(rate->reset.count()));
  }

  /// Tells whoever watches over the installation.
  void note(access_event what, errc result) const;

  void fail(const caf::error& error) const { answer(problem(error)); }

  /// Asks `whom` and hands the answer to `make`, which answers in its turn.
  template <class Answer, class Handle, class Message, class Make>
  void ask(const Handle& whom, Message message, std::chrono::seconds at_most, Make make) const {
    ask_or<Answer>(whom, std::move(message), at_most, std::move(make),
                   [here = *this](const caf::error& error) { here.fail(error); });
  }

  /// A handle that is not there is an error like others.
  template <class Answer, class Handle, class Message, class Make, class Otherwise>
  void ask_or(const Handle& whom, Message message, std::chrono::seconds at_most, Make make, Otherwise otherwise) const {
    if (!whom)
      return otherwise(make_error(errc::shutting_down, "not started yet"));
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

} // namespace keyportal::gateway
