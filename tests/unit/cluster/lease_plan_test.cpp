// One process's plan against rows that are told to it by hand.
#include <catch2/catch_test_macros.hpp>

#include "actors/cluster/lease_plan.hpp"

using namespace keyportal::cluster;
using namespace std::chrono_literals;

namespace {

using kind = lease_step::kind;

lease_plan plan_of(const std::string& id) { return {{}, {id, all_roles}, {{"schedule", role::serve}}}; }

/// Answers the heartbeat, so that it is out of the way, and gives what there is to do for the duty.
std::optional<lease_step> duty_step(lease_plan& plan, local_time now) {
  static std::uint64_t beats = 1'000'000;
  std::optional<lease_step> out;
  for (const auto& step : plan.next(now)) {
    if (step.key.starts_with("member/"))
      plan.wrote(step.key, write_outcome::done, ++beats, now);
    else
      out = step;
  }
  return out;
}

} // namespace

TEST_CASE("A free duty is taken, renewed, and acted upon only until shortly before it can be another's", "[lease]") {
  auto plan = plan_of("a");
  CHECK_FALSE(plan.may_act("schedule", 10s));
  auto step = duty_step(plan, 10s);
  REQUIRE(step);
  CHECK((step->what == kind::put && step->key == "duty/schedule" && step->expected == 0));
  CHECK_FALSE(plan.may_act("schedule", 10s)); // not before it is known to be ours
  CHECK_FALSE(duty_step(plan, 10100ms));      // one write at a time
  plan.wrote("duty/schedule", write_outcome::done, 7, 10200ms);
  CHECK(plan.fence("schedule", 10200ms) == 7);
  CHECK(plan.may_act("schedule", 12499ms));
  CHECK_FALSE(plan.may_act("schedule", 12500ms)); // counted from when it was sent
  CHECK_FALSE(duty_step(plan, 10900ms));
  step = duty_step(plan, 11s);
  REQUIRE(step);
  CHECK((step->what == kind::put && step->expected == 7));
  plan.wrote("duty/schedule", write_outcome::done, 9, 11100ms);
  CHECK(plan.fence("schedule", 13400ms) == 7); // the same holder
  CHECK(plan.holder("schedule") == "a");
}

TEST_CASE("A renewal of unknown outcome gives no time; it is looked for and done again", "[lease]") {
  auto plan = plan_of("a");
  (void)duty_step(plan, 10s);
  plan.wrote("duty/schedule", write_outcome::done, 7, 10s);
  (void)duty_step(plan, 11s);
  plan.wrote("duty/schedule", write_outcome::unknown, 0, 11500ms);
  CHECK(plan.may_act("schedule", 12400ms));
  CHECK_FALSE(plan.may_act("schedule", 12500ms));
  auto step = duty_step(plan, 11600ms);
  REQUIRE(step);
  CHECK(step->what == kind::look);
  plan.see({"duty/schedule", encode_lease("a"), 8}, 11700ms); // it was done after all
  CHECK_FALSE(plan.may_act("schedule", 12500ms));
  step = duty_step(plan, 12s);
  REQUIRE(step);
  CHECK((step->what == kind::put && step->expected == 8));
  plan.wrote("duty/schedule", write_outcome::done, 12, 12100ms);
  CHECK(plan.may_act("schedule", 14400ms));
}

TEST_CASE("Another's lease is left alone while it is renewed, and taken when it was not for its time", "[lease]") {
  auto plan = plan_of("a");
  plan.see({"duty/schedule", encode_lease("b"), 3}, 10s);
  CHECK_FALSE(duty_step(plan, 10s));
  CHECK_FALSE(duty_step(plan, 12900ms));
  plan.see({"duty/schedule", encode_lease("b"), 5}, 12900ms);
  CHECK_FALSE(duty_step(plan, 15800ms));
  const auto step = duty_step(plan, 15900ms);
  REQUIRE(step);
  CHECK((step->what == kind::put && step->expected == 5));
  plan.wrote("duty/schedule", write_outcome::conflict, 0, 16s); // it lives
  CHECK_FALSE(plan.may_act("schedule", 16s));
  const auto look = duty_step(plan, 16200ms);
  REQUIRE(look);
  CHECK(look->what == kind::look);
  plan.see({"duty/schedule", encode_lease("b"), 6}, 16200ms);
  CHECK_FALSE(duty_step(plan, 16500ms));
}

