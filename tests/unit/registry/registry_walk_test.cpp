#include <map>
#include <random>

#include <catch2/catch_test_macros.hpp>

#include "tests/support/seed.hpp"
#include "tests/unit/registry/world.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace std::chrono_literals;

namespace {

/// What somebody outside would write down of the answers.
struct model {
  std::map<key_id, user_id> owners;
  std::map<key_id, key_state> ended;
  std::uint64_t made = 0;
};

registry_image fold(const std::vector<std::shared_ptr<const registry_entry>>& log) {
  registry_image out;
  std::map<user_id, user> users;
  std::map<key_id, client_key> keys;
  std::map<group_name, policy> policies;
  for (const auto& entry : log) {
    out.position = entry->position;
    for (const auto& c : entry->users)
      users[c.after->id] = *c.after;
    for (const auto& c : entry->keys) {
      if (const auto there = keys.find(c.after->id); there != keys.end())
        REQUIRE(there->second == c.before.value()); // the audit's "before" is the truth
      keys[c.after->id] = *c.after;
    }
    for (const auto& c : entry->policies)
      if (c.after)
        policies[c.after->name] = *c.after;
      else
        policies.erase(c.before->name);
  }
  for (auto& [id, one] : users)
    out.users.push_back(one);
  for (auto& [id, one] : keys)
    out.keys.push_back(one);
  for (auto& [id, one] : policies)
    out.policies.push_back(one);
  return out;
}

} // namespace

TEST_CASE("Random commands: no key has two owners, an ended key stays ended, the sum of all states is what was made") {
  const auto seed = make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  auto rules = toy_rules();
  rules.pool_low_water = 4;
  rules.pool_size = 10;
  world w{rules, seed};
  model seen;
  std::vector<user_id> people;
  std::vector<key_id> keys{"unknown"};
  const auto below = [&random](std::size_t n) { return static_cast<std::size_t>(random() % n); };
  const auto any_key = [&] { return keys[below(keys.size())]; };
  const auto any_person = [&] { return people.empty() ? user_id{"unknown"} : people[below(people.size())]; };
  for (int step = 0; step < 4000; ++step) {
    w.now += std::chrono::minutes{below(600)};
    registry_question what = pass_time{};
    switch (below(16)) {
      case 0:
        what = add_user{.email = "p" + std::to_string(below(60)) + "@example.com", .active = below(5) != 0};
        break;
      case 1: what = set_user_state{any_person(), static_cast<user_state>(below(4))}; break;
      case 2:
      case 3:
      case 4:
        what = assign_key{.owner = any_person(),
                          .label = {},
                          .lifetime_s = below(3) == 0 ? std::optional<std::int64_t>{below(20) * 86'400} : std::nullopt};
        break;
      case 5: what = rotate_key{any_key(), static_cast<std::int64_t>(below(3) * 3600)}; break;
      case 6: what = suspend_key{any_key(), static_cast<suspension>(1 + below(4))}; break;
      case 7: what = resume_key{any_key()}; break;
      case 8: what = revoke_key{any_key()}; break;
      case 9: what = renew_key{any_key(), static_cast<std::int64_t>(below(10) * 86'400)}; break;
      case 10:
        what = key_sighting{.node = below(2) == 0 ? "alpha" : "beta",
                            .keys = {{any_key(), below(2) == 0}},
                            .strangers = {},
                            .taken_away = {}};
        break;
      case 11:
        what = key_sighting{.node = "alpha",
                            .keys = {},
                            .strangers = {secret{"foreign-key-" + std::to_string(below(9))}},
                            .taken_away = {any_key()}};
        break;
      case 12: what = adopt_key{any_key(), any_person(), "found"}; break;
      case 13:
        what = import_keys{
          {{secret{"imported-key-" + std::to_string(below(30))}, below(2) == 0 ? user_id{} : any_person(), "", {}}}};
        break;
      default: break;
    }
    const auto position = w.book.position();
    const auto decided = w.ask(what);
    if (!decided) {
      REQUIRE(w.book.position() == position);
      continue;
    }
    for (const auto& one : decided->done.users)
      if (std::find(people.begin(), people.end(), one.id) == people.end())
        people.push_back(one.id);
    for (const auto& key : decided->done.keys) {
      if (std::find(keys.begin(), keys.end(), key.id) == keys.end()) {
        keys.push_back(key.id);
        ++seen.made;
      }
      if (!key.owner.empty()) {
        const auto [there, fresh] = seen.owners.emplace(key.id, key.owner);
        REQUIRE(there->second == key.owner);
      }
      if (const auto ended = seen.ended.find(key.id); ended != seen.ended.end())
        REQUIRE(ended->second == key.state);
      else if (is_final(key.state))
        seen.ended.emplace(key.id, key.state);
      if (key.state == key_state::pooled)
        REQUIRE(key.owner.empty());
    }
    const auto state = w.book.state();
    std::uint64_t sum = 0;
    for (const auto n : state.keys)
      sum += n;
    REQUIRE(sum == seen.made);
    REQUIRE(sum == state.made + state.imported + state.found);
  }
  REQUIRE(seen.ended.size() > 10);
  // At most two of a line of rotations work at once.
  for (const auto& key : w.book.all_keys()) {
    int working = 0;
    for (const auto* at = &key; at != nullptr; at = at->successor ? w.book.find(*at->successor) : nullptr)
      working += at->state == key_state::live ? 1 : 0;
    REQUIRE(working <= 2);
  }
  // The log says all: a book that reads it knows what this one knows.
  const auto image = fold(w.log);
  registry_book other{rules, toy_vault()};
  other.load(image);
  CHECK(other.position() == w.book.position());
  CHECK(other.all_keys() == w.book.all_keys());
  CHECK(other.state().changing == w.book.state().changing);
  CHECK(other.due_at() == w.book.due_at());
  CHECK(other.policies() == w.book.policies());
}
