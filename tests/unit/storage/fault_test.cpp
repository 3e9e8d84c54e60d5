// Writes that fail, databases of another time.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include "faulty_files.hpp"
#include "sample.hpp"
#include "storage/cells.hpp"
#include "storage/database.hpp"
#include "storage/values.hpp"

namespace keyportal::storage::test {
namespace {

void set_schema(const settings& how, std::uint32_t version) {
  const auto db =
    must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
  rocksdb::WriteBatch batch;
  batch.Put(db->handle(family::meta), encode_key(schema_key{}), encode_number(version));
  must(db->write(batch, true));
}

} // namespace

TEST_CASE("A write that fails acknowledges nothing and later ones build on what is on disk") {
  using fault = faulty_files::fault;
  const auto kind = GENERATE(fault::io_error, fault::disk_full, fault::sync_fails);
  INFO("fault " << static_cast<int>(kind));
  const scratch_folder folder;
  faulty_files files;
  auto how = small_settings(folder.path());
  how.env = files.env();
  auto books = must_open(how);
  must_commit(*books, polled("alpha", numbered_groups("alpha", 0, 10)));
  const auto before = books->state();

  files.set(kind, true);
  const auto failed = books->commit({polled("alpha", numbered_groups("alpha", 10, 10))}, at_seconds(0));
  REQUIRE_FALSE(failed);
  CHECK(code_of(failed.error()) == (kind == fault::disk_full ? errc::storage_full : errc::storage_failed));
  CHECK(books->state().records == before.records);
  CHECK(books->state().last == before.last);
  CHECK_FALSE(books->commit({polled("alpha", numbered_groups("alpha", 10, 10))}, at_seconds(0)));
  CHECK(books->forget_outbox({1})); // an error
  // What was acknowledged can still be read.
  CHECK(must(books->read_outbox(0, 100)).items.size() == 10);

  files.set(fault::none);
  // Either RocksDB goes on by itself, or the ledger refuses until it is opened anew; both from what is on disk.
  auto result = books->commit({polled("alpha", numbered_groups("alpha", 10, 20))}, at_seconds(0));
  // In vain only so often: then it says that opening anew is what helps, and the service ends.
  for (int i = 0; i < 20 && !result && code_of(result.error()) != errc::storage_stuck; ++i)
    result = books->commit({polled("alpha", numbered_groups("alpha", 10, 20))}, at_seconds(0));
  if (!result) {
    CHECK(code_of(result.error()) == errc::storage_stuck);
    books.reset();
    files.cut_power();
    books = must_open(how);
    result = books->commit({polled("alpha", numbered_groups("alpha", 10, 20))}, at_seconds(0));
  }
  REQUIRE(result);
  CHECK(books->state().records == 30);
  must(books->verify());
  books.reset();
  files.cut_power();
  books = must_open(how);
  CHECK(books->state().records == 30);
  must(books->verify());
}

TEST_CASE("A collection that cannot be written leaves in the inbox what it decoded, and nothing of it counts") {
  using fault = faulty_files::fault;
  const auto kind = GENERATE(fault::io_error, fault::disk_full, fault::sync_fails);
  const scratch_folder folder;
  faulty_files files;
  auto how = small_settings(folder.path());
  how.env = files.env();
  auto books = must_open(how);
  must_commit(*books, received_now("alpha", {"one", "two"}));
  auto first = decoded("alpha", queued_groups("alpha", 1, 5));
  first.dead = {{0, "", at_seconds(0), inbox_channel::subscribe, "why", secret{"first"}, 0}};
  must_commit(*books, first);
  auto done = decoded("alpha", queued_groups("alpha", 10, 20));
  done.inbox_done = {1};
  done.replayed_letters = {1};
  done.dead = {{0, "", at_seconds(0), inbox_channel::subscribe, "why", secret{"second"}, 0}};

  files.set(kind, true);
  CHECK_FALSE(books->commit({done}, at_seconds(0)));
  CHECK_FALSE(books->commit({received_now("alpha", {"three"})}, at_seconds(0)));
  CHECK(books->state().inbox == 1);
  CHECK(books->state().dead_letters == 1);
  CHECK(must(books->read_inbox("alpha", 0, 10)).size() == 1);
  CHECK(must(books->dead_letters(0, 10, true))[0].payload.reveal() == "first");
  files.set(fault::none);
  books.reset();
  files.cut_power();
  books = must_open(how);
  CHECK(books->state().inbox == 1);
  CHECK(books->state().records == 5);
  must(books->verify());
  must_commit(*books, done);
  CHECK(books->state().inbox == 0);
  CHECK(books->state().records == 25);
  CHECK(must(books->dead_letters(0, 10, true))[0].payload.reveal() == "second");
  CHECK(must_commit(*books, received_now("alpha", {"three"})).inbox_number == 2);
  must(books->verify());
}

TEST_CASE("A snapshot that cannot be written is an error, and the ones before stay") {
  const scratch_folder folder;
  faulty_files files;
  auto how = small_settings(folder.path());
  how.env = files.env();
  auto books = must_open(how);
  snapshot_info info;
  info.node = "alpha";
  must(books->keep_snapshot(info, "first"));
  files.set(faulty_files::fault::disk_full, true);
  const auto failed = books->keep_snapshot(info, "second");
  REQUIRE_FALSE(failed);
  CHECK(code_of(failed.error()) == errc::storage_full);
  CHECK(must(books->snapshots("alpha")).size() == 1);
  CHECK(must(books->read_snapshot(1)) == "first");
}

TEST_CASE("A database of a later program is refused and left as it is") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  must_open(how);
  set_schema(how, schema_version + 1);
  const auto later = ledger::open(how);
  REQUIRE_FALSE(later);
  CHECK(code_of(later.error()) == errc::storage_newer);
  CHECK(code_of(ledger::open(how).error()) == errc::storage_newer); // still
}

