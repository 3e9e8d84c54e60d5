#include "actors/cpa/usage_document.hpp"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

#include "actors/cpa/export_document.hpp"
#include "messages/errors.hpp"
#include "tests/cpa_sim/usage_store.hpp"
#include "tests/support/seed.hpp"

using namespace keyportal;

namespace {

/// CPA's statistics (the stand-in's) read as a poller reads them.
struct bench {
  cpa_sim::usage_store node;
  cpa::usage_book book{"n"};
  std::int64_t clock = 1'790'000'000;

  static std::string padded(std::string body) {
    body.reserve(body.size() + 64);
    return body;
  }
  cpa_sim::detail made(int tokens = 10) {
    cpa_sim::detail d;
    d.timestamp = {++clock, 123'456'789, 28'800};
    d.latency_ms = 5;
    d.source = "a@example.com";
    d.auth_index = "00ff00ff00ff00ff";
    d.tokens = {tokens, 1, 0, 0, tokens + 1};
    return d;
  }
  void record(const std::string& key, const std::string& model, int n = 1) {
    for (int i = 0; i < n; ++i)
      node.record(key, model, made(), {clock, 0, 0});
  }
  caf::expected<cpa::usage_reading> read() { return book.read(padded(node.usage_json())); }
  cpa::usage_reading poll() {
    auto reading = read();
    REQUIRE(reading);
    book.accept(*reading, false);
    return std::move(*reading);
  }
  static std::size_t fresh(const cpa::usage_reading& r) {
    std::size_t n = 0;
    for (const auto& g : r.fresh)
      n += g.details.size();
    return n;
  }
};

errc code(const std::string& body) {
  cpa::usage_book book{"n"};
  const auto reading = book.read(bench::padded(body));
  return reading ? errc::none : code_of(reading.error());
}

} // namespace

TEST_CASE("An empty node is read as such") {
  bench b;
  const auto r = b.poll();
  CHECK(r.counters == node_counters{});
  CHECK(r.lists == 0);
}

TEST_CASE("Each poll brings what is new and nothing else") {
  bench b;
  b.record("k1", "m1", 3);
  b.record("k2", "m1", 2);
  auto r = b.poll();
  CHECK(bench::fresh(r) == 5);
  CHECK(r.counters.requests == 5);
  CHECK(bench::fresh(b.poll()) == 0);
  b.record("k1", "m1");
  b.record("k3", "m2");
  r = b.poll();
  CHECK(bench::fresh(r) == 2);
  CHECK(r.lists_broken == 0);
  CHECK(r.details == 7);
}

TEST_CASE("What was read but not accepted is brought again") {
  bench b;
  b.record("k", "m", 4);
  CHECK(bench::fresh(*b.read()) == 4);
  CHECK(bench::fresh(*b.read()) == 4);
}

TEST_CASE("Marks survive our own restart") {
  bench b;
  b.record("k1", "m1", 3);
  const auto marks = b.poll().marks;
  cpa::usage_book later{"n"};
  later.recall(marks);
  b.record("k1", "m1");
  const auto r = later.read(bench::padded(b.node.usage_json()));
  REQUIRE(r);
  CHECK(bench::fresh(*r) == 1);
  CHECK(r->lists_broken == 0);
}

TEST_CASE("Lists that are gone, shorter or begin otherwise are broken, whatever the totals say") {
  bench b;
  b.record("k1", "m1", 3);
  b.record("k2", "m1", 2);
  b.poll();
  b.node = cpa_sim::usage_store{};
  SECTION("nothing is there") {}
  SECTION("a list is there again with less") { b.record("k1", "m1"); }
  SECTION("all lists are there with more than before") {
    b.record("k1", "m1", 30);
    b.record("k2", "m1", 30);
  }
  const auto r = b.read();
  REQUIRE(r);
  CHECK(r->lists_broken == 2);
  CHECK(r->details_gone == 5);
  CHECK(bench::fresh(*r) == static_cast<std::size_t>(r->counters.requests));
}

TEST_CASE("An import into the same process breaks nothing") {
  bench b;
  b.record("k1", "m1", 3);
  b.poll();
  cpa_sim::snapshot in;
  in["k1"]["m1"] = {b.made(), b.made()};
  in["k9"]["m9"] = {b.made(-500)};
  b.node.merge(in, {b.clock, 0, 0});
  const auto r = b.poll();
  CHECK(r.lists_broken == 0);
  CHECK(bench::fresh(r) == 3);
}

TEST_CASE("The same details spelt otherwise are the same details") {
  bench b;
  b.record("k1", "m1", 3);
  b.poll();
  const auto pretty = nlohmann::json::parse(b.node.usage_json()).dump(2);
  const auto r = b.book.read(bench::padded(pretty));
  REQUIRE(r);
  CHECK(r->lists_broken == 0);
  CHECK(bench::fresh(*r) == 0);
}

TEST_CASE("A CPA that caps its lists and counts on is not taken for another one") {
  bench b;
  b.node.keep_newest(5);
  b.record("k1", "m1", 5);
  b.poll();
  b.record("k1", "m1", 3);
  const auto r = b.poll();
  CHECK(r.lists_broken == 0);
  CHECK(r.lists_capped == 1);
}

TEST_CASE("Reading by marks and reading all at once give the same records, in random histories") {
  std::mt19937_64 random{test::make_seed()};
  bench b;
  std::unordered_map<record_id, int> got;
  std::size_t made = 0;
  for (int round = 0; round < 60; ++round) {
    for (auto n = random() % 20; n > 0; --n, ++made)
      b.record("k" + std::to_string(random() % 4), "m" + std::to_string(random() % 3));
    const auto reading = b.poll();
    for (const auto& g : reading.fresh)
      for (const auto& d : g.details)
        ++got[d.id];
    REQUIRE(reading.lists_broken == 0);
  }
  CHECK(got.size() == made);
  for (const auto& [id, times] : got)
    REQUIRE(times == 1);
}

TEST_CASE("A wrong answer is an error that names the node, and changes nothing") {
  const std::string detail =
    R"({"timestamp":"2026-01-01T00:00:00Z","latency_ms":1,"source":"s","auth_index":"a","tokens":{"input_tokens":1},"failed":false})";
  const auto with = [&](std::string d) {
    return R"({"usage":{"total_requests":1,"apis":{"k":{"models":{"m":{"total_requests":1,"details":[)" + d + "]}}}}}}";
  };
  REQUIRE(code(with(detail)) == errc::none);
  const auto replaced = [&](const std::string& what, const std::string& by) {
    auto d = detail;
    d.replace(d.find(what), what.size(), by);
    return with(d);
  };
  CHECK(code("") == errc::node_answer_malformed);
  CHECK(code("not json at all") == errc::node_answer_malformed);
  CHECK(code("[]") == errc::node_answer_malformed);
  CHECK(code("null") == errc::node_answer_malformed);
  CHECK(code("{}") == errc::node_answer_malformed);
  CHECK(code("<html><body>502</body></html>") == errc::node_answer_malformed);
  CHECK(code(R"({"usage":{"total_requests":"5","apis":{}}})") == errc::node_answer_malformed);
  CHECK(code(R"({"usage":{"total_requests":1.5,"apis":{}}})") == errc::node_answer_malformed);
  CHECK(code(R"({"usage":{"total_requests":5,"apis":[]}})") == errc::node_answer_malformed);
  CHECK(code(R"({"usage":5})") == errc::node_answer_malformed);
  CHECK(code(with(detail) + "x") == errc::node_answer_malformed);
  CHECK(code(replaced(R"("a")", "123")) == errc::node_answer_malformed);
  CHECK(code(replaced("2026-01-01T00:00:00Z", "yesterday")) == errc::node_answer_malformed);
  CHECK(code(replaced(R"("timestamp":"2026-01-01T00:00:00Z",)", "")) == errc::node_answer_malformed);
  CHECK(code(replaced("false", "\"no\"")) == errc::node_answer_malformed);
  CHECK(code(replaced("\"s\"", "\"\xff\"")) == errc::node_answer_malformed);
  CHECK(code(replaced(R"({"input_tokens":1})", "7")) == errc::node_answer_malformed);
  CHECK(code(with("5")) == errc::node_answer_malformed);
}

TEST_CASE("An answer cut anywhere is an error or nothing, never a crash and never a record too many") {
  bench b;
  b.record("k1", "m1", 3);
  b.record("k2", "m2", 2);
  const auto whole = b.node.usage_json();
  for (std::size_t n = 0; n + 1 < whole.size(); ++n) {
    cpa::usage_book book{"n"};
    const auto r = book.read(bench::padded(whole.substr(0, n)));
    REQUIRE_FALSE(r);
  }
}

TEST_CASE("Random damage to an answer never crashes the reader") {
  std::mt19937_64 random{test::make_seed()};
  bench b;
  b.record("k1", "m1", 3);
  b.record("k2", "m2", 2);
  const auto whole = b.node.usage_json();
  for (int i = 0; i < 20'000; ++i) {
    auto body = whole;
    for (auto n = 1 + random() % 4; n > 0; --n)
      body[random() % body.size()] = static_cast<char>(random());
    cpa::usage_book book{"n"};
    (void)book.read(bench::padded(body));
  }
}

TEST_CASE("An answer that has the list of a key and model twice is refused, when it is new and when it is known") {
  bench b;
  b.record("k1", "m1", 3);
  const auto whole = b.node.usage_json();
  const auto from = whole.find("\"m1\":"), until = whole.find("]}", from) + 2;
  const auto list = whole.substr(from, until - from);
  auto twice = whole;
  twice.insert(until, "," + list);
  CHECK(code(twice) == errc::node_answer_malformed);
  CHECK(bench::fresh(b.poll()) == 3);
  const auto known = b.book.read(bench::padded(twice));
  REQUIRE_FALSE(known);
  CHECK(code_of(known.error()) == errc::node_answer_malformed);
  CHECK(bench::fresh(b.poll()) == 0); // nothing came of it
}

TEST_CASE("Null where CPA may say null is an empty place") {
  CHECK(code(R"({"usage":{"total_requests":0,"apis":null}})") == errc::none);
  CHECK(code(R"({"usage":{"apis":{"k":{"models":null},"l":{"models":{"m":{"details":null}}}}}})") == errc::none);
  CHECK(code(R"({"failed_requests":0,"usage":{"apis":{"marker":{"total_requests":0,"models":{}}}},"more":[1,{"x":2}]})")
        == errc::none);
}

TEST_CASE("Our export is what CPA would export, to the byte but for its date") {
  bench b;
  b.record("sk-a", "m1", 3);
  b.record("sk-<b>&c", "m2", 2);
  auto groups = cpa::read_export("n", b.node.usage_json());
  REQUIRE(groups);
  cpa::export_writer writer;
  writer.add(*groups);
  const auto ours = nlohmann::json::parse(std::move(writer).finish(moment{}));
  const auto theirs = nlohmann::json::parse(b.node.export_json({0, 0, 0}));
  CHECK(ours == theirs);
}

TEST_CASE("An import piece of ours is taken whole by CPA, once") {
  bench b;
  b.record("k1", "m1", 4);
  b.record("k2", "m2", 3);
  auto groups = cpa::read_export("n", b.node.usage_json());
  REQUIRE(groups);
  groups->push_back(groups->front()); // the same list in two groups must not shadow itself
  cpa_sim::usage_store other;
  std::int64_t version = -1;
  cpa_sim::snapshot in;
  REQUIRE(cpa_sim::read_import(cpa::export_writer::piece(*groups), version, in));
  CHECK(version == 1);
  CHECK(other.merge(in, {0, 0, 0}).added == 7);
  CHECK(other.merge(in, {0, 0, 0}).added == 0);
  CHECK(b.node.merge(in, {0, 0, 0}).added == 0);
}

TEST_CASE("Files of another version or with anything wrong in them are refused whole") {
  CHECK(code_of(cpa::read_export("n", R"({"version":2,"usage":{"apis":{}}})").error()) == errc::file_version);
  CHECK(
    code_of(cpa::read_export("n", R"({"version":1,"usage":{"apis":{"k":{"models":{"m":{"details":[{}]}}}}}})").error())
    == errc::file_malformed);
  CHECK(code_of(cpa::read_export("n", "").error()) == errc::file_malformed);
  CHECK(cpa::read_export("n", R"({"version":1,"exported_at":"x","usage":{"apis":{}}})"));
  CHECK(cpa::read_export("n", R"({"version":0,"usage":{"apis":{" ":{"models":{"m":{"details":[{}]}}}}}})"));
}
