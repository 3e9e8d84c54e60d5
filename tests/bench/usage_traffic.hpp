// Records as benchmarks need them: from a seed, over 90 days, three nodes, 300 keys, 40 models, 25 accounts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include <fmt/format.h>

#include "messages/records.hpp"

namespace keyportal::bench {

inline constexpr std::uint64_t nodes = 3;
inline constexpr std::int64_t days = 90;
inline constexpr std::int64_t day_ns = 86'400'000'000'000;
inline constexpr std::int64_t begin_ns = 1'767'225'600'000'000'000; // 2026-01-01
inline constexpr std::uint64_t keys = 300;
inline constexpr std::uint64_t models = 40;
inline constexpr std::uint64_t accounts = 25;

inline std::string node_of(std::uint64_t number) { return fmt::format("node-{}", number % nodes + 1); }
inline std::string text_of_key(std::uint64_t number) { return fmt::format("sk-portal-{:032}", number); }

// People work by day and some more than others; a model has a provider, an account too; one attempt in twenty fails.
class traffic {
public:
  explicit traffic(std::uint64_t records) : apart_ns_(days * day_ns / static_cast<std::int64_t>(records)) {}

  std::vector<record_group> next(std::uint64_t count) {
    std::vector<record_group> groups;
    std::unordered_map<std::uint64_t, std::size_t> place;
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto key = std::min(random_() % keys, random_() % keys);
      const auto model = std::min((key + random_() % 4) % models, random_() % models);
      const auto [at, fresh] = place.emplace(key * models + model, groups.size());
      if (fresh)
        groups.push_back({secret{text_of_key(key)}, fmt::format("model-{}", model), {}});
      detail d;
      now_ns_ += static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(2 * apart_ns_));
      d.at = {now_ns_, 480};
      const auto account = std::min(model % 3 + 3 * (random_() % (accounts / 3 + 1)), accounts - 1);
      d.source = fmt::format("account{}@example.com", account);
      d.auth_index = fmt::format("{:016x}", account);
      d.latency_ms = static_cast<std::int64_t>(200 + random_() % 2'000 * (1 + random_() % 10));
      d.failed = random_() % 20 == 0;
      attempt_facts facts;
      facts.provider = fmt::format("provider-{}", model % 3);
      facts.alias = fmt::format("model-{}", model);
      facts.endpoint = model % 3 == 0 ? "POST /v1/messages" : "POST /v1/responses";
      facts.ttft_ms = d.latency_ms / 4;
      facts.status_code = d.failed ? (random_() % 2 == 0 ? 429 : 500) : 200;
      if (d.failed)
        facts.error = facts.status_code == 429 ? "usage limit reached" : "upstream overloaded";
      if (!d.failed) {
        d.parts = {static_cast<std::int64_t>(random_() % 5'000),
                   static_cast<std::int64_t>(random_() % 30'000),
                   static_cast<std::int64_t>(random_() % 3'000),
                   static_cast<std::int64_t>(random_() % 4'000),
                   0,
                   0};
        d.tokens.input = d.parts.uncached_input + d.parts.cache_read + d.parts.cache_write;
        d.tokens.cached = d.parts.cache_read;
        d.tokens.output = d.parts.output;
        d.tokens.total = d.parts.total();
      }
      d.facts = std::make_shared<const attempt_facts>(std::move(facts));
      for (auto& byte : d.id.bytes)
        byte = static_cast<std::uint8_t>(random_());
      groups[at->second].details.push_back(std::move(d));
    }
    return groups;
  }
  std::int64_t now_ns() const { return now_ns_; }

private:
  std::int64_t apart_ns_;
  std::mt19937_64 random_{42}; // the seed
  std::int64_t now_ns_ = begin_ns;
};

} // namespace keyportal::bench
