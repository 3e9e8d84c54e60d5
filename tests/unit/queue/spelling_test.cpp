#include "actors/cpa/spelling.hpp"

#include <algorithm>
#include <random>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "actors/cpa/plain_json.hpp"
#include "tests/support/seed.hpp"
#include "tests/unit/queue/sample.hpp"

using namespace keyportal;
using namespace keyportal::cpa;

namespace {

std::string spelt_as(std::string_view json) {
  speller spell;
  spelt object;
  const auto why = spell.spell(json, object);
  return why.empty() ? std::string{object.text} : "!" + why;
}

bool refused(std::string_view json) { return spelt_as(json).starts_with('!'); }

/// The same value with members shuffled, blanks, escapes where none are needed, numbers written otherwise.
std::string respelt(const nlohmann::json& value, std::mt19937_64& random) {
  const auto blank = [&] { return std::string(random() % 3, " \n\t"[random() % 3]); };
  if (value.is_string()) {
    std::string out = "\"";
    for (const unsigned char c : value.get<std::string>())
      if (c < 0x20 || (c < 0x80 && random() % 4 == 0))
        out += fmt::format(fmt::runtime(random() % 2 == 0 ? "\\u{:04x}" : "\\u{:04X}"), c);
      else if (c == '"' || c == '\\')
        (out += '\\') += static_cast<char>(c);
      else
        out += static_cast<char>(c);
    return out + "\"";
  }
  if (value.is_number_integer() && value.get<std::int64_t>() % 10 == 0 && value.get<std::int64_t>() != 0
      && std::abs(value.get<std::int64_t>()) < 1'000'000'000)
    return fmt::format("{}e{}1", value.get<std::int64_t>() / 10, random() % 2 == 0 ? "+" : "");
  std::vector<std::string> parts;
  if (value.is_object())
    for (const auto& [name, inside] : value.items())
      parts.push_back(blank() + respelt(nlohmann::json(name), random) + blank() + ":" + blank()
                      + respelt(inside, random) + blank());
  else if (value.is_array())
    for (const auto& inside : value)
      parts.push_back(blank() + respelt(inside, random) + blank());
  else
    return value.dump();
  if (value.is_object())
    std::shuffle(parts.begin(), parts.end(), random);
  std::string out = value.is_object() ? "{" : "[";
  for (std::size_t i = 0; i < parts.size(); ++i)
    out += (i == 0 ? "" : ",") + parts[i];
  return out + (value.is_object() ? "}" : "]");
}

} // namespace

TEST_CASE("Objects come into one spelling") {
  const std::pair<const char*, const char*> rows[] = {
    {"{}", "{}"},
    {" { } ", "{}"},
    {R"({"b":1,"a":2})", R"({"a":2,"b":1})"},
    {R"({"b":{"d":[ ],"c":{}},"a":[ {"z":1,"y":2} , null , true,false ]})",
     R"({"a":[{"y":2,"z":1},null,true,false],"b":{"c":{},"d":[]}})"},
    {R"({"a":"\u0041\u003c\/\n\u001F\"\\é\u00e9"})", R"({"a":"A</\u000a\u001f\"\\éé"})"},
    {R"({"\u0061b":1})", R"({"ab":1})"},
    {R"({"a\"b":1})", R"({"a\"b":1})"},
    {R"({"a":[0,-0,1.0,1e3,-1E+2,100,0.5,1e-3,1e300,18446744073709551615,-9223372036854775808]})",
     R"({"a":[0,0,1,1000,-100,100,0.5,0.001,1e+300,18446744073709551615,-9223372036854775808]})"},
    {R"({"a":[1e15,1e16,10000000000000000,9e18,-9e18,1e19,3333333333333333.3E6,9223372036854775807e2]})",
     R"({"a":[1000000000000000,10000000000000000,10000000000000000,9000000000000000000,-9000000000000000000,1e+19,)"
     R"(3.3333333333333335e+21,9.223372036854776e+20]})"},
    {R"({"a":1,"a":2,"b":3,"a":4})", R"({"a":4,"b":3})"},
    {R"({"response_service_tier":1,"response_headers":2,"response":3,"responses":4})",
     R"({"response":3,"response_headers":2,"response_service_tier":1,"responses":4})"},
    {R"({"":1,"a":2})", R"({"":1,"a":2})"},
  };
  for (const auto& [written, spelt] : rows) {
    INFO(written);
    CHECK(spelt_as(written) == spelt);
  }
}

