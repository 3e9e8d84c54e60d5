#include "actors/publisher/publisher.hpp"

#include <algorithm>

#include <caf/response_promise.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>
#include <caf/typed_event_based_actor.hpp>

#include "actors/publisher/cloud_event.hpp"
#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"

namespace keyportal {
namespace {

using publisher_pointer = publisher_actor::stateful_pointer<publisher_memory>;

void pump(publisher_pointer self);

void read_page(publisher_pointer self, sequence after) {
  auto& state = self->state;
  self->request(state.ledger, caf::infinite, read_outbox{after, static_cast<std::uint32_t>(state.settings.limits.page)})
    .then(
      [self](const outbox_page& page) {
        std::vector<sink::message> messages;
        messages.reserve(page.items.size());
        for (const auto& item : page.items)
          messages.push_back(to_message(item));
        self->state.window.page(std::move(messages));
        pump(self);
      },
      [self](caf::error& error) {
        log::warn("publisher", "outbox-unreadable", "{}", render(error));
        self->state.window.page_failed(self->clock().now());
        pump(self);
      });
}

void read_tail(publisher_pointer self) {
  auto& state = self->state;
  auto ids = state.out->stored_tail(state.settings.tail);
  if (ids) {
    state.problem.clear();
    state.window.tail(std::move(*ids));
  } else {
    state.problem = render(ids.error());
    state.stuck = true;
    state.window.tail_failed(self->clock().now());
  }
}

void send_batch(publisher_pointer self, std::vector<sink::message> batch) {
  std::vector<sequence> seqs;
  seqs.reserve(batch.size());
  for (const auto& message : batch)
    seqs.push_back(message.seq);
  if (auto error = self->state.out->publish(std::move(batch))) {
    self->state.problem = render(error);
    self->state.stuck = true;
    self->state.window.failed(seqs, self->clock().now());
  }
}

void answer_drain(publisher_pointer self) {
  auto& state = self->state;
  if (state.draining.empty() || (state.window.connected() && !state.window.idle() && !state.stuck))
    return;
  for (auto& promise : state.draining)
    promise.deliver(drained{});
  state.draining.clear();
}

void schedule_wake(publisher_pointer self) {
  auto& state = self->state;
  auto at = state.window.wake_at();
  auto now = self->clock().now();
  if (!at || (state.woken_at > now && state.woken_at <= *at))
    return;
  state.woken_at = std::max(*at, now) + std::chrono::milliseconds{1}; // rather late than early and in vain
  self->delayed_send(caf::actor_cast<publisher_actor>(self), state.woken_at - now, delivery_outcome{});
}

/// Does all that can be done now.
void pump(publisher_pointer self) {
  auto& window = self->state.window;
  if (window.wants_tail(self->clock().now()))
    read_tail(self);
  for (auto batch = window.take(256); !batch.empty(); batch = window.take(256))
    send_batch(self, std::move(batch));
  // Before the page, so that the ledger does not give out again what is stored.
  if (auto stored = window.take_stored(); !stored.empty())
    self->send(self->state.ledger, outbox_acked{std::move(stored)});
  if (auto after = window.wants_page())
    read_page(self, *after);
  answer_drain(self);
  schedule_wake(self);
}

/// What was just committed need not be read back while we keep up.
void take_added(publisher_pointer self, const committed& what) {
  auto& window = self->state.window;
  const auto& records = *what.records;
  const auto& events = *what.events;
  const auto first =
    std::min(records.empty() ? what.last : records.front().seq, events.empty() ? what.last : events.front().seq);
  if (!window.can_add(first, records.size() + events.size()))
    return window.more();
  std::vector<sink::message> messages;
  messages.reserve(records.size() + events.size());
  for (const auto& record : records)
    messages.push_back(to_message(record.seq, record));
  for (const auto& event : events)
    messages.push_back(to_message(event.seq, event));
  std::inplace_merge(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(records.size()), messages.end(),
                     [](const auto& a, const auto& b) { return a.seq < b.seq; });
  window.added(std::move(messages));
}

} // namespace

publisher_actor::behavior_type publisher(publisher_pointer self, ledger_actor ledger, publisher_settings settings,
                                         sink_factory make_sink) {
  auto& state = self->state;
  state.window = delivery_window{settings.limits};
  state.settings = std::move(settings);
  state.ledger = std::move(ledger);
  auto me = caf::actor_cast<publisher_actor>(self);
  // The sink lives in our state, which ends with the actor; so the handle that it holds keeps nothing alive for ever.
  state.out = make_sink({[me](delivery_outcome outcome) { caf::anon_send(me, std::move(outcome)); },
                         [me](link_changed link) { caf::anon_send(me, std::move(link)); }});
  self->send(state.ledger, add_listener{me});
  return {
    [self](const committed& what) {
      take_added(self, what);
      pump(self);
    },
    // An empty outcome is our own wake-up call.
    [self](const delivery_outcome& outcome) {
      if (!outcome.stored.empty())
        fail_point(fail_at::published);
      self->state.stuck = !outcome.failed.empty() || (self->state.stuck && outcome.stored.empty());
      self->state.window.stored(outcome.stored);
      self->state.window.failed(outcome.failed, self->clock().now());
      pump(self);
    },
    [self](const link_changed& link) {
      self->state.problem = link.problem;
      self->state.window.link(link.connected, self->clock().now());
      pump(self);
    },
    [self](const read_publisher_state&) {
      auto& now = self->state;
      return publisher_state{now.window.connected(), now.settings.url, now.problem, now.window.shipped(),
                             now.window.in_flight()};
    },
    [self](const drain&) -> caf::result<drained> {
      auto promise = self->make_response_promise<drained>();
      self->state.draining.push_back(promise);
      self->state.window.more();
      pump(self);
      return promise;
    },
  };
}

} // namespace keyportal
