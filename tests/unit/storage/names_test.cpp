#include <catch2/catch_test_macros.hpp>

#include "sample.hpp"
#include "storage/names.hpp"

namespace keyportal::storage::test {
namespace {

struct opened {
  scratch_folder folder;
  sealer seal = must(sealer::load(folder.path() / "seal.key", true));
  std::shared_ptr<database> db =
    must(database::open_store({folder.path() / "db", std::size_t{1} << 20, std::size_t{1} << 20, nullptr}));
};

void write(name_changes& changes, database& db) {
  rocksdb::WriteBatch batch;
  must(changes.write_to(batch, db));
  must(db.write(batch, true));
  changes.keep();
}

} // namespace

TEST_CASE("A name keeps its number, and a number its name") {
  opened store;
  name_number last = 0;
  {
    const names known{store.db, store.seal};
    name_changes changes{known, last};
    const auto key = must(changes.number(name_kind::client_key, "sk-1"));
    CHECK(key->number == 1);
    CHECK(must(changes.number(name_kind::client_key, "sk-1"))->number == 1);
    CHECK(must(changes.number(name_kind::model, "sk-1"))->number == 2); // another kind, another name
    CHECK(key->key == store.seal.id_of_key("sk-1"));
    write(changes, *store.db);
    last = changes.last();
    CHECK(last == 2);
  }
  const names known{store.db, store.seal};
  CHECK(must(known.find(name_kind::client_key, "sk-1"))->number == 1);
  CHECK(must(known.find(name_kind::model, "sk-1"))->number == 2);
  CHECK(must(known.find(name_kind::source, "sk-1")) == nullptr);
  CHECK(must(known.get(name_kind::client_key, 1))->text == "sk-1");
  CHECK(must(known.get(name_kind::client_key, 1))->key == store.seal.id_of_key("sk-1"));
  CHECK(must(known.find(name_kind::source, ""))->number == 0);
  CHECK(must(known.get(name_kind::source, 0))->text.empty());
  for (const auto& wrong : {known.get(name_kind::model, 1), known.get(name_kind::model, 3)}) {
    REQUIRE_FALSE(wrong);
    CHECK(code_of(wrong.error()) == errc::storage_corrupt);
  }
}

TEST_CASE("Names of a commit that was thrown away are unknown") {
  opened store;
  const names known{store.db, store.seal};
  {
    name_changes changes{known, 0};
    CHECK(must(changes.number(name_kind::model, "never written"))->number == 1);
  }
  CHECK(must(known.find(name_kind::model, "never written")) == nullptr);
  name_changes changes{known, 0};
  CHECK(must(changes.number(name_kind::model, "another"))->number == 1);
}

TEST_CASE("A sealed name copied under another number does not open") {
  opened store;
  {
    const names known{store.db, store.seal};
    name_changes changes{known, 0};
    must(changes.number(name_kind::client_key, "sk-1"));
    must(changes.number(name_kind::client_key, "sk-2"));
    write(changes, *store.db);
  }
  const auto row = must(store.db->get(family::meta, encode_key(name_text_key{1})));
  rocksdb::WriteBatch batch;
  batch.Put(store.db->handle(family::meta), encode_key(name_text_key{2}), *row);
  must(store.db->write(batch, true));
  const names known{store.db, store.seal};
  CHECK(must(known.get(name_kind::client_key, 1))->text == "sk-1");
  const auto moved = known.get(name_kind::client_key, 2);
  REQUIRE_FALSE(moved);
  CHECK(code_of(moved.error()) == errc::seal_broken);
}

TEST_CASE("More names than are cached are all found again") {
  opened store;
  const names known{store.db, store.seal};
  name_changes changes{known, 0};
  constexpr name_number count = 60'000;
  for (name_number i = 1; i <= count; ++i)
    must(changes.number(name_kind::auth_index, std::to_string(i)));
  write(changes, *store.db);
  for (name_number i = 1; i <= count; i += 997) {
    CHECK(must(known.find(name_kind::auth_index, std::to_string(i)))->number == i);
    CHECK(must(known.get(name_kind::auth_index, i))->text == std::to_string(i));
  }
}

} // namespace keyportal::storage::test
