#include "actors/key_registry/budget_book.hpp"

#include <cstdlib>
#include <ctime>

#include <catch2/catch_test_macros.hpp>

#include "messages/timestamp.hpp"
#include "tests/unit/registry/world.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace std::chrono_literals;

namespace {

struct zone {
  explicit zone(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  ~zone() {
    ::unsetenv("TZ");
    ::tzset();
  }
};

moment at(const char* text) { return moment{std::chrono::nanoseconds{parse_rfc3339(text)->unix_ns}}; }

budget tokens_a_day(std::int64_t amount) { return {budget_unit::tokens, budget_window::day, amount}; }

/// Judges, and makes true what it says.
budgets_crossed settle(world& w, budget_book& book) {
  auto crossed = book.judge(w.now);
  (void)w.ask(crossed);
  for (const auto& id : crossed.resume)
    book.touch(id);
  return crossed;
}

} // namespace

TEST_CASE("Windows begin where people of the time zone say, also when clocks are changed") {
  const zone berlin{"Europe/Berlin"};
  CHECK(window_start(budget_window::day, at("2026-03-29T12:00:00+02:00")) == at("2026-03-29T00:00:00+01:00"));
  CHECK(next_window_start(budget_window::day, at("2026-03-29T12:00:00+02:00")) == at("2026-03-30T00:00:00+02:00"));
  CHECK(window_start(budget_window::week, at("2026-03-29T12:00:00+02:00")) == at("2026-03-23T00:00:00+01:00"));
  CHECK(next_window_start(budget_window::week, at("2026-03-29T12:00:00+02:00")) == at("2026-03-30T00:00:00+02:00"));
  CHECK(window_start(budget_window::month, at("2026-11-23T08:00:00+01:00")) == at("2026-11-01T00:00:00+01:00"));
  CHECK(next_window_start(budget_window::month, at("2026-12-23T08:00:00+01:00")) == at("2027-01-01T00:00:00+01:00"));
  CHECK(window_start(budget_window::hour, at("2026-10-25T02:30:00+01:00")) == at("2026-10-25T02:00:00+01:00"));
}

TEST_CASE("80, 95 and 100 percent are told once in a window; at 100 the key is suspended and comes back by itself") {
  const zone utc{"UTC"};
  world w;
  w.now = at("2026-11-23T10:00:00Z");
  budget_book book{w.book};
  const auto ann = w.person();
  w.fill(1);
  const auto key = w.assigned(ann).id;
  REQUIRE(w.ask(change_key{.key = key, .budgets = std::vector<budget>{tokens_a_day(1000)}}));
  std::vector<std::uint32_t> heard;
  for (int i = 0; i < 110; ++i) {
    book.add(key, w.now, 1, 10, w.now);
    for (const auto& [id, mark] : settle(w, book).keys)
      heard.push_back(mark.percent);
  }
  CHECK(heard == std::vector<std::uint32_t>{80, 95, 100});
  CHECK(w.book.find(key)->state == key_state::suspended);
  CHECK(w.book.find(key)->why_suspended == suspension::by_budget);
  CHECK(settle(w, book).resume.empty());
  SECTION("when the window turns") {
    w.now = at("2026-11-24T00:00:00Z");
    settle(w, book);
    CHECK(w.book.find(key)->state == key_state::live);
  }
  SECTION("when the limit is raised") {
    REQUIRE(w.ask(change_key{.key = key, .budgets = std::vector<budget>{tokens_a_day(10'000)}}));
    settle(w, book);
    CHECK(w.book.find(key)->state == key_state::live);
  }
  SECTION("but not when a person suspended it meanwhile") {
    (void)w.ask(suspend_key{key});
    w.now = at("2026-11-24T00:00:00Z");
    settle(w, book);
    CHECK(w.book.find(key)->state == key_state::suspended);
  }
  SECTION("and counting anew after a restart tells nothing twice") {
    budget_book again{w.book};
    again.add(key, w.now, 110, 1100, w.now);
    const auto crossed = again.judge(w.now);
    CHECK(crossed.keys.empty());
    CHECK(crossed.suspend.empty());
  }
}

TEST_CASE("A person's budget counts all keys together, a group's those of all its people") {
  const zone utc{"UTC"};
  world w;
  w.now = at("2026-11-23T10:00:00Z");
  policy team;
  team.name = "team";
  team.user_budgets = {tokens_a_day(100)};
  team.group_budgets = {tokens_a_day(150)};
  REQUIRE(w.ask(put_policy{team}));
  budget_book book{w.book};
  const auto ann = w.person("ann@example.com", {"team"}), bob = w.person("bob@example.com", {"team"});
  w.fill(4);
  const auto one = w.assigned(ann).id, two = w.assigned(ann).id, bobs = w.assigned(bob).id;
  book.add(one, w.now, 1, 60, w.now);
  book.add(two, w.now, 1, 50, w.now);
  settle(w, book);
  CHECK(w.book.find(one)->state == key_state::suspended);
  CHECK(w.book.find(two)->state == key_state::suspended);
  CHECK(w.book.find(bobs)->state == key_state::live);
  book.add(bobs, w.now, 1, 40, w.now);
  settle(w, book);
  CHECK(w.book.find(bobs)->state == key_state::suspended);
  // A key that is assigned while the budget is used up does not open a way around it.
  const auto late = w.assigned(bob).id;
  book.touch(late);
  settle(w, book);
  CHECK(w.book.find(late)->state == key_state::suspended);
}

TEST_CASE("Late records count in the window of their own time") {
  const zone utc{"UTC"};
  world w;
  w.now = at("2026-11-23T10:00:00Z");
  budget_book book{w.book};
  const auto ann = w.person();
  w.fill(1);
  const auto key = w.assigned(ann).id;
  REQUIRE(w.ask(change_key{.key = key, .budgets = std::vector<budget>{tokens_a_day(100)}}));
  book.add(key, w.now - 24h, 1, 500, w.now);
  CHECK(settle(w, book).suspend.empty());
  book.add(key, w.now - 2h, 1, 500, w.now);
  CHECK(settle(w, book).suspend == std::vector<key_id>{key});
}

TEST_CASE("A key that replaced another goes on with what that one used") {
  const zone utc{"UTC"};
  world w;
  w.now = at("2026-11-23T10:00:00Z");
  budget_book book{w.book};
  const auto ann = w.person();
  w.fill(1);
  const auto first = w.assigned(ann).id;
  REQUIRE(w.ask(change_key{.key = first, .budgets = std::vector<budget>{tokens_a_day(100)}}));
  book.add(first, w.now, 1, 60, w.now);
  CHECK(settle(w, book).suspend.empty());
  (void)w.ask(rotate_key{first, 3600});
  const auto second = *w.book.find(first)->successor;
  book.touch(second);
  CHECK(settle(w, book).suspend.empty());
  CHECK(book.uses_of(second, w.now).at(0).used == 60);
  book.add(second, w.now, 1, 20, w.now);
  book.add(first, w.now, 1, 20, w.now);
  settle(w, book);
  CHECK(w.book.find(first)->why_suspended == suspension::by_budget);
  CHECK(w.book.find(second)->why_suspended == suspension::by_budget);
}

TEST_CASE("Use goes with the person into another group, and with an adopted key to its owner") {
  const zone utc{"UTC"};
  world w;
  w.now = at("2026-11-23T10:00:00Z");
  for (const auto* name : {"one", "two"}) {
    policy team;
    team.name = name;
    team.group_budgets = {tokens_a_day(100)};
    REQUIRE(w.ask(put_policy{team}));
  }
  budget_book book{w.book};
  const auto ann = w.person("ann@example.com", {"one"}), bob = w.person("bob@example.com", {"two"});
  w.fill(2);
  const auto anns = w.assigned(ann).id, bobs = w.assigned(bob).id;
  book.add(anns, w.now, 1, 70, w.now);
  book.add(bobs, w.now, 1, 40, w.now);
  CHECK(settle(w, book).suspend.empty());
  REQUIRE(w.ask(change_user{.id = ann, .groups = std::vector<group_name>{"two"}}));
  book.groups_changed();
  book.touch(anns);
  settle(w, book);
  CHECK(w.book.find(anns)->why_suspended == suspension::by_budget);
  CHECK(w.book.find(bobs)->why_suspended == suspension::by_budget);
  // As it would be after a restart, when all is counted for whoever owns it then.
  budget_book again{w.book};
  again.add(anns, w.now, 1, 70, w.now);
  again.add(bobs, w.now, 1, 40, w.now);
  CHECK(again.uses_of(anns, w.now).at(0).used == book.uses_of(anns, w.now).at(0).used);

  const auto found = w.ask(key_sighting{.node = "alpha", .strangers = {secret{"made-by-hand-1"}}})->done.keys[0].id;
  book.add(found, w.now, 1, 30, w.now);
  const auto eve = w.person("eve@example.com", {"one"});
  REQUIRE(w.ask(adopt_key{found, eve}));
  book.owner_changed(found);
  CHECK(book.uses_of(found, w.now).at(0).used == 30);
}
