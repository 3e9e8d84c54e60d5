#include <algorithm>
#include <random>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "actors/cluster/duty_share.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal::cluster;

namespace {

std::vector<duty> duties_of(int nodes) {
  std::vector<duty> out{{"schedule", role::serve}, {"retention", role::serve}, {"digest", role::notify}};
  for (int i = 0; i < nodes; ++i) {
    out.push_back({fmt::format("node/n{}/poll", i), role::collect});
    out.push_back({fmt::format("node/n{}/keys", i), role::collect});
  }
  return out;
}

std::vector<member> members_of(int count, role_set roles = all_roles) {
  std::vector<member> out;
  for (int i = 0; i < count; ++i)
    out.push_back({fmt::format("machine-{}/{}", i, i * 7919), roles});
  return out;
}

std::size_t moved(const std::map<std::string, std::string>& from, const std::map<std::string, std::string>& to) {
  std::size_t out = 0;
  for (const auto& [name, id] : from)
    out += to.contains(name) && to.at(name) != id ? 1 : 0;
  return out;
}

} // namespace

TEST_CASE("Every duty has one member, none has more than its share, and the order of the lists is no matter",
          "[duties]") {
  const auto seed = keyportal::test::make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  for (const int nodes : {1, 2, 3, 10, 100})
    for (const int count : {1, 2, 3, 5, 17, 100}) {
      auto duties = duties_of(nodes);
      auto members = members_of(count);
      const auto shares = share_out(duties, members);
      REQUIRE(shares.size() == duties.size());
      std::map<std::string, std::size_t> load;
      for (const auto& [name, id] : shares)
        if (name.starts_with("node/"))
          ++load[id];
      const auto most = (static_cast<std::size_t>(nodes) * 2 + count - 1) / count;
      for (const auto& [id, number] : load)
        CHECK(number <= most);
      std::shuffle(duties.begin(), duties.end(), random);
      std::shuffle(members.begin(), members.end(), random);
      CHECK(share_out(duties, members) == shares);
    }
}

TEST_CASE("A member who joins or leaves moves few duties", "[duties]") {
  const auto duties = duties_of(100);
  for (const int count : {2, 3, 5, 9, 20}) {
    const auto before = share_out(duties, members_of(count));
    const auto after = share_out(duties, members_of(count + 1));
    // What the new one gets has to move; twice as much again may.
    CHECK(moved(before, after) <= 3 * duties.size() / (static_cast<std::size_t>(count) + 1) + 3);
    CHECK(moved(before, after) > 0);
  }
}

TEST_CASE("A duty goes only to who has its role, and to nobody when nobody has it", "[duties]") {
  auto members = members_of(3, static_cast<role_set>(role::collect));
  members[1].roles = static_cast<role_set>(role::serve);
  const auto shares = share_out(duties_of(10), members);
  CHECK(shares.at("schedule") == members[1].id);
  CHECK_FALSE(shares.contains("digest"));
  for (const auto& [name, id] : shares)
    if (name.starts_with("node/"))
      CHECK(id != members[1].id);
  CHECK(share_out({}, members).empty());
  CHECK(share_out(duties_of(3), {}).empty());
}
