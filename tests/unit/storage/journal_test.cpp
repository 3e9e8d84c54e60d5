#include <catch2/catch_test_macros.hpp>

#include "sample.hpp"

namespace keyportal::storage::test {
namespace {

list_mark mark(const std::string& client_key, const std::string& model, std::uint64_t count) {
  return {secret{client_key}, model, count, count * 100, {1, 2, 3}, {4, 5, 6}, static_cast<std::int64_t>(count)};
}

restart_record restart_of(const node_name& node) {
  restart_record out;
  out.node = node;
  out.noticed_at = at_seconds(100);
  out.last_seen_at = at_seconds(97);
  out.evidence = {"requests fell from 10 to 1", "7 details are gone"};
  out.before = {10, 9, 1, 1000};
  out.after = {1, 1, 0, 10};
  out.expected_loss = 2;
  return out;
}

} // namespace

TEST_CASE("What a poll saw of a node is remembered across our own restart") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  CHECK_FALSE(must(books->recall("alpha")).known);
  auto poll = polled("alpha", numbered_groups("alpha", 1, 3), at_seconds(50));
  poll.counters = {3, 2, 1, 99};
  poll.marks = {mark("sk-1", "m1", 2), mark("sk-2", "m1", 1)};
  must_commit(*books, poll);
  must_commit(*books, polled("beta", {}, at_seconds(51)));
  books.reset();
  books = must_open(small_settings(folder.path()));
  const auto memory = must(books->recall("alpha"));
  CHECK(memory.known);
  CHECK(memory.last_seen_at == at_seconds(50));
  CHECK(memory.counters == poll.counters);
  REQUIRE(memory.marks.size() == 2);
  CHECK(memory.marks[0].client_key.reveal() == "sk-1");
  CHECK(memory.marks[0].model == "m1");
  CHECK(memory.marks[0].count == 2);
  CHECK(memory.marks[0].raw_bytes == 200);
  CHECK(memory.marks[0].raw_hash == poll.marks[0].raw_hash);
  CHECK(memory.marks[0].ids_hash == poll.marks[0].ids_hash);
  CHECK(memory.marks[0].total_requests == 2);
  CHECK(must(books->recall("beta")).marks.empty());
}

TEST_CASE("Marks are replaced one by one, and all forgotten when the node began anew, within one commit too") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  auto first = polled("alpha", {});
  first.marks = {mark("sk-1", "m1", 1), mark("sk-2", "m1", 1)};
  auto second = polled("alpha", {});
  second.marks = {mark("sk-2", "m1", 5)};
  must(books->commit({first, second}, at_seconds(0)));
  CHECK(must(books->recall("alpha")).marks.size() == 2);
  CHECK(must(books->recall("alpha")).marks[1].count == 5);

  auto other = polled("beta", {});
  other.marks = {mark("sk-1", "m1", 7)};
  auto third = polled("alpha", {});
  third.marks = {mark("sk-4", "m1", 1)};
  auto anew = polled("alpha", {});
  anew.forget_marks = true;
  anew.marks = {mark("sk-3", "m2", 1)};
  must(books->commit({other, third, anew}, at_seconds(0)));
  const auto memory = must(books->recall("alpha"));
  REQUIRE(memory.marks.size() == 1);
  CHECK(memory.marks[0].client_key.reveal() == "sk-3");
  CHECK(must(books->recall("beta")).marks.size() == 1); // another node's are untouched
}

TEST_CASE("Records of a file leave what is remembered of the node as it is") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  auto file = polled("alpha", numbered_groups("alpha", 1, 5), at_seconds(70));
  file.from_poll = false;
  file.forget_marks = true;
  file.marks = {mark("sk-1", "m1", 1)};
  must_commit(*books, file);
  CHECK_FALSE(must(books->recall("alpha")).known);
  CHECK(must(books->recall("alpha")).marks.empty());
  CHECK(books->state().records == 5);
}

TEST_CASE("Restarts are numbered per node, amended by their number and listed newest first") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  for (std::uint64_t i = 1; i <= 3; ++i) {
    journal_entry entry;
    entry.restart = restart_of("alpha");
    entry.restart->expected_loss = i;
    CHECK(must_commit(*books, entry).restart_number == i);
  }
  journal_entry entry;
  entry.restart = restart_of("beta");
  CHECK(must_commit(*books, entry).restart_number == 1);
  entry.restart = restart_of("alpha");
  entry.restart->number = 2;
  entry.restart->state = restore_state::complete;
  entry.restart->restored_at = at_seconds(101);
  entry.restart->restored = {10, 9, 1, 1000};
  entry.restart->records_imported = 9;
  CHECK(must_commit(*books, entry).restart_number == 2);
  books.reset();
  books = must_open(small_settings(folder.path()));
  const auto all = must(books->restarts("alpha", 100));
  REQUIRE(all.size() == 3);
  CHECK(all[0].number == 3);
  CHECK(all[0].expected_loss == 3);
  CHECK_FALSE(all[0].restored_at);
  CHECK(all[0].node == "alpha");
  CHECK(all[0].noticed_at == at_seconds(100));
  CHECK(all[0].last_seen_at == at_seconds(97));
  CHECK(all[0].evidence == restart_of("alpha").evidence);
  CHECK(all[0].before == node_counters{10, 9, 1, 1000});
  CHECK(all[0].after == node_counters{1, 1, 0, 10});
  CHECK(all[1].number == 2);
  CHECK(all[1].state == restore_state::complete);
  CHECK(all[1].restored_at == at_seconds(101));
  CHECK(all[1].restored == node_counters{10, 9, 1, 1000});
  CHECK(all[1].records_imported == 9);
  CHECK(all[2].number == 1);
  CHECK(must(books->restarts("alpha", 2)).size() == 2);
  CHECK(must(books->restarts("alpha", 0)).empty());
  CHECK(must(books->restarts("gamma", 9)).empty());
  journal_entry next;
  next.restart = restart_of("alpha");
  CHECK(must_commit(*books, next).restart_number == 4);
}

TEST_CASE("Gaps are numbered per node and listed newest first") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  journal_entry entry;
  for (int i = 0; i < 2; ++i) {
    entry.gap = gap_record{"alpha", 0, at_seconds(i), at_seconds(i + 1), 5, "not reachable"};
    must_commit(*books, entry);
  }
  const auto all = must(books->gaps("alpha", 10));
  REQUIRE(all.size() == 2);
  CHECK(all[0].number == 2);
  CHECK(all[0].from == at_seconds(1));
  CHECK(all[0].to == at_seconds(2));
  CHECK(all[0].expected_records == 5);
  CHECK(all[0].reason == "not reachable");
  CHECK(all[1].number == 1);
  entry.gap->number = 3;
  const auto unknown = books->commit({entry}, at_seconds(0));
  REQUIRE_FALSE(unknown);
  CHECK(code_of(unknown.error()) == errc::bad_request);
}

TEST_CASE("A usage event is no journal entry, and a node needs a name") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  journal_entry entry;
  entry.events.push_back({0, event_kind::usage, "alpha", at_seconds(0), "{}"});
  CHECK_FALSE(books->commit({entry}, at_seconds(0)));
  CHECK_FALSE(books->commit({polled("", {})}, at_seconds(0)));
  CHECK(books->state().last == 0);
  CHECK(must(books->commit({}, at_seconds(0))).empty());
}

} // namespace keyportal::storage::test