TEST_CASE("What is not exactly one object is refused") {
  for (const std::string bad : {"",
                                " ",
                                "[]",
                                "1",
                                "\"x\"",
                                "null",
                                "{",
                                "}",
                                "{}{}",
                                "{} x",
                                R"({"a"})",
                                R"({"a":})",
                                R"({"a":1,})",
                                R"({,"a":1})",
                                R"({"a":1 "b":2})",
                                R"({"a":tru})",
                                R"({"a":nul})",
                                R"({"a":01})",
                                R"({"a":1.})",
                                R"({"a":+1})",
                                R"({"a":-})",
                                R"({"a":1x})",
                                R"({"a":"x)",
                                R"({"a":"\x"})",
                                R"({"a":"\u12"})",
                                R"({a:1})",
                                R"({"a":[1,]})",
                                R"({"a":[1 2]})",
                                R"({"a":"b":"c"})",
                                R"({"a":1:2})",
                                R"({"a":["b":"c"]})",
                                R"({"a":"b""c"})",
                                R"({"a":[})",
                                R"({"a":1e999})",
                                "{\"a\":\"\x01\"}",
                                "{\"a\":\"\xff\"}",
                                "{\"\xc3\":1}",
                                R"({"a":99999999999999999999999})"}) {
    INFO(bad);
    CHECK(refused(bad));
  }
  const auto deep = [](std::size_t n) { return R"({"a":)" + std::string(n, '[') + std::string(n, ']') + "}"; };
  CHECK(!refused(deep(30)));
  CHECK(refused(deep(40)));
  CHECK(refused(deep(2000)));
  CHECK(refused(R"({"a":")" + std::string((16U << 20) + 1, 'x') + "\"}"));
}

TEST_CASE("Members are found with their spelling, at every level") {
  speller spell;
  spelt object;
  REQUIRE(spell.spell(R"({"tokens":{"b":[1,2],"a":{"x":"y\n"}},"model":"m","n":-5})", object).empty());
  const auto* tokens = object.find("tokens");
  REQUIRE(tokens != nullptr);
  CHECK(object.whole(*tokens) == R"("tokens":{"a":{"x":"y\u000a"},"b":[1,2]})");
  const auto inner = object.inner(*tokens);
  REQUIRE(inner.find("b") != nullptr);
  CHECK(inner.value(*inner.find("b")) == "[1,2]");
  const auto innermost = inner.inner(*inner.find("a"));
  REQUIRE(innermost.find("x") != nullptr);
  CHECK(innermost.find("x")->string == "y\n");
  CHECK(object.find("model")->string == "m");
  CHECK(object.value(*object.find("n")) == "-5");
  CHECK(object.find("mode") == nullptr);
  CHECK(object.find("models") == nullptr);
  CHECK(inner.find("tokens") == nullptr);
}

TEST_CASE("However a record is written, its spelling is the same") {
  std::mt19937_64 random{test::make_seed()};
  speller spell;
  for (int i = 0; i < 300; ++i) {
    auto record = nlohmann::json::parse(test::sample_record(random()));
    record["note"] = "tab\t, quote\", back\\slash, \x1b and 漢字";
    record["n"] = static_cast<std::int64_t>(random() % 1000);
    spelt object;
    REQUIRE(spell.spell(record.dump(), object).empty());
    const std::string expected{object.text};
    CHECK(nlohmann::json::parse(expected) == record);
    REQUIRE(spell.spell(respelt(record, random), object).empty());
    CHECK(object.text == expected);
  }
}

TEST_CASE("Names fit patterns with a star at either end") {
  CHECK(fits("Retry-After", "retry-after"));
  CHECK(!fits("Retry-After-Ms", "retry-after"));
  CHECK(fits("Retry-After-Ms", "retry-after*"));
  CHECK(fits("X-Request-Id", "*-request-id"));
  CHECK(!fits("Request-Id", "*-request-id"));
  CHECK(!fits("x", "x-codex-*"));
  CHECK(fits("X-CODEX-", "x-codex-*"));
}

TEST_CASE("Texts are cut between characters") {
  CHECK(first_bytes("abc", 5) == "abc");
  CHECK(first_bytes("abc", 3) == "abc");
  CHECK(first_bytes("abc", 2) == "ab");
  CHECK(first_bytes("aé", 2) == "a");
  CHECK(first_bytes("漢字", 5) == "漢");
  CHECK(first_bytes("漢", 2).empty());
}
