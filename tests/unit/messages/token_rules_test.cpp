#include "messages/token_rules.hpp"

#include <limits>

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;

namespace {

constexpr auto largest = std::numeric_limits<std::int64_t>::max();
constexpr auto smallest = std::numeric_limits<std::int64_t>::min();

struct row {
  const char* what;
  token_evidence evidence;
  token_parts parts; // uncached, read, write, output, reasoning, unclassified
};

token_evidence said(std::string_view provider, std::string_view model, token_counts raw, std::int64_t read = 0,
                    std::int64_t creation = 0) {
  return {provider, model, raw, read, creation, std::nullopt};
}

} // namespace

TEST_CASE("Tokens of every provider come into one form") {
  // raw: input, output, reasoning, cached, total
  const row rows[] = {
    {"openai: cache in input, reasoning in output",
     said("codex", "gpt-5.4", {1200, 330, 128, 512, 1530}, 512),
     {688, 512, 0, 202, 128, 0}},
    {"openai before 7.0.3: only cached",
     said("codex", "gpt-5", {1200, 330, 128, 512, 1530}),
     {688, 512, 0, 202, 128, 0}},
    {"an upstream of whatever name, by its model", said("fakeup", "up-model-1", {11, 7, 2, 4, 18}), {7, 4, 0, 5, 2, 0}},
    {"the same from 7.2.21 on",
     said("openai-compatible-fakeup", "up-model-1", {11, 7, 2, 4, 18}, 4),
     {7, 4, 0, 5, 2, 0}},
    {"a compatible upstream named after another",
     said("openai-compatible-claude", "claude-x", {11, 7, 0, 4, 18}, 4),
     {7, 4, 0, 7, 0, 0}},
    {"openai that writes its cache", said("openrouter", "x", {100, 10, 0, 30, 110}, 30, 20), {50, 30, 20, 10, 0, 0}},
    {"claude up to 7.1.25: total without cache",
     said("claude", "claude-sonnet-4", {100, 50, 0, 900, 150}, 900, 40),
     {100, 900, 40, 50, 0, 0}},
    {"claude from 7.1.26: total with cache",
     said("claude", "claude-sonnet-4", {100, 50, 0, 900, 1090}, 900, 40),
     {100, 900, 40, 50, 0, 0}},
    {"claude that only wrote: cached says the same as creation",
     said("claude", "claude-sonnet-4", {100, 50, 0, 40, 190}, 0, 40),
     {100, 0, 40, 50, 0, 0}},
    {"claude before 7.0.3: cached is taken for read",
     said("claude", "claude-sonnet-4", {100, 50, 0, 900, 150}),
     {100, 900, 0, 50, 0, 0}},
    {"claude with reasoning in output", said("claude", "claude-opus-5", {100, 50, 20, 0, 150}), {100, 0, 0, 30, 20, 0}},
    {"claude in a detail without provider", said("", "claude-haiku-4", {10, 5, 0, 90, 15}), {10, 90, 0, 5, 0, 0}},
    {"gemini: reasoning beside output",
     said("gemini-cli", "gemini-2.5-pro", {1000, 200, 300, 400, 1500}, 400),
     {600, 400, 0, 200, 300, 0}},
    {"gemini in a detail without provider",
     said("", "Gemini-2.5-pro", {1000, 200, 300, 400, 1500}),
     {600, 400, 0, 200, 300, 0}},
    {"gemini whose total has more", said("vertex", "gemini-3", {1000, 200, 300, 0, 1550}), {1000, 0, 0, 200, 300, 50}},
    {"antigravity serving claude",
     said("antigravity", "claude-opus-4-5", {1000, 200, 300, 400, 1500}, 400),
     {600, 400, 0, 200, 300, 0}},
    {"no total from the provider, up to 6.9.49: CPA's stopgap counts reasoning twice",
     said("", "up-model", {5, 2, 1, 0, 8}),
     {5, 0, 0, 1, 1, 0}},
    {"no total from the provider, later", said("openai", "up-model", {5, 2, 1, 0, 7}), {5, 0, 0, 1, 1, 0}},
    {"more reasoning than output", said("openai", "up-model", {5, 1, 2, 0, 6}), {0, 0, 0, 0, 0, 6}},
    {"more reasoning than output, with the stopgap", said("", "up-model", {5, 1, 2, 0, 8}), {0, 0, 0, 0, 0, 6}},
    {"more cache than input", said("openai", "up-model", {5, 1, 0, 9, 6}, 9), {0, 0, 0, 0, 0, 6}},
    {"only a total", said("openai", "image-model", {0, 0, 0, 0, 70}), {0, 0, 0, 0, 0, 70}},
    {"nothing", said("openai", "x", {}), {}},
    {"a failed attempt", said("claude", "claude-x", {}), {}},
    {"negative counts of an import", said("", "x", {-5, 2, 0, 0, -3}), {-5, 0, 0, 2, 0, 0}},
    {"negative everything", said("", "claude-x", {-5, -2, -1, -4, -7}), {-5, -4, 0, -1, -1, 0}},
  };
  for (const auto& r : rows) {
    INFO(r.what);
    const auto parts = normalise_tokens(r.evidence);
    CHECK(parts.uncached_input == r.parts.uncached_input);
    CHECK(parts.cache_read == r.parts.cache_read);
    CHECK(parts.cache_write == r.parts.cache_write);
    CHECK(parts.output == r.parts.output);
    CHECK(parts.reasoning == r.parts.reasoning);
    CHECK(parts.unclassified == r.parts.unclassified);
  }
}

TEST_CASE("CPA's own division wins where it says what it knows") {
  const token_parts division{1, 2, 3, 4, 5, 6};
  using quality = token_breakdown::quality;
  auto evidence = said("claude", "claude-x", {100, 50, 0, 0, 150});
  for (const auto how : {quality::complete, quality::inconsistent}) {
    evidence.breakdown = token_breakdown{how, division};
    CHECK(normalise_tokens(evidence) == division);
  }
  evidence.breakdown = token_breakdown{quality::unclassified, division};
  CHECK(normalise_tokens(evidence) == token_parts{100, 0, 0, 50, 0, 0});
  evidence.provider = "some-plugin"; // nobody knows better than CPA
  CHECK(normalise_tokens(evidence) == division);
}

TEST_CASE("Old and new versions say the same of the same traffic") {
  // One claude attempt as three versions record it.
  auto before = said("claude", "claude-x", {100, 50, 0, 900, 150}, 900, 40);
  auto after = said("claude", "claude-x", {100, 50, 0, 900, 1090}, 900, 40);
  auto today = after;
  today.breakdown = token_breakdown{token_breakdown::quality::complete, {100, 900, 40, 50, 0, 0}};
  CHECK(normalise_tokens(before) == normalise_tokens(after));
  CHECK(normalise_tokens(after) == normalise_tokens(today));
  CHECK(normalise_tokens(today).total() == 1090);
}

TEST_CASE("Absurd counts stop at the ends of 64 bits") {
  CHECK(token_parts{largest, 1, 0, 0, 0, 0}.total() == largest);
  CHECK(token_parts{smallest, -1, 0, 0, 0, 0}.total() == smallest);
  for (const std::string_view provider : {"openai", "claude", "gemini", ""})
    for (const auto a : {largest, smallest, std::int64_t{-1}, std::int64_t{0}})
      for (const auto b : {largest, smallest, std::int64_t{1}})
        for (const auto c : {largest, smallest, std::int64_t{2}})
          CHECK_NOTHROW(normalise_tokens(said(provider, "m", {a, b, c, a, b}, c, a)).total()); // the sanitizer watches
}
