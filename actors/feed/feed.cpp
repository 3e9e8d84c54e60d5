#include "actors/feed/feed.hpp"

#include <caf/all.hpp>
#include <nlohmann/json.hpp>

#include "actors/telemetry/log.hpp"
#include "messages/errors.hpp"
#include "messages/json.hpp"
#include "messages/price_json.hpp"
#include "messages/store_json.hpp"

namespace keyportal {
namespace {
struct beat_tick {};
struct jobs_tick {};
} // namespace
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::beat_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::jobs_tick)

namespace keyportal {
namespace {

using namespace std::chrono_literals;

using feed_impl = live_feed_actor::extend<caf::reacts_to<beat_tick>, caf::reacts_to<jobs_tick>>;

/// A silent stream is held for dead by proxies after a minute or half of one.
constexpr auto beat_pause = 15s;
/// In beats: a quarter of an hour, and half an hour.
constexpr std::uint64_t position_beats = 60, look_beats = 120;
constexpr auto jobs_pause = 1s;
constexpr auto patience = 10s;

struct feed_core;
struct feed_memory {
  feed_memory() = default;
  static inline const char* name = "feed";
  std::unique_ptr<feed_core> core;
};
using self_ptr = feed_impl::stateful_pointer<feed_memory>;

struct feed_core {
  feed_core(self_ptr who, feed_settings with, feed_peers others)
    : self(who), settings(std::move(with)), peers(std::move(others)),
      book(settings.position, settings.stored, [this] { return greeting(); }) {
    book.on_owner = [this](const live_person& person, bool listens) { owner(person, listens); };
  }

  // --- what is now ---

  /// The same for everybody who comes within a second, unless something happened.
  live_frame_ptr greeting() {
    const auto now = settings.now();
    if (!greeting_frame || now - greeting_at >= 1s || now < greeting_at) {
      greeting_frame = settings.now_board->greeting(now);
      greeting_at = now;
    }
    return greeting_frame;
  }

  template <class Message>
  void tell(const Message& m) {
    const auto now = settings.now();
    auto frames = settings.now_board->on(m, now);
    if (!frames.empty())
      greeting_frame = nullptr;
    for (const auto& one : frames)
      book.tell(live_topic::nodes, one);
  }

  void tell_commit(const committed& m) {
    // Events first: whoever is told of a position has been told what happened up to it.
    greeting_frame = nullptr;
    auto frames = settings.now_board->on(m, settings.now());
    book.tell(*m.events, m.last);
    for (const auto& one : frames)
      book.tell(live_topic::nodes, one);
    own.learn(*m.events);
    const auto now = settings.now();
    if (own.size() > 0)
      pass(own.on(m, settings.midnight(now), now));
  }

  // --- who listens ---

  void go_on(bool more, const live_listener_ptr& who) {
    if (more)
      self->send(self, live_room{who});
    if (book.size() > 0 && !std::exchange(beating, true))
      self->delayed_send(self, beat_pause, beat_tick{});
    if (book.wanted(live_topic::jobs) && !std::exchange(watching_jobs, true))
      self->send(self, jobs_tick{});
  }

  void beat() {
    beating = book.size() > 0;
    if (!beating)
      return;
    ++beats;
    if (beats % look_beats == 0)
      book.look_again({});
    book.beat(beats % position_beats == 0);
    self->delayed_send(self, beat_pause, beat_tick{});
  }

  // --- one's own ---

  void owner(const live_person& person, bool listens) {
    if (!listens)
      return own.leave(person.subject());
    own.listen(person);
    if (!person.user.empty())
      ask_keys(person.user, {});
  }

  void ask_keys(const user_id& user, const key_id& after) {
    if (!peers.registry)
      return;
    list_keys which;
    which.owner = user;
    which.after = after;
    which.limit = 1000;
    self->request(peers.registry, patience, std::move(which))
      .then(
        [this, user](const key_page& page) {
          std::vector<key_id> ids;
          for (const auto& key : page.keys)
            ids.push_back(key.id);
          own.learn(user, ids);
          if (page.more && !ids.empty())
            ask_keys(user, ids.back());
        },
        [user](const caf::error& error) {
          log::warn("feed", "keys", "the keys of {} are not known: {}", user, render(error));
        });
  }

