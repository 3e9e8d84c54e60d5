#include <catch2/catch_test_macros.hpp>

#include <map>
#include <random>

#include "sample.hpp"
#include "storage/cells.hpp"
#include "storage/database.hpp"

namespace keyportal::storage::test {
namespace {

constexpr std::int32_t new_year_hour = 490'896; // 2026-01-01T00:00Z
static_assert(std::int64_t{new_year_hour} * 3'600'000'000'000 == new_year_ns);

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

struct place {
  std::int32_t start = 0;
  std::string key;
  std::string model;
  bool failed = false;
  auto operator<=>(const place&) const = default;
};

std::map<place, cell_sums> cells_of(const ledger& books, granularity by, cell_view view, std::int32_t first,
                                    std::int32_t end, const node_name& node = "alpha") {
  std::map<place, cell_sums> out;
  const auto read = books.read();
  ledger::cell_question what{by, view, first, end, nullptr};
  const auto take = [&](std::int32_t start, const cell_id& id, const cell_sums& sums) {
    place where{start, has_keys(view) ? must(read->text(name_kind::client_key, id.client_key)) : "",
                must(read->text(name_kind::model, id.model)), id.failed};
    out[where].add(sums); // of what goes on a cell comes in pieces
  };
  if (auto failed = read->sums(node, what, take))
    FAIL(render(failed));
  return out;
}

} // namespace

TEST_CASE("Records are added up per hour and per day of UTC, per key, model and outcome") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", {one_record("sk-1", "m1", 0), one_record("sk-1", "m1", 3599, true),
                                       one_record("sk-1", "m1", 3600), one_record("sk-2", "m1", 10),
                                       one_record("sk-1", "m2", 86'400), one_record("sk-1", "m1", -1)}));
  const auto one = books->id_of_key("sk-1");
  auto hours = cells_of(*books, granularity::hour, cell_view::keys, new_year_hour, new_year_hour + 24);
  REQUIRE(hours.size() == 4);
  const auto first = hours[{new_year_hour, one, "m1", false}];
  CHECK(first.requests == 1);
  CHECK(first.tokens == token_counts{10, 5, 2, 1, 17});
  CHECK(first.parts == token_parts{9, 1, 0, 3, 2, 0});
  CHECK(first.latency_ms == 100);
  CHECK(first.unpriced == 1);
  CHECK(hours[{new_year_hour, one, "m1", true}].requests == 1);
  CHECK(hours[{new_year_hour + 1, one, "m1", false}].requests == 1);
  CHECK(hours[{new_year_hour, books->id_of_key("sk-2"), "m1", false}].requests == 1);
  // Without keys those of both are one cell.
  auto kinds = cells_of(*books, granularity::hour, cell_view::kinds, new_year_hour, new_year_hour + 24);
  CHECK(kinds.size() == 3);
  CHECK(kinds[{new_year_hour, "", "m1", false}].requests == 2);

  const auto day = new_year_hour / 24;
  const auto days = cells_of(*books, granularity::day, cell_view::keys, day - 1, day + 2);
  REQUIRE(days.size() == 5);
  CHECK(days.begin()->first == place{day - 1, one, "m1", false});
  CHECK(days.rbegin()->first == place{day + 1, one, "m2", false});
  CHECK(cells_of(*books, granularity::day, cell_view::keys, day, day).empty());
  CHECK(cells_of(*books, granularity::day, cell_view::keys, day, day + 1, "beta").empty());
  must(books->verify());
}

TEST_CASE("Every view and every period adds up to the same, whatever the order in which records come") {
  const scratch_folder folder;
  const auto seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random{seed};
  auto books = must_open(small_settings(folder.path()));
  std::int64_t sent = 0;
  for (int round = 0; round < 30; ++round) {
    std::vector<record_group> groups;
    for (int i = 0; i < 20; ++i, ++sent)
      groups.push_back(one_record("sk-" + std::to_string(random() % 7), "m" + std::to_string(random() % 3),
                                  static_cast<std::int64_t>(random() % 300'000) * 97 % 300'000, random() % 5 == 0));
    sent -= static_cast<std::int64_t>(must_commit(*books, polled("alpha", groups)).duplicates);
    if (round == 15) {
      must(books->compact()); // what was merged lies in one row, what comes on top of it does not
      books.reset();
      books = must_open(small_settings(folder.path()));
    }
  }
  for (const auto by : {granularity::hour, granularity::day, granularity::eight_hours, granularity::eight_days})
    for (const auto view : {cell_view::kinds, cell_view::keys, cell_view::accounts, cell_view::all}) {
      std::int64_t requests = 0;
      std::int64_t counted = 0;
      const auto read = books->read();
      const ledger::cell_question all{by, view, INT32_MIN, INT32_MAX, nullptr};
      must(read->sums("alpha", all, [&](std::int32_t, const cell_id& id, const cell_sums& sums) {
        CHECK(id.in(view) == id);
        requests += sums.requests;
      }));
      must(read->distributions("alpha", all, [&](std::int32_t, const cell_id&, cell_distributions&& them) {
        for (const auto& [bin, count] : them.latency)
          counted += count;
      }));
      CHECK(requests == sent);
      CHECK(counted == sent);
      // In the view that tells nothing but lead and outcome apart: the same again.
      if (view == cell_view::all)
        continue;
      std::map<std::pair<name_number, bool>, std::pair<cell_sums, std::int64_t>> one_by_one, together;
      for (const bool only : {false, true}) {
        auto& to = only ? together : one_by_one;
        const ledger::cell_question what{by, view_with(has_keys(view), has_accounts(view), !only), INT32_MIN, INT32_MAX,
                                         nullptr};
        must(read->sums("alpha", what, [&](std::int32_t, const cell_id& id, const cell_sums& sums) {
          to[{lead_of(id, view), id.failed}].first.add(sums);
        }));
        must(read->distributions("alpha", what, [&](std::int32_t, const cell_id& id, cell_distributions&& them) {
          for (const auto& [bin, count] : them.latency)
            to[{lead_of(id, view), id.failed}].second += count;
        }));
      }
      CHECK(one_by_one == together);
    }
  must(books->verify());
}

TEST_CASE("Only the keys asked for are read") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", {one_record("sk-1", "m1", 0), one_record("sk-2", "m1", 1)}));
  const auto read = books->read();
  const auto names = must(read->all_names(name_kind::client_key));
  REQUIRE(names.size() == 2);
  const auto wanted = names[1].first;
  const lead_filter only = [&](name_number lead) { return lead == wanted; };
  int met = 0;
  must(read->sums("alpha", {granularity::hour, cell_view::keys, INT32_MIN, INT32_MAX, &only},
                  [&](std::int32_t, const cell_id& id, const cell_sums&) {
                    ++met;
                    CHECK(id.client_key == wanted);
                  }));
  CHECK(met == 1);
}

TEST_CASE("A key that comes later is found by a question that was asked before") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", {one_record("sk-1", "m1", 0), one_record("sk-1", "m1", 90'000)}));
  const auto wanted = books->id_of_key("sk-2");
  const lead_filter only = [&](name_number lead) {
    return must(books->read()->text(name_kind::client_key, lead)) == wanted;
  };
  const lead_filter model = [&](name_number name) { return must(books->read()->text(name_kind::model, name)) == "m2"; };
  const auto count = [&](granularity by, cell_view view) {
    std::int64_t requests = 0;
    ledger::cell_question what{by, view, INT32_MIN, INT32_MAX, &only};
    what.models = &model;
    must(books->read()->sums("alpha", what,
                             [&](std::int32_t, const cell_id&, const cell_sums& sums) { requests += sums.requests; }));
    return requests;
  };
  for (const std::int64_t all : {0, 1, 2}) {
    CHECK(count(granularity::day, cell_view::key_totals) == all);
    CHECK(count(granularity::hour, cell_view::keys) == all);
    must_commit(*books, polled("alpha", {one_record("sk-2", "m2", 10 + all)}));
  }
}

