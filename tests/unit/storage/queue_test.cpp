// What came through a node's usage queue: kept before it is understood, each attempt once, in order of arrival.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <algorithm>

#include <rocksdb/db.h>

#include "sample.hpp"
#include "storage/database.hpp"
#include "storage/values.hpp"

namespace keyportal::storage::test {
namespace {

std::vector<std::string> texts(const payload_batch& batch) {
  std::vector<std::string> out;
  for (std::size_t i = 0; i < batch.size(); ++i)
    out.emplace_back(batch[i]);
  return out;
}

dead_letter letter(const std::string& payload) {
  return {0, "", at_seconds(4), inbox_channel::resp_pop, "the time stamp is no text", secret{payload}, 0};
}

std::uintmax_t table_bytes(const settings& how) {
  std::uintmax_t out = 0;
  for (const auto& entry : std::filesystem::directory_iterator(how.folder / "db"))
    if (entry.path().extension() == ".sst")
      out += entry.file_size();
  return out;
}

} // namespace

// --- inbox ------------------------------------------------------------------------------

TEST_CASE("What was received is in the inbox until a collection says that it is decoded") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  const std::vector<std::string> first{"one", "", std::string("\0\xff", 2)};
  auto what = received_now("alpha", first);
  what.channel = inbox_channel::http_pop;
  CHECK(must_commit(*books, what).inbox_number == 1);
  const auto results =
    must(books->commit({received_now("beta", {"b"}), received_now("alpha", {"two"})}, at_seconds(0)));
  CHECK(results[0].inbox_number == 2);
  CHECK(results[1].inbox_number == 3);
  CHECK(results[1].records->empty());
  books.reset();
  books = must_open(small_settings(folder.path()));
  CHECK(books->state().inbox == 3);
  const auto entries = must(books->read_inbox("alpha", 0, 10));
  REQUIRE(entries.size() == 2);
  CHECK(entries[0].number == 1);
  CHECK(entries[0].what.node == "alpha");
  CHECK(entries[0].what.at == at_seconds(3));
  CHECK(entries[0].what.channel == inbox_channel::http_pop);
  CHECK(texts(*entries[0].what.payloads) == first);
  CHECK(must(books->read_inbox("alpha", 1, 10)).size() == 1);
  CHECK(must(books->read_inbox("alpha", 3, 10)).empty());
  CHECK(must(books->read_inbox("alpha", 0, 1)).size() == 1);
  CHECK(must(books->read_inbox("gamma", 0, 1)).empty());

  auto done = decoded("alpha", queued_groups("alpha", 1, 3));
  done.inbox_done = {1, 1, 2, 77}; // 2 is another node's, 77 nobody's
  CHECK(must_commit(*books, done).records->size() == 3);
  CHECK(books->state().inbox == 2);
  CHECK(must_commit(*books, done).duplicates == 3); // again: nothing left to do
  CHECK(books->state().inbox == 2);
  CHECK(must(books->read_inbox("alpha", 0, 10)).front().number == 3);
  CHECK(must(books->read_inbox("beta", 0, 10)).size() == 1);
  must(books->verify());
}

TEST_CASE("A number of the inbox is never given twice, also when all before it are gone") {
  const scratch_folder folder;
  for (std::uint64_t number = 1; number < 5; ++number) {
    const auto books = must_open(small_settings(folder.path()));
    REQUIRE(must_commit(*books, received_now("alpha", {"x"})).inbox_number == number);
    auto done = decoded("alpha", {});
    done.inbox_done = {number};
    must_commit(*books, done);
    REQUIRE(books->state().inbox == 0);
    must(books->verify());
  }
}

TEST_CASE("Payloads whose ends do not fit their bytes are refused") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  for (const auto& bad : {payload_batch{}, payload_batch{"abc", {}}, payload_batch{"abc", {2}},
                          payload_batch{"abc", {4}}, payload_batch{"abc", {2, 1, 3}}}) {
    received what{"alpha", at_seconds(0), inbox_channel::subscribe, std::make_shared<const payload_batch>(bad)};
    const auto result = books->commit({what}, at_seconds(0));
    REQUIRE_FALSE(result);
    CHECK(code_of(result.error()) == errc::bad_request);
  }
  CHECK_FALSE(books->commit({received{"alpha", {}, inbox_channel::subscribe, nullptr}}, at_seconds(0)));
  CHECK(books->state().inbox == 0);
}

