// The checker and the ledger: wrong roll-ups are found while records come, and mended when that was asked for.
#include <caf/all.hpp>
#include <catch2/catch_test_macros.hpp>
#include <rocksdb/write_batch.h>

#include "actors/ledger/checker.hpp"
#include "actors/ledger/ledger.hpp"
#include "sample.hpp"
#include "storage/cells.hpp"
#include "storage/database.hpp"
#include "tests/support/fixture.hpp"

using namespace keyportal;
using namespace keyportal::test;
using namespace keyportal::storage::test;

namespace {

record_group one_record(const std::string& client_key, const std::string& model, std::int64_t at_s) {
  record_group group;
  group.client_key = secret{client_key};
  group.model = model;
  detail d;
  d.at = {new_year_ns + at_s * 1'000'000'000, 480};
  d.latency_ms = 100;
  d.tokens = {10, 5, 2, 1, 17};
  d.id = make_record_id("alpha", client_key, model, d);
  group.details.push_back(d);
  return group;
}

/// Two days with records, a row of the first one missing and one too many in it.
struct damaged_ledger {
  scratch_folder folder;
  std::shared_ptr<storage::ledger> store;

  damaged_ledger() {
    const auto how = small_settings(folder.path());
    must_commit(*must_open(how), polled("alpha", {one_record("sk-1", "m1", 0), one_record("sk-1", "m1", 86'400)}));
    {
      const auto db = must(
        storage::database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
      const auto hour = storage::start_of(storage::granularity::hour, new_year_ns);
      const auto key = [&](std::int32_t start) { return encode_key(storage::cells_key{1, 0, 0, 1, 0, start}); };
      rocksdb::WriteBatch batch;
      batch.Delete(db->handle(storage::family::rollups), key(hour));
      storage::cell_sums sums;
      sums.requests = 7;
      batch.Put(db->handle(storage::family::rollups), key(hour + 5),
                encode(storage::sums_row{{{}, sums}}, storage::cell_view::kinds));
      must(db->write(batch, true));
    }
    store = must_open(how);
  }
};

class service {
public:
  explicit service(std::shared_ptr<storage::ledger> store) {
    const auto ledger = spawn_ledger(
      f_.system(), false, store, [] { return at_seconds(90'000); }, numbers_);
    ledger_ = ledger;
    checker_ = spawn_checker(f_.system(), false, store, ledger);
  }
  ~service() {
    caf::anon_send_exit(checker_, caf::exit_reason::kill);
    caf::anon_send_exit(ledger_, caf::exit_reason::kill);
    checker_ = nullptr;
    ledger_ = nullptr;
    f_.settle();
  }

  template <class Question>
  ledger_check ask(Question what) {
    std::vector<ledger_check> out;
    f_.system().spawn([&, whom = checker_](caf::event_based_actor* self) {
      self->request(whom, std::chrono::seconds{10}, what)
        .then([&](const ledger_check& told) { out.push_back(told); }, [](const caf::error& e) { FAIL(render(e)); });
    });
    f_.settle();
    REQUIRE(out.size() == 1);
    return out[0];
  }
  void record(std::int64_t second) {
    caf::anon_send(ledger_, polled("alpha", {one_record("sk-2", "m2", second)}));
    f_.settle();
  }

private:
  fixture f_;
  metrics numbers_;
  ledger_actor ledger_;
  checker_actor checker_;
};

} // namespace

TEST_CASE("Nothing was checked before it is asked for") {
  damaged_ledger damaged;
  service portal{damaged.store};
  const auto told = portal.ask(read_ledger_check{});
  CHECK_FALSE(told.running);
  CHECK(told.days == 0);
}

TEST_CASE("Verifying names the days that are wrong and changes nothing; rebuilding mends them") {
  damaged_ledger damaged;
  service portal{damaged.store};
  for (int twice = 0; twice < 2; ++twice) {
    portal.ask(check_ledger{});
    const auto told = portal.ask(read_ledger_check{});
    CHECK_FALSE(told.running);
    CHECK_FALSE(told.mends);
    CHECK(told.problem.empty());
    CHECK(told.days == 2);
    CHECK(told.days_done == 2);
    CHECK(told.days_wrong == 1);
    CHECK(told.rows_wrong == 2);
    CHECK(told.rows_mended == 0);
    REQUIRE(told.wrong.size() == 1);
    CHECK(told.wrong[0].node == "alpha");
    CHECK(told.wrong[0].day == "2026-01-01");
    CHECK(told.wrong[0].rows == 2);
  }
  portal.record(86'500);
  portal.ask(check_ledger{.mends = true});
  const auto mended = portal.ask(read_ledger_check{});
  CHECK(mended.mends);
  CHECK(mended.rows_wrong == 2);
  CHECK(mended.rows_mended == 2);
  portal.record(7);
  portal.ask(check_ledger{});
  CHECK(portal.ask(read_ledger_check{}).rows_wrong == 0);
  must(damaged.store->verify());
}
