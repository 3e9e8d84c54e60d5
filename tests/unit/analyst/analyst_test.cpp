// The actor: who is asked when several ask.
#include <catch2/catch_test_macros.hpp>
#include <caf/all.hpp>

#include "actors/analyst/analyst.hpp"
#include "tests/support/fixture.hpp"
#include "world.hpp"

using namespace keyportal;
using namespace keyportal::test;

namespace {

struct asker {
  explicit asker(world& w) : w_(&w) {
    analyst_ = spawn_analyst(f_.system(), false, {.zone = "Asia/Shanghai", .now = [&w] { return w.now; }}, w.store);
  }
  ~asker() {
    caf::anon_send_exit(analyst_, caf::exit_reason::kill);
    analyst_ = nullptr;
  }

  /// The answers in the order in which they came, to that many questions at once.
  std::vector<caf::expected<std::shared_ptr<const usage_report>>> ask(const ask_usage& what, int times) {
    std::vector<caf::expected<std::shared_ptr<const usage_report>>> out;
    f_.system().spawn([&out, &what, times, whom = analyst_](caf::event_based_actor* self) {
      for (int i = 0; i < times; ++i)
        self->request(whom, std::chrono::seconds{10}, what)
          .then([&out](const std::shared_ptr<const usage_report>& report) { out.emplace_back(report); },
                [&out](const caf::error& error) { out.emplace_back(error); });
    });
    f_.settle();
    return out;
  }

private:
  world* w_;
  fixture f_;
  analyst_actor analyst_;
};

} // namespace

TEST_CASE("Questions are answered in the zone of the service, also many at once; too many are told to come again") {
  world w{1};
  const auto begin = moment_of(parse_rfc3339("2026-03-22T00:00:00Z")->unix_ns);
  w.use(50, begin, begin + std::chrono::hours{30});
  asker service{w};
  ask_usage what;
  what.from = "today";
  what.to = "now";
  what.what.step = usage_step::hour;
  const auto few = service.ask(what, 10);
  REQUIRE(few.size() == 10);
  for (const auto& one : few) {
    REQUIRE(one);
    CHECK((*one)->zone == "Asia/Shanghai");
    CHECK(to_rfc3339_ms((*one)->from) == "2026-03-22T16:00:00.000Z");
    CHECK((*one)->position == 50);
  }
  std::size_t answered = 0, sent_away = 0;
  for (const auto& one : service.ask(what, 500))
    if (one)
      ++answered;
    else if (code_of(one.error()) == errc::too_many_requests)
      ++sent_away;
  CHECK(answered >= 64);
  CHECK(answered + sent_away == 500);
  what.what.zone = "Nowhere";
  CHECK(code_of(service.ask(what, 1)[0].error()) == errc::bad_request);
  what.what.zone.clear();
  CHECK(service.ask(what, 3)[2]);
}