TEST_CASE("What went through the inbox leaves next to nothing in the files") {
  const scratch_folder folder;
  auto how = small_settings(folder.path());
  how.write_buffer_bytes = std::size_t{256} << 10;
  const auto books = must_open(how);
  std::mt19937_64 random{1};
  for (int i = 0; i < 100; ++i) {
    std::string noise(100'000, '\0'); // does not get smaller
    for (auto& byte : noise)
      byte = static_cast<char>(random());
    auto done = decoded("alpha", {});
    done.inbox_done = {must_commit(*books, received_now("alpha", {noise})).inbox_number};
    must_commit(*books, done);
  }
  must(books->compact());
  CHECK(table_bytes(how) < 500'000); // of 10 MB
  must(books->verify());
}

// --- dead letters --------------------------------------------------------------------------

TEST_CASE("What could not be decoded is kept with its reason until it is replayed or dropped") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  auto first = decoded("alpha", {});
  first.dead = {letter("payload one"), letter("payload two"), letter("")};
  first.dead[1].node = "beta";
  must_commit(*books, first);
  books.reset();
  books = must_open(small_settings(folder.path()));
  CHECK(books->state().dead_letters == 3);
  const auto list = must(books->dead_letters(0, 10, false));
  REQUIRE(list.size() == 3);
  CHECK(list[0].number == 1);
  CHECK(list[0].node == "alpha");
  CHECK(list[0].at == at_seconds(4));
  CHECK(list[0].channel == inbox_channel::resp_pop);
  CHECK(list[0].reason == "the time stamp is no text");
  CHECK(list[0].bytes == 11);
  CHECK(list[0].payload.empty());
  CHECK(list[1].node == "beta");
  CHECK(must(books->dead_letters(1, 1, true))[0].payload.reveal() == "payload two");
  CHECK(must(books->dead_letters(3, 10, true)).empty());

  auto replayed = decoded("alpha", queued_groups("alpha", 1, 1));
  replayed.replayed_letters = {1, 1, 99};
  must_commit(*books, replayed);
  journal_entry dropped;
  dropped.dropped_letters = {2, 1};
  must_commit(*books, dropped);
  CHECK(books->state().dead_letters == 1);
  must(books->verify());
  auto next = decoded("alpha", {});
  next.dead = {letter("payload four")};
  must_commit(*books, next);
  CHECK(must(books->dead_letters(3, 10, true))[0].number == 4);
}

// --- one attempt, two forms --------------------------------------------------------------------

TEST_CASE("An export of a node with a queue brings nothing new, nor does its queue after its /usage") {
  const scratch_folder folder;
  const bool queue_first = GENERATE(true, false);
  auto books = must_open(small_settings(folder.path()));
  const auto by_queue = decoded("alpha", queued_groups("alpha", 1, 200));
  const auto by_usage = decoded("alpha", numbered_groups("alpha", 1, 200));
  must_commit(*books, queue_first ? by_queue : by_usage);
  must_commit(*books, decoded("beta", queued_groups("beta", 1, 10)));
  if (GENERATE(true, false)) {
    books.reset();
    books = must_open(small_settings(folder.path()));
  }
  const auto again = must_commit(*books, queue_first ? by_usage : by_queue);
  CHECK(again.records->empty());
  CHECK(again.duplicates == 200);
  // Another node's, and another attempt, are not taken for it.
  CHECK(must_commit(*books, decoded("gamma", numbered_groups("gamma", 1, 10))).records->size() == 10);
  CHECK(must_commit(*books, decoded("alpha", numbered_groups("alpha", 201, 10))).records->size() == 10);
  CHECK(must_commit(*books, decoded("alpha", queued_groups("alpha", 211, 10))).records->size() == 10);
  CHECK(books->state().records == 240);
  must(books->verify());
}

TEST_CASE(
  "Within one commit too, two forms of one attempt are one record, the one that says more if it can be chosen") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  auto groups = numbered_groups("alpha", 1, 50);
  for (auto& group : queued_groups("alpha", 1, 50))
    groups.push_back(std::move(group));
  const auto both = must_commit(*books, decoded("alpha", groups));
  CHECK(both.records->size() == 50);
  CHECK(both.duplicates == 50);
  CHECK(std::all_of(both.records->begin(), both.records->end(), [](const auto& one) { return one.facts != nullptr; }));
  const auto results = must(books->commit(
    {decoded("alpha", numbered_groups("alpha", 51, 50)), decoded("alpha", queued_groups("alpha", 51, 50)),
     decoded("alpha", queued_groups("alpha", 101, 50)), decoded("alpha", numbered_groups("alpha", 101, 50))},
    at_seconds(0)));
  CHECK(results[0].records->size() == 50);
  CHECK(results[1].records->empty());
  CHECK(results[2].records->size() == 50);
  CHECK(results[3].records->empty());
  must(books->verify());
}

