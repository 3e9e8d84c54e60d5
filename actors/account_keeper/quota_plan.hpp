// Which account is asked for its quota next, and when: each at its interval, spread, never more than once a second, later
// after a refusal. Pure; time is an argument.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "messages/accounts.hpp"

namespace keyportal {

class quota_plan {
public:
  using time = moment;
  enum class outcome : std::uint8_t {
    told,      ///< it was understood
    refused,   ///< the provider does not know the account any more: not again until its file changes
    slow_down, ///< the provider asks for fewer questions
    failed
  };
  static constexpr std::chrono::seconds least_between{1}; ///< of one account, whoever asks
  static constexpr std::chrono::minutes longest_pause{60};

  /// 0: nothing is asked by itself.
  explicit quota_plan(std::chrono::milliseconds interval) : interval_(interval) {}

  /// The account can be asked. `stamp` is of its file: another one lifts a refusal.
  void there(const account_id& id, const node_name& node, std::int64_t stamp, time now);
  void gone(const account_id& id);
  /// Somebody wants to know now; false where it was asked within the last second.
  bool hurry(const account_id& id, time now);
  /// The next one of a node that is due; nothing while one of that node is under way.
  [[nodiscard]] std::optional<account_id> next(const node_name& node, time now) const;
  /// When some node has one due; for waking up.
  [[nodiscard]] std::optional<time> wake_at() const;
  void asked(const account_id& id, time now);
  void answered(const account_id& id, outcome how, time now);
  [[nodiscard]] bool has(const account_id& id) const { return entries_.contains(id); }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

private:
  struct entry {
    node_name node;
    std::int64_t stamp = 0;
    std::optional<time> due; ///< not set: until the file changes
    std::optional<time> last;
    bool under_way = false;
    int failures = 0;
  };
  [[nodiscard]] bool busy(const node_name& node) const;
  std::chrono::milliseconds interval_;
  std::map<account_id, entry> entries_;
  std::map<node_name, int> under_way_;
};

} // namespace keyportal
