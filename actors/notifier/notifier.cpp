#include "actors/notifier/notifier.hpp"

#include <random>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "actors/notifier/local_queue.hpp"
#include "actors/notifier/notifier_core.hpp"
#include "actors/telemetry/fail_point.hpp"
#include "actors/telemetry/log.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t page = 1000;
constexpr auto disk_pause = 5s;
constexpr auto queue_pause = 1s;
constexpr auto turn_pause = 500ms;

double machine_chance() {
  static thread_local std::mt19937_64 source{std::random_device{}()};
  return std::uniform_real_distribution<double>{0, 1}(source);
}

} // namespace

notifier_core::notifier_core(notifier_pointer who, notifier_settings with, std::shared_ptr<storage::ledger> from,
                             metrics& counted)
  : self(who), settings(std::move(with)), store(std::move(from)), shelf(store->notices()), numbers(counted),
    book(fresh_book()) {
  for (const auto& one : settings.notices.channels)
    channels.emplace(one.name, make_channel(one));
}

notice_book notifier_core::fresh_book() const {
  return notice_book{{settings.notices, settings.zone, settings.chance ? settings.chance : &machine_chance}};
}

void notifier_core::start() {
  wire = std::make_unique<notice_wire>(settings.wire);
  if (may_decide()) {
    if (auto failed = load()) {
      log::error("notices", "unreadable", "{}", render(failed));
      self->quit(failed);
      return;
    }
    open_queue();
  }
  self->send(caf::actor_cast<notifier_impl>(self), hourly{});
  pump();
}

/// Where others may be the ones that decide: as soon as it is we, what is on disk is read anew; as soon as it is not, nothing is
/// decided or taken out of the queue any more.
bool notifier_core::takes_turn() {
  if (!settings.may_decide)
    return true;
  if (!may_decide()) {
    ready = false;
    queue.reset();
    queue_connected = false;
    self->delayed_send(caf::actor_cast<notifier_impl>(self), turn_pause, wake_up{});
    return false;
  }
  if (!queue) {
    if (load())
      self->delayed_send(caf::actor_cast<notifier_impl>(self), disk_pause, wake_up{});
    else
      open_queue();
  }
  return ready;
}

void notifier_core::open_queue() {
  auto me = caf::actor_cast<notifier_actor>(self);
  delivery_queue::callbacks told{[me](order_taken order) { caf::anon_send(me, std::move(order)); },
                                 [me](queue_changed change) { caf::anon_send(me, std::move(change)); }};
  queue =
    settings.make_queue ? settings.make_queue(std::move(told)) : std::make_unique<local_queue>(shelf, std::move(told));
}

// --- what is on disk ---------------------------------------------------------------------------------------

caf::error notifier_core::load() {
  ready = false;
  book = fresh_book();
  auto progress = shelf->load_progress();
  if (!progress)
    return progress.error();
  auto open = shelf->open_notices();
  if (!open)
    return open.error();
  auto wished = shelf->preferences();
  if (!wished)
    return wished.error();
  people_position = store->registry_position();
  if (auto failed = store->read()->each_user({}, [this](user&& one) {
        book.people.put(one);
        return true;
      }))
    return failed;
  for (auto& one : *wished)
    book.people.put(std::move(one));
  notice_changes out;
  // Nobody is told of what happened before there were notices.
  position = progress->position.value_or(store->state().last);
  if (!progress->position)
    out.position = position;
  book.restore(std::move(*open), std::move(progress->marks), settings.now(), out);
  if (auto failed = shelf->commit(out))
    return failed;
  ready = true;
  return {};
}

bool notifier_core::commit(const notice_changes& what) {
  auto failed = shelf->commit(what);
  if (!failed) {
    disk_problem.clear();
    return true;
  }
  disk_problem = render(failed);
  log::error("notices", "not-kept", "{}", disk_problem);
  ready = false; // what was decided is not on disk: it is read anew, and decided again
  self->delayed_send(caf::actor_cast<notifier_impl>(self), disk_pause, wake_up{});
  return false;
}

void notifier_core::learn_people() {
  while (people_position < store->registry_position()) {
    const auto entries = store->entries(people_position, page);
    if (!entries || entries->empty())
      return;
    for (const auto& entry : *entries) {
      for (const auto& change : entry.users)
        if (change.after)
          book.people.put(*change.after);
      people_position = entry.position;
    }
  }
}

std::string notifier_core::shown_key(const key_id& id) const {
  if (id.empty())
    return {};
  auto before = id;
  before.back() = static_cast<char>(before.back() - 1);
  before += '\x7f'; // the last text before it
  std::string out;
  const auto failed = store->read()->each_key(before, [&](client_key&& key) {
    if (key.id == id)
      out = key.label.empty() ? key.shown : fmt::format("{} ({})", key.label, key.shown);
    return false;
  });
  return failed ? std::string{} : out;
}

