#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <thread>

#include "sample.hpp"
#include "storage/snapshots.hpp"
#include "storage/values.hpp"

namespace keyportal::storage::test {
namespace {

snapshot_info info_of(const node_name& node, std::int64_t made_at_s) {
  snapshot_info info;
  info.node = node;
  info.made_at = at_seconds(made_at_s);
  info.reason = "interval";
  info.position = 42;
  info.sums.requests = 7;
  return info;
}

std::string random_text(std::size_t size, std::uint64_t seed) {
  std::mt19937_64 random{seed};
  std::string out(size, '\0');
  for (auto& byte : out)
    byte = static_cast<char>(random());
  return out;
}

struct opened {
  scratch_folder folder;
  sealer seal = must(sealer::load(folder.path() / "seal.key", true));
  std::shared_ptr<database> db =
    must(database::open_store({folder.path() / "db", std::size_t{1} << 20, std::size_t{1} << 20, nullptr}));
  snapshot_shelf shelf{db, seal, 3, 0};

  void put(const std::string& key, const std::string& value) {
    rocksdb::WriteBatch batch;
    batch.Put(db->handle(family::snapshots), key, value);
    must(db->write(batch, true));
  }
  void erase(const std::string& key) {
    rocksdb::WriteBatch batch;
    batch.Delete(db->handle(family::snapshots), key);
    must(db->write(batch, true));
  }
  errc read_error(std::uint64_t id) {
    const auto read = shelf.read(id);
    return read ? errc::none : code_of(read.error());
  }
};

} // namespace

TEST_CASE("A snapshot comes back byte for byte, whatever its size, after opening anew too") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  std::vector<std::string> texts{"", "{}", std::string(3'000'000, 'a'), random_text(2'500'000, 1),
                                 random_text(1 << 20, 2)};
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto kept = must(books->keep_snapshot(info_of("alpha", static_cast<std::int64_t>(i)), texts[i]));
    CHECK(kept.id == i + 1);
    CHECK(kept.json_bytes == texts[i].size());
    CHECK(kept.stored_bytes > 0);
    CHECK(kept.sha256.size() == 64);
  }
  books.reset();
  books = must_open(small_settings(folder.path()));
  const auto list = must(books->snapshots("alpha"));
  REQUIRE(list.size() == texts.size());
  for (const auto& info : list) {
    CHECK(info.reason == "interval");
    CHECK(info.position == 42);
    CHECK(info.sums.requests == 7);
    CHECK(info.node == "alpha");
    CHECK(must(books->read_snapshot(info.id)) == texts[info.id - 1]);
  }
  CHECK(list[0].id == 5);
  CHECK(list[2].stored_bytes < 10'000); // compressed
  CHECK(must(books->snapshots("beta")).empty());
  const auto unknown = books->read_snapshot(99);
  REQUIRE_FALSE(unknown);
  CHECK(code_of(unknown.error()) == errc::snapshot_unknown);
}

TEST_CASE("A changed, missing, exchanged or moved piece is a corrupt snapshot, never a wrong one") {
  opened store;
  const auto first = random_text(2'200'000, 3);
  must(store.shelf.keep(info_of("alpha", 1), first));
  must(store.shelf.keep(info_of("alpha", 2), random_text(2'200'000, 4)));
  const auto piece = [](std::uint64_t id, std::uint32_t n) { return encode_key(snapshot_piece_key{id, n}); };
  const auto bytes = [&](const std::string& key) { return *must(store.db->get(family::snapshots, key)); };
  const auto original = bytes(piece(1, 1));
  REQUIRE(must(store.shelf.read(1)) == first);

  auto changed = original;
  changed[changed.size() / 2] ^= 1;
  store.put(piece(1, 1), changed);
  CHECK(store.read_error(1) == errc::snapshot_corrupt);
  store.put(piece(1, 1), bytes(piece(2, 1))); // of another snapshot
  CHECK(store.read_error(1) == errc::snapshot_corrupt);
  store.put(piece(1, 1), bytes(piece(1, 0))); // of another place
  CHECK(store.read_error(1) == errc::snapshot_corrupt);
  store.erase(piece(1, 1));
  CHECK(store.read_error(1) == errc::snapshot_corrupt);
  store.put(piece(1, 1), original);
  CHECK(must(store.shelf.read(1)) == first);

  snapshot_value head;
  REQUIRE(decode(bytes(encode_key(snapshot_key{1})), head));
  auto shorter = head;
  shorter.pieces = 1;
  store.put(encode_key(snapshot_key{1}), encode(shorter));
  CHECK(store.read_error(1) == errc::snapshot_corrupt);
  auto other_sum = head;
  other_sum.info.sha256[0] = other_sum.info.sha256[0] == '0' ? '1' : '0';
  store.put(encode_key(snapshot_key{1}), encode(other_sum));
  CHECK(store.read_error(1) == errc::snapshot_corrupt);
  store.put(encode_key(snapshot_key{1}), "nonsense");
  CHECK(store.read_error(1) == errc::snapshot_corrupt);
}

