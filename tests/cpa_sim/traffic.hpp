// Invented traffic: reproducible from its seed but for the time stamps.
#pragma once

#include "record.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

/// Makes records like those of a small team: dozens of client keys of uneven use, a handful of models and upstream
/// accounts, about 15 in 100 failed (without tokens). Not thread-safe.
class traffic {
public:
  explicit traffic(std::uint64_t seed);

  /// One record that is complete at `now_ns` (its attempt began some latency before), written in `place`.
  record next(std::int64_t now_ns, const zone& place);

  /// The client keys it uses, `sk-demo-…`.
  [[nodiscard]] const std::vector<std::string>& keys() const { return keys_; }

private:
  struct account {
    std::string source;
    std::string auth_index;
    std::string model;
  };
  std::uint64_t below(std::uint64_t limit);

  std::mt19937_64 random_;
  std::vector<std::string> keys_;
  std::vector<account> accounts_;
  std::int64_t last_ns_ = 0;
};

/// 16 lower-case hex digits made from a text; the same text gives the same.
std::string invented_auth_index(const std::string& text);

} // namespace keyportal::cpa_sim
