// The order in which Key Portal stops, and how long each stage may take. Pure.
#pragma once

#include <array>
#include <chrono>
#include <string_view>

namespace keyportal {

enum class stage {
  gateway,
  pollers,
  collectors,
  keepers,
  keys,
  accounts,
  authenticator,
  registry,
  notifier,
  ledger,
  publisher
};

struct shutdown_stage {
  stage what;
  std::string_view name;
  std::string_view why_here;
  int share; ///< of the whole grace time, in percent; what an early stage leaves goes to the later ones
};

/// Inputs first, then what works on them, the ledger before the publisher: what it commits last is to be shipped too.
/// After the last stage the actors end and the database is closed. A stage over its time is left behind by name: all
/// that matters is durable already.
inline constexpr std::array<shutdown_stage, 11> shutdown_stages{{
  {stage::gateway, "gateway", "no new work from outside", 10},
  {stage::pollers, "pollers", "no new work from the nodes; a poll under way is finished", 15},
  {stage::collectors, "collectors", "no new records from queues; what came is decoded and entered", 10},
  {stage::keepers, "snapshot keepers", "the last snapshot, while the ledger still takes what it says", 10},
  {stage::keys, "key keepers", "a write of keys under way is finished", 5},
  {stage::accounts, "account keeper", "what was seen of accounts is on disk", 5},
  {stage::authenticator, "authenticator", "when sessions were used last is on disk", 5},
  {stage::registry, "key registry", "commands that were taken are answered", 5},
  {stage::notifier, "notifier", "what came of notices under way is on disk; the others wait there", 5},
  {stage::ledger, "ledger", "what waits is committed", 15},
  {stage::publisher, "publisher", "what is committed is shipped, if NATS is there", 15},
}};

/// Walks through the stages.
class shutdown_plan {
public:
  using time = std::chrono::steady_clock::time_point;

  shutdown_plan(std::chrono::milliseconds grace, time now) : grace_(grace), end_(now) {}

  [[nodiscard]] bool done() const { return next_ == shutdown_stages.size(); }
  /// The next stage; ask only while not `done`.
  const shutdown_stage& begin_next() {
    const auto& s = shutdown_stages[next_++];
    end_ += grace_ * s.share / 100;
    return s;
  }
  /// When the stage that has begun must end.
  [[nodiscard]] time deadline() const { return end_; }

private:
  std::chrono::milliseconds grace_;
  time end_;
  std::size_t next_ = 0;
};

} // namespace keyportal
