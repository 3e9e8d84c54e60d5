#include <limits>

#include <catch2/catch_test_macros.hpp>

#include "messages/price_json.hpp"
#include "price_samples.hpp"

#include <nlohmann/json.hpp>

using namespace keyportal;
using namespace keyportal::test;

TEST_CASE("a pattern fits what its stars can stand for") {
  for (const auto& [pattern, name, fits] : {std::tuple{"gpt-5", "gpt-5", true},
                                            {"gpt-5", "gpt-5-mini", false},
                                            {"gpt-5*", "gpt-5", true},
                                            {"gpt-5*", "gpt-5-mini", true},
                                            {"*", "", true},
                                            {"", "", true},
                                            {"", "a", false},
                                            {"*-mini", "gpt-5-mini", true},
                                            {"*-mini", "gpt-5-mini-x", false},
                                            {"a*b*c", "axxbyybzc", true},
                                            {"a*b*c", "axxbyyb", false},
                                            {"**", "anything", true},
                                            {"a*a", "a", false}}) {
    INFO(pattern << " and " << name);
    CHECK(model_fits(pattern, name) == fits);
  }
  // Would take for ever if every star were tried against every place.
  CHECK_FALSE(model_fits("*a*a*a*b", std::string(100'000, 'a')));
}

TEST_CASE("amounts are read and written to the last digit") {
  for (const auto& [text, nano] : {std::pair<const char*, std::int64_t>{"0", 0},
                                   {"3", 3'000'000'000},
                                   {"0.075", 75'000'000},
                                   {"2.50", 2'500'000'000},
                                   {".5", 500'000'000},
                                   {"0.000000001", 1},
                                   {"9000000", 9'000'000'000'000'000}}) {
    CHECK(nano_of(text) == nano);
    CHECK(nano_of(decimal_of(nano)) == nano);
  }
  for (const char* bad :
       {"", ".", "-1", "1e3", "1,5", " 1", "1.0000000001", "9000001", "99999999999999999999", "1.2.3"})
    CHECK_FALSE(nano_of(bad));
  CHECK(decimal_of(-1'500'000'000) == "-1.5");
  CHECK(decimal_of(std::numeric_limits<std::int64_t>::min()) == "-9223372036.854775808");
}

TEST_CASE("a price is brought into its form") {
  auto given = priced("  GPT-5* ");
  given.provider = "Codex";
  given.from = day(1) + std::chrono::milliseconds{1500};
  given.steps = {{"Priority", 200'000, {}}, {"", 200'000, {}}, {"flex", 0, {}}};
  const auto one = tidy(given);
  CHECK(one.model == "gpt-5*");
  CHECK(one.provider == "codex");
  CHECK(one.from == day(1) + std::chrono::seconds{1});
  REQUIRE(one.steps.size() == 3);
  CHECK(one.steps[0].tier == "flex");
  CHECK(one.steps[1].tier.empty());
  CHECK(one.steps[2].tier == "priority");
  CHECK(one.id == "by_hand/codex/1728086401/gpt-5*");
  CHECK(tidy(one) == one);
}

TEST_CASE("a price that makes no sense is refused") {
  const auto refused = [](price given) {
    const auto out = tidy_price(std::move(given));
    return !out && code_of(out.error()) == errc::bad_request;
  };
  CHECK(refused(priced("")));
  CHECK(refused(priced("a b")));
  CHECK(refused(priced(std::string(161, 'a'))));
  CHECK(refused(priced("*****")));
  price without;
  without.model = "m";
  CHECK(refused(without));
  auto one = priced("m");
  one.rates.output.reset();
  CHECK(refused(one));
  one = priced("m");
  one.provider = "a/b";
  CHECK(refused(one));
  one = priced("m");
  one.rates.cache_read = -1;
  CHECK(refused(one));
  one.rates.cache_read = highest_rate + 1;
  CHECK(refused(one));
  one = priced("m");
  one.from = one.until = day(1);
  CHECK(refused(one));
  one = priced("m");
  one.steps = {{"", 0, {}}};
  CHECK(refused(one));
  one.steps = {{"flex", 0, {}}, {"FLEX", 0, {}}};
  CHECK(refused(one));
  one.steps = {{"", -1, {}}};
  CHECK(refused(one));
  price by_request;
  by_request.model = "m";
  by_request.rates.request = 0;
  CHECK_FALSE(refused(by_request));
}

TEST_CASE("a price comes out of JSON as it went in, and anything else is refused by the name of its field") {
  auto one = priced("gpt-5");
  one.until = day(3);
  one.source = price_source::litellm;
  one.rates = {1, 2, 3, 4, 5, 6, 7};
  one.steps = {{"flex", 0, {.input = 1}}, {"", 200'000, {.multiplier_ppm = 2'000'000}}};
  one = tidy(one);
  auto back = price_from(to_json(one));
  REQUIRE(back);
  CHECK(tidy(*back) == one);
  for (const char* bad :
       {R"([])", R"({"model":1})", R"({"model":"m","rates":{"input":1.5}})", R"({"model":"m","rates":{"inputs":1}})",
        R"({"model":"m","rates":{"input":18446744073709551615}})", R"({"steps":[1]})", R"({"steps":{}})",
        R"({"source":"me"})", R"({"from":"soon"})", R"({"until":5})", R"({"colour":1})",
        R"({"steps":[{"above":"x"}]})"}) {
    INFO(bad);
    const auto out = price_from(nlohmann::json::parse(bad));
    REQUIRE_FALSE(out);
    CHECK(code_of(out.error()) == errc::bad_request);
  }
}