TEST_CASE("The newest snapshots stay and the newest of each of the last days") {
  std::vector<snapshot_info> kept; // newest first: 3 a day for 5 days, ids 15 … 1
  for (std::uint64_t id = 15; id >= 1; --id) {
    kept.push_back(info_of("alpha", static_cast<std::int64_t>((id - 1) / 3 * 86'400 + (id - 1) % 3 * 100)));
    kept.back().id = id;
  }
  const auto left = [&](int newest, int daily) {
    const auto dropped = snapshots_to_drop(kept, newest, daily);
    std::vector<std::uint64_t> ids;
    for (const auto& info : kept)
      if (std::find(dropped.begin(), dropped.end(), info.id) == dropped.end())
        ids.push_back(info.id);
    return ids;
  };
  CHECK(left(2, 0) == std::vector<std::uint64_t>{15, 14});
  CHECK(left(2, 3) == std::vector<std::uint64_t>{15, 14, 12, 9});
  CHECK(left(1, 100) == std::vector<std::uint64_t>{15, 12, 9, 6, 3});
  CHECK(left(100, 0).size() == 15);
}

TEST_CASE("Old snapshots go when new ones come, those of other nodes stay, ids are not used again") {
  const scratch_folder folder;
  auto how = small_settings(folder.path());
  how.snapshots_kept = 2;
  how.daily_snapshots_kept = 2;
  auto books = must_open(how);
  must(books->keep_snapshot(info_of("beta", 0), "beta"));
  for (std::int64_t i = 0; i < 10; ++i) {
    must(books->keep_snapshot(info_of("alpha", i * 43'200), "text " + std::to_string(i)));
    if (i == 5) {
      books.reset();
      books = must_open(how);
    }
  }
  const auto list = must(books->snapshots("alpha"));
  REQUIRE(list.size() == 3);
  CHECK(list[0].id == 11);
  CHECK(list[1].id == 10);
  CHECK(list[2].id == 9); // the newest of the day before
  CHECK(must(books->read_snapshot(9)) == "text 7");
  const auto gone = books->read_snapshot(2);
  REQUIRE_FALSE(gone);
  CHECK(code_of(gone.error()) == errc::snapshot_unknown);
  CHECK(must(books->snapshots("beta")).size() == 1);
  CHECK(must(books->read_snapshot(1)) == "beta");
}

TEST_CASE("A snapshot just asked for stays, even when the clock went back") {
  const scratch_folder folder;
  auto how = small_settings(folder.path());
  how.snapshots_kept = 0; // counts as 1
  how.daily_snapshots_kept = 0;
  const auto books = must_open(how);
  must(books->keep_snapshot(info_of("alpha", 86'400), "later"));
  const auto kept = must(books->keep_snapshot(info_of("alpha", 0), "earlier"));
  CHECK(must(books->read_snapshot(kept.id)) == "earlier");
  CHECK(must(books->snapshots("alpha")).size() == 1);
}

TEST_CASE("Snapshots of several threads get different ids and all stay") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5; ++i)
        must(books->keep_snapshot(info_of("node-" + std::to_string(t), i), std::to_string(t * 100 + i)));
    });
  for (auto& thread : threads)
    thread.join();
  for (int t = 0; t < 4; ++t) {
    const auto list = must(books->snapshots("node-" + std::to_string(t)));
    REQUIRE(list.size() == 5);
    for (int i = 0; i < 5; ++i)
      CHECK(must(books->read_snapshot(list[static_cast<std::size_t>(4 - i)].id)) == std::to_string(t * 100 + i));
  }
}

} // namespace keyportal::storage::test
