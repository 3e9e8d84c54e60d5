// price.lookup: what an attempt costs, with as many prices as the published lists have. price.compile: such a list made
// ready, as at each change of prices.
#include <random>

#include "actors/prices/price_book.hpp"
#include "actors/prices/price_rules.hpp"
#include "tests/bench/figure.hpp"

using namespace keyportal;
using namespace keyportal::bench;

namespace {

std::vector<price> published(int count) {
  std::vector<price> out;
  for (int i = 0; i < count; ++i) {
    price one;
    one.model = i % 50 == 0 ? fmt::format("model-{}-*", i) : fmt::format("model-{}", i);
    one.provider = i % 3 == 0 ? fmt::format("seller-{}", i % 17) : "";
    one.source = price_source::litellm;
    one.rates = {.input = 3'000'000'000 + i, .output = 15'000'000'000 + i, .cache_read = 300'000'000 + i};
    one.steps = {{"priority", 0, {.input = 6'000'000'000}}, {"", 200'000, {.input = 6'000'000'000}}};
    if (auto tidy = tidy_price(std::move(one)))
      out.push_back(std::move(*tidy));
  }
  return out;
}

double since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

} // namespace

int main() {
  constexpr int prices = 5000, models = 40;
  constexpr std::uint64_t lookups = 5'000'000;
  const auto list = published(prices);
  auto begin = std::chrono::steady_clock::now();
  const price_book book{list};
  figure("price.compile", since(begin) * 1e3, "ms", prices);

  std::mt19937_64 random{1};
  std::vector<std::string> names, aliases;
  for (int i = 0; i < models; ++i) {
    names.push_back(fmt::format("model-{}", random() % prices));
    aliases.push_back(fmt::format("alias-{}", i));
  }
  std::int64_t sum = 0;
  begin = std::chrono::steady_clock::now();
  for (std::uint64_t i = 0; i < lookups; ++i) {
    const auto which = i % models;
    priced_attempt what;
    what.model = names[which];
    what.alias = aliases[which];
    what.provider = "codex";
    what.service_tier = i % 5 == 0 ? "priority" : "default";
    what.at_ns = static_cast<std::int64_t>(i);
    what.parts = {static_cast<std::int64_t>(i % 300'000), 1000, 0, 500, 20, 0};
    sum += book.cost_of(what).value_or(1);
  }
  figure("price.lookup", static_cast<double>(lookups) / since(begin), "1/s", lookups);
  return sum == 0 ? 1 : 0;
}
