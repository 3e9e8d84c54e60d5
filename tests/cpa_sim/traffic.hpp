// Invented traffic: reproducible from its seed but for the time stamps.
#pragma once

#include "credentials.hpp"

#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace keyportal::cpa_sim {

/// The client keys of invented traffic, `sk-demo-…`; always the same.
std::vector<std::string> invented_keys();

/// Makes attempts like those of a small team: dozens of client keys of uneven use, all credentials of the node, about
/// 15 in 100 failed (without tokens). Not thread-safe.
class traffic {
public:
  traffic(std::uint64_t seed, std::vector<credential> credentials, const traits& t);

  /// One attempt that is complete at `now_ns` (it began some latency before), written in `place`.
  attempt next(std::int64_t now_ns, const zone& place);

private:
  std::uint64_t below(std::uint64_t limit);
  const std::shared_ptr<const route>& way(std::size_t key, std::size_t credential);

  traits traits_;
  std::mt19937_64 random_;
  std::vector<std::string> keys_;
  std::vector<credential> credentials_;
  std::vector<std::shared_ptr<const route>> ways_; // by key and credential, made when first needed
  std::vector<std::shared_ptr<const std::string>> complaints_;
  std::int64_t last_ns_ = 0;
};

} // namespace keyportal::cpa_sim
