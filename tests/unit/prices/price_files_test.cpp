#include <algorithm>
#include <random>

#include <catch2/catch_test_macros.hpp>

#include "actors/prices/price_files.hpp"
#include "price_samples.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

const price* of(const price_list& list, std::string_view model, std::string_view provider = {}) {
  const auto found = std::find_if(list.prices.begin(), list.prices.end(),
                                  [&](const price& p) { return p.model == model && p.provider == provider; });
  return found == list.prices.end() ? nullptr : &*found;
}

// In the form of LiteLLM's model_prices_and_context_window.json of autumn 2026.
constexpr const char* litellm = R"({
  "sample_spec": {"input_cost_per_token": "USD per input token", "litellm_provider": "one of …", "mode": "one of …"},
  "fallback_generalizations": {"rules": [{"name": "x", "pattern": "^y$"}]},
  "claude-opus-4-6": {
    "cache_creation_input_token_cost": 6.25e-06,
    "cache_creation_input_token_cost_above_1hr": 1e-05,
    "cache_creation_input_token_cost_above_200k_tokens": 1.25e-05,
    "cache_read_input_token_cost": 5e-07,
    "cache_read_input_token_cost_above_200k_tokens": 1e-06,
    "input_cost_per_token": 5e-06,
    "input_cost_per_token_above_200k_tokens": 1e-05,
    "litellm_provider": "anthropic", "max_input_tokens": 1000000, "max_tokens": 128000, "mode": "chat",
    "output_cost_per_token": 2.5e-05,
    "output_cost_per_token_above_200k_tokens": 3.75e-05,
    "provider_specific_entry": {"fast": 6.0, "us": 1.1},
    "search_context_cost_per_query": {"search_context_size_high": 0.01},
    "supports_vision": true
  },
  "gpt-5.4": {
    "input_cost_per_token": 0.0000025, "input_cost_per_token_priority": 0.000005, "input_cost_per_token_flex": 0.00000125,
    "input_cost_per_token_batches": 1.25e-06,
    "input_cost_per_token_above_272k_tokens": 5e-06, "input_cost_per_token_above_272k_tokens_priority": 1e-05,
    "input_cost_per_token_flex_above_272k_tokens": 2.5e-06,
    "output_cost_per_token": 0.000015, "output_cost_per_token_priority": 0.00003,
    "output_cost_per_token_above_272k_tokens": 2.25e-05,
    "cache_read_input_token_cost": 0.00000025, "cache_read_input_token_cost_priority": 0.0000005,
    "output_cost_per_reasoning_token": null,
    "litellm_provider": "openai", "mode": "chat"
  },
  "gemini/gemini-2.5-flash-lite": {"input_cost_per_token": 1e-07, "output_cost_per_token": 4e-07,
    "output_cost_per_reasoning_token": 4e-07, "input_cost_per_audio_token": 3e-07, "litellm_provider": "gemini"},
  "azure/gpt-5.4": {"input_cost_per_token": 2.75e-06, "output_cost_per_token": 1.65e-05, "litellm_provider": "azure"},
  "openrouter/anthropic/claude-opus-4-6": {"input_cost_per_token": 5e-06, "output_cost_per_token": 2.5e-05},
  "text-embedding-3-small": {"input_cost_per_token": 2e-08, "litellm_provider": "openai", "mode": "embedding"},
  "github_copilot/gpt-5": {"litellm_provider": "github_copilot", "mode": "chat"},
  "ollama/llama3": {"input_cost_per_token": 0.0, "output_cost_per_token": 0.0, "litellm_provider": "ollama"},
  "dall-e-3": {"output_cost_per_image": 0.04, "mode": "image_generation"},
  "negative": {"input_cost_per_token": -1e-06, "output_cost_per_token": 1e-06},
  "text": {"input_cost_per_token": "1e-06", "output_cost_per_token": 1e-06},
  "list": [1, 2]
})";

// In the form of models.dev's api.json.
constexpr const char* models_dev = R"({
  "openai": {"id": "openai", "name": "OpenAI", "npm": "@ai-sdk/openai", "models": {
    "gpt-5.6-sol": {"id": "gpt-5.6-sol", "reasoning": true, "limit": {"context": 1050000, "output": 128000},
      "cost": {"input": 5, "output": 30, "cache_read": 0.5, "cache_write": 6.25,
        "tiers": [{"input": 10, "output": 45, "cache_read": 1, "tier": {"type": "context", "size": 272000}}],
        "context_over_200k": {"input": 10, "output": 45, "cache_read": 1}},
      "experimental": {"modes": {"fast": {"cost": {"input": 12.5, "output": 75},
        "provider": {"body": {"service_tier": "priority"}}}}}},
    "no-cost": {"id": "no-cost", "name": "none"}}},
  "google": {"id": "google", "models": {
    "gemini-2.5-pro": {"cost": {"input": 1.25, "output": 10, "reasoning": 12, "cache_read": 0.31,
      "context_over_200k": {"input": 2.5, "output": 15, "cache_read": 0.625}}},
    "veo": {"cost": null}}},
  "some-seller": {"id": "some-seller", "models": {
    "gpt-5.6-sol": {"cost": {"input": 4, "output": 24}},
    "Vendor/Model-X": {"cost": {"input": 0.0375, "output": 0.15}},
    "free": {"cost": {"input": 0, "output": 0}},
    "half": {"cost": {"input": 1}},
    "broken": {"cost": {"input": "x", "output": 1}}}},
  "junk": 5
})";

} // namespace

