// Who owns which key, since when, and what people call both: what the registry's log says, as far as questions about
// usage need it. No actor, no clock.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "messages/registry.hpp"

namespace keyportal {

/// Follows the log: begin with an image of it, then take every entry behind it. One thread.
class ownership {
public:
  ownership() = default;
  explicit ownership(const registry_image& image);
  void take(const registry_entry& entry);
  [[nodiscard]] log_position position() const { return position_; }

  struct owner {
    user_id user;
    moment since{}; ///< what was used before belongs to nobody
  };
  /// Null: nobody has owned it yet. A key never changes owners.
  [[nodiscard]] const owner* owner_of(const key_id& key) const;
  struct membership {
    group_name group;
    moment since = moment::min();
  };
  /// The groups that somebody belonged to, one after the other, oldest first: of those that the person was in, the first
  /// one that has a policy now. One at least; of nobody "".
  [[nodiscard]] std::vector<membership> memberships_of(const user_id& user) const;
  /// Days (since 1970, UTC) in which a key that may have been used before got its owner, or somebody another group.
  [[nodiscard]] std::vector<std::int32_t> days_of_change() const;

  /// What is shown for a key or a user; empty where there is nothing to show.
  [[nodiscard]] const std::string& shown(const std::string& id) const;
  /// Keys that work now.
  [[nodiscard]] const std::set<key_id>& working_keys() const { return working_; }
  /// People who have a key that works now.
  [[nodiscard]] std::set<user_id> people_with_keys() const;

private:
  void put(const client_key& key);
  void put(const user& who);

  log_position position_ = 0;
  std::unordered_map<key_id, owner> owners_;
  std::set<key_id> working_;
  struct groups {
    std::vector<group_name> now;
    std::vector<former_groups> before;
  };
  [[nodiscard]] const group_name& deciding(const std::vector<group_name>& all) const;
  std::unordered_map<user_id, groups> groups_;
  std::set<group_name> policies_;
  std::unordered_map<std::string, std::string> shown_;
  std::unordered_map<key_id, std::int32_t> days_;
};

} // namespace keyportal
