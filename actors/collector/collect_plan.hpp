// Which way a node's records are taken out of its queue, and when it is tried. Pure: time is an argument.
#pragma once

#include <chrono>
#include <optional>

#include "messages/actors.hpp"

namespace keyportal {

enum class collect_setting : std::uint8_t { automatic, off, subscribe, resp_pop, http_pop };
/// Of the words of the option collect.mode; automatic for any other.
collect_setting collect_setting_of(std::string_view word);

/// Prefers what loses least: being pushed to, then popping over RESP, then popping over HTTP. What did not work is
/// tried again every minute, and as soon as the node is another process.
class collect_plan {
public:
  using time = std::chrono::steady_clock::time_point;
  explicit collect_plan(collect_setting setting) : setting_(setting) {}

  /// What the node offers; `restarted`: it is another process than the one that refused something.
  void era_found(const era_answer& era, bool restarted);
  /// The way to take now; off while nothing is known, nothing is offered, or the next try is not due.
  [[nodiscard]] queue_mode mode(time now) const;
  /// A try began to work.
  void connected(time now);
  /// It ended or was refused; `wait`: for node_banned, how long the ban lasts.
  void failed(queue_mode mode, errc why, time now, std::chrono::seconds wait = {});
  /// When `mode` may change without anything happening.
  [[nodiscard]] std::optional<time> wake_at(time now) const;
  /// A better way than the present one is due for another try: the caller ends the present one.
  [[nodiscard]] bool better_way_due(time now) const;
  /// The node offers no way at all (switched off, or older than queues).
  [[nodiscard]] bool hopeless() const;
  /// Beside `/usage` only freshness depends on the queue: nothing is wrong when it cannot be had.
  [[nodiscard]] bool beside_usage() const { return era_ && era_->has_usage; }

private:
  [[nodiscard]] queue_mode best(time now) const;

  collect_setting setting_;
  std::optional<era_answer> era_;
  time subscribe_again_{}; ///< not before
  time resp_again_{};
  time http_again_{};
  time next_try_{};
  std::chrono::milliseconds backoff_{0};
};

} // namespace keyportal
