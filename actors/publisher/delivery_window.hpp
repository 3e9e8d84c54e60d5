// Decides what is sent when, so that every outbox item reaches the stream once and in order.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "actors/publisher/sink.hpp"

namespace keyportal {

struct delivery_limits {
  std::size_t in_flight = 4096; ///< messages sent since the oldest unanswered one, at most: so many ids tell all
  std::size_t page = 1024;      ///< items asked of the outbox at a time
  std::size_t added = 8192;     ///< items that wait without having been read from the outbox, at most
  std::chrono::milliseconds first_pause{100}; ///< after a failure; doubled until something is stored again
  std::chrono::milliseconds longest_pause{5000};
};

/// A window of messages over the outbox. It is either *sure* of what the stream holds and then sends in outbox order,
/// or *unsure* (at the start, when the link changed, after any failure) and then sends nothing, waits for the answers
/// to everything in flight, has the end of the stream read, and begins again with what the outbox still holds. Items
/// whose ids are in the stream already are taken as stored. Not thread safe.
class delivery_window {
public:
  using time = std::chrono::steady_clock::time_point;

  explicit delivery_window(delivery_limits limits) : limits_(limits) {}

  // --- what happened ---
  void link(bool connected, time now);
  /// Something was added to the outbox.
  void more() {
    at_end_ = false;
    more_while_reading_ = reading_;
  }
  /// Whether so many items from `first` on, which were just added to the outbox, may be given to `added`: everything
  /// before them was read, and there is room. If not, `more` has them read when their turn comes.
  [[nodiscard]] bool can_add(sequence first, std::size_t count) const {
    return sure_ && at_end_ && !reading_ && first == cursor_ + 1 && waiting_.size() + count <= limits_.added;
  }
  void added(std::vector<sink::message> items);
  /// Answer to `wants_page`: items in outbox order; none means that the outbox was read to its end.
  void page(std::vector<sink::message> items);
  void page_failed(time now);
  /// Answer to `wants_tail`.
  void tail(std::unordered_set<std::string> ids);
  void tail_failed(time now);
  /// Outcomes of what `take` gave out. Those that are not in flight are ignored.
  void stored(const std::vector<sequence>& seqs);
  void failed(const std::vector<sequence>& seqs, time now);

  // --- what to do now ---
  /// Read the end of the streams. True until answered.
  [[nodiscard]] bool wants_tail(time now) const;
  /// Read `limits.page` outbox items after this one; asked once, then silent until answered.
  std::optional<sequence> wants_page();
  /// Messages to send, in order, at most `most`. They count as in flight.
  std::vector<sink::message> take(std::size_t most);
  /// Items found stored since the last call; the outbox may forget them.
  std::vector<sequence> take_stored();
  /// When to look again although nothing happens.
  [[nodiscard]] std::optional<time> wake_at() const;

  // --- how it stands ---
  [[nodiscard]] bool connected() const { return connected_; }
  /// The outbox was read to its end and all of it is stored.
  [[nodiscard]] bool idle() const { return sure_ && at_end_ && !reading_ && waiting_.empty() && in_flight_.empty(); }
  [[nodiscard]] std::size_t in_flight() const { return in_flight_.size(); }
  /// All items up to here are stored.
  [[nodiscard]] sequence shipped() const { return shipped_; }

private:
  void doubt(time now);
  void note_shipped();

  delivery_limits limits_;
  bool connected_ = false;
  bool sure_ = false;
  bool reading_ = false;            // a page is on its way
  bool discard_ = false;            // …and was asked for before doubt arose
  bool more_while_reading_ = false; // so an empty page is not the end
  bool at_end_ = false;
  sequence cursor_ = 0; // read up to here
  sequence shipped_ = 0;
  std::deque<sink::message> waiting_;
  std::map<sequence, std::uint64_t> in_flight_; // with the number of the sending
  std::uint64_t sent_ = 0;
  std::vector<sequence> stored_;
  std::unordered_set<std::string> tail_; // kept until the outbox was read to its end: any item of it may be in there
  std::chrono::milliseconds pause_{0};
  time not_before_{};
};

} // namespace keyportal
