// What is kept of notices: all that changes together is there together, and comes back as it was.
#include <catch2/catch_test_macros.hpp>

#include "storage/notices.hpp"
#include "tests/support/temporary_folder.hpp"

using namespace keyportal;

namespace {

struct world {
  std::unique_ptr<storage::notice_shelf> open() {
    auto db = storage::database::open_store(
      {.folder = folder.path() / "db", .block_cache_bytes = 1 << 20, .write_buffer_bytes = 1 << 20, .env = nullptr});
    REQUIRE(db);
    auto seal = storage::sealer::load(folder.path() / "seal.key", true);
    REQUIRE(seal);
    return std::make_unique<storage::notice_shelf>(*db, *seal, true);
  }
  test::temporary_folder folder;
};

notice_record one(const std::string& id, notice_state state = notice_state::waiting) {
  notice_record out;
  out.id = id;
  out.kind = "key.expired";
  out.event = 7;
  out.about = "k1";
  out.at = moment_of(1'775'000'000'123'456'789);
  out.weight = notice_weight::warning;
  out.why = "owner";
  out.recipient = "u1";
  out.address = "email:a@x.example";
  out.channel = "feishu";
  out.language = "zh";
  out.facts = R"({"key":"笔记本"})";
  out.sealed = std::string("\0\xff\x01", 3);
  out.state = state;
  out.due_at = out.at;
  out.until = out.at + std::chrono::hours{72};
  out.attempts = {{out.at, 12, "again", "status 429"}};
  out.members = {"n0"};
  out.message = "om_1";
  return out;
}

} // namespace

TEST_CASE("notices, position and marks come back as they were") {
  world w;
  {
    const auto shelf = w.open();
    CHECK_FALSE(shelf->load_progress()->position);
    notice_changes what;
    what.put = {one("n1"), one("n2", notice_state::delivered), one("n3", notice_state::sending)};
    what.position = 42;
    what.marks = {{"node.down/alpha", moment_of(5)}, {"node.down/beta", moment_of(6)}};
    REQUIRE_FALSE(shelf->commit(what));
    notice_changes more;
    more.cleared = {"node.down/beta"};
    REQUIRE_FALSE(shelf->commit(more));
  }
  const auto shelf = w.open();
  const auto progress = shelf->load_progress();
  REQUIRE(progress);
  CHECK(progress->position == 42);
  REQUIRE(progress->marks.size() == 1);
  CHECK(progress->marks[0].first == "node.down/alpha");
  const auto open = shelf->open_notices();
  REQUIRE(open);
  REQUIRE(open->size() == 2);
  CHECK(open->front() == one("n1"));
  CHECK(**shelf->find("n2") == one("n2", notice_state::delivered));
  CHECK_FALSE(*shelf->find("n9"));
}

TEST_CASE("notices are listed newest first, in pages, by what is asked") {
  world w;
  const auto shelf = w.open();
  notice_changes what;
  for (int i = 0; i < 5; ++i)
    what.put.push_back(one("n" + std::to_string(i), i % 2 == 0 ? notice_state::refused : notice_state::waiting));
  REQUIRE_FALSE(shelf->commit(what));
  list_notices which;
  which.limit = 2;
  auto page = shelf->list(which);
  REQUIRE(page);
  CHECK(page->more);
  CHECK(page->notices[0].id == "n4");
  which.before = page->notices[1].id;
  page = shelf->list(which);
  CHECK(page->notices[0].id == "n2");
  which = {};
  which.state = notice_state::refused;
  CHECK(shelf->list(which)->notices.size() == 3);
  which = {};
  which.kind = "key.renewed";
  CHECK(shelf->list(which)->notices.empty());
  // Only what is over goes.
  const auto old = shelf->older_than(one("n0").at + std::chrono::hours{1}, 100);
  REQUIRE(old);
  CHECK(*old == std::vector<notice_id>{"n0", "n2", "n4"});
}

TEST_CASE("a code opens for its own notice only") {
  world w;
  const auto shelf = w.open();
  const auto sealed = shelf->seal_text("1234 5678", "n1");
  REQUIRE(sealed);
  CHECK(sealed->find("1234") == std::string::npos);
  CHECK(*shelf->open_text(*sealed, "n1") == "1234 5678");
  CHECK_FALSE(shelf->open_text(*sealed, "n2"));
}

TEST_CASE("preferences and orders are kept") {
  world w;
  notice_preferences wishes;
  wishes.user = "u1";
  wishes.channels = std::vector<std::string>{};
  wishes.muted = {"node.up"};
  wishes.quiet_from = "22:00";
  wishes.quiet_to = "08:00";
  {
    const auto shelf = w.open();
    REQUIRE_FALSE(shelf->put(wishes));
    REQUIRE_FALSE(shelf->put_orders({{1, "n1/1"}, {2, "n2/1"}}));
    REQUIRE_FALSE(shelf->drop_order(1));
  }
  const auto shelf = w.open();
  REQUIRE(shelf->preferences()->size() == 1);
  CHECK(shelf->preferences()->front() == wishes);
  REQUIRE(shelf->orders()->size() == 1);
  CHECK(shelf->orders()->front() == std::pair<std::uint64_t, std::string>{2, "n2/1"});
}