  void pass(own_usage::news news) {
    for (const auto& [subject, frame] : news.frames)
      book.tell_own(subject, frame);
    for (auto& [subject, question] : news.questions) {
      const auto from = question.from;
      const auto answered = [this, subject = subject, from](const usage_report* report) {
        pass(own.answer(subject, from, report, settings.now()));
      };
      if (!peers.analyst) {
        answered(nullptr);
        continue;
      }
      self->request(peers.analyst, patience, ask_usage{std::move(question), {}, {}})
        .then([answered](const std::shared_ptr<const usage_report>& report) { answered(report.get()); },
              [answered](const caf::error&) { answered(nullptr); });
    }
  }

  // --- long work ---

  template <class State, class Handle, class Question, class Running>
  void look_at(const std::string& job, const Handle& whom, Question question, Running running) {
    if (!whom)
      return;
    self->request(whom, patience, std::move(question))
      .then(
        [this, job, running](const State& state) {
          if (const auto frame = jobs.on(job, running(state), to_json(state)))
            book.tell(live_topic::jobs, frame);
        },
        [](const caf::error&) {}); // it is busy, or stops
  }

  void look_at_jobs() {
    watching_jobs = book.wanted(live_topic::jobs);
    if (!watching_jobs)
      return;
    look_at<ledger_check>("ledger_check", peers.checker, read_ledger_check{}, [](const auto& s) { return s.running; });
    look_at<reprice_state>("reprice", peers.ledger, read_reprice{}, [](const auto& s) { return s.running; });
    look_at<backup_state>("backup", peers.backups, read_backup_state{}, [](const auto& s) { return !s.doing.empty(); });
    look_at<retention_state>("retention", peers.retention, read_retention_state{},
                             [](const auto& s) { return s.running; });
    self->delayed_send(self, jobs_pause, jobs_tick{});
  }

  self_ptr self;
  feed_settings settings;
  feed_peers peers;
  topic_book book;
  own_usage own;
  job_board jobs;
  live_frame_ptr greeting_frame;
  moment greeting_at{};
  std::uint64_t beats = 0;
  bool beating = false, watching_jobs = false;
};

feed_impl::behavior_type feed(self_ptr self, feed_settings settings, feed_peers peers) {
  self->state.core = std::make_unique<feed_core>(self, std::move(settings), std::move(peers));
  auto* const core = self->state.core.get();
  return {
    [core](const committed& m) { core->tell_commit(m); },
    [core](const node_condition& m) { core->tell(m); },
    [core](const restart_noticed& m) { core->tell(m); },
    [core](const snapshot_made& m) { core->tell(m); },
    [core](const read_overview&) { return core->settings.now_board->now_is(core->settings.now()); },
    [core](const read_greeting&) {
      const auto frame = core->greeting();
      return std::shared_ptr<const std::string>(frame, &frame->text);
    },
    [core](const live_join& m) { core->go_on(core->book.join(m), m.who); },
    [core](const live_subscribe& m) { core->go_on(core->book.subscribe(m), m.who); },
    [core](const live_room& m) { core->go_on(core->book.room(m.who), m.who); },
    [core](const live_leave& m) { core->book.leave(m.who); },
    [core](const live_end& m) { core->book.end(m.tag); },
    [core](const live_look_again& m) { core->book.look_again(m.subject); },
    [core](beat_tick) { core->beat(); },
    [core](jobs_tick) { core->look_at_jobs(); },
  };
}

} // namespace

live_feed_actor spawn_feed(caf::actor_system& system, feed_settings settings, feed_peers peers) {
  return system.spawn(feed, std::move(settings), std::move(peers));
}

} // namespace keyportal
