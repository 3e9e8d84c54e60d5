// Who there is to be told: people as the registry has them, and what each wishes. Pure.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/notices.hpp"

namespace keyportal {

struct notice_person {
  user_id id;
  std::string email, name;
  user_role role = user_role::user;
  user_state state = user_state::pending;
  std::vector<group_name> groups;
};

class notice_people {
public:
  void put(const user& who);
  void put(notice_preferences what);

  /// Also those that were refused or deleted: they may have to be told just that. Null: never heard of.
  [[nodiscard]] const notice_person* find(const user_id& id) const;
  [[nodiscard]] const notice_person* find_email(std::string_view email) const;
  /// Active ones.
  [[nodiscard]] std::vector<user_id> admins() const;
  [[nodiscard]] std::vector<user_id> members(std::string_view group) const;
  /// Of somebody who said nothing: empty ones.
  [[nodiscard]] const notice_preferences& wishes(const user_id& id) const;
  [[nodiscard]] std::size_t size() const { return people_.size(); }

private:
  std::map<user_id, notice_person> people_;
  std::map<std::string, user_id, std::less<>> by_email_;
  std::map<user_id, notice_preferences> wishes_;
};

/// No error, or bad_request: times, zones, languages and channels that are none. `personal`: names of channels for people.
caf::error check_wishes(const notice_preferences& what, const std::vector<std::string>& personal);

/// When somebody with these wishes may be told of something that matters so much: now, after his quiet hours, or when his
/// digest is due. `zone` is the installation's.
moment time_to_tell(const notice_preferences& wishes, notice_weight weight, moment now, const std::string& zone);

} // namespace keyportal
