// Writes that fail, databases of another time.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "faulty_files.hpp"
#include "sample.hpp"
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
  if (!result) {
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
    REQUIRE(db->raw().CreateColumnFamily({}, "registry", &handle).ok());
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
  must_commit(*must_open(how), polled("alpha", numbered_groups("alpha", 0, 50)));
  must(must_open(how)->verify());
  const auto which = GENERATE(0, 1, 2, 3, 4);
  {
    const auto db =
      must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
    rocksdb::WriteBatch batch;
    std::string first_record;
    must(db->each(family::records, key_prefix<record_key>(), {},
                  [&](std::string_view key, std::string_view, bool& stop) -> caf::error {
                    first_record = key;
                    stop = true;
                    return {};
                  }));
    std::string rollup;
    must(db->each(family::rollups, which == 1 ? key_prefix<hour_key>() : key_prefix<day_key>(), {},
                  [&](std::string_view key, std::string_view, bool& stop) -> caf::error {
                    rollup = key;
                    stop = true;
                    return {};
                  }));
    switch (which) {
      case 0: batch.Delete(db->handle(family::records), first_record); break;
      case 1: batch.Delete(db->handle(family::rollups), rollup); break;
      case 2: batch.Put(db->handle(family::rollups), rollup, encode(rollup_value{})); break;
      case 3: batch.Delete(db->handle(family::outbox), encode_key(outbox_key{50})); break;
      default: batch.Put(db->handle(family::meta), encode_key(node_key{1}), encode(node_value{})); break;
    }
    must(db->write(batch, true));
  }
  const auto error = must_open(how)->verify();
  INFO("damage " << which);
  REQUIRE(error);
  CHECK(code_of(error) == errc::storage_corrupt);
}

} // namespace keyportal::storage::test