TEST_CASE("Two attempts of the queue in the same nanosecond, alike in all that /usage says, are two records") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, decoded("alpha", queued_groups("alpha", 1, 10, 0)));
  CHECK(must_commit(*books, decoded("alpha", queued_groups("alpha", 1, 10, 1))).records->size() == 10);
  CHECK(must_commit(*books, decoded("alpha", queued_groups("alpha", 1, 10, 1))).duplicates == 10);
  CHECK(must_commit(*books, decoded("alpha", numbered_groups("alpha", 1, 10))).duplicates == 10);
  CHECK(books->state().records == 20);
  must(books->verify());
}

// --- arrivals --------------------------------------------------------------------------------

TEST_CASE("Records are read in the order in which they came, from any place, with what was asked for") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, decoded("alpha", queued_groups("alpha", 300, 150)));
  journal_entry event;
  event.events.push_back({0, event_kind::up, "alpha", at_seconds(0), "{}"});
  must_commit(*books, event); // takes a sequence, but is no arrival
  must_commit(*books, decoded("beta", numbered_groups("beta", 1, 150)));
  must_commit(*books, decoded("alpha", queued_groups("alpha", 1, 150))); // earlier in time, later here
  const auto all = all_arrivals(*books, 7);
  REQUIRE(all.size() == 450);
  for (std::size_t i = 1; i < all.size(); ++i)
    CHECK(all[i].record.seq > all[i - 1].record.seq);
  CHECK(all[150].record.node == "beta");
  CHECK(all[150].record.seq == 152);
  CHECK(all[150].client_key.reveal().starts_with("sk-client-secret-"));
  CHECK_FALSE(all[150].record.facts);
  CHECK(all[150].extra.empty());
  REQUIRE(all[0].record.facts);
  CHECK(all[0].record.facts->provider == "codex");
  CHECK(all[0].record.facts->endpoint == "POST /v1/responses");
  CHECK(all[0].record.facts->extra.empty());
  CHECK(all[0].extra.empty()); // number 300 has none
  CHECK(all[1].extra == R"({"request_id":"extra-secret-301-0"})");
  CHECK(all[1].source == "account-1@example.com");

  const auto some = must(books->arrivals({.after = 149, .limit = 3}));
  REQUIRE(some.size() == 3);
  CHECK(some[0].record.seq == 150);
  CHECK(some[1].record.seq == 152);
  CHECK(some[0].extra.empty());
  CHECK(some[0].client_key.empty());
  CHECK(some[0].source.empty());
  const auto of_alpha = must(books->arrivals({.after = 150, .limit = 1000, .node = "alpha"}));
  REQUIRE(of_alpha.size() == 150);
  CHECK(of_alpha[0].record.seq == 302);
  CHECK(must(books->arrivals({.limit = 10, .node = "gamma"})).empty());
  CHECK(must(books->arrivals({.after = UINT64_MAX, .limit = 10})).empty());
  CHECK(must(books->arrivals({.limit = 0})).empty());
}

TEST_CASE("The outbox, listeners and plain walks never hold what else the node said") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  const auto told = must_commit(*books, decoded("alpha", queued_groups("alpha", 1, 100)));
  for (const auto& record : *told.records) {
    REQUIRE(record.facts);
    CHECK(record.facts->extra.empty());
  }
  for (const auto& item : must(books->read_outbox(0, 1000)).items)
    CHECK(item.record->facts->extra.empty());
  for (const auto& group : all_records(*books, "alpha"))
    for (const auto& d : group.details)
      CHECK(d.facts->extra.empty());
}

TEST_CASE("Nothing private is in the files in clear") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  const auto look = [](const std::string& bytes) {
    for (const auto* text :
         {"client-secret", "payload-secret", "extra-secret", "request_id", "letter-secret", "account-1@example.com"})
      CHECK(bytes.find(text) == std::string::npos);
    CHECK(bytes.find("the time stamp is no text") != std::string::npos); // so the search does find
  };
  {
    const auto books = must_open(how);
    must_commit(*books, received_now("alpha", {R"({"api_key":"sk-client-secret-1","x":"payload-secret"})"}));
    auto with_letter = decoded("alpha", queued_groups("alpha", 1, 100));
    with_letter.dead = {letter("letter-secret")};
    must_commit(*books, with_letter);
    look(all_bytes(how.folder)); // in the log
    must(books->compact());
  }
  // In tables texts are compressed: what their rows are is looked through.
  const auto db =
    must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
  std::string rows;
  for (std::size_t i = 0; i < families; ++i) {
    const std::unique_ptr<rocksdb::Iterator> row{db->raw().NewIterator({}, db->handle(static_cast<family>(i)))};
    for (row->SeekToFirst(); row->Valid(); row->Next())
      rows += row->key().ToString() + row->value().ToString();
    must(to_error(row->status()));
  }
  look(rows);
}

// --- audit, incompletes, consumers -----------------------------------------------------------------

