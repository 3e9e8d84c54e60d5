#include "actors/key_registry/auditor.hpp"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "messages/errors.hpp"
#include "tests/support/answers.hpp"
#include "tests/support/fixture.hpp"

using namespace keyportal;

namespace {

struct scene : test::fixture {
  scene() {
    log.prove = [this]() -> caf::expected<log_position> { return last; };
    log.last = [this] { return last; };
    log.hash_of = [](log_position at) -> caf::expected<std::array<std::uint8_t, 32>> {
      return std::array<std::uint8_t, 32>{static_cast<std::uint8_t>(at)};
    };
    log.now = [] { return moment{}; };
  }
  log_position last = 0;
  audit_log log;
  std::vector<node_event> told;
};

} // namespace

TEST_CASE_METHOD(scene, "S31: the last entry's hash is told once a day, and only when there are new entries") {
  auto ledger = spawn([this]() -> ledger_actor::behavior_type {
    return test::answers<ledger_actor>(test::overloaded{[this](const journal_entry& m) {
      told.insert(told.end(), m.events.begin(), m.events.end());
      return committed{};
    }});
  });
  last = 7;
  auto it = spawn_auditor(system(), false, log, ledger);
  settle();
  REQUIRE(told.size() == 1);
  CHECK(told[0].kind == event_kind::audit_head);
  CHECK(told[0].about == "audit");
  const auto body = nlohmann::json::parse(told[0].data);
  CHECK(body["position"] == 7);
  CHECK(body["hash"] == "07" + std::string(62, '0'));
  advance(std::chrono::hours{25});
  CHECK(told.size() == 1);
  last = 8;
  advance(std::chrono::hours{24});
  REQUIRE(told.size() == 2);
  CHECK(nlohmann::json::parse(told[1].data)["position"] == 8);
  caf::anon_send_exit(it, caf::exit_reason::kill);
}

TEST_CASE_METHOD(scene, "S31: a log that was cut off is told by the hash that was kept elsewhere") {
  last = 8;
  auto it = spawn_auditor(system(), false, log);
  const auto verify = [&](log_position position, std::uint8_t first) {
    return ask<audit_verified>(it, verify_audit{position, {first}});
  };
  CHECK(verify(0, 0));
  CHECK(verify(8, 8));
  CHECK(verify(3, 3)->hash[0] == 8);
  CHECK(code_of(verify(8, 9).error()) == errc::audit_broken); // another entry stands there
  CHECK(code_of(verify(9, 9).error()) == errc::audit_broken); // there is none any more
  caf::anon_send_exit(it, caf::exit_reason::kill);
}
