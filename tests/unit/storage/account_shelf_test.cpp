#include "storage/account_shelf.hpp"

#include <fstream>
#include <sstream>

#include <catch2/catch_test_macros.hpp>

#include "messages/errors.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;
using namespace keyportal::storage;
using kind = account_row_kind;

namespace {

struct shelf_world {
  test::temporary_folder folder;
  std::shared_ptr<database> db;
  std::unique_ptr<account_shelf> shelf;

  shelf_world() { open(); }
  void open() {
    auto opened = database::open_store(
      {.folder = folder.path() / "db", .block_cache_bytes = 1 << 20, .write_buffer_bytes = 1 << 20, .env = nullptr});
    REQUIRE(opened);
    db = *opened;
    auto seal = sealer::load(folder.path() / "seal.key", true);
    REQUIRE(seal);
    shelf = std::make_unique<account_shelf>(db, *seal);
  }
  void close() {
    shelf.reset();
    db.reset();
  }
  /// "id=text id=text".
  [[nodiscard]] std::string all(kind of) const {
    const auto rows = shelf->list(of);
    REQUIRE(rows);
    std::string out;
    for (const auto& row : *rows)
      out += (out.empty() ? "" : " ") + row.id + "=" + row.text;
    return out;
  }
};

} // namespace

TEST_CASE("rows of accounts are there after a restart, each kind by itself and in order") {
  shelf_world w;
  REQUIRE_FALSE(
    w.shelf->keep({{{kind::account, "b", "two"}, {kind::account, "a", "one"}, {kind::login, "a", "login"}}, {}}));
  CHECK(w.all(kind::account) == "a=one b=two");
  CHECK(w.all(kind::login) == "a=login");
  CHECK(w.all(kind::event).empty());
  w.close();
  w.open();
  CHECK(w.all(kind::account) == "a=one b=two");
}

TEST_CASE("a change of accounts takes the place of what was there, and drops what it names") {
  shelf_world w;
  REQUIRE_FALSE(
    w.shelf->keep({{{kind::account, "a", "one"}, {kind::account, "b", "two"}, {kind::event, "a", "told"}}, {}}));
  REQUIRE_FALSE(
    w.shelf->keep({{{kind::account, "a", "new"}}, {{kind::event, "a", ""}, {kind::account, "not there", ""}}}));
  CHECK(w.all(kind::account) == "a=new b=two");
  CHECK(w.all(kind::event).empty());
}

TEST_CASE("a change of accounts with a row that cannot be kept changes nothing") {
  shelf_world w;
  REQUIRE_FALSE(w.shelf->keep({{{kind::account, "a", "one"}}, {}}));
  CHECK(w.shelf->keep({{{kind::account, "a", "new"}, {kind::account, "", "no id"}}, {{kind::account, "a", ""}}}));
  CHECK(w.shelf->keep({{{kind::account, "a", "new"}, {kind::account, std::string(256, 'x'), "too long"}}, {}}));
  CHECK(w.all(kind::account) == "a=one");
}

TEST_CASE("no address of an account is to be read in any file, nor with another key, nor under another id") {
  shelf_world w;
  const std::string address = "somebody.we.know@example.com";
  REQUIRE_FALSE(w.shelf->keep({{{kind::mapping, "id-in-clear", "{\"email\":\"" + address + "\"}"}}, {}}));
  CHECK(w.all(kind::mapping).find(address) != std::string::npos);
  w.close();
  bool seen_id = false;
  for (const auto& each : std::filesystem::recursive_directory_iterator(w.folder.path())) {
    if (!each.is_regular_file())
      continue;
    std::ifstream file(each.path(), std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    CHECK(text.str().find(address) == std::string::npos);
    seen_id = seen_id || text.str().find("id-in-clear") != std::string::npos;
  }
  CHECK(seen_id); // else nothing was looked at
  std::filesystem::remove(w.folder.path() / "seal.key");
  w.open(); // with a key that is new
  CHECK_FALSE(w.shelf->list(kind::mapping));
}
