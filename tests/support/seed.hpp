// Seeds of random tests: printed, and given again by KEYPORTAL_SEED.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <random>

#include <catch2/catch_test_macros.hpp>
#include <fmt/format.h>

namespace keyportal::test {

/// The seed of this run; printed at once, for a crash leaves no other trace of it.
inline std::uint64_t make_seed() {
  const char* given = std::getenv("KEYPORTAL_SEED");
  auto seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::uint64_t{std::random_device{}()};
  fmt::print("KEYPORTAL_SEED={}\n", seed);
  return seed;
}

} // namespace keyportal::test
