#include <catch2/catch_test_macros.hpp>

#include "sample.hpp"

namespace keyportal::storage::test {
namespace {

node_event event_of(event_kind kind, const node_name& node, std::string about = {}) {
  return {0, kind, node, at_seconds(7), R"({"x":1})", std::move(about)};
}

journal_entry of(std::vector<node_event> events) {
  journal_entry out;
  out.events = std::move(events);
  return out;
}

} // namespace

TEST_CASE("Events are kept when the stream has them, and over a restart") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  must_commit(*books, of({event_of(event_kind::up, "alpha"), event_of(event_kind::key_active, "", "k1")}));
  must_commit(*books, of({event_of(event_kind::totals, "alpha"), event_of(event_kind::down, "alpha")}));
  must(books->forget_outbox({1, 2, 3, 4}));
  books.reset();
  books = must_open(small_settings(folder.path()));
  CHECK(must(books->read_outbox(0, 10)).items.empty());
  auto page = must(books->events(0, 10));
  CHECK(page.last == 4);
  CHECK(page.horizon == 0);
  REQUIRE(page.events.size() == 3); // totals are nothing that one could have missed
  CHECK(page.events[0].seq == 1);
  CHECK(page.events[0].kind == event_kind::up);
  CHECK(page.events[0].node == "alpha");
  CHECK(page.events[0].at == at_seconds(7));
  CHECK(page.events[0].data == R"({"x":1})");
  CHECK(page.events[1].about == "k1");
  CHECK(page.events[2].seq == 4);

  page = must(books->events(1, 1));
  REQUIRE(page.events.size() == 1);
  CHECK(page.events[0].seq == 2);
  CHECK(must(books->events(4, 10)).events.empty());
  CHECK(must(books->events(99, 10)).events.empty());
  must(books->verify());
}

TEST_CASE("What came before the first kept event is not said to be complete") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 3)));
  CHECK(must(books->events(0, 10)).horizon == 3);
  must_commit(*books, of({event_of(event_kind::up, "alpha")}));
  const auto page = must(books->events(0, 10));
  CHECK(page.horizon == 3);
  REQUIRE(page.events.size() == 1);
  CHECK(page.events[0].seq == 4);
}

TEST_CASE("Only the newest events stay, and how far back they go is known") {
  const scratch_folder folder;
  auto how = small_settings(folder.path());
  how.sync = false;
  auto books = must_open(how);
  const std::vector<node_event> many(3'000, event_of(event_kind::up, "alpha"));
  for (int i = 0; i < 8; ++i)
    must_commit(*books, of(many));
  const auto check = [&] {
    const auto page = must(books->events(0, 1));
    REQUIRE(page.events.size() == 1);
    CHECK(page.events[0].seq == page.horizon + 1);
    const auto kept = page.last - page.horizon;
    CHECK(kept >= ledger::events_kept);
    CHECK(kept < ledger::events_kept + 3'000);
    must(books->verify());
  };
  check();
  books.reset();
  books = must_open(how);
  check();
  must_commit(*books, of(many));
  check();
}

TEST_CASE("After sequences were skipped nothing is said of the events before") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  must_commit(*books, of({event_of(event_kind::up, "alpha")}));
  must(books->skip_sequences(1000));
  CHECK(must(books->events(0, 10)).horizon == 1001);
  must_commit(*books, of({event_of(event_kind::down, "alpha")}));
  const auto page = must(books->events(500, 10));
  CHECK(page.horizon == 1001);
  REQUIRE(page.events.size() == 1);
  CHECK(page.events[0].seq == 1002);
  must(books->verify());
}

} // namespace keyportal::storage::test
