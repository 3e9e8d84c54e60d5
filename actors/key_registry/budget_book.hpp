// How much of their budgets keys, users and groups have used, and what follows. No actor, no I/O.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "actors/key_registry/registry_book.hpp"

namespace keyportal {

/// The window's beginning for that moment, in the time zone of the process; the beginning of time for `lifetime`.
/// Weeks begin on Monday (ISO 8601). Right across daylight saving.
moment window_start(budget_window window, moment at);
/// The beginning of the next one; far in the future for `lifetime`.
moment next_window_start(budget_window window, moment at);

/// Counts what the ledger got. A record counts in the window of its own time, also when it comes late, for whoever owns
/// the key now. A key that replaced another goes on with what that one used. Adding: O(1). One thread.
class budget_book {
public:
  explicit budget_book(const registry_book& registry) : registry_(&registry) {}

  void add(const key_id& key, moment at, std::int64_t requests, std::int64_t tokens, moment now,
           std::int64_t cost_nano = 0);
  /// Something about the key changed: judge it anew.
  void touch(const key_id& key);
  /// Its use is another person's now.
  void owner_changed(const key_id& key);
  /// People are in other groups, or other groups have policies: what groups used is added up anew.
  void groups_changed() { recount_ = true; }

  /// What was crossed since, and which keys that were suspended for a budget are within it again (a window turned, a
  /// limit was raised). Empty lists when nothing happened. What it says becomes true by `budgets_crossed`.
  [[nodiscard]] budgets_crossed judge(moment now);
  /// Of one key, with those of its owner and group.
  [[nodiscard]] std::vector<budget_use> uses_of(const key_id& key, moment now);

private:
  struct count {
    moment since{};
    std::int64_t requests = 0, tokens = 0, cost_nano = 0;
  };
  using counts = std::array<count, 6>; ///< by window
  struct current {
    moment since = moment::max(), until{};
  };

  /// The first of the keys that replaced each other.
  const key_id& root_of(const key_id& key) const;
  void recount(moment now);
  void count_in(const std::string& scope, moment at, std::int64_t requests, std::int64_t tokens, std::int64_t cost_nano,
                moment now);
  /// `window_start`, worked out once for each window: calendars are slow.
  moment start(budget_window window, moment now) const;
  [[nodiscard]] std::int64_t used(const std::string& scope, const budget& of, moment now) const;
  /// Adds marks to be told; true when one of the budgets is used up.
  template <class Tell>
  bool judge(const std::string& scope, const std::vector<budget>& budgets, const std::vector<budget_mark>& told,
             moment now, Tell&& tell) const;
  [[nodiscard]] bool exhausted(const std::string& scope, const std::vector<budget>& budgets, moment now) const;
  [[nodiscard]] bool exhausted(const client_key& key, moment now) const;

  const registry_book* registry_;
  mutable std::array<current, 6> windows_;
  std::unordered_map<std::string, counts> scopes_;   ///< "k" + key id, "u" + user id, "g" + group
  std::unordered_set<std::string> dirty_;            ///< ids of keys
  mutable std::unordered_map<key_id, key_id> roots_; ///< of keys that replaced others
  bool recount_ = false;
};

} // namespace keyportal
