#include "messages/records.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;

namespace {

detail sample() {
  detail d;
  d.at = {1'790'000'000'000'000'001, 480};
  d.latency_ms = 12;
  d.source = "a@example.com";
  d.auth_index = "00ff00ff00ff00ff";
  d.tokens = {10, 20, 3, 4, 30};
  return d;
}

record_id id_of(const detail& d, std::string_view key = "k", std::string_view model = "m") {
  return make_record_id("node", key, model, d);
}

} // namespace

TEST_CASE("A record's id changes with every field that CPA's import compares, and with nothing else") {
  const auto base = id_of(sample());
  auto d = sample();
  d.latency_ms = 99;
  CHECK(id_of(d) == base);
  d = sample();
  d.at.offset_minutes = 0; // the same instant in another zone
  CHECK(id_of(d) == base);

  // clang-format off
  d = sample(); d.at.unix_ns += 1;              CHECK(id_of(d) != base);
  d = sample(); d.source = "b@example.com";     CHECK(id_of(d) != base);
  d = sample(); d.auth_index = "";              CHECK(id_of(d) != base);
  d = sample(); d.failed = true;                CHECK(id_of(d) != base);
  d = sample(); d.tokens.input += 1;            CHECK(id_of(d) != base);
  d = sample(); d.tokens.output += 1;           CHECK(id_of(d) != base);
  d = sample(); d.tokens.reasoning += 1;        CHECK(id_of(d) != base);
  d = sample(); d.tokens.cached += 1;           CHECK(id_of(d) != base);
  d = sample(); d.tokens.total += 1;            CHECK(id_of(d) != base);
  // clang-format on
  CHECK(id_of(sample(), "k2") != base);
  CHECK(id_of(sample(), "k", "m2") != base);
  CHECK(make_record_id("node2", "k", "m", sample()) != base);
}

TEST_CASE("Text cannot move between fields without changing the id") {
  CHECK(id_of(sample(), "ab", "c") != id_of(sample(), "a", "bc"));
  auto x = sample(), y = sample();
  x.source = "s|a";
  x.auth_index = "";
  y.source = "s";
  y.auth_index = "a";
  CHECK(id_of(x) != id_of(y));
}

TEST_CASE("The id of a known record is what it always was") {
  // Ids are on disk and in streams for ever: this must not change. Computed apart from this code (SHA-256 over each
  // text behind its length and each number, 8 bytes big-endian).
  CHECK(to_string(id_of(sample())) == "7925d0456b3f76bc3bf0f6af431d9391");
}

TEST_CASE("A zero total is computed as CPA's import computes it") {
  detail d;
  d.tokens = {5, 1, 2, 9, 0};
  normalise(d);
  CHECK(d.tokens.total == 8);
  d.tokens = {0, 0, 0, 9, 0};
  normalise(d);
  CHECK(d.tokens.total == 9);
  d.tokens = {5, 1, 2, 9, 77};
  d.latency_ms = -3;
  normalise(d);
  CHECK(d.tokens.total == 77);
  CHECK(d.latency_ms == 0);
}

TEST_CASE("Names are trimmed and a missing model is called unknown") {
  CHECK(trimmed(" \t k \r\n") == "k");
  CHECK(trimmed("   ").empty());
  CHECK(normal_model("  ") == "unknown");
  CHECK(normal_model(" m ") == "m");
}

TEST_CASE("Totals count each outcome once") {
  totals t;
  t.add({10, 5, 1, 2, 15}, {}, 100, false);
  t.add({0, 0, 0, 0, 0}, {}, 40, true);
  CHECK(t.requests == 2);
  CHECK(t.ok == 1);
  CHECK(t.failed == 1);
  CHECK(t.tokens.total == 15);
  CHECK(t.latency_ms_sum == 140);
}

TEST_CASE("A masked key shows at most its end") {
  CHECK(masked("sk-portal-alice-0001") == "…0001");
  CHECK(masked("short") == "…");
}
