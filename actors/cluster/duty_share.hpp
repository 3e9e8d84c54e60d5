// Who of the living should see to which duty. A pure function of names: every process comes to the same answer by itself.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace keyportal::cluster {

/// What a process is there for.
enum class role : std::uint8_t { collect = 1, serve = 2, notify = 4 };
/// Several roles, a bit each.
using role_set = std::uint8_t;
inline constexpr role_set all_roles = 7;
constexpr bool has(role_set roles, role one) { return (roles & static_cast<role_set>(one)) != 0; }

/// One process, from its start to its end: one that is started anew is another member.
struct member {
  std::string id;
  role_set roles = all_roles;
  bool operator==(const member&) const = default;
};

/// What one process at a time sees to: "node/alpha/poll", "schedule", …
struct duty {
  std::string name;
  role needs = role::collect;
  bool operator==(const duty&) const = default;
};

/// Duty -> member. No member gets more duties of a role than the number that a fair share is rounded up to; when a
/// member comes or goes, few others' duties change hands. Duties that nobody has the role for are not in it. The order of the
/// lists does not matter; ids and names are unique.
[[nodiscard]] std::map<std::string, std::string> share_out(const std::vector<duty>& duties,
                                                           const std::vector<member>& members);

} // namespace keyportal::cluster