TEST_CASE("Attempts are counted per credential, and the audit of a node is replaced as a whole") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  CHECK(must(books->recall_audit("alpha")).boot == 0);
  must_commit(*books, decoded("alpha", numbered_groups("alpha", 1, 33)));
  must_commit(*books, decoded("alpha", numbered_groups("alpha", 30, 33))); // some again
  must_commit(*books, decoded("beta", numbered_groups("beta", 1, 3)));
  journal_entry entry;
  entry.audit = audit_memory{"alpha",       7,         at_seconds(1),
                             at_seconds(2), "7.2.140", {{"1", 20, 1, -5, 2, 0, 0}, {"new", 1, 2, 3, 4, 0, 0}}};
  must_commit(*books, entry);
  books.reset();
  books = must_open(small_settings(folder.path()));
  auto audit = must(books->recall_audit("alpha"));
  CHECK(audit.node == "alpha");
  CHECK(audit.boot == 7);
  CHECK(audit.boot_seen_at == at_seconds(1));
  CHECK(audit.compared_at == at_seconds(2));
  CHECK(audit.version == "7.2.140");
  REQUIRE(audit.credentials.size() == 4); // "0", "1", "2" have records, "new" has a mark
  CHECK(audit.credentials[0].auth_index == "0");
  CHECK(audit.credentials[0].node_ok == 0);
  CHECK(audit.credentials[1].auth_index == "1");
  CHECK(audit.credentials[1].node_ok == 20);
  CHECK(audit.credentials[1].base_ok == -5);
  CHECK(audit.credentials[1].held_ok + audit.credentials[1].held_failed == 21);
  CHECK(audit.credentials[1].held_failed == 2); // 22 and 55 of those that leave 1 when divided by 3
  CHECK(audit.credentials[3].auth_index == "new");
  CHECK(audit.credentials[3].base_failed == 4);
  CHECK(audit.credentials[3].held_ok == 0);
  entry.audit->credentials.resize(1);
  entry.audit->boot = 8;
  must_commit(*books, entry);
  audit = must(books->recall_audit("alpha"));
  CHECK(audit.boot == 8);
  CHECK(audit.credentials.size() == 3);
  CHECK(must(books->recall_audit("beta")).credentials.size() == 3);
  must(books->verify());
}

TEST_CASE("Incompletes are numbered per node, amended by their number and listed newest first") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  journal_entry entry;
  entry.incompletes = {{"alpha", 0, "cred-1", at_seconds(1), at_seconds(2), 3, 4, {}},
                       {"alpha", 0, "cred-2", at_seconds(1), at_seconds(2), 1, 0, {}},
                       {"beta", 0, "cred-1", at_seconds(1), at_seconds(2), 1, 0, {}}};
  CHECK(must_commit(*books, entry).incomplete_numbers == std::vector<std::uint64_t>{1, 2, 1});
  entry.incompletes.resize(1);
  entry.incompletes[0].number = 1;
  entry.incompletes[0].closed_at = at_seconds(9);
  CHECK(must_commit(*books, entry).incomplete_numbers == std::vector<std::uint64_t>{1});
  books.reset();
  books = must_open(small_settings(folder.path()));
  const auto all = must(books->incompletes("alpha", 10));
  REQUIRE(all.size() == 2);
  CHECK(all[0].number == 2);
  CHECK_FALSE(all[0].closed_at);
  CHECK(all[1].number == 1);
  CHECK(all[1].credential == "cred-1");
  CHECK(all[1].from == at_seconds(1));
  CHECK(all[1].to == at_seconds(2));
  CHECK(all[1].missing_ok == 3);
  CHECK(all[1].missing_failed == 4);
  CHECK(all[1].closed_at == at_seconds(9));
  entry.incompletes[0].number = 3;
  CHECK_FALSE(books->commit({entry}, at_seconds(0)));
}

TEST_CASE("A consumer goes on where it was, and is never ahead of the ledger") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  must_commit(*books, decoded("alpha", queued_groups("alpha", 1, 20)));
  CHECK(must(books->consumer_position("usage-keeper")) == 0);
  must(books->commit({consumer_progress{"usage-keeper", 17}, consumer_progress{"other", 3}}, at_seconds(0)));
  must_commit(*books, consumer_progress{"other", 2}); // asked to go back
  books.reset();
  books = must_open(small_settings(folder.path()));
  CHECK(must(books->consumer_position("usage-keeper")) == 17);
  CHECK(must(books->consumers()).size() == 2);
  CHECK(must(books->consumer_position("other")) == 2);
  for (const auto& bad :
       {consumer_progress{"", 1}, consumer_progress{std::string(1000, 'x'), 1}, consumer_progress{"ahead", 21}}) {
    const auto result = books->commit({bad}, at_seconds(0));
    REQUIRE_FALSE(result);
    CHECK(code_of(result.error()) == errc::bad_request);
  }
}

} // namespace keyportal::storage::test
