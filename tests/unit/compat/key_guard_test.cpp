#include <catch2/catch_test_macros.hpp>

#include <fmt/format.h>

#include "gateway/compat/key_guard.hpp"

using namespace keyportal;
using namespace keyportal::compat;
using namespace std::chrono_literals;

namespace {

key_guard guard() {
  return key_guard{{{"default", secret{"right-1"}, {}, false}, {"second", secret{"right-2"}, {}, false}}};
}
constexpr key_guard::clock::time_point start{1000h};

} // namespace

TEST_CASE("The key says which consumer somebody is") {
  auto g = guard();
  CHECK(g.judge("right-1", "a", start).who->name == "default");
  CHECK(g.judge("right-2", "a", start).who->name == "second");
  CHECK(g.judge("right-", "a", start).why == "invalid management key");
  CHECK(g.judge("", "a", start).why == "missing management key");
  CHECK(g.judge("", "a", start).status == 401);
}

TEST_CASE("Five failures ban an address for 30 minutes, also with a good key, and only that address") {
  auto g = guard();
  for (int i = 0; i < 5; ++i)
    CHECK(g.judge("wrong", "a", start).status == 401);
  const auto sixth = g.judge("wrong", "a", start);
  CHECK(sixth.status == 403);
  CHECK(sixth.why == "IP banned due to too many failed attempts. Try again in 30m0s");
  CHECK(g.judge("right-1", "a", start + 2s).why == "IP banned due to too many failed attempts. Try again in 29m58s");
  CHECK(g.judge("right-1", "b", start).who);
  CHECK(g.judge("right-1", "a", start + 30min).who);
}

TEST_CASE("A ban that is over leaves a clean record") {
  auto g = guard();
  for (int i = 0; i < 5; ++i)
    g.judge("wrong", "a", start);
  for (int i = 0; i < 5; ++i)
    CHECK(g.judge("wrong", "a", start + 31min).status == 401);
  CHECK(g.judge("wrong", "a", start + 31min).status == 403);
}

TEST_CASE("A good key forgets the failures before it, and so do two quiet hours") {
  auto g = guard();
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i)
      CHECK(g.judge("wrong", "a", start).status == 401);
    CHECK(g.judge("right-1", "a", start).who);
  }
  for (int i = 0; i < 4; ++i)
    g.judge("wrong", "b", start);
  for (int i = 0; i < 4; ++i)
    CHECK(g.judge("wrong", "b", start + 2h + 1s).status == 401);
  CHECK(g.judge("right-1", "b", start + 2h + 1s).who);
}

TEST_CASE("Thousands of addresses take no more memory than some, and lift no ban of one that goes on") {
  auto g = guard();
  for (int i = 0; i < 5; ++i)
    g.judge("wrong", "bad", start + 10s);
  for (int i = 0; i < 4000; ++i)
    g.judge("wrong", fmt::format("10.0.{}.{}", i / 250, i % 250), start);
  CHECK(g.judge("right-1", "bad", start + 11s).status == 403);
}
