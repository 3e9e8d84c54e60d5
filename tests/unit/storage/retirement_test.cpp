// Letting raw records go: what is added up of them stays what it was, and nothing else changes.
#include <catch2/catch_test_macros.hpp>

#include <map>
#include <random>
#include <set>

#include "sample.hpp"
#include "storage/cells.hpp"
#include "storage/database.hpp"
#include "tests/support/seed.hpp"

namespace keyportal::storage::test {
namespace {

constexpr std::int32_t new_year_day = 20'454; // 2026-01-01
static_assert(std::int64_t{new_year_day} * 86'400'000'000'000 == new_year_ns);
constexpr std::int64_t day_s = 86'400;

record_group record_at(std::int64_t at_s, std::uint64_t number, const node_name& node = "alpha", bool queued = false) {
  record_group group;
  group.client_key = secret{"sk-" + std::to_string(number % 3)};
  group.model = number % 2 == 0 ? "m-even" : "m-odd";
  detail d;
  d.at = {new_year_ns + at_s * 1'000'000'000 + static_cast<std::int64_t>(number), 0};
  d.latency_ms = static_cast<std::int64_t>(number % 900);
  d.tokens = {10, static_cast<std::int64_t>(number % 7), 0, 0, 10 + static_cast<std::int64_t>(number % 7)};
  d.failed = number % 5 == 0;
  d.auth_index = "account-" + std::to_string(number % 2);
  if (queued) {
    auto facts = std::make_shared<attempt_facts>();
    facts->provider = "codex";
    facts->extra = R"({"n":)" + std::to_string(number) + "}";
    d.facts = std::move(facts);
  }
  d.id = make_record_id(node, group.client_key.reveal(), group.model, d);
  group.details.push_back(std::move(d));
  return group;
}

std::vector<record_group> day_of_records(std::int64_t day, std::uint64_t count, const node_name& node = "alpha",
                                         bool queued = false) {
  std::vector<record_group> out;
  for (std::uint64_t i = 0; i < count; ++i)
    out.push_back(record_at(day * day_s + static_cast<std::int64_t>(i * 600 % day_s),
                            static_cast<std::uint64_t>(day + 1000) * 100'000 + i, node, queued));
  return out;
}

using cell_rows = std::map<std::string, std::int64_t>;
/// Everything that roll-ups by hour and day say of a node, in all views.
cell_rows roll_ups(const ledger& books, const node_name& node) {
  cell_rows out;
  const auto read = books.read();
  for (const auto by : {granularity::hour, granularity::day})
    for (const auto view : {cell_view::kinds, cell_view::keys, cell_view::accounts, cell_view::all}) {
      ledger::cell_question what{by, view, INT32_MIN, INT32_MAX, nullptr};
      must(read->sums(node, what, [&](std::int32_t start, const cell_id& id, const cell_sums& sums) {
        auto& all = out[std::to_string(static_cast<int>(by)) + "/" + std::to_string(static_cast<int>(view)) + "/"
                        + std::to_string(start) + "/" + std::to_string(id.client_key) + "/" + std::to_string(id.account)
                        + "/" + std::to_string(id.model) + (id.failed ? "f" : "")];
        all += sums.requests * 1'000'000 + sums.tokens.total * 1000 + sums.latency_ms;
      }));
    }
  return out;
}

void ship_all(ledger& books) {
  for (;;) {
    const auto page = must(books.read_outbox(0, 10'000));
    if (page.items.empty())
      return;
    std::vector<sequence> shipped;
    for (const auto& item : page.items)
      shipped.push_back(item.seq);
    must(books.forget_outbox(shipped));
  }
}

void close_before(ledger& books, const node_name& node, std::int32_t day) {
  journal_entry entry;
  entry.retired = ledger::close_before({node, day});
  must_commit(books, entry);
}

/// Lets all closed days go that may; how many did.
int let_go(ledger& books, std::int32_t before, const std::vector<std::string>& consumers = {}) {
  int out = 0;
  for (const auto& which : must(books.days_of_records(before))) {
    const auto checked = must(books.check_day(which, must(books.first_unread(consumers))));
    if (!checked.ready)
      continue;
    journal_entry entry;
    entry.retired = checked.ready;
    must_commit(books, entry);
    ++out;
  }
  return out;
}

int retire(ledger& books, const node_name& node, std::int32_t before) {
  close_before(books, node, before);
  return let_go(books, before);
}

ledger::kept_records kept_of(const ledger& books, const node_name& node) {
  for (const auto& one : books.kept())
    if (one.node == node)
      return one;
  return {};
}

} // namespace

TEST_CASE("Records of old days go; sums, roll-ups and what is newer stay, also after a new start") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  auto books = must_open(how);
  for (int day = 0; day < 5; ++day) {
    must_commit(*books, polled("alpha", day_of_records(day, 150)));
    must_commit(*books, decoded("beta", day_of_records(day, 70, "beta", true)));
  }
  ship_all(*books);
  must(books->verify());
  const auto before = roll_ups(*books, "alpha");
  const auto before_beta = roll_ups(*books, "beta");
  const auto sums = books->state().sums;
  const auto audit = must(books->recall_audit("beta")).credentials;

  CHECK(retire(*books, "alpha", new_year_day + 3) == 3);
  must(books->verify());
  for (int round = 0; round < 2; ++round) {
    CHECK(books->state().sums == sums);
    CHECK(books->state().records == 2 * 150 + 5 * 70);
    CHECK(roll_ups(*books, "alpha") == before);
    CHECK(roll_ups(*books, "beta") == before_beta);
    CHECK(count_details(all_records(*books, "alpha")) == 2 * 150);
    CHECK(count_details(all_records(*books, "beta")) == 5 * 70);
    CHECK(all_arrivals(*books).size() == 2 * 150 + 5 * 70);
    const auto kept = kept_of(*books, "alpha");
    CHECK(kept.gone == 450);
    CHECK(kept.records == 300);
    CHECK(kept.sums.requests == 300);
    CHECK(kept.first_ns == new_year_ns + 3 * day_s * 1'000'000'000);
    CHECK(must(books->days_of_records(INT32_MAX)).size() == 2 + 5);
    books.reset();
    books = must_open(how);
    must(books->verify());
  }
  // The other node as well, its credentials counting on as before.
  CHECK(retire(*books, "beta", new_year_day + 4) == 4);
  must(books->verify());
  const auto audit_after = must(books->recall_audit("beta")).credentials;
  REQUIRE(audit_after.size() == audit.size());
  for (std::size_t i = 0; i < audit.size(); ++i) {
    CHECK(audit_after[i].held_ok == audit[i].held_ok);
    CHECK(audit_after[i].held_failed == audit[i].held_failed);
  }
  CHECK(all_arrivals(*books).size() == 2 * 150 + 70);
  // Nothing compares with what is gone, and nothing mends it away.
  for (int day = 0; day < 3; ++day) {
    CHECK(must(books->check_rollups({"alpha", new_year_day + day})) == 0);
    CHECK(must(books->mend_rollups({"alpha", new_year_day + day})) == 0);
  }
  CHECK(roll_ups(*books, "alpha") == before);
}

TEST_CASE("A record of a day that has gone is refused and counted, whether it had been there or not") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", day_of_records(0, 40)));
  must_commit(*books, polled("alpha", day_of_records(1, 40)));
  ship_all(*books);
  const auto sums = books->state().sums;
  retire(*books, "alpha", new_year_day + 1);
  const auto again = must_commit(*books, decoded("alpha", day_of_records(0, 40)));
  CHECK(again.records->empty());
  CHECK(again.refused == 40);
  CHECK(again.duplicates == 0);
  const auto late = must_commit(*books, decoded("alpha", {record_at(60, 77)}));
  CHECK(late.refused == 1);
  CHECK(books->state().sums == sums);
  CHECK(kept_of(*books, "alpha").refused == 41);
  CHECK(kept_of(*books, "alpha").refused_first_ns >= new_year_ns);
  // A day that is not closed takes late ones as ever, and another node is not touched.
  CHECK(must_commit(*books, decoded("alpha", {record_at(day_s + 60, 78)})).records->size() == 1);
  CHECK(must_commit(*books, decoded("beta", {record_at(60, 79, "beta")})).records->size() == 1);
  must(books->verify());
}

TEST_CASE("A closed day still knows its own records until they go") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", day_of_records(0, 40)));
  close_before(*books, "alpha", new_year_day + 1);
  const auto again = must_commit(*books, decoded("alpha", day_of_records(0, 40)));
  CHECK(again.refused == 0);
  CHECK(again.duplicates == 40);
  CHECK(must_commit(*books, decoded("alpha", {record_at(60, 77)})).refused == 1);
  must(books->verify());
}

TEST_CASE("Nothing goes that waits for the stream or for a consumer") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", day_of_records(0, 40))); // 1 to 40
  must_commit(*books, polled("alpha", day_of_records(1, 40))); // 41 to 80
  must_commit(*books, polled("alpha", day_of_records(2, 40)));
  close_before(*books, "alpha", new_year_day + 2);
  CHECK(let_go(*books, new_year_day + 2) == 0); // all of it waits
  std::vector<sequence> shipped;
  for (sequence seq = 1; seq <= 79; ++seq)
    shipped.push_back(seq);
  must(books->forget_outbox(shipped));
  CHECK(must(books->first_unread({})) == 80);
  must_commit(*books, consumer_progress{"slow", 39});
  CHECK(let_go(*books, new_year_day + 2, {"slow"}) == 0);
  CHECK(let_go(*books, new_year_day + 2, {"nobody"}) == 1); // who has read nothing yet holds nothing back
  must(books->verify());
  CHECK(must(books->read_outbox(0, 1)).items.front().seq == 80);
  must(books->forget_outbox({80}));
  must_commit(*books, consumer_progress{"slow", 80});
  CHECK(let_go(*books, new_year_day + 2, {"slow"}) == 1);
  must(books->verify());
}

TEST_CASE("A day whose roll-ups are not what its records come to stays until they are mended") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  auto books = must_open(how);
  must_commit(*books, polled("alpha", day_of_records(0, 40)));
  must_commit(*books, polled("alpha", day_of_records(3, 40)));
  ship_all(*books);
  const auto before = roll_ups(*books, "alpha");
  books.reset();
  {
    const auto db =
      must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
    std::string row; // of the first day
    must(db->each(family::rollups, key_prefix<cells_key>(static_cast<std::uint8_t>(granularity::day)), {},
                  [&](std::string_view key, std::string_view, bool& stop) -> caf::error {
                    row = key;
                    stop = true;
                    return {};
                  }));
    REQUIRE_FALSE(row.empty());
    rocksdb::WriteBatch batch;
    batch.Delete(db->handle(family::rollups), row);
    must(db->write(batch, true));
  }
  books = must_open(how);
  close_before(*books, "alpha", new_year_day + 1);
  const auto checked = must(books->check_day({"alpha", new_year_day}, 1000));
  CHECK(checked.broken);
  CHECK_FALSE(checked.ready);
  CHECK(let_go(*books, new_year_day + 1) == 0);
  CHECK(must(books->mend_rollups({"alpha", new_year_day})) == 1);
  CHECK(let_go(*books, new_year_day + 1) == 1);
  must(books->verify());
  CHECK(roll_ups(*books, "alpha") == before);
}

TEST_CASE("A day that is not closed, or has gone, is not let go") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", day_of_records(0, 10)));
  ship_all(*books);
  CHECK(must(books->check_day({"alpha", new_year_day}, 1000)).may_close);
  CHECK_FALSE(must(books->check_day({"alpha", new_year_day}, 1000)).ready);
  CHECK_FALSE(must(books->check_day({"alpha", new_year_day}, 10)).may_close); // the last one is not read yet
  close_before(*books, "alpha", new_year_day + 1);
  const auto checked = must(books->check_day({"alpha", new_year_day}, 1000));
  REQUIRE(checked.ready);
  journal_entry entry;
  entry.retired = checked.ready;
  must_commit(*books, entry);
  CHECK_FALSE(books->commit({entry}, at_seconds(0)));
  CHECK(kept_of(*books, "alpha").gone == 10);
  CHECK_FALSE(must(books->check_day({"alpha", new_year_day}, 1000)).ready);
  must(books->verify());
}

TEST_CASE("A node must hold what it held, until it is another process: then what it says and what is kept") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  const auto at_node = [&] { return books->state().at_node.front().second; };
  must_commit(*books, polled("alpha", day_of_records(0, 30)));
  must_commit(*books, polled("alpha", day_of_records(1, 20)));
  ship_all(*books);
  CHECK(at_node() == 50);
  retire(*books, "alpha", new_year_day + 1);
  CHECK(at_node() == 50); // the same process still has them all
  // It began anew and holds nothing: the 30 nobody can put back.
  auto anew = polled("alpha", {});
  anew.forget_marks = true;
  CHECK(must_commit(*books, anew).at_node.front().second == 20);
  CHECK(at_node() == 20);
  // Another process, into which somebody has put ten of the old ones: they are there, though not entered here.
  anew = polled("alpha", day_of_records(0, 10));
  anew.forget_marks = true;
  const auto done = must_commit(*books, anew);
  CHECK(done.refused == 10);
  CHECK(at_node() == 30);
  must(books->verify());
  books.reset();
  books = must_open(small_settings(folder.path()));
  CHECK(at_node() == 30);
}

