// Random bits and moments for tests.
#pragma once

#include <algorithm>
#include <chrono>
#include <random>

#include "actors/access/secret_bytes.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::test {

inline random_bits bits_of(std::uint8_t fill) {
  random_bits out;
  out.fill(fill);
  return out;
}

template <class Random>
random_bits draw(Random& random) {
  random_bits out;
  std::generate(out.begin(), out.end(), [&] { return static_cast<std::uint8_t>(random()); });
  return out;
}

/// A day in 2026, and so many seconds.
inline moment at(std::int64_t seconds) { return moment{std::chrono::seconds{1'780'000'000 + seconds}}; }

} // namespace keyportal::test
