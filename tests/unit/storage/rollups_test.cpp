#include <catch2/catch_test_macros.hpp>

#include <map>

#include "sample.hpp"

namespace keyportal::storage::test {
namespace {

record_group one_record(const std::string& client_key, const std::string& model, std::int64_t at_s,
                        bool failed = false) {
  record_group group;
  group.client_key = secret{client_key};
  group.model = model;
  detail d;
  d.at = {new_year_ns + at_s * 1'000'000'000, 480};
  d.latency_ms = 100;
  d.tokens = {10, 5, 2, 1, 17};
  d.failed = failed;
  d.id = make_record_id("alpha", client_key, model, d);
  group.details.push_back(d);
  return group;
}

} // namespace

TEST_CASE("Records are added up per hour and per day of UTC, per key and model") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", {one_record("sk-1", "m1", 0), one_record("sk-1", "m1", 3599, true),
                                       one_record("sk-1", "m1", 3600), one_record("sk-2", "m1", 10),
                                       one_record("sk-1", "m2", 86'400), one_record("sk-1", "m1", -1)}));
  const auto hours = must(books->rollups("alpha", false, at_seconds(0), at_seconds(86'400)));
  REQUIRE(hours.size() == 3);
  std::map<std::pair<key_id, std::int64_t>, totals> by_key;
  for (const auto& row : hours) {
    CHECK(row.model == "m1");
    by_key[{row.key, unix_ns(row.start)}] = row.sums;
  }
  const auto first = by_key[{books->id_of_key("sk-1"), new_year_ns}];
  CHECK(first == totals{2, 1, 1, {20, 10, 4, 2, 34}, {18, 2, 0, 6, 4, 0}, 200});
  CHECK(by_key[{books->id_of_key("sk-1"), new_year_ns + 3'600'000'000'000}].requests == 1);
  CHECK(by_key[{books->id_of_key("sk-2"), new_year_ns}].requests == 1);

  const auto days = must(books->rollups("alpha", true, at_seconds(-86'400), at_seconds(2 * 86'400)));
  REQUIRE(days.size() == 4);
  CHECK(days[0].start == at_seconds(-86'400));
  CHECK(days[0].sums.requests == 1);
  CHECK(days[3].start == at_seconds(86'400));
  CHECK(days[3].model == "m2");
  CHECK(must(books->rollups("alpha", true, at_seconds(1), at_seconds(86'400))).empty()); // starts before `from`
  CHECK(must(books->rollups("beta", true, at_seconds(0), at_seconds(86'400))).empty());
  CHECK(must(books->rollups("alpha", true, at_seconds(5), at_seconds(5))).empty());
  must(books->verify());
}

TEST_CASE("Sums since an hour count all records at or after it") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", {one_record("sk-1", "m1", 0), one_record("sk-2", "m1", 3600),
                                       one_record("sk-1", "m2", 3601), one_record("sk-1", "m1", 90'000)}));
  CHECK(must(books->sums_since("alpha", at_seconds(-9'000))).requests == 4);
  CHECK(must(books->sums_since("alpha", at_seconds(3600))).requests == 3);
  CHECK(must(books->sums_since("alpha", at_seconds(7199))).requests == 3);
  CHECK(must(books->sums_since("alpha", at_seconds(7200))).tokens.total == 17);
  CHECK(must(books->sums_since("alpha", at_seconds(900'000))) == totals{});
  CHECK(must(books->sums_since("beta", at_seconds(0))) == totals{});
}

TEST_CASE("Absurd counts wrap round and are kept; nothing breaks") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  std::vector<record_group> groups{one_record("sk-1", "m1", 0), one_record("sk-1", "m1", 1),
                                   one_record("sk-1", "m1", 2)};
  for (auto& group : groups) {
    group.details[0].tokens = {INT64_MAX, INT64_MIN, -1, 0, INT64_MAX};
    group.details[0].latency_ms = INT64_MAX;
  }
  groups[0].details[0].at = {INT64_MAX, INT16_MAX};
  groups[1].details[0].at = {INT64_MIN, INT16_MIN};
  must_commit(*books, polled("alpha", groups));
  must(books->verify());
  CHECK(must(books->rollups("alpha", true, moment_of(INT64_MIN), moment_of(INT64_MAX))).size() >= 2);
  const auto found = all_records(*books, "alpha");
  REQUIRE(count_details(found) == 3);
  CHECK(found[0].details.front().at.unix_ns == INT64_MIN); // in order of time
  CHECK(found[0].details.back().tokens == groups[0].details[0].tokens);
}

TEST_CASE("A roll-up goes on from what is on disk when it has left the cache") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  for (std::int64_t round = 0; round < 3; ++round) {
    std::vector<record_group> groups;
    for (std::int64_t hour = 0; hour < 5000; ++hour) // more rows than are cached
      groups.push_back(one_record("sk-1", "m1", hour * 3600 + round));
    must_commit(*books, polled("alpha", groups));
    if (round == 1) {
      books.reset();
      books = must_open(small_settings(folder.path()));
    }
  }
  const auto hours = must(books->rollups("alpha", false, at_seconds(0), at_seconds(5000 * 3600)));
  REQUIRE(hours.size() == 5000);
  for (const auto& row : hours)
    REQUIRE(row.sums.requests == 3);
  must(books->verify());
}

} // namespace keyportal::storage::test