void notifier_core::read_events() {
  for (;;) {
    const auto found = store->events(position, page);
    if (!found) {
      log::warn("notices", "events", "{}", render(found.error()));
      return;
    }
    if (found->horizon > position)
      log::warn("notices", "events-gone",
                "Events up to {} were let go before they could be told; nobody hears of those from {} on",
                found->horizon, position + 1);
    notice_changes out;
    const auto now = settings.now();
    for (const auto& event : found->events)
      book.decide(
        event, [this](const key_id& id) { return shown_key(id); }, now, out);
    const bool more = found->events.size() == page;
    const auto reached = more ? found->events.back().seq : std::max(position, found->last);
    if (!found->events.empty()) {
      out.position = reached;
      if (!commit(out))
        return;
      fail_point(fail_at::decided_notice);
    }
    position = reached; // without events it is not worth a write: it comes to the same when it is read again
    if (!more)
      return;
  }
}

// --- into the queue, and out of it ------------------------------------------------------------------------------

void notifier_core::pump() {
  if (!draining && !takes_turn())
    return;
  if (!ready && load())
    return self->delayed_send(caf::actor_cast<notifier_impl>(self), disk_pause, wake_up{});
  if (draining)
    return answer_drain();
  learn_people();
  read_events();
  if (ready)
    hand_out();
  numbers.notices_waiting.Set(static_cast<double>(book.waiting()));
  wake_when_due();
}

void notifier_core::hand_out() {
  if (!queue || !queue_connected)
    return;
  notice_changes out;
  const auto orders = book.pick(settings.now(), out);
  if (!commit(out))
    return;
  if (orders.empty())
    return;
  if (auto failed = queue->put(orders)) {
    queue_problem = render(failed);
    book.not_queued(orders);
    self->delayed_send(caf::actor_cast<notifier_impl>(self), queue_pause, wake_up{});
    return;
  }
  queue_problem.clear();
  fail_point(fail_at::queued_notice);
}

void notifier_core::wake_when_due() {
  const auto at = book.wake_at();
  const auto now = settings.now();
  if (!at || !queue_connected || (woken_at > now && woken_at <= *at))
    return;
  // Not at once again and again where something holds it up, and not late when clocks are set.
  woken_at = std::clamp(*at + 1ms, now + 20ms, now + 60s);
  self->delayed_send(caf::actor_cast<notifier_impl>(self), woken_at - now, wake_up{});
}

void notifier_core::order(const order_taken& what) {
  if (draining || !ready)
    return; // it comes again
  fail_point(fail_at::taken_notice);
  notice_changes out;
  const auto now = settings.now();
  const auto start = book.taken(what.id, now, out);
  if (start.later) {
    self->delayed_send(caf::actor_cast<notifier_actor>(self),
                       std::max<std::chrono::nanoseconds>(*start.later - now, 1ms), what);
    return;
  }
  if (start.begin == nullptr) {
    if (!flights.contains(what.id))
      queue->done(what.lease);
    return wake_when_due();
  }
  auto ready_to_go = parcel_of(*start.begin);
  const auto channel = start.begin->channel;
  if (!commit(out))
    return;
  fail_point(fail_at::begun_notice);
  auto& going = flights[what.id] = {std::move(ready_to_go), what.lease};
  go_on(what.id, channels.at(channel)->begin(going.what, now));
}

parcel notifier_core::parcel_of(const notice_record& what) const {
  parcel out;
  out.what = what;
  out.facts = what.facts;
  auto facts = nlohmann::json::parse(what.facts, nullptr, false);
  if (!facts.is_object())
    facts = nlohmann::json::object();
  if (!what.sealed.empty())
    if (const auto code = shelf->open_text(what.sealed, what.id))
      facts["code"] = *code;
  const auto* kind = find_kind(what.kind);
  static const notice_kind none{what.kind, {}, {}, notice_audience::asked, notice_weight::news, {}, {}, {}, {}, {}};
  out.text = write_letter(kind != nullptr ? *kind : none, what.language, facts, settings.zone,
                          settings.notices.base_url, what.id);
  const auto again =
    std::count_if(what.attempts.begin(), what.attempts.end(), [](const auto& a) { return a.outcome == "resent"; });
  out.dedup = again == 0 ? what.id : fmt::format("{}-{}", what.id, again);
  return out;
}

void notifier_core::go_on(const notice_id& id, channel_step step) {
  if (auto* request = std::get_if<wire_request>(&step)) {
    auto me = caf::actor_cast<notifier_impl>(self);
    wire->send(std::move(*request), [me, id](wire_answer answer) {
      caf::anon_send(me, wire_answered{id, std::move(answer)});
    });
    return;
  }
  ended(id, std::get<delivery_result>(step));
}

void notifier_core::answered(const wire_answered& what) {
  const auto found = flights.find(what.id);
  if (found == flights.end())
    return;
  auto& parcel = found->second.what;
  go_on(what.id, channels.at(parcel.what.channel)->answered(parcel, what.answer, settings.now()));
}

