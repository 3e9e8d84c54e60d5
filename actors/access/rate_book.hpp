// How often somebody may do something: API calls, registrations, keys. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "actors/access/recent_map.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

/// `amount` at once, given back evenly over `per`: so at most twice `amount` in any span of that length. 0: never.
struct rate {
  std::uint32_t amount = 0;
  std::chrono::seconds per{60};
};

/// As the headers RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset and Retry-After say it.
struct rate_answer {
  bool allowed = false;
  std::uint32_t limit = 0;
  std::uint32_t remaining = 0;
  std::chrono::seconds reset{0};       ///< until all is free again
  std::chrono::seconds retry_after{0}; ///< 0 when allowed
};

/// Counts for each caller, address or domain. Whoever was not seen longest is forgotten when there are too many, which
/// gives him his whole allowance. All O(1). One thread.
class rate_book {
public:
  /// `key`: drawn at random when the process starts.
  rate_book(rate limit, std::size_t entries, const random_bits& key) : limit_(limit), key_(key), full_at_(entries) {}

  rate_answer take(std::string_view who, moment now, std::uint32_t cost = 1);
  /// What `take` would say, without taking.
  [[nodiscard]] rate_answer ask(std::string_view who, moment now, std::uint32_t cost = 1) const;
  /// A new limit holds at once. What was used stays used, in time.
  void set(rate limit) { limit_ = limit; }
  [[nodiscard]] std::size_t size() const { return full_at_.size(); }

private:
  struct entry {
    moment full_at{}; ///< when all will be free again: says all there is to know
  };
  [[nodiscard]] digest id(std::string_view who) const { return keyed_hash(key_, {"rate", who}); }
  rate_answer judge(moment& full_at, moment now, std::uint32_t cost) const;

  rate limit_;
  random_bits key_;
  recent_map<entry> full_at_;
};

struct rate_claim {
  rate_book& book;
  std::string_view who;
};
/// Takes one from each, or from none when one of them refuses, e.g. a registration from its address, its domain and all. No
/// book may be in it twice with the same name. Answers what is tightest.
rate_answer take_all(std::initializer_list<rate_claim> claims, moment now);

} // namespace keyportal