TEST_CASE("Eight days that are not what their days come to are found, told and mended") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  const auto day = new_year_hour / 24, eight = (day + 7) / 8;
  const std::int64_t begin = std::int64_t{eight * 8 - day} * 86'400; // seconds
  {
    const auto books = must_open(how);
    must_commit(*books, polled("alpha", {one_record("sk-1", "m1", begin + 90'000), one_record("sk-1", "m1", begin + 5),
                                         one_record("sk-2", "m1", begin + 800'000)}));
    must(books->verify());
    CHECK(cells_of(*books, granularity::eight_days, cell_view::keys, eight, eight + 2).size() == 2);
    // What comes late is in them, too.
    must_commit(*books, polled("alpha", {one_record("sk-2", "m1", begin + 100'000)}));
    CHECK(cells_of(*books, granularity::eight_days, cell_view::keys, eight, eight + 1).size() == 2);
    must(books->verify());
  }
  const auto row = encode_key(cells_key{4, 1, 0, 1, 0, eight});
  for (const bool drop : {true, false}) {
    {
      const auto db =
        must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
      rocksdb::WriteBatch batch;
      REQUIRE(must(db->get(family::rollups, row)));
      if (drop)
        batch.Delete(db->handle(family::rollups), row);
      else
        batch.Put(db->handle(family::rollups), row,
                  encode(sums_row{{{}, {7, {}, {}, 0, 0, 0, 0, 0}}}, cell_view::keys));
      must(db->write(batch, true));
    }
    const auto books = must_open(how);
    CHECK(code_of(books->verify()) == errc::storage_corrupt);
    std::uint64_t wrong = 0;
    for (const auto& one : must(books->days_of_rollups()))
      wrong += must(books->check_rollups(one));
    CHECK(wrong == 1);
    CHECK(must(books->mend_rollups({"alpha", eight * 8})) == 1);
    must(books->verify());
  }
}

TEST_CASE("Roll-ups by minute are of the last two days only") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  const auto at = [&](std::int64_t hour) { return at_seconds(hour * 3600); };
  const auto minutes = [&] {
    return cells_of(*books, granularity::minute, cell_view::kinds, INT32_MIN, INT32_MAX).size();
  };
  must(books->commit({polled("alpha", {one_record("sk-1", "m1", 0), one_record("sk-1", "m1", 60)})}, at(1)));
  CHECK(minutes() == 2);
  must(books->verify());
  // A record of long ago has no row by minute; in hours and days it is.
  must(books->commit({polled("alpha", {one_record("sk-1", "m1", -49 * 3600)})}, at(1)));
  CHECK(minutes() == 2);
  CHECK(cells_of(*books, granularity::hour, cell_view::kinds, INT32_MIN, INT32_MAX).size() == 2);
  must(books->commit({polled("alpha", {one_record("sk-1", "m1", 50 * 3600)})}, at(50)));
  CHECK(minutes() == 1);
  must(books->verify());
}

TEST_CASE("Roll-ups that are not what the records come to are found, told and mended") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  {
    const auto books = must_open(how);
    must_commit(*books, polled("alpha", {one_record("sk-1", "m1", 0), one_record("sk-1", "m1", 86'400)}));
  }
  const auto day = new_year_hour / 24;
  {
    const auto db =
      must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
    rocksdb::WriteBatch batch;
    const auto hour_row = encode_key(cells_key{1, 0, 0, 1, 0, new_year_hour});
    REQUIRE(must(db->get(family::rollups, hour_row)));
    batch.Delete(db->handle(family::rollups), hour_row);
    batch.Put(db->handle(family::rollups), encode_key(cells_key{1, 0, 0, 1, 0, new_year_hour + 5}),
              encode(sums_row{{{}, {7, {}, {}, 0, 0, 0, 0, 0}}}, cell_view::kinds));
    must(db->write(batch, true));
  }
  const auto books = must_open(how);
  CHECK(code_of(books->verify()) == errc::storage_corrupt);
  CHECK(must(books->days_of_rollups()).size() == 2);
  CHECK(must(books->check_rollups({"alpha", day})) == 2);
  CHECK(must(books->check_rollups({"alpha", day + 1})) == 0);
  CHECK(must(books->mend_rollups({"alpha", day})) == 2);
  CHECK(must(books->mend_rollups({"alpha", day})) == 0);
  must(books->verify());
}

TEST_CASE("A bin's time is at most two per cent off") {
  CHECK(bin_of(0) == 0);
  CHECK(bin_of(-5) == 0);
  CHECK(ms_of_bin(0) == 0);
  for (std::int64_t ms = 1; ms < 3'000'000'000; ms += 1 + ms / 97) {
    const auto told = ms_of_bin(bin_of(ms));
    if (ms < 2'100'000'000)
      CHECK(std::abs(told - static_cast<double>(ms)) <= 0.0201 * static_cast<double>(ms));
  }
  bin_counts bins;
  for (std::int64_t ms = 1; ms <= 1000; ++ms)
    add(bins, bin_of(ms), 1);
  for (const double share : {0.5, 0.9, 0.99})
    CHECK(std::abs(percentile(bins, share) - share * 1000) <= 0.0201 * share * 1000 + 0.5);
  CHECK(percentile({}, 0.5) == 0);
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
  CHECK(cells_of(*books, granularity::day, cell_view::keys, INT32_MIN, INT32_MAX).size() == 3);
  const auto found = all_records(*books, "alpha");
  REQUIRE(count_details(found) == 3);
  CHECK(found[0].details.front().at.unix_ns == INT64_MIN); // in order of time
  CHECK(found[0].details.back().tokens == groups[0].details[0].tokens);
}

} // namespace keyportal::storage::test