TEST_CASE("What was given back is taken at once, and what was taken from us is not acted upon", "[lease]") {
  auto plan = plan_of("a");
  plan.see({"duty/schedule", encode_lease("b"), 3}, 10s);
  plan.see({"duty/schedule", "", 4}, 10100ms);
  auto step = duty_step(plan, 10100ms);
  REQUIRE(step);
  CHECK((step->what == kind::put && step->expected == 0));
  plan.wrote("duty/schedule", write_outcome::done, 5, 10200ms);
  CHECK(plan.may_act("schedule", 10300ms));
  plan.see({"duty/schedule", encode_lease("c"), 8}, 10400ms);
  CHECK_FALSE(plan.may_act("schedule", 10400ms));
  plan.see({"duty/schedule", encode_lease("a"), 5}, 10500ms); // late news
  CHECK(plan.holder("schedule") == "c");
}

TEST_CASE("Who leaves stops acting before he gives back, and takes nothing", "[lease]") {
  auto plan = plan_of("a");
  (void)duty_step(plan, 10s);
  plan.wrote("duty/schedule", write_outcome::done, 7, 10s);
  plan.leave();
  CHECK(plan.may_act("schedule", 10300ms));
  const auto step = duty_step(plan, 10300ms);
  REQUIRE(step);
  CHECK((step->what == kind::remove && step->expected == 7));
  CHECK_FALSE(plan.may_act("schedule", 10300ms));
  CHECK_FALSE(plan.has_left());
  plan.wrote("duty/schedule", write_outcome::done, 8, 10400ms);
  CHECK_FALSE(duty_step(plan, 10600ms));
  plan.see({"duty/schedule", "", 8}, 10600ms);
  CHECK_FALSE(duty_step(plan, 20s));
  CHECK(plan.members(20s).empty());
}

TEST_CASE("A duty that is no more is given back", "[lease]") {
  auto plan = plan_of("a");
  (void)duty_step(plan, 10s);
  plan.wrote("duty/schedule", write_outcome::done, 7, 10s);
  plan.set_duties({});
  const auto step = duty_step(plan, 10300ms);
  REQUIRE(step);
  CHECK(step->what == kind::remove);
}

TEST_CASE("A table that was made anew is found out about by reading", "[lease]") {
  auto plan = plan_of("a");
  plan.see({"duty/schedule", encode_lease("b"), 900}, 10s);
  auto step = duty_step(plan, 13s);
  REQUIRE(step);
  plan.wrote("duty/schedule", write_outcome::conflict, 0, 13s);
  REQUIRE(duty_step(plan, 13200ms)); // looks
  plan.see({"duty/schedule", "", 0}, 13200ms);
  step = duty_step(plan, 13400ms);
  REQUIRE(step);
  CHECK((step->what == kind::put && step->expected == 0));
  plan.wrote("duty/schedule", write_outcome::conflict, 0, 13500ms);
  REQUIRE(duty_step(plan, 13700ms));
  plan.see({"duty/schedule", encode_lease("c"), 2}, 13700ms);
  CHECK(plan.holder("schedule") == "c");
}

TEST_CASE("Values that are not understood are nobody's", "[lease]") {
  CHECK_FALSE(decode_lease(""));
  CHECK_FALSE(decode_lease("1 "));
  CHECK_FALSE(decode_lease("2 a"));
  CHECK_FALSE(decode_lease("1 " + std::string(1000, 'a')));
  CHECK(decode_lease(encode_lease("a/7")) == "a/7");
  CHECK_FALSE(decode_member(""));
  CHECK_FALSE(decode_member("1 x 1"));
  CHECK_FALSE(decode_member("1 7"));
  CHECK_FALSE(decode_member("1 99999999999999 1"));
  CHECK(decode_member(encode_member(5, 99)) == role_set{5});
  auto plan = plan_of("a"); // but they hold what they hold until it is over
  plan.see({"duty/schedule", "9 from a later version", 3}, 10s);
  CHECK_FALSE(duty_step(plan, 12s));
  CHECK(duty_step(plan, 13s));
}
