// Who listens to which topics, and up to where each has been told. What a listener missed is read from the ledger's events,
// a piece at a time, until he has caught up; only then he is told what comes. So between the two nothing is lost and nothing
// is told twice. Pure.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <caf/expected.hpp>

#include "messages/events.hpp"
#include "messages/live.hpp"

namespace keyportal {

/// Events that were kept, ascending.
struct stored_events {
  std::vector<node_event> events;
  sequence horizon = 0; ///< those up to here are not kept (any more)
  sequence last = 0;    ///< there is none between the last one told and here, when fewer were told than asked for
};
/// At most so many behind a position.
using events_reader = std::function<caf::expected<stored_events>(sequence after, std::uint32_t limit)>;

/// One thread. A listener costs some 300 bytes; telling one thing to all is linear in their number.
class topic_book {
public:
  /// `position`: of the ledger, from where events are told by `tell`. `greeting` is the overview as it is now.
  topic_book(sequence position, events_reader stored, std::function<live_frame_ptr()> greeting);

  ~topic_book(); ///< ends them all
  topic_book(const topic_book&) = delete;
  topic_book& operator=(const topic_book&) = delete;

  /// True: `room` is to be called for him again, others may go first. Likewise `subscribe` and `room`.
  bool join(const live_join& m);
  bool subscribe(const live_subscribe& m);
  bool room(const live_listener_ptr& who);
  void leave(const live_listener_ptr& who);
  /// Ends those of that session.
  void end(std::string_view tag);
  /// Asks what they may now: those of that subject, or all where it is empty.
  void look_again(std::string_view subject);
  /// Sends a sign of life to those who need one; `with_position`: and tells where they are.
  void beat(bool with_position);

  /// In the order of the ledger; `last` is the ledger's position behind them.
  void tell(const std::vector<node_event>& events, sequence last);
  /// What is now, to whoever is up to date: a listener who is not gets an overview when he is.
  void tell(live_topic topic, const live_frame_ptr& frame);
  /// What somebody's keys used.
  void tell_own(std::string_view subject, const live_frame_ptr& frame);

  [[nodiscard]] sequence position() const { return position_; }
  [[nodiscard]] std::size_t size() const { return clients_.size(); }
  /// Whether anybody listens to it, by itself.
  [[nodiscard]] bool wanted(live_topic topic) const { return counts_[static_cast<std::size_t>(topic)] > 0; }
  /// Whether somebody listens to that one's own.
  [[nodiscard]] bool listens(std::string_view subject) const { return owners_.contains(std::string(subject)); }
  /// Told when the first listener to somebody's own comes, and when the last one has gone. May be unset.
  std::function<void(const live_person&, bool listens)> on_owner;

private:
  /// An event on its way, and whose it is.
  struct told {
    sequence seq = 0;
    topic_set topics; ///< any of them
    user_id owner;    ///< of `own`; empty: nobody's
    live_frame_ptr frame;
  };
  struct client {
    live_listener_ptr who;
    live_person person;
    topic_set topics;
    sequence cursor = 0; ///< all of his events up to here were told
    bool behind = false; ///< what comes later is read from the ledger for him
  };

  static told telling(const node_event& event);
  static bool is_for(const client& c, const told& what);
  client* find(const live_listener_ptr& who);
  void choose(client& c, const std::vector<std::string>& names);
  void set_topics(client& c, topic_set topics);
  void set_person(client& c, live_person person);
  void count(const client& c, bool more);
  bool begin(client& c, std::optional<sequence> after);
  bool catch_up(client& c);
  void gap(client& c, sequence to, std::string_view why);
  void give_state(client& c);
  void remember(told what);

  sequence position_;
  events_reader stored_;
  std::function<live_frame_ptr()> greeting_;
  std::unordered_map<live_listener*, client> clients_;
  std::array<std::size_t, live_topic_count> counts_{};
  std::unordered_map<std::string, std::size_t> owners_; ///< subjects, and how many listen to their own
  std::deque<told> recent_;                             ///< all events behind `recent_from_`
  sequence recent_from_;
};

} // namespace keyportal
