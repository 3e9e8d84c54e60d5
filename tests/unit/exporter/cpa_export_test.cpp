// The document for CLIProxyAPI's import against the one that is written in one go.
#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "actors/cpa/export_document.hpp"
#include "table.hpp"
#include "tests/support/seed.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

moment at(const char* rfc3339) { return moment_of(parse_rfc3339(rfc3339).value().unix_ns); }

std::string written_at_once(const world& w, const node_name& node, moment now) {
  cpa::export_writer writer;
  auto scan = w.store->records(node, nullptr);
  for (;;) {
    const auto groups = must(scan->next(1'000));
    if (groups.empty())
      break;
    writer.add(groups);
  }
  return std::move(writer).finish(now);
}

} // namespace

TEST_CASE("the document in pieces is the one written at once, however little is held of it", "[exporter]") {
  const auto seed = make_seed();
  world w{static_cast<std::uint32_t>(seed)};
  w.use(600, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  for (int round = 0; round < 25; ++round) {
    export_limits limits;
    limits.piece_bytes = 1 + w.pick(w.pick(2) == 0 ? 30'000 : 300);
    limits.gathered = 1 + w.pick(w.pick(2) == 0 ? 700 : 20);
    export_desk desk{w.store, limits};
    export_question asked;
    asked.format = export_format::cpa;
    const node_name node = w.pick(2) == 0 ? "alpha" : "beta";
    asked.where[usage_by::node] = {node};
    const auto opened = must(desk.open(asked, w.now));
    const auto whole = read_all(desk, opened.id, w.now);
    REQUIRE(whole == written_at_once(w, node, w.now) + "\n");
    for (int again = 0; again < 10; ++again) {
      const auto offset = w.pick(whole.size());
      const auto piece = must(desk.read({opened.id, offset}, w.now));
      REQUIRE(*piece.text == whole.substr(offset, piece.text->size()));
    }
  }
}

TEST_CASE("the document of several nodes and a filter has the totals of its records", "[exporter]") {
  const auto seed = make_seed();
  world w{static_cast<std::uint32_t>(seed)};
  w.use(400, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  export_desk desk{w.store};
  export_question asked;
  asked.format = export_format::cpa;
  asked.where[usage_by::outcome] = {"failed"};
  const auto document = nlohmann::json::parse(export_now(desk, asked, w.now));
  std::int64_t requests = 0, tokens = 0;
  for (const auto& one : w.attempts)
    if (one.failed) {
      ++requests;
      tokens += one.tokens.total;
    }
  CHECK(document["version"] == 1);
  CHECK(document["usage"]["total_requests"] == requests);
  CHECK(document["usage"]["failure_count"] == requests);
  CHECK(document["usage"]["success_count"] == 0);
  CHECK(document["usage"]["total_tokens"] == tokens);
  std::int64_t listed = 0;
  for (const auto& api : document["usage"]["apis"])
    for (const auto& model : api["models"]) {
      CHECK(model["total_requests"] == model["details"].size());
      listed += static_cast<std::int64_t>(model["details"].size());
    }
  CHECK(listed == requests);
  asked.where[usage_by::outcome] = {"neither"};
  CHECK(nlohmann::json::parse(export_now(desk, asked, w.now))["usage"]["apis"] == nlohmann::json::object());
}
