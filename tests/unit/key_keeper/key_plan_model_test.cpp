// Random orders, faults and people against a simple model: at the end of every history the node has the sentinel, the live
// keys and those that were made elsewhere, and the registry knows it.
#include <random>

#include "tests/support/seed.hpp"
#include "tests/unit/key_keeper/planned_node.hpp"

using namespace keyportal;
using namespace keyportal::test;

TEST_CASE("After whatever happened the node's list is the sentinel, the live keys and the external ones") {
  const auto seed = make_seed();
  for (std::uint64_t round = 0; round < 200; ++round) {
    std::mt19937_64 random{seed + round};
    const auto pick = [&](std::uint64_t n) { return random() % n; };
    INFO("KEYPORTAL_SEED=" << seed << " round " << round);
    planned_node n{pick(2) == 0, {"sk-elsewhere-0"}, pick(2) == 0 ? 60s : 5s};
    std::map<key_id, bool> wanted;
    std::set<std::string> external{"sk-elsewhere-0"};
    const auto orders = [&] {
      std::vector<key_orders::one> out;
      for (const auto& [id, works] : wanted)
        out.push_back(planned_node::one(id, works, n.works(id)));
      return out;
    };
    bool wiped = false;
    n.whole({});
    for (int step = 0; step < 60; ++step) {
      switch (pick(16)) {
        case 0:
        case 1:
        case 2:
        case 3: { // orders, one or many
          std::vector<key_orders::one> some;
          for (auto left = pick(5) == 0 ? pick(30) + 1 : 1; left > 0; --left) {
            const auto id = fmt::format("k{}", pick(40));
            auto& works = wanted[id];
            works = pick(2) == 0;
            some.push_back(planned_node::one(id, works, n.works(id)));
          }
          n.order(some);
          break;
        }
        case 4: n.cpa.lose_writes += static_cast<int>(pick(3)); break;
        case 5: n.cpa.lose_answers += static_cast<int>(pick(3)); break;
        case 6: n.cpa.save_fails = !n.cpa.save_fails; break;
        case 7:
          n.cpa.restart();
          n.plan.node_may_be_new(n.now);
          break;
        case 8: n.cpa.away = !n.cpa.away; break;
        case 9: { // a person adds a key
          if (n.now - n.listed_at < 100ms)
            break; // between our reading and our writing it would be lost, as with any two writers
          auto list = n.list();
          list.push_back(fmt::format("sk-elsewhere-{}", step + 1));
          external.insert(list.back());
          n.cpa.save_fails = false;
          n.cpa.edit(list, n.now);
          break;
        }
        case 10: n.registry_away = !n.registry_away; break;
        case 11: n.whole(orders()); break;
        case 12: // somebody empties the list
          if (pick(4) == 0 && n.plan.in_step() && !n.registry.empty()) {
            n.cpa.edit({}, n.now);
            wiped = true;
            n.must_be_closed = false;
          }
          break;
        default: n.run_for(std::chrono::milliseconds{pick(pick(4) == 0 ? 20'000 : 400)});
      }
      n.run_for(std::chrono::milliseconds{pick(120)});
    }
    n.cpa.lose_writes = n.cpa.lose_answers = 0;
    n.cpa.save_fails = n.cpa.away = n.registry_away = false;
    n.plan.node_may_be_new(n.now);
    // What was removed by an unsaved write of ours and vanished with a restart may look like somebody's doing: the
    // registry then orders it anew.
    for (int again = 0; again < 3; ++again) {
      n.run_for(3min);
      for (const auto& id : std::exchange(n.taken, {}))
        if (wanted[id])
          n.order({planned_node::one(id, true)});
    }
    n.run_for(3min);
    std::set<std::string> expected{sentinel_text};
    for (const auto& [id, works] : wanted)
      if (works)
        expected.insert(n.text(id));
    const auto list = n.list();
    std::set<std::string> there{list.begin(), list.end()};
    const bool any = std::any_of(wanted.begin(), wanted.end(), [](const auto& w) { return w.second; });
    if (!any && !there.contains(sentinel_text)) // no write of ours ever reached it
      continue;
    if (!wiped) // what was added and wiped before anybody looked, nobody knows
      expected.insert(external.begin(), external.end());
    for (const auto& text : expected)
      CHECK(there.contains(text));
    for (const auto& text : there)
      CHECK((expected.contains(text) || external.contains(text)));
    CHECK(list.size() == there.size()); // tidy
    for (const auto& [id, works] : wanted) {
      CHECK(n.works(id) == works);
      CHECK(n.cpa.lets_in(n.text(id), n.now) == works);
    }
    CHECK(n.plan.in_step());
    CHECK_FALSE(n.plan.drift(n.now));
    CHECK_FALSE(n.plan.untold());
  }
}
