#include "actors/key_registry/registry_start.hpp"

#include <cstdlib>
#include <ctime>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "actors/key_registry/budget_book.hpp"
#include "messages/timestamp.hpp"
#include "tests/unit/registry/world.hpp"
#include "tests/unit/storage/sample.hpp"

using namespace keyportal;
using namespace std::chrono_literals;

namespace {

moment at(const char* text) { return moment{std::chrono::nanoseconds{parse_rfc3339(text)->unix_ns}}; }

} // namespace

TEST_CASE("What counts after a start is what counted before, also where windows begin within an hour of UTC") {
  const auto* name = GENERATE("UTC", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns");
  CAPTURE(name);
  ::setenv("TZ", name, 1);
  ::tzset();
  const auto now = at("2026-11-23T10:50:00Z");
  storage::test::scratch_folder folder;
  auto books = storage::test::must_open(storage::test::small_settings(folder.path()));
  const std::string text = "sk-of-somebody-1";
  const auto id = books->id_of_key(text);

  registry_image image;
  auto& key = image.keys.emplace_back();
  key.id = id;
  key.state = key_state::live;
  for (const auto window :
       {budget_window::hour, budget_window::day, budget_window::week, budget_window::month, budget_window::lifetime})
    key.budgets.push_back({budget_unit::requests, window, 1'000'000});
  registry_book registry{test::toy_rules(), test::toy_vault()};
  registry.load(image);
  budget_book live{registry}, started{registry};

  // One record every seven minutes of the last two months, and one on either side of where each window begins.
  std::vector<moment> times;
  for (auto t = now - 24h * 62; t <= now; t += 7min)
    times.push_back(t);
  for (const auto window : {budget_window::hour, budget_window::day, budget_window::week, budget_window::month})
    for (const auto beside : {-1ns, 0ns})
      times.push_back(window_start(window, now) + beside);
  record_group group{secret{text}, "gpt-5", {}};
  for (std::size_t i = 0; i < times.size(); ++i) {
    auto one = storage::test::numbered_detail("alpha", text, "gpt-5", i);
    one.at.unix_ns = times[i].time_since_epoch() / 1ns;
    one.id = make_record_id("alpha", text, "gpt-5", one);
    group.details.push_back(one);
    live.add(id, times[i], 1, 0, now);
  }
  storage::test::must_commit(*books, storage::test::polled("alpha", {group}));

  const auto start = storage::test::must(registry_start(*books, {"alpha"}, now));
  for (const auto& one : start.used)
    started.add(one.key, one.from, one.requests, one.tokens, now);
  const auto before = live.uses_of(id, now), after = started.uses_of(id, now);
  REQUIRE(before.size() == 5);
  for (std::size_t i = 0; i < before.size(); ++i) {
    CAPTURE(i);
    CHECK(before[i].used > 0);
    CHECK(after[i].used == before[i].used);
  }
  CHECK(after[4].used == static_cast<std::int64_t>(times.size()));
  ::unsetenv("TZ");
  ::tzset();
}
