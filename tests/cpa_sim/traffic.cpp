#include "traffic.hpp"

#include <algorithm>
#include <array>

namespace keyportal::cpa_sim {
namespace {

constexpr std::array people{"ada",  "bela", "chen", "dora", "emil",  "fang",  "gita", "hugo",
                            "ines", "jun",  "kofi", "lena", "mario", "nadia", "omar", "ping",
                            "quin", "rosa", "sven", "tara", "uwe",   "vera",  "wei",  "yuki"};
constexpr std::array models{"gpt-5.4",         "gpt-5.4-mini", "gpt-5.3-codex", "claude-sonnet-4-6",
                            "claude-opus-4-6", "gemini-3-pro", "gemini-3-flash"};

struct failure {
  int status;
  const char* complaint;
};
constexpr std::array failures{
  failure{429, R"({"error":{"type":"usage_limit_reached","message":"The usage limit has been reached"}})"},
  failure{500, R"({"error":{"message":"upstream had a <bad> day & says so","type":"server_error"}})"},
  failure{401, "unauthorized"},
  failure{499, "context canceled"},
};

/// Headers of an upstream that tells its quotas, and some that are nobody's business.
std::string headers_of(const credential& c) {
  std::string more;
  if (c.provider == "codex") {
    more = R"("X-Codex-Plan-Type":["plus"],"X-Codex-Primary-Reset-After-Seconds":["5400"],)"
           R"("X-Codex-Primary-Used-Percent":["12"],"X-Codex-Primary-Window-Minutes":["300"],)";
  } else if (c.count == counting::claude) {
    more = R"("Anthropic-Ratelimit-Unified-5h-Reset":["1790000000"],)"
           R"("Anthropic-Ratelimit-Unified-5h-Status":["allowed"],)"
           R"("Anthropic-Ratelimit-Unified-Status":["allowed"],)";
  } else if (!c.file) {
    more = R"("X-Ratelimit-Remaining-Requests":["77"],)";
  }
  return "{" + more + R"("Content-Type":["text/event-stream"],"Set-Cookie":["session=not-for-you; HttpOnly"]})";
}

} // namespace

std::vector<account> invented_accounts() {
  std::vector<account> all;
  for (std::size_t i = 0; i < 12; ++i) {
    const std::string model = models[i % models.size()];
    const counting count = counting_of(model);
    all.push_back({count == counting::claude   ? "claude"
                   : count == counting::gemini ? "antigravity"
                                               : "codex",
                   "account" + std::to_string(i + 1) + "@example.com", model, true});
  }
  return all;
}

std::vector<std::string> invented_keys() {
  // They do not depend on the seed, so that several runs of one demo go on with the same people.
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < 2 * people.size(); ++i) {
    keys.push_back(std::string("sk-demo-") + people[i % people.size()] + (i < people.size() ? "-laptop-" : "-ci-")
                   + invented_auth_index("key " + std::to_string(i)).substr(0, 8));
  }
  return keys;
}

traffic::traffic(std::uint64_t seed, std::vector<credential> credentials, const traits& t)
  : traits_(t), random_(seed), keys_(invented_keys()), credentials_(std::move(credentials)) {
  if (credentials_.empty())
    credentials_.emplace_back();
  ways_.resize(keys_.size() * credentials_.size());
  for (const auto& f : failures)
    complaints_.push_back(std::make_shared<const std::string>(f.complaint));
}

std::uint64_t traffic::below(std::uint64_t limit) { return limit == 0 ? 0 : random_() % limit; }

const std::shared_ptr<const route>& traffic::way(std::size_t key, std::size_t index) {
  auto& found = ways_[key * credentials_.size() + index];
  if (found)
    return found;
  const credential& c = credentials_[index];
  auto made = std::make_shared<route>();
  fill_route(*made, c);
  made->api = made->api_key = keys_[key];
  made->model = c.model;
  made->alias = c.alias;
  made->client_ip = "172.18.0." + std::to_string(key + 2);
  made->forwarded_for = key % 3 == 0 ? "203.0.113." + std::to_string(key) : "";
  made->response_headers = headers_of(c);
  if (c.provider == "codex") {
    made->endpoint = "POST /v1/responses";
    made->user_agent = "codex_cli_rs/0.1";
    made->effort = key % 2 == 0 ? "high" : "";
    if (key % 2 == 0)
      made->alias += "(high)";
    made->response_tier = "default";
  } else if (c.count == counting::claude) {
    made->endpoint = "POST /v1/messages";
    made->user_agent = "claude-cli/2.1";
    made->tier = "default";
  } else if (c.count == counting::gemini) {
    made->endpoint = "POST /v1beta/models/*action";
    made->tier = "default";
  } else {
    made->endpoint = "POST /v1/chat/completions";
  }
  prepare(*made, traits_);
  return found = std::move(made);
}

attempt traffic::next(std::int64_t now_ns, const zone& place) {
  attempt a;
  // The smaller of two draws: a few keys do most of the work.
  const std::size_t key = std::min(below(keys_.size()), below(keys_.size()));
  a.way = way(key, below(credentials_.size()));
  const bool failed = below(100) < 15;
  a.latency_ms = static_cast<std::int64_t>(failed ? 80 + below(900) : 400 + below(1500) + below(7000));
  a.request_id = static_cast<std::uint32_t>(random_());
  if (failed) {
    const std::size_t which = below(failures.size());
    a.status = static_cast<std::uint16_t>(failures[which].status);
    a.complaint = complaints_[which];
  } else {
    const auto up_to = [&](std::int64_t limit) {
      return static_cast<std::int64_t>(below(static_cast<std::uint64_t>(limit)));
    };
    used_tokens& u = a.used;
    a.first_token_ms = up_to(a.latency_ms);
    u.input = static_cast<std::int64_t>(200 + below(6'000) + (below(8) == 0 ? below(60'000) : 0));
    u.output = static_cast<std::int64_t>(20 + below(1'800));
    u.reasoning = below(3) == 0 ? up_to(u.output) : 0;
    u.cache_read = below(2) == 0 ? up_to(u.input) : 0;
    if (a.way->count == counting::claude)
      u.cache_write = below(4) == 0 ? up_to(4'000) : 0;
    u.total = u.input + u.output + (a.way->count == counting::gemini ? u.reasoning : 0);
  }
  // Started `latency` ago, to the nanosecond, and never the same moment twice.
  now_ns = std::max(now_ns, last_ns_ + 1);
  last_ns_ = now_ns;
  a.started = place.at(now_ns - a.latency_ms * 1'000'000);
  return a;
}

} // namespace keyportal::cpa_sim
