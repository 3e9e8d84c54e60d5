#include "actors/cluster/duty_share.hpp"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace keyportal::cluster {
namespace {

/// The same in every build and on every machine: processes of different versions have to agree.
std::uint64_t mixed(std::uint64_t x) {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t h = 0xcbf29ce484222325ULL;
  for (const char c : text)
    h = (h ^ static_cast<std::uint8_t>(c)) * 0x100000001b3ULL;
  return mixed(h);
}

/// Duties of one role among those who have it: the best matches first, so that a member who joins only takes what
/// matches it better, and what it displaces.
void share_out_one(role which, const std::vector<duty>& duties, const std::vector<member>& members,
                   std::map<std::string, std::string>& out) {
  std::vector<std::string_view> names;
  std::vector<std::string_view> able;
  for (const auto& one : duties)
    if (one.needs == which)
      names.push_back(one.name);
  for (const auto& one : members)
    if (has(one.roles, which))
      able.push_back(one.id);
  if (names.empty() || able.empty())
    return;
  std::vector<std::tuple<std::uint64_t, std::string_view, std::string_view>> matches;
  matches.reserve(names.size() * able.size());
  for (const auto name : names)
    for (const auto id : able)
      matches.emplace_back(mixed(hash_of(name) ^ (hash_of(id) * 3)), name, id);
  std::sort(matches.begin(), matches.end(), std::greater<>{});
  const auto most = (names.size() + able.size() - 1) / able.size();
  std::map<std::string_view, std::size_t> load;
  for (const auto& [score, name, id] : matches)
    if (load[id] < most && out.emplace(name, id).second)
      ++load[id];
}

} // namespace

std::map<std::string, std::string> share_out(const std::vector<duty>& duties, const std::vector<member>& members) {
  std::map<std::string, std::string> out;
  for (const auto which : {role::collect, role::serve, role::notify})
    share_out_one(which, duties, members, out);
  return out;
}

} // namespace keyportal::cluster
