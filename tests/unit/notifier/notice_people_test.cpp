#include "actors/notifier/notice_people.hpp"

#include <catch2/catch_test_macros.hpp>

using namespace keyportal;

namespace {
moment at(const char* text) { return moment_of(parse_rfc3339(text)->unix_ns); }
notice_preferences quiet(const char* from, const char* to, const char* zone = "Asia/Shanghai") {
  notice_preferences out;
  out.quiet_from = from;
  out.quiet_to = to;
  out.zone = zone;
  return out;
}
} // namespace

TEST_CASE("quiet hours hold what is no alarm until they end, across midnight too") {
  const auto wishes = quiet("22:00", "08:00");
  const auto tell = [&](notice_weight w, const char* now) { return time_to_tell(wishes, w, at(now), "UTC"); };
  CHECK(tell(notice_weight::warning, "2026-04-01T15:00:00Z") == at("2026-04-02T00:00:00Z")); // 23:00 there
  CHECK(tell(notice_weight::warning, "2026-04-01T20:00:00Z") == at("2026-04-02T00:00:00Z")); // 04:00 there
  CHECK(tell(notice_weight::warning, "2026-04-02T00:00:00Z") == at("2026-04-02T00:00:00Z")); // 08:00 there
  CHECK(tell(notice_weight::warning, "2026-04-02T05:00:00Z") == at("2026-04-02T05:00:00Z"));
  CHECK(tell(notice_weight::alarm, "2026-04-01T15:00:00Z") == at("2026-04-01T15:00:00Z"));
}

TEST_CASE("news wait for the digest, warnings do not") {
  notice_preferences wishes;
  wishes.digest_at = "09:00";
  CHECK(time_to_tell(wishes, notice_weight::news, at("2026-04-01T10:00:00Z"), "UTC") == at("2026-04-02T09:00:00Z"));
  CHECK(time_to_tell(wishes, notice_weight::news, at("2026-04-01T08:59:00Z"), "UTC") == at("2026-04-01T09:00:00Z"));
  CHECK(time_to_tell(wishes, notice_weight::warning, at("2026-04-01T10:00:00Z"), "UTC") == at("2026-04-01T10:00:00Z"));
}

TEST_CASE("hours are those of the clocks there, also on the day on which they are changed") {
  const auto wishes = quiet("22:00", "08:00", "Europe/Berlin"); // clocks go ahead on 2026-03-29 at 01:00 UTC
  CHECK(time_to_tell(wishes, notice_weight::news, at("2026-03-28T22:00:00Z"), "UTC") == at("2026-03-29T06:00:00Z"));
}

TEST_CASE("wishes that mean nothing are refused") {
  const std::vector<std::string> channels = {"mail"};
  CHECK_FALSE(check_wishes(quiet("22:00", "08:00"), channels));
  CHECK(check_wishes(quiet("22:00", ""), channels));
  CHECK(check_wishes(quiet("25:00", "08:00"), channels));
  CHECK(check_wishes(quiet("08:00", "08:00"), channels));
  CHECK(check_wishes(quiet("22:00", "08:00", "Mars/Olympus"), channels));
  notice_preferences other;
  other.channels = {"pigeon"};
  CHECK(check_wishes(other, channels));
  other = {};
  other.muted = {"nothing.such"};
  CHECK(check_wishes(other, channels));
  other = {};
  other.open_id = "ou_1\r\nX: y";
  CHECK(check_wishes(other, channels));
}

TEST_CASE("people are found by id and address, as they are now") {
  notice_people all;
  user one;
  one.id = "u1";
  one.email = "a@x.example";
  one.role = user_role::admin;
  one.state = user_state::active;
  one.groups = {"ops"};
  all.put(one);
  CHECK(all.admins() == std::vector<user_id>{"u1"});
  CHECK(all.members("ops").size() == 1);
  one.email = "b@x.example";
  one.state = user_state::suspended;
  all.put(one);
  CHECK(all.find_email("a@x.example") == nullptr);
  CHECK(all.find_email("b@x.example")->id == "u1");
  CHECK(all.admins().empty());
  CHECK(all.find("u1") != nullptr);
}