void notifier_core::ended(const notice_id& id, const delivery_result& result) {
  fail_point(fail_at::sent_notice);
  auto over = std::move(flights.extract(id).mapped());
  const auto& what = over.what.what;
  const auto now = settings.now();
  notice_changes out;
  book.ended(id, result, now, out);
  if (commit(out)) {
    fail_point(fail_at::noted_notice);
    queue->done(over.lease);
  }
  auto counted = numbers.of_channel(what.channel);
  using kind = delivery_result::kind;
  (result.is == kind::delivered ? counted.delivered
   : result.is == kind::refused ? counted.refused
   : result.is == kind::unknown ? counted.unknown
                                : counted.again)
    .Increment();
  if (result.is == kind::delivered)
    counted.seconds.Observe(std::chrono::duration<double>(now - what.due_at).count());
  else
    log::warn("notices", "not-delivered", "{}, {} by {}: {}", id, what.kind, what.channel, result.answer);
  tell_of_channel(what.channel);
  draining ? answer_drain() : pump();
}

void notifier_core::tell_of_channel(const std::string& name) {
  notices_state now;
  book.show(now);
  for (const auto& one : now.channels) {
    if (one.name != name)
      continue;
    numbers.of_channel(name).failing.Set(one.resting_until ? 1 : 0);
    if (!one.resting_until || *one.resting_until - settings.now() < 20s)
      return; // a hiccup is no news
    notice_news news;
    news.kind = find_kind("channel.failing");
    news.facts = {{"channel", name}, {"problem", one.problem}};
    news.about = name;
    notice_changes out;
    book.tell(news, settings.now(), ++made, settings.now(), out);
    commit(out);
    return;
  }
}

void notifier_core::look_hourly() {
  self->delayed_send(caf::actor_cast<notifier_impl>(self), 1h, hourly{});
  if (!ready || draining)
    return;
  const auto now = settings.now();
  notice_changes out;
  book.forget_marks(now - 24h * 40, out);
  if (auto old = shelf->older_than(now - settings.notices.kept, 5000))
    out.dropped = std::move(*old);
  const double days = settings.certificate_days ? settings.certificate_days() : 0;
  for (const int before : {1, 3, 7, 14, 30})
    if (days > 0 && days <= before) {
      notice_news news;
      news.kind = find_kind("certificate.expiring");
      const auto ends = now + std::chrono::seconds{static_cast<std::int64_t>(days * 86'400)};
      news.facts = {{"days", static_cast<int>(days + 0.5)}, {"expires_at", to_rfc3339_ms(ends)}};
      news.about = fmt::format("{}/{}", to_rfc3339_ms(ends).substr(0, 10), before);
      book.tell(news, now, ++made, now, out);
      break;
    }
  if (commit(out))
    pump();
}

caf::result<drained> notifier_core::finish() {
  draining = true;
  auto promise = self->make_response_promise<drained>();
  waiting_drains.push_back(promise);
  answer_drain();
  return promise;
}

void notifier_core::answer_drain() {
  if (!flights.empty())
    return;
  for (auto& promise : waiting_drains)
    promise.deliver(drained{});
  waiting_drains.clear();
}

namespace {

notifier_impl::behavior_type notifier(notifier_pointer self, notifier_settings settings,
                                      std::shared_ptr<storage::ledger> store, metrics* numbers) {
  self->state.core = std::make_unique<notifier_core>(self, std::move(settings), std::move(store), *numbers);
  auto* const core = self->state.core.get();
  core->start();
  return {
    [core](const committed& what) {
      const auto told = [](const node_event& e) { return e.kind != event_kind::totals && e.kind != event_kind::usage; };
      if (std::any_of(what.events->begin(), what.events->end(), told))
        core->pump();
    },
    [core](const send_code& what) { core->code(what); },
    [](const notice&) {}, // it is decided from the registry's own events
    [core](const list_notices& what) { return core->list(what); },
    [core](const read_notice& what) { return core->read(what.id); },
    [core](const resend_notice& what) { return core->resend(what.id); },
    [core](const preview_notice& what) { return core->preview(what); },
    [core](const test_channel& what) { return core->test(what); },
    [core](const remind_people& what) { return core->remind(what); },
    [core](const read_notice_preferences& what) { return core->wishes(what.user); },
    [core](const put_notice_preferences& what) { return core->put_wishes(what.what); },
    [core](const read_notices_state&) { return core->state(); },
    [core](const order_taken& what) { core->order(what); },
    [core](const queue_changed& what) { core->connected(what); },
    [core](const drain&) { return core->finish(); },
    [core](const wire_answered& what) { core->answered(what); },
    [core](wake_up) { core->pump(); },
    [core](hourly) { core->look_hourly(); },
  };
}

} // namespace

notifier_actor spawn_notifier(caf::actor_system& system, bool own_thread, notifier_settings settings,
                              std::shared_ptr<storage::ledger> store, metrics& numbers) {
  return own_thread ? system.spawn<caf::detached>(notifier, std::move(settings), std::move(store), &numbers)
                    : system.spawn(notifier, std::move(settings), std::move(store), &numbers);
}

} // namespace keyportal
