// When the next backup is due. Pure: time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "messages/timestamp.hpp"

namespace keyportal {

class backup_plan {
public:
  /// `interval` 0: never by itself.
  explicit backup_plan(std::chrono::milliseconds interval) : interval_(interval) {}

  /// What is known when the service starts: the newest one there is, perhaps none. One that is overdue is made a minute
  /// later, when everything has found its pace.
  void started(moment now, std::optional<moment> newest) {
    const auto soon = now + std::min<std::chrono::milliseconds>(interval_, std::chrono::minutes{1});
    due_ = newest ? std::max(*newest + interval_, soon) : soon;
  }
  void made(moment now) { due_ = now + interval_; }
  /// It is tried again after ten minutes, or the interval if that is shorter.
  void failed(moment now) { due_ = now + std::min<std::chrono::milliseconds>(interval_, std::chrono::minutes{10}); }

  [[nodiscard]] std::optional<moment> due() const { return interval_.count() == 0 ? std::nullopt : due_; }
  [[nodiscard]] bool is_due(moment now) const { return due() && *due() <= now; }

private:
  std::chrono::milliseconds interval_;
  std::optional<moment> due_;
};

} // namespace keyportal