TEST_CASE("LiteLLM's file becomes prices, with their tiers and long contexts") {
  const auto list = read_litellm(litellm);
  REQUIRE(list);
  const auto* opus = of(*list, "claude-opus-4-6");
  REQUIRE(opus != nullptr);
  CHECK(opus->source == price_source::litellm);
  CHECK(opus->rates == price_rates{5'000'000'000, 25'000'000'000, 500'000'000, 6'250'000'000, {}, {}, {}});
  REQUIRE(opus->steps.size() == 1); // how long a cache lives is no step
  CHECK(opus->steps[0]
        == price_step{"", 200'000, {10'000'000'000, 37'500'000'000, 1'000'000'000, 12'500'000'000, {}, {}, {}}});
  const auto* gpt = of(*list, "gpt-5.4");
  REQUIRE(gpt != nullptr);
  REQUIRE(gpt->steps.size() == 6);
  const auto rates = [&](std::string_view tier, std::int64_t input) { return rates_for(*gpt, tier, input); };
  CHECK(*rates("priority", 1).input == 5'000'000'000);
  CHECK(*rates("flex", 1).input == 1'250'000'000);
  CHECK(*rates("batch", 1).input == 1'250'000'000);
  CHECK(*rates("", 272'001).input == 5'000'000'000);
  CHECK(*rates("priority", 272'001).input == 10'000'000'000);
  CHECK(*rates("flex", 272'001).input == 2'500'000'000);
  CHECK(*rates("priority", 1).cache_read == 500'000'000);
  CHECK_FALSE(gpt->rates.reasoning);
}

TEST_CASE("a maker's model has its plain name, another seller's is for that provider") {
  const auto list = read_litellm(litellm);
  REQUIRE(list);
  REQUIRE(of(*list, "gemini-2.5-flash-lite") != nullptr);
  CHECK(of(*list, "gemini-2.5-flash-lite")->rates.reasoning == 400'000'000);
  REQUIRE(of(*list, "gpt-5.4", "azure") != nullptr);
  CHECK(of(*list, "gpt-5.4", "azure")->rates.input == 2'750'000'000);
  CHECK(of(*list, "gpt-5.4")->rates.input == 2'500'000'000);
  CHECK(of(*list, "anthropic/claude-opus-4-6", "openrouter") != nullptr);
  CHECK(of(*list, "text-embedding-3-small")->rates.output == 0);
}

TEST_CASE("entries without a price, and free ones, are none; what cannot be understood is named") {
  const auto list = read_litellm(litellm);
  REQUIRE(list);
  CHECK(list->prices.size() == 6);
  CHECK(list->without_price == 3);
  CHECK(list->refused_count == 3);
  CHECK(list->refused == std::vector<std::string>{"list", "negative", "text"});
}

TEST_CASE("models.dev's file becomes prices") {
  const auto list = read_models_dev(models_dev);
  REQUIRE(list);
  const auto* sol = of(*list, "gpt-5.6-sol");
  REQUIRE(sol != nullptr);
  CHECK(sol->source == price_source::models_dev);
  CHECK(sol->rates == price_rates{5 * dollar, 30 * dollar, 500'000'000, 6'250'000'000, {}, {}, {}});
  REQUIRE(sol->steps.size() == 2); // the list of tiers says it exactly, so the older field is not taken besides
  CHECK(sol->steps[0] == price_step{"priority", 0, {12'500'000'000, 75 * dollar, {}, {}, {}, {}, {}}});
  CHECK(sol->steps[1] == price_step{"", 272'000, {10 * dollar, 45 * dollar, dollar, {}, {}, {}, {}}});
  const auto* gemini = of(*list, "gemini-2.5-pro");
  REQUIRE(gemini != nullptr);
  CHECK(gemini->rates.reasoning == 12 * dollar);
  REQUIRE(gemini->steps.size() == 1);
  CHECK(gemini->steps[0].above == 200'000);
  CHECK(of(*list, "gpt-5.6-sol", "some-seller")->rates.input == 4 * dollar);
  REQUIRE(of(*list, "vendor/model-x", "some-seller") != nullptr);
  CHECK(of(*list, "vendor/model-x", "some-seller")->rates.input == 37'500'000);
  CHECK(list->prices.size() == 4);
  CHECK(list->without_price == 4);
  CHECK(list->refused == std::vector<std::string>{"some-seller/broken"});
}

TEST_CASE("what is no price list is refused") {
  for (const char* bad : {"", "{", "[]", "5", "null", "{}", "<html>not found</html>", R"({"error":"rate limited"})"}) {
    INFO(bad);
    for (const auto& read : {&read_litellm, &read_models_dev}) {
      const auto list = read(bad);
      REQUIRE_FALSE(list);
      CHECK(code_of(list.error()) == errc::file_malformed);
    }
  }
}

TEST_CASE("hostile files are refused or give tidy prices, and nothing worse") {
  const auto seed = make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const std::string deep(200'000, '[');
  CHECK_FALSE(read_litellm(R"({"a":)" + deep + "}"));
  for (const auto& [text, read] : {std::pair{litellm, &read_litellm}, {models_dev, &read_models_dev}})
    for (int round = 0; round < 2000; ++round) {
      std::string broken = text;
      for (auto changes = 1 + random() % 4; changes > 0; --changes) {
        const auto at = random() % broken.size();
        switch (random() % 3) {
          case 0: broken[at] = static_cast<char>(random()); break;
          case 1: broken.erase(at, 1 + random() % 20); break;
          default: broken.insert(at, broken.substr(random() % broken.size(), random() % 30)); break;
        }
        if (broken.empty())
          break;
      }
      const auto list = read(broken);
      if (!list)
        continue;
      for (const auto& one : list->prices) {
        const auto again = tidy_price(one);
        REQUIRE(again);
        REQUIRE(again->id == one.id);
      }
    }
}
