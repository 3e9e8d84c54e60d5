#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "fake_backend.hpp"
#include "gateway/compat/places.hpp"

using namespace keyportal;
using namespace keyportal::compat;
using test::fake_backend;

namespace {

const consumer alice{"alice", secret{"a"}, {}, false};
const consumer bob{"bob", secret{"b"}, {}, false};
const consumer archive{"archive", secret{"c"}, {}, true};

std::vector<int> inputs(const std::vector<std::string>& records) {
  std::vector<int> out;
  for (const auto& text : records)
    out.push_back(nlohmann::json::parse(text)["tokens"]["input_tokens"].get<int>());
  return out;
}

} // namespace

TEST_CASE("A new consumer begins at the end of the ledger, or at its beginning if it wants") {
  fake_backend back;
  back.add_some("one", 3);
  places all{back};
  REQUIRE_FALSE(all.open({alice, archive}));
  CHECK((*all.of(alice, ""))->pop(10)->empty());
  CHECK(inputs(*(*all.of(archive, ""))->pop(10)) == std::vector{1, 2, 3});
  back.add_some("one", 1);
  CHECK(inputs(*(*all.of(alice, ""))->pop(10)) == std::vector{4});
}

TEST_CASE("Consumers do not take records from each other") {
  fake_backend back;
  places all{back};
  REQUIRE_FALSE(all.open({alice, bob}));
  back.add_some("one", 5);
  CHECK(inputs(*(*all.of(alice, ""))->pop(2)) == std::vector{1, 2});
  CHECK(inputs(*(*all.of(bob, ""))->pop(9)) == std::vector{1, 2, 3, 4, 5});
  CHECK(inputs(*(*all.of(alice, ""))->pop(9)) == std::vector{3, 4, 5});
  CHECK((*all.of(alice, ""))->pop(9)->empty());
}

TEST_CASE("Places survive a restart") {
  fake_backend back;
  {
    places all{back};
    REQUIRE_FALSE(all.open({alice}));
    back.add_some("one", 5);
    CHECK((*all.of(alice, ""))->pop(2)->size() == 2);
  }
  places all{back};
  REQUIRE_FALSE(all.open({alice, bob}));
  CHECK(inputs(*(*all.of(alice, ""))->pop(9)) == std::vector{3, 4, 5});
  CHECK((*all.of(bob, ""))->pop(9)->empty());
}

TEST_CASE("A place is on disk before its records are given out") {
  fake_backend back;
  places all{back};
  REQUIRE_FALSE(all.open({alice}));
  back.add_some("one", 2);
  const auto place = *all.of(alice, "");
  back.broken = true;
  CHECK_FALSE(place->pop(1));
  back.broken = false;
  CHECK(inputs(*place->pop(1)) == std::vector{1});
  CHECK(back.kept["compat/alice"] == 1);
}

TEST_CASE("The way through one node is another than through all of them") {
  fake_backend back;
  back.configured = {"one", "two"};
  places all{back};
  REQUIRE_FALSE(all.open({alice}));
  REQUIRE(all.of(alice, "two"));
  back.add_some("one", 1);
  back.event();
  back.add_some("two", 1);
  back.add_some("one", 1);
  CHECK(inputs(*(*all.of(alice, "two"))->pop(9)) == std::vector{2});
  CHECK((*all.of(alice, "two"))->pop(9)->empty());
  CHECK(inputs(*(*all.of(alice, ""))->pop(9)) == std::vector{1, 2, 3});
  back.add_some("two", 1);
  CHECK(inputs(*(*all.of(alice, "two"))->pop(9)) == std::vector{4});
}

TEST_CASE("At most ten thousand records are popped at once, and none is left out") {
  fake_backend back;
  places all{back};
  REQUIRE_FALSE(all.open({alice}));
  back.add_some("one", 25'000);
  std::vector<int> got;
  std::vector<std::size_t> sizes;
  for (;;) {
    const auto some = (*all.of(alice, ""))->pop(1'000'000);
    if (some->empty())
      break;
    sizes.push_back(some->size());
    for (const int n : inputs(*some))
      got.push_back(n);
  }
  CHECK(sizes == std::vector<std::size_t>{10'000, 10'000, 5'000});
  REQUIRE(got.size() == 25'000);
  for (int i = 0; i < 25'000; ++i)
    REQUIRE(got[static_cast<std::size_t>(i)] == i + 1);
}

TEST_CASE("While a subscriber is there pops get nothing; when it leaves they go on behind what it got") {
  fake_backend back;
  places all{back};
  REQUIRE_FALSE(all.open({alice}));
  back.add_some("one", 4);
  const auto place = *all.of(alice, "");
  const auto cursor = place->subscribe();
  CHECK(cursor == 0);
  CHECK(place->pop(9)->empty());
  CHECK(place->read(cursor, 3)->records.size() == 3);
  CHECK_FALSE(place->reached(2));
  CHECK_FALSE(place->reached(1)); // a slower one does not pull it back
  place->unsubscribe();
  CHECK(inputs(*place->pop(9)) == std::vector{3, 4});
}