TEST_CASE("A database with a family that this program does not know is refused") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  must_open(how);
  {
    const auto db =
      must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    REQUIRE(db->raw().CreateColumnFamily({}, "not-yet-known", &handle).ok());
    db->raw().DestroyColumnFamilyHandle(handle);
  }
  const auto later = ledger::open(how);
  REQUIRE_FALSE(later);
  CHECK(code_of(later.error()) == errc::storage_newer);
}

TEST_CASE("A folder that cannot be made or written is an error with its name") {
  const scratch_folder folder;
  auto how = small_settings(folder.path());
  how.folder = "/proc/keyportal-does-not-exist/data";
  const auto books = ledger::open(how);
  REQUIRE_FALSE(books);
  CHECK(render(books.error()).find("/proc/keyportal-does-not-exist") != std::string::npos);
}

TEST_CASE("What verification compares, it does notice") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  {
    const auto books = must_open(how);
    must_commit(*books, polled("alpha", numbered_groups("alpha", 0, 50)));
    auto queued = decoded("alpha", queued_groups("alpha", 50, 50));
    queued.dead = {{0, "", at_seconds(0), inbox_channel::subscribe, "why", secret{"x"}, 0}};
    must(books->commit({received_now("alpha", {"x"}), queued}, at_seconds(0)));
    must(books->verify());
  }
  const auto which = GENERATE(range(0, 10));
  {
    const auto db =
      must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
    rocksdb::WriteBatch batch;
    const auto first = [&](family where, const std::string& prefix) {
      std::string found;
      must(db->each(where, prefix, {}, [&](std::string_view key, std::string_view, bool& stop) -> caf::error {
        found = key;
        stop = true;
        return {};
      }));
      REQUIRE_FALSE(found.empty());
      return found;
    };
    const auto drop = [&](family where, const std::string& prefix) {
      batch.Delete(db->handle(where), first(where, prefix));
    };
    switch (which) {
      case 0: drop(family::records, key_prefix<record_key>()); break;
      case 1: drop(family::rollups, key_prefix<cells_key>()); break;
      case 2:
        batch.Put(db->handle(family::rollups), first(family::rollups, key_prefix<cells_key>(std::uint8_t{0})),
                  encode(sums_row{}, cell_view::kinds));
        break;
      case 3: drop(family::outbox, key_prefix<outbox_key>()); break;
      case 4: batch.Put(db->handle(family::meta), encode_key(node_key{1}), encode(node_value{})); break;
      case 5: drop(family::arrivals, key_prefix<arrivals_key>()); break;
      case 6: drop(family::meta, key_prefix<credential_key>()); break;
      case 7: drop(family::inbox, key_prefix<inbox_key>()); break;
      case 8: drop(family::meta, key_prefix<dead_letter_key>()); break;
      default: { // a bit of the extras
        auto row = must(db->get(family::arrivals, encode_key(arrivals_key{100})));
        REQUIRE(row);
        row->back() = static_cast<char>(row->back() ^ 1);
        batch.Put(db->handle(family::arrivals), encode_key(arrivals_key{100}), *row);
      }
    }
    must(db->write(batch, true));
  }
  const auto error = must_open(how)->verify();
  INFO("damage " << which);
  REQUIRE(error);
  CHECK(code_of(error) == (which == 9 ? errc::seal_broken : errc::storage_corrupt));
}

} // namespace keyportal::storage::test
