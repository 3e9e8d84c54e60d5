#include <catch2/catch_test_macros.hpp>

#include <map>

#include "actors/prices/price_changes.hpp"
#include "price_samples.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

price listed(const std::string& model, std::int64_t input, const std::string& provider = {}) {
  auto out = priced(model, input, input * 5);
  out.provider = provider;
  out.source = price_source::litellm;
  return tidy(out);
}

price by_hand(const std::string& model) { return tidy(priced(model, 100, 100)); }

/// What the registry makes of it.
std::vector<price> after(const std::vector<price>& there, const price_changes& changes) {
  std::map<std::string, price> all;
  for (const auto& one : there)
    all[one.id] = one;
  for (const auto& one : changes.puts) {
    CHECK(tidy(one).id == one.id);
    all[one.id] = one;
  }
  std::vector<price> out;
  for (const auto& [id, one] : all)
    out.push_back(one);
  return out;
}

std::optional<std::int64_t> cost_at(const std::vector<price>& prices, const std::string& model, moment at) {
  auto asked = attempt(model);
  asked.at_ns = unix_ns(at);
  return price_book{prices}.cost_of(asked);
}

} // namespace

TEST_CASE("what is new holds for the past too, what changes holds from now on, what is gone until now") {
  std::vector<price> all =
    after({}, compare_prices({}, {listed("a", 1), listed("b", 2)}, price_source::litellm, "", day(1)));
  CHECK(cost_at(all, "a", day(-100)) == dollar);
  const auto changes = compare_prices(all, {listed("a", 3), listed("c", 4)}, price_source::litellm, "", day(5));
  REQUIRE(changes.changed.size() == 1);
  CHECK(difference_of(changes.changed[0].first, changes.changed[0].second) == "input 1 → 3, output 5 → 15");
  REQUIRE(changes.added.size() == 1);
  CHECK(changes.added[0].model == "c");
  REQUIRE(changes.dropped.size() == 1);
  CHECK(changes.dropped[0].model == "b");
  all = after(all, changes);
  CHECK(cost_at(all, "a", day(4)) == dollar);
  CHECK(cost_at(all, "a", day(5)) == 3 * dollar);
  CHECK(cost_at(all, "b", day(4)) == 2 * dollar);
  CHECK_FALSE(cost_at(all, "b", day(5)));
  CHECK(cost_at(all, "c", day(-100)) == 4 * dollar);
  // One that comes back was not there in between.
  all = after(all,
              compare_prices(all, {listed("a", 3), listed("b", 9), listed("c", 4)}, price_source::litellm, "", day(8)));
  CHECK(cost_at(all, "b", day(4)) == 2 * dollar);
  CHECK_FALSE(cost_at(all, "b", day(6)));
  CHECK(cost_at(all, "b", day(8)) == 9 * dollar);
}

TEST_CASE("the same list again changes nothing") {
  const std::vector<price> list{listed("a", 1), listed("b", 2, "azure"), listed("b", 3)};
  const auto all = after({}, compare_prices({}, list, price_source::litellm, "", day(1)));
  const auto again = compare_prices(all, list, price_source::litellm, "", day(2));
  CHECK(again.puts.empty());
  CHECK(again.same == 3);
}

TEST_CASE("two lists within a second leave each model with one price") {
  std::vector<price> all = after({}, compare_prices({}, {listed("a", 1)}, price_source::litellm, "", day(1)));
  all = after(all, compare_prices(all, {listed("a", 2)}, price_source::litellm, "", day(2)));
  all =
    after(all, compare_prices(all, {listed("a", 3)}, price_source::litellm, "", day(2) + std::chrono::milliseconds{5}));
  CHECK(all.size() == 2);
  CHECK(cost_at(all, "a", day(2)) == 3 * dollar);
}

TEST_CASE("what is set by hand is not touched") {
  const auto hand = by_hand("claude-*");
  const auto changes =
    compare_prices({hand}, {listed("claude-x", 1), listed("gpt", 2)}, price_source::litellm, "", day(1));
  REQUIRE(changes.by_hand.size() == 1);
  CHECK(changes.by_hand[0].model == "claude-x");
  CHECK(changes.added.size() == 1);
  auto ended = hand;
  ended.until = day(0);
  CHECK(compare_prices({ended}, {listed("claude-x", 1)}, price_source::litellm, "", day(1)).by_hand.empty());
}

TEST_CASE("one source does not end what another said, and a pattern narrows all of it") {
  auto other = listed("a", 1);
  other.source = price_source::models_dev;
  other = tidy(other);
  CHECK(compare_prices({other}, {listed("b", 1)}, price_source::litellm, "", day(1)).dropped.empty());
  const std::vector<price> there{listed("gpt-a", 1), listed("claude-a", 1)};
  const auto changes =
    compare_prices(there, {listed("gpt-b", 1), listed("claude-b", 1)}, price_source::litellm, "GPT-*", day(1));
  REQUIRE(changes.added.size() == 1);
  CHECK(changes.added[0].model == "gpt-b");
  REQUIRE(changes.dropped.size() == 1);
  CHECK(changes.dropped[0].model == "gpt-a");
}

TEST_CASE("differences of steps are told as well") {
  auto before = priced("m"), now = priced("m");
  before.steps = {{"flex", 0, {.input = dollar}}};
  now.steps = {{"", 200'000, {.input = 6 * dollar}}};
  CHECK(difference_of(tidy(before), tidy(now)) == "above 200000: input 6 (new), flex: input 1 (gone)");
  CHECK(shown_rates(tidy(now)) == "input 3, output 15; above 200000: input 6");
}
