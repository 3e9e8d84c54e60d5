#include <catch2/catch_test_macros.hpp>

#include "actors/exporter/exporter.hpp"
#include "table.hpp"
#include "tests/support/fixture.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace std::chrono_literals;

namespace {

moment at(const char* rfc3339) { return moment_of(parse_rfc3339(rfc3339).value().unix_ns); }

} // namespace

TEST_CASE("an export that nobody reads ends after a time, and says so", "[exporter]") {
  world w{3};
  w.use(50, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  export_desk desk{w.store};
  const auto opened = must(desk.open({}, w.now));
  CHECK(desk.held() == 1);
  (void)must(desk.read({opened.id, 0}, w.now + 9min));
  desk.tidy(w.now + 18min);
  (void)must(desk.read({opened.id, 0}, w.now + 18min)); // reading prolongs it
  desk.tidy(w.now + 29min);
  CHECK(desk.held() == 0);
  CHECK(code_of(desk.read({opened.id, 0}, w.now + 29min).error()) == errc::export_gone);
  CHECK(code_of(desk.read({"0123", 0}, w.now).error()) == errc::export_gone);
}

TEST_CASE("an export does not hold back the database for ever", "[exporter]") {
  world w{3};
  export_desk desk{w.store};
  const auto opened = must(desk.open({}, w.now));
  for (auto t = 0min; t <= 6h; t += 5min) {
    desk.tidy(w.now + t);
    (void)must(desk.read({opened.id, 0}, w.now + t));
  }
  desk.tidy(w.now + 6h + 1min);
  CHECK(desk.held() == 0);
}

TEST_CASE("one export too many takes the place of one that is done, not of one that is read", "[exporter]") {
  world w{3};
  w.use(300, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  export_limits limits;
  limits.held = 2;
  limits.piece_bytes = 1'000;
  export_desk desk{w.store, limits};
  const auto first = must(desk.open({}, w.now)), second = must(desk.open({}, w.now));
  CHECK(code_of(desk.open({}, w.now).error()) == errc::too_many_requests);
  (void)read_all(desk, second.id, w.now);
  const auto third = must(desk.open({}, w.now)); // in the place of the second
  CHECK(code_of(desk.read({second.id, 0}, w.now).error()) == errc::export_gone);
  (void)must(desk.read({third.id, 0}, w.now + 50s));
  (void)must(desk.open({}, w.now + 61s)); // the first has been left alone for a minute
  CHECK(code_of(desk.read({first.id, 0}, w.now + 61s).error()) == errc::export_gone);
  (void)must(desk.read({third.id, 0}, w.now + 61s));
  desk.close(third.id);
  desk.close(third.id);
  CHECK(desk.held() == 1);
}

TEST_CASE("what makes no sense is refused before anything is held", "[exporter]") {
  world w{3};
  export_desk desk{w.store};
  const auto refused = [&](export_question asked) {
    const auto opened = desk.open(asked, w.now);
    return !opened && code_of(opened.error()) == errc::bad_request;
  };
  export_question asked;
  asked.what = export_what::users;
  asked.format = export_format::cpa;
  CHECK(refused(asked));
  asked.format = export_format::csv;
  asked.from = "30d";
  CHECK(refused(asked));
  asked = {};
  asked.what = export_what::keys;
  asked.where[usage_by::model] = {"m"};
  CHECK(refused(asked));
  asked = {};
  asked.what = export_what::rollups;
  asked.text = "x";
  CHECK(refused(asked));
  asked = {};
  asked.zone = "Nowhere/Town";
  CHECK(refused(asked));
  asked = {};
  asked.from = "soon";
  CHECK(refused(asked));
  asked.from = "2026-04-02";
  asked.to = "2026-04-01";
  CHECK(refused(asked));
  asked = {};
  asked.where[usage_by::weekday] = {"1"};
  CHECK(refused(asked));
  asked = {};
  asked.format = export_format::jsonl;
  asked.byte_order_mark = true;
  CHECK(refused(asked));
  CHECK(desk.held() == 0);
}

TEST_CASE("the exporter gives pieces to actors and to others, and tidies up by itself", "[exporter]") {
  world w{3};
  w.use(100, at("2026-03-20T00:00:00Z"), at("2026-03-26T00:00:00Z"));
  metrics numbers;
  fixture stage;
  auto clock = std::make_shared<moment>(w.now);
  const auto exporter = spawn_exporter(
    stage.system(), false, [clock] { return *clock; }, w.store, numbers);
  const auto opened = must(stage.ask<opened_export>(exporter, open_export{}));
  CHECK(opened.id.size() == 32);
  CHECK(numbers.exports_held.Value() == 1);
  const auto piece = must(stage.ask<export_piece>(exporter, read_export{opened.id, 0}));
  CHECK(piece.last);
  CHECK(numbers.export_bytes.Value() == static_cast<double>(piece.text->size()));
  std::string got;
  stage.tell(exporter, pull_export{{opened.id, 10}, [&](const caf::expected<export_piece>& p) { got = *p->text; }});
  CHECK(got == piece.text->substr(10));
  *clock += 11min;
  stage.advance(31s);
  CHECK(numbers.exports_held.Value() == 0);
  CHECK(code_of(stage.ask<export_piece>(exporter, read_export{opened.id, 0}).error()) == errc::export_gone);
  caf::anon_send_exit(exporter, caf::exit_reason::kill);
  stage.settle();
}