TEST_CASE("Records that came together and are of days far apart go one day after the other") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  // One row of arrivals has records of three days, and of one that stays.
  std::vector<record_group> mixed;
  for (std::uint64_t i = 0; i < 60; ++i)
    mixed.push_back(record_at(static_cast<std::int64_t>(i % 4) * day_s + 100, 500 + i, "alpha", true));
  must_commit(*books, decoded("alpha", mixed));
  ship_all(*books);
  for (int day = 1; day <= 3; ++day) {
    CHECK(retire(*books, "alpha", new_year_day + day) == 1);
    must(books->verify());
    const auto left = all_arrivals(*books, 7);
    CHECK(left.size() == static_cast<std::size_t>(15 * (4 - day)));
    for (const auto& one : left)
      CHECK(one.record.at.unix_ns >= new_year_ns + day * day_s * 1'000'000'000);
  }
  // Extras are those of the records that stay.
  read_arrivals what;
  what.with_extra = true;
  for (const auto& one : must(books->arrivals(what)))
    CHECK(one.extra == R"({"n":)" + std::to_string(one.record.at.unix_ns % 1'000'000'000) + "}");
}

TEST_CASE("Views taken before records went still have them, whatever is given back meanwhile") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  for (int day = 0; day < 4; ++day)
    must_commit(*books, polled("alpha", day_of_records(day, 300)));
  ship_all(*books);
  must(books->compact());
  const auto view = books->read();
  const auto scan = books->records("alpha", nullptr);
  CHECK(retire(*books, "alpha", new_year_day + 3) == 3);
  must(books->give_back("alpha", new_year_day, new_year_day + 3));
  ledger::reading::record_walk walk;
  walk.nodes = {"alpha"};
  walk.limit = 5000;
  walk.wanted = [](std::int32_t, const sieve_kind&) { return true; };
  CHECK(must(view->records(walk)).records.size() == 1200);
  CHECK(must(books->read()->records(walk)).records.size() == 300);
  std::uint64_t seen = 0;
  for (;;) {
    const auto some = must(scan->next(100));
    if (some.empty())
      break;
    seen += count_details(some);
  }
  CHECK(seen == 1200);
  must(books->verify());
}

TEST_CASE("Whatever comes, goes, restarts and is reopened: the ledger agrees with a plain count") {
  const auto seed = keyportal::test::make_seed();
  std::mt19937_64 random{seed};
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  auto books = must_open(how);
  std::map<std::uint64_t, std::int64_t> model; // number -> day, of those that were entered
  std::int64_t closed = 0;
  std::uint64_t refused = 0;
  for (int step = 0; step < 90; ++step) {
    switch (random() % 12) {
      default: {
        std::vector<record_group> groups;
        std::set<std::uint64_t> numbers;
        for (int i = 0; i < 20; ++i)
          numbers.insert(random() % 4000);
        std::uint64_t fresh = 0, late = 0;
        for (const auto number : numbers) {
          const auto day = static_cast<std::int64_t>(number % 10);
          groups.push_back(record_at(day * day_s + static_cast<std::int64_t>(number % 86'000), number));
          if (model.contains(number) && day >= closed)
            continue;
          // Of a closed day: known while its row is there, else refused.
          ++(day < closed ? late : fresh);
          if (day >= closed)
            model.emplace(number, day);
        }
        const auto done = must_commit(*books, decoded("alpha", groups));
        CHECK(done.records->size() == fresh);
        CHECK(done.refused == late);
        refused += done.refused;
        break;
      }
      case 1:
      case 2: ship_all(*books); break;
      case 3:
      case 4: {
        ship_all(*books);
        if (closed >= 8)
          break;
        ++closed;
        retire(*books, "alpha", new_year_day + static_cast<std::int32_t>(closed));
        break;
      }
      case 0: books.reset(); books = must_open(how);
    }
    if (books->state().sums.empty())
      continue;
    std::uint64_t left = 0;
    for (const auto& [number, day] : model)
      left += day >= closed ? 1 : 0;
    CHECK(books->state().records == left);
    CHECK(books->state().sums.front().second.requests == static_cast<std::int64_t>(model.size()));
    CHECK(kept_of(*books, "alpha").refused == refused);
    if (step % 10 == 0)
      must(books->verify());
  }
  must(books->verify());
}

} // namespace keyportal::storage::test
