// What records cost: by the prices of the moment they came, and worked out anew on purpose.
#include <catch2/catch_test_macros.hpp>

#include <map>
#include <random>

#include "flat_prices.hpp"
#include "sample.hpp"
#include "storage/cells.hpp"
#include "tests/support/seed.hpp"

namespace keyportal::storage::test {
namespace {

std::shared_ptr<const pricing> flat(std::int64_t nano, std::string model = {}) {
  return std::make_shared<flat_prices>(nano, std::move(model));
}

/// All records repriced, in pieces; what came of it together.
ledger::reprice_done reprice_all(ledger& books, const node_name& node, std::shared_ptr<const pricing> with,
                                 bool dry_run = false, std::size_t most = 7, std::int64_t from_ns = INT64_MIN,
                                 std::int64_t to_ns = INT64_MAX) {
  ledger::reprice_step step;
  step.node = node;
  step.with = std::move(with);
  step.dry_run = dry_run;
  step.most = most;
  step.from_ns = from_ns;
  step.to_ns = to_ns;
  ledger::reprice_done all;
  do {
    auto piece = must(books.reprice(step));
    CHECK(piece.records <= most);
    all.records += piece.records;
    all.changed += piece.changed;
    all.cost_before += piece.cost_before;
    all.cost_after += piece.cost_after;
    all.unpriced_before += piece.unpriced_before;
    all.unpriced_after += piece.unpriced_after;
    all.changes.insert(all.changes.end(), piece.changes.begin(), piece.changes.end());
    step.next = piece.next;
  } while (!step.next.empty());
  return all;
}

void check_rollups(const ledger& books) {
  for (const auto& day : must(books.days_of_rollups()))
    CHECK(must(books.check_rollups(day)) == 0);
  must(books.verify());
}

struct spent {
  std::int64_t cost = 0, unpriced = 0, requests = 0;
  bool operator==(const spent&) const = default;
};
spent by_records(const ledger& books) {
  spent out;
  for (const auto& one : all_arrivals(books)) {
    ++out.requests;
    out.cost += one.record.cost_nano.value_or(0);
    out.unpriced += one.record.cost_nano ? 0 : 1;
  }
  return out;
}
spent by_rollups(const ledger& books, granularity by, const node_name& node = "alpha") {
  spent out;
  ledger::cell_question what;
  what.by = by;
  what.first = INT32_MIN;
  what.end = INT32_MAX;
  must(books.read()->sums(node, what, [&](std::int32_t, const cell_id&, const cell_sums& sums) {
    out.requests += sums.requests;
    out.cost += sums.cost_nano;
    out.unpriced += sums.unpriced;
  }));
  return out;
}

append_entry price_entry(log_position expected, std::shared_ptr<const pricing> prices, std::int64_t nano) {
  registry_entry entry;
  price one;
  one.model = "m" + std::to_string(nano);
  one.id = "by_hand///" + one.model;
  one.rates.input = nano;
  one.rates.output = nano;
  one.steps = {{"flex", 0, {.multiplier_ppm = 500'000}}, {"", 200'000, {.input = 2 * nano, .request = 5}}};
  one.from = at_seconds(nano);
  one.set_at = at_seconds(1);
  entry.prices = {{std::nullopt, one}};
  auto out = entry_of(expected, std::move(entry));
  out.prices = std::move(prices);
  return out;
}

} // namespace

TEST_CASE("Prices are of the registry's log: kept, proved, and of another form than entries without") {
  const scratch_folder folder;
  {
    const auto books = must_open(small_settings(folder.path()));
    CHECK(must_commit(*books, price_entry(0, flat(1), 1)).appended == 1);
    CHECK(must_commit(*books, price_entry(1, flat(2), 2)).appended == 2);
    auto gone = price_entry(2, nullptr, 1);
    auto entry = *gone.entry;
    entry.prices = {{entry.prices[0].after, std::nullopt}};
    CHECK(must_commit(*books, entry_of(2, entry)).appended == 3);
    must(books->verify());
  }
  const auto books = must_open(small_settings(folder.path()));
  const auto image = must(books->load_registry());
  REQUIRE(image.prices.size() == 1);
  CHECK(image.prices[0] == *price_entry(0, nullptr, 2).entry->prices[0].after);
  const auto log = all_entries(*books);
  REQUIRE(log.size() == 3);
  CHECK(log[0].prices == price_entry(0, nullptr, 1).entry->prices);
  must(books->verify());
}

TEST_CASE(
  "Records cost by the prices of the entry before them, also in one commit; an entry that came too late sets none") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  std::vector<ledger::write> writes{polled("alpha", numbered_groups("alpha", 0, 1)), price_entry(0, flat(5), 1),
                                    polled("alpha", numbered_groups("alpha", 1, 1)), price_entry(0, flat(9), 2),
                                    polled("alpha", numbered_groups("alpha", 2, 1)), price_entry(1, flat(7), 2),
                                    polled("alpha", numbered_groups("alpha", 3, 1))};
  const auto results = must(books->commit(writes, at_seconds(0)));
  CHECK_FALSE(results[0].records->front().cost_nano);
  CHECK(results[2].records->front().cost_nano == 5);
  CHECK(results[4].records->front().cost_nano == 5);
  CHECK(results[6].records->front().cost_nano == 7);
  CHECK(must_commit(*books, polled("alpha", numbered_groups("alpha", 4, 1))).records->front().cost_nano == 7);
  CHECK(by_rollups(*books, granularity::hour) == spent{5 + 5 + 7 + 7, 1, 5});
  check_rollups(*books);
}

TEST_CASE("A reprice makes records and roll-ups what the prices say, to the last digit, and again changes nothing") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  books->use_prices(flat(3));
  must_commit(*books, polled("alpha", numbered_groups("alpha", 0, 40)));
  must_commit(*books, decoded("alpha", queued_groups("alpha", 100, 40)));
  must_commit(*books, polled("beta", numbered_groups("beta", 0, 10)));
  const auto before = by_records(*books);
  CHECK(before == spent{90 * 3, 0, 90});

