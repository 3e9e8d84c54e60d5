#include <random>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

#include "price_samples.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace keyportal::test;

TEST_CASE("every kind of token costs its rate, for a million of them") {
  auto one = priced("m", 3, 15);
  one.rates.cache_read = 300'000'000;
  one.rates.cache_write = 3'750'000'000;
  one.rates.reasoning = 20 * dollar;
  const auto book = book_of({one});
  CHECK(book.cost_of(attempt("m", {1'000'000, 0, 0, 0, 0, 0})) == 3 * dollar);
  CHECK(book.cost_of(attempt("m", {0, 1'000'000, 0, 0, 0, 0})) == 300'000'000);
  CHECK(book.cost_of(attempt("m", {0, 0, 1'000'000, 0, 0, 0})) == 3'750'000'000);
  CHECK(book.cost_of(attempt("m", {0, 0, 0, 1'000'000, 0, 0})) == 15 * dollar);
  CHECK(book.cost_of(attempt("m", {0, 0, 0, 0, 1'000'000, 0})) == 20 * dollar);
  CHECK(book.cost_of(attempt("m", {0, 0, 0, 0, 0, 1'000'000})) == 3 * dollar);
  CHECK(book.cost_of(attempt("m", {1000, 2000, 400, 300, 50, 7}))
        == 3'000'000 + 600'000 + 1'500'000 + 4'500'000 + 1'000'000 + 21'000);
}

TEST_CASE("a rate that is not said is that of input, or of output for reasoning") {
  const auto book = book_of({priced("m", 2, 8)});
  CHECK(book.cost_of(attempt("m", {0, 1'000'000, 0, 0, 0, 0})) == 2 * dollar);
  CHECK(book.cost_of(attempt("m", {0, 0, 1'000'000, 0, 0, 0})) == 2 * dollar);
  CHECK(book.cost_of(attempt("m", {0, 0, 0, 0, 1'000'000, 0})) == 8 * dollar);
}

TEST_CASE("what has no price costs nothing known, which is not 0") {
  const auto book = book_of({priced("gpt-5")});
  CHECK_FALSE(book.cost_of(attempt("gpt-5-mini")));
  CHECK_FALSE(book.cost_of(attempt("")));
  CHECK_FALSE(book_of({}).cost_of(attempt("gpt-5")));
  CHECK(book_of({priced("free", 0, 0)}).cost_of(attempt("free")) == 0);
}

TEST_CASE("a failed attempt without tokens costs nothing, whatever the model; with tokens it costs as others do") {
  auto one = priced("m");
  one.rates.request = 5'000'000;
  const auto book = book_of({one});
  auto failed = attempt("m", {});
  failed.failed = true;
  CHECK(book.cost_of(failed) == 0);
  failed.model = "unknown";
  CHECK(book.cost_of(failed) == 0);
  failed.parts.output = 10;
  CHECK_FALSE(book.cost_of(failed));
  failed.model = "m";
  CHECK(book.cost_of(failed) == 150'000 + 5'000'000);
  CHECK(book.cost_of(attempt("m", {})) == 5'000'000);
}

TEST_CASE("halves are rounded up, once, over the whole sum") {
  auto one = priced("m", 0, 0);
  one.rates.input = 1;
  one.rates.output = 1;
  const auto book = book_of({one});
  CHECK(book.cost_of(attempt("m", {499'999, 0, 0, 0, 0, 0})) == 0);
  CHECK(book.cost_of(attempt("m", {500'000, 0, 0, 0, 0, 0})) == 1);
  CHECK(book.cost_of(attempt("m", {250'000, 0, 0, 250'000, 0, 0})) == 1); // each alone would be 0
  CHECK(book.cost_of(attempt("m", {1'499'999, 0, 0, 0, 0, 0})) == 1);
  // 0.0375 dollars a million are 37.5 billionths a token.
  one.rates.input = 37'500'000;
  CHECK(book_of({one}).cost_of(attempt("m", {1, 0, 0, 0, 0, 0})) == 38);
  CHECK(book_of({one}).cost_of(attempt("m", {2, 0, 0, 0, 0, 0})) == 75);
}

TEST_CASE("numbers that no request has neither overflow nor become negative") {
  auto one = priced("m");
  one.rates.input = one.rates.output = one.rates.cache_read = one.rates.cache_write = one.rates.reasoning =
    one.rates.request = highest_rate;
  one.rates.multiplier_ppm = highest_multiplier_ppm;
  const auto book = book_of({one});
  CHECK(book.cost_of(attempt("m", {INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX})) == INT64_MAX);
  const auto cheap = book_of({priced("m")});
  CHECK(cheap.cost_of(attempt("m", {INT64_MIN, -1, -1, 1'000'000, -5, -1})) == 15 * dollar);
}

TEST_CASE("a request above so many input tokens, cached ones included, costs other rates as a whole") {
  auto one = priced("m", 3, 15);
  one.rates.cache_read = dollar;
  one.steps = {{"", 200'000, {.input = 6 * dollar, .output = 22 * dollar}}, {"", 500'000, {.input = 9 * dollar}}};
  const auto book = book_of({one});
  CHECK(book.cost_of(attempt("m", {200'000, 0, 0, 1000, 0, 0})) == 600'000'000 + 15'000'000);
  CHECK(book.cost_of(attempt("m", {200'001, 0, 0, 1000, 0, 0})) == 1'200'006'000 + 22'000'000);
  CHECK(book.cost_of(attempt("m", {1, 150'000, 50'000, 0, 0, 0})) == 6'000 + 150'000'000 + 300'000'000);
  CHECK(book.cost_of(attempt("m", {500'001, 0, 0, 1000, 0, 0})) == 4'500'009'000 + 22'000'000);
}

TEST_CASE("a service tier has its own rates, a multiplier is of all") {
  auto one = priced("m", 3, 15);
  one.rates.multiplier_ppm = 1'500'000;
  one.steps = {{"priority", 0, {.input = 6 * dollar, .output = 30 * dollar}},
               {"flex", 0, {.multiplier_ppm = 500'000}},
               {"", 200'000, {.input = 10 * dollar}},
               {"priority", 200'000, {.input = 20 * dollar}}};
  const auto book = book_of({one});
  auto asked = attempt("m", {100'000, 0, 0, 0, 0, 0});
  CHECK(book.cost_of(asked) == 450'000'000);
  asked.service_tier = "Priority";
  CHECK(book.cost_of(asked) == 900'000'000);
  asked.service_tier = "flex";
  CHECK(book.cost_of(asked) == 150'000'000);
  asked.service_tier = "default";
  CHECK(book.cost_of(asked) == 450'000'000);
  asked.parts.uncached_input = 300'000;
  CHECK(book.cost_of(asked) == 4'500'000'000);
  asked.service_tier = "priority";
  CHECK(book.cost_of(asked) == 9 * dollar);
}

TEST_CASE("a price holds from its first moment until before its last") {
  auto early = priced("m", 1, 1), late = priced("m", 2, 2);
  early.until = day(10);
  late.from = day(10);
  late.until = day(20);
  const auto book = book_of({early, late});
  const auto cost_at = [&](moment at) {
    auto asked = attempt("m");
    asked.at_ns = unix_ns(at);
    return book.cost_of(asked);
  };
  CHECK(cost_at(moment{}) == dollar);
  CHECK(cost_at(day(10) - std::chrono::nanoseconds{1}) == dollar);
  CHECK(cost_at(day(10)) == 2 * dollar);
  CHECK(cost_at(day(20) - std::chrono::nanoseconds{1}) == 2 * dollar);
  CHECK_FALSE(cost_at(day(20)));
}

TEST_CASE("by hand comes before imported, then what is newer, then what is more exact") {
  const auto cost = [](std::vector<price> prices, std::string_view provider = {}) {
    auto asked = attempt("gpt-5-mini");
    asked.provider = provider;
    return book_of(std::move(prices)).cost_of(asked);
  };
  auto hand = priced("*", 1, 1), listed = priced("gpt-5-mini", 2, 2);
  listed.source = price_source::litellm;
  listed.from = day(5);
  CHECK(cost({listed, hand}) == dollar);
  auto other = priced("gpt-5-mini", 3, 3);
  other.source = price_source::models_dev;
  CHECK(cost({listed, other}) == 2 * dollar); // valid from a later day on
  listed.from.reset();
  listed.set_at = day(1);
  other.set_at = day(2);
  CHECK(cost({listed, other}) == 3 * dollar); // said later
  CHECK(cost({priced("gpt-*", 1, 1), priced("gpt-5-mini", 2, 2)}) == 2 * dollar);
  CHECK(cost({priced("gpt-*", 1, 1), priced("gpt-5-*", 2, 2)}) == 2 * dollar);
  auto seller = priced("gpt-5-mini", 4, 4);
  seller.provider = "azure";
  CHECK(cost({seller, priced("gpt-5-mini", 2, 2)}, "Azure") == 4 * dollar);
  CHECK(cost({seller, priced("gpt-5-mini", 2, 2)}, "codex") == 2 * dollar);
  CHECK_FALSE(cost({seller}));
}

TEST_CASE("the model decides, and the alias only where the model has no price") {
  const auto book = book_of({priced("gpt-5", 1, 1), priced("fast", 9, 9)});
  auto asked = attempt("GPT-5");
  asked.alias = "fast";
  CHECK(book.cost_of(asked) == dollar);
  asked.model = "unheard-of";
  CHECK(book.cost_of(asked) == 9 * dollar);
}

TEST_CASE("what was looked up before is answered by what holds at the moment asked about") {
  auto one = priced("m", 1, 1);
  one.until = day(5);
  const auto book = book_of({one});
  auto asked = attempt("m");
  asked.at_ns = unix_ns(day(1));
  for (int round = 0; round < 3; ++round) {
    asked.at_ns = unix_ns(day(1));
    CHECK(book.cost_of(asked) == dollar);
    asked.at_ns = unix_ns(day(7));
    CHECK_FALSE(book.cost_of(asked));
  }
  // More names than are remembered.
  for (int i = 0; i < 20'000; ++i)
    CHECK_FALSE(book.cost_of(attempt(fmt::format("model-{}", i))));
}

namespace {

// As it would be written without a thought for speed, and without the book's own parts.
bool fits_naively(std::string_view pattern, std::string_view name) {
  if (pattern.empty())
    return name.empty();
  if (pattern.front() == '*')
    return fits_naively(pattern.substr(1), name) || (!name.empty() && fits_naively(pattern, name.substr(1)));
  return !name.empty() && pattern.front() == name.front() && fits_naively(pattern.substr(1), name.substr(1));
}

const price* find_naively(const std::vector<price>& prices, std::string_view name, const priced_attempt& what) {
  const price* best = nullptr;
  const auto at = moment_of(what.at_ns);
  for (const auto& one : prices) {
    if (!fits_naively(one.model, name) || (!one.provider.empty() && one.provider != what.provider)
        || (one.from && at < *one.from) || (one.until && at >= *one.until))
      continue;
    const auto better = [&](const price& a, const price& b) {
      const bool a_hand = a.source == price_source::by_hand, b_hand = b.source == price_source::by_hand;
      if (a_hand != b_hand)
        return a_hand;
      if (a.from != b.from)
        return b.from ? a.from && *a.from > *b.from : true;
      const bool a_exact = a.model.find('*') == std::string::npos, b_exact = b.model.find('*') == std::string::npos;
      if (a_exact != b_exact)
        return a_exact;
      if (a.provider.empty() != b.provider.empty())
        return b.provider.empty();
      if (a.model.size() != b.model.size())
        return a.model.size() > b.model.size();
      if (a.set_at != b.set_at)
        return a.set_at > b.set_at;
      return a.id < b.id;
    };
    if (best == nullptr || better(one, *best))
      best = &one;
  }
  return best;
}

} // namespace

TEST_CASE("random prices are found as a naive matcher finds them") {
  const auto seed = make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const auto pick = [&](std::uint64_t below) { return random() % below; };
  const std::vector<std::string> letters{"a", "b", "ab", "-", "*"};
  const auto name = [&](bool pattern) {
    std::string out = "m";
    for (auto i = pick(4); i > 0; --i)
      out += letters[pick(pattern ? 5 : 4)];
    return out;
  };
  const std::vector<std::string> providers{"", "p", "q"};
  for (int round = 0; round < 200; ++round) {
    std::map<std::string, price> by_id;
    for (auto i = pick(30); i > 0; --i) {
      auto one = priced(name(true), static_cast<std::int64_t>(pick(100)), 1);
      one.provider = providers[pick(3)];
      one.source = static_cast<price_source>(1 + pick(4));
      if (pick(2) == 0)
        one.from = day(static_cast<int>(pick(5)));
      if (pick(3) == 0)
        one.until = day(5 + static_cast<int>(pick(5)));
      if (std::count(one.model.begin(), one.model.end(), '*') > 4)
        continue;
      one = tidy(one);
      one.set_at = day(static_cast<int>(pick(3)));
      by_id[one.id] = one;
    }
    std::vector<price> prices;
    for (const auto& [id, one] : by_id)
      prices.push_back(one);
    const price_book book{prices};
    for (int ask = 0; ask < 100; ++ask) {
      const auto model = name(false), alias = name(false);
      priced_attempt asked;
      asked.model = model;
      asked.alias = pick(2) == 0 ? std::string_view{alias} : std::string_view{};
      asked.provider = providers[pick(3)];
      asked.at_ns = unix_ns(day(static_cast<int>(pick(12))));
      const auto* wanted = find_naively(prices, model, asked);
      if (wanted == nullptr && !asked.alias.empty())
        wanted = find_naively(prices, alias, asked);
      const auto* found = book.find(asked);
      REQUIRE((found == nullptr) == (wanted == nullptr));
      if (found != nullptr)
        REQUIRE(found->id == wanted->id);
    }
  }
}
