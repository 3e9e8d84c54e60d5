// Prices and attempts, made short.
#pragma once

#include <chrono>
#include <stdexcept>
#include <string>

#include "actors/prices/price_book.hpp"
#include "actors/prices/price_rules.hpp"
#include "messages/errors.hpp"

namespace keyportal::test {

inline constexpr std::int64_t dollar = 1'000'000'000;

inline moment day(int number) { return moment{std::chrono::hours{24} * (20'000 + number)}; }

/// Whole dollars for a million tokens.
inline price priced(std::string model, std::int64_t input = 3, std::int64_t output = 15) {
  price out;
  out.model = std::move(model);
  out.rates.input = input * dollar;
  out.rates.output = output * dollar;
  return out;
}

inline price tidy(price given) {
  auto out = tidy_price(std::move(given));
  if (!out)
    throw std::runtime_error(render(out.error()));
  return *out;
}

inline price_book book_of(std::vector<price> prices) {
  for (auto& one : prices) {
    const auto set_at = one.set_at;
    one = tidy(std::move(one));
    one.set_at = set_at;
  }
  return price_book{std::move(prices)};
}

inline priced_attempt attempt(std::string_view model, token_parts parts = {1'000'000, 0, 0, 0, 0, 0}) {
  priced_attempt out;
  out.model = model;
  out.at_ns = unix_ns(day(10));
  out.parts = parts;
  return out;
}

} // namespace keyportal::test