  const auto tried = reprice_all(*books, "alpha", flat(11), true);
  CHECK(tried.records == 80);
  CHECK(tried.changed == 80);
  CHECK(tried.cost_before == 240);
  CHECK(tried.cost_after == 880);
  CHECK(tried.changes.empty());
  CHECK(by_records(*books) == before);

  const auto done = reprice_all(*books, "alpha", flat(11));
  CHECK(done.changed == 80);
  CHECK(done.cost_after == 880);
  std::int64_t told = 0;
  for (const auto& change : done.changes)
    told += change.by_nano;
  CHECK(told == 880 - 240);
  CHECK(by_records(*books) == spent{880 + 30, 0, 90});
  for (const auto by : {granularity::hour, granularity::day}) {
    CHECK(by_rollups(*books, by) == spent{880, 0, 80});
    CHECK(by_rollups(*books, by, "beta") == spent{30, 0, 10});
  }
  check_rollups(*books);
  CHECK(reprice_all(*books, "alpha", flat(11)).changed == 0);

  // A price that ends takes the cost away; it is not 0 then.
  const auto gone = reprice_all(*books, "alpha", flat(11, "no such model"));
  CHECK(gone.unpriced_after == 80);
  CHECK(by_records(*books) == spent{30, 80, 90});
  check_rollups(*books);
}

TEST_CASE("A reprice goes from its first moment until before its last, and knows no node that is not there") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", numbered_groups("alpha", 0, 50)));
  std::vector<std::int64_t> times;
  for (const auto& one : all_arrivals(*books))
    times.push_back(one.record.at.unix_ns);
  std::sort(times.begin(), times.end());
  const auto from = times[10], to = times[30];
  const auto wanted = std::count_if(times.begin(), times.end(), [&](auto at) { return at >= from && at < to; });
  CHECK(reprice_all(*books, "alpha", flat(1), false, 3, from, to).changed == static_cast<std::uint64_t>(wanted));
  CHECK(by_records(*books).cost == wanted);
  check_rollups(*books);
  CHECK(reprice_all(*books, "nobody", flat(1)).records == 0);
  CHECK(reprice_all(*books, "alpha", flat(1), false, 3, to, from).records == 0);
  ledger::reprice_step step;
  step.node = "alpha";
  CHECK(code_of(books->reprice(step).error()) == errc::bad_request);
}

TEST_CASE("Commits and pieces of reprices in any order leave no difference") {
  const auto seed = keyportal::test::make_seed();
  INFO("seed " << seed);
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  std::uint64_t next = 0;
  ledger::reprice_step step;
  step.node = "alpha";
  for (int round = 0; round < 120; ++round) {
    if (random() % 2 == 0) {
      books->use_prices(random() % 4 == 0 ? nullptr : flat(static_cast<std::int64_t>(random() % 1000)));
      const auto count = 1 + random() % 20;
      must_commit(*books, polled("alpha", numbered_groups("alpha", next, count)));
      next += count;
    } else {
      if (step.next.empty())
        step.with = flat(static_cast<std::int64_t>(random() % 1000), random() % 3 == 0 ? "other" : "");
      step.most = 1 + random() % 15;
      step.next = must(books->reprice(step)).next;
    }
  }
  CHECK(by_records(*books).requests == static_cast<std::int64_t>(next));
  CHECK(by_rollups(*books, granularity::hour) == by_records(*books));
  check_rollups(*books);
}

TEST_CASE("Models without a price are listed with their days, those with the most attempts first") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  books->use_prices(flat(1, "model-priced"));
  const auto record = [](const std::string& model, std::int64_t day, int number) {
    record_group group;
    group.client_key = secret{"sk-1"};
    group.model = model;
    detail d;
    d.at = {new_year_ns + day * 86'400'000'000'000 + number, 0};
    d.tokens = {10, 5, 0, 0, 15};
    d.id = make_record_id("alpha", "sk-1", model, d);
    group.details.push_back(d);
    return group;
  };
  must_commit(*books, polled("alpha", {record("model-priced", 0, 1), record("new", 0, 2), record("new", 3, 3),
                                       record("rare", 1, 4), record("new", 9, 5)}));
  const auto found = must(books->unpriced(at_seconds(0), at_seconds(4 * 86'400 + 5)));
  REQUIRE(found.size() == 2);
  CHECK(found[0].model == "new");
  CHECK(found[0].requests == 2);
  CHECK(found[0].tokens == 30);
  CHECK(found[0].first_day == "2026-01-01");
  CHECK(found[0].last_day == "2026-01-04");
  CHECK(found[1].model == "rare");
  CHECK(must(books->unpriced(at_seconds(20 * 86'400), at_seconds(30 * 86'400))).empty());
}

} // namespace keyportal::storage::test
