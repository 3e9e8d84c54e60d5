#include "traffic.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>

namespace keyportal::cpa_sim {
namespace {

constexpr std::array people{"ada",  "bela", "chen", "dora", "emil",  "fang",  "gita", "hugo",
                            "ines", "jun",  "kofi", "lena", "mario", "nadia", "omar", "ping",
                            "quin", "rosa", "sven", "tara", "uwe",   "vera",  "wei",  "yuki"};
constexpr std::array models{"gpt-5.4",         "gpt-5.4-mini", "gpt-5.3-codex", "claude-sonnet-4-6",
                            "claude-opus-4-6", "gemini-3-pro", "gemini-3-flash"};

std::string hex16(std::uint64_t value) {
  std::string out(16, '0');
  for (auto digit = out.rbegin(); digit != out.rend(); ++digit, value >>= 4)
    *digit = "0123456789abcdef"[value & 15];
  return out;
}

} // namespace

std::string invented_auth_index(const std::string& text) { return hex16(XXH3_64bits(text.data(), text.size())); }

traffic::traffic(std::uint64_t seed) : random_(seed) {
  // Keys and accounts do not depend on the seed, so that several runs of one demo go on with the same people.
  for (std::size_t i = 0; i < 2 * people.size(); ++i) {
    keys_.push_back(std::string("sk-demo-") + people[i % people.size()] + (i < people.size() ? "-laptop-" : "-ci-")
                    + invented_auth_index("key " + std::to_string(i)).substr(0, 8));
  }
  for (std::size_t i = 0; i < 12; ++i) {
    const std::string source = "account" + std::to_string(i + 1) + "@example.com";
    accounts_.push_back({source, invented_auth_index(source), models[i % models.size()]});
  }
}

std::uint64_t traffic::below(std::uint64_t limit) { return random_() % limit; }

record traffic::next(std::int64_t now_ns, const zone& place) {
  record r;
  // The smaller of two draws: a few keys do most of the work.
  r.api = keys_[std::min(below(keys_.size()), below(keys_.size()))];
  const account& a = accounts_[below(accounts_.size())];
  r.model = a.model;
  r.what.source = a.source;
  r.what.auth_index = a.auth_index;
  r.what.failed = below(100) < 15;
  r.what.latency_ms = static_cast<std::int64_t>(r.what.failed ? 80 + below(900) : 400 + below(1500) + below(7000));
  if (!r.what.failed) {
    auto& t = r.what.tokens;
    t.input = static_cast<std::int64_t>(200 + below(6'000) + (below(8) == 0 ? below(60'000) : 0));
    t.output = static_cast<std::int64_t>(20 + below(1'800));
    t.reasoning = below(3) == 0 ? static_cast<std::int64_t>(below(static_cast<std::uint64_t>(t.output))) : 0;
    t.cached = below(2) == 0 ? static_cast<std::int64_t>(below(static_cast<std::uint64_t>(t.input))) : 0;
    t.total = t.input + t.output;
  }
  // Started `latency` ago, to the nanosecond, and never the same moment twice.
  now_ns = std::max(now_ns, last_ns_ + 1);
  last_ns_ = now_ns;
  r.what.timestamp = place.at(now_ns - r.what.latency_ms * 1'000'000);
  return r;
}

} // namespace keyportal::cpa_sim
