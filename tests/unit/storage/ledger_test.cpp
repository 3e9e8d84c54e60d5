#include <catch2/catch_test_macros.hpp>

#include <thread>

#include "sample.hpp"

namespace keyportal::storage::test {
namespace {

bool same(const detail& a, const detail& b) {
  return a.id == b.id && a.at == b.at && a.latency_ms == b.latency_ms && a.source == b.source
         && a.auth_index == b.auth_index && a.tokens == b.tokens && a.failed == b.failed;
}

} // namespace

TEST_CASE("A record comes back as it was given, also after opening anew") {
  const scratch_folder folder;
  const auto groups = numbered_groups("alpha", 1, 500);
  for (int opened = 0; opened < 2; ++opened) {
    const auto books = must_open(small_settings(folder.path()));
    if (opened == 0)
      must_commit(*books, polled("alpha", groups));
    const auto found = all_records(*books, "alpha", 7);
    REQUIRE(found.size() == groups.size());
    for (std::size_t g = 0; g < groups.size(); ++g) {
      CHECK(found[g].client_key == groups[g].client_key);
      CHECK(found[g].model == groups[g].model);
      REQUIRE(found[g].details.size() == groups[g].details.size());
      for (std::size_t d = 0; d < groups[g].details.size(); ++d)
        CHECK(same(found[g].details[d], groups[g].details[d]));
    }
    must(books->verify());
  }
}

TEST_CASE("New records get ascending sequences in order of time, with the key's id in place of the key") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  const auto result = must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 50)));
  REQUIRE(result.records->size() == 50);
  CHECK(result.last == 50);
  CHECK(result.duplicates == 0);
  std::int64_t before = 0;
  for (std::size_t i = 0; i < 50; ++i) {
    const auto& record = (*result.records)[i];
    CHECK(record.seq == i + 1);
    CHECK(record.node == "alpha");
    CHECK(record.at.unix_ns > before);
    before = record.at.unix_ns;
    const auto number = i + 1;
    CHECK(record.key == books->id_of_key("sk-client-secret-" + std::to_string(number % 5)));
    CHECK(record.key.size() == 27);
    CHECK(record.auth_index == std::to_string(number % 3));
  }
  REQUIRE(result.sums.size() == 1);
  CHECK(result.sums[0].first == "alpha");
  CHECK(result.sums[0].second.requests == 50);
  CHECK(result.sums[0].second.failed == 4);
}

TEST_CASE("A record given again changes nothing, whether later, in the same commit or in the same collection") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  auto groups = numbered_groups("alpha", 1, 20);
  for (const auto& group : numbered_groups("alpha", 11, 20))
    groups.push_back(group); // 11 to 20 are there twice
  const auto results =
    must(books->commit({polled("alpha", groups), polled("alpha", numbered_groups("alpha", 21, 20))}, at_seconds(0)));
  REQUIRE(results.size() == 2);
  CHECK(results[0].records->size() == 30);
  CHECK(results[0].duplicates == 10);
  CHECK(results[1].records->size() == 10);
  CHECK(results[1].duplicates == 10);
  const auto before = books->state();
  const auto again = must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 40)));
  CHECK(again.records->empty());
  CHECK(again.duplicates == 40);
  CHECK(again.sums.empty());
  CHECK(again.last == before.last);
  CHECK(books->state().records == 40);
  CHECK(books->state().outbox == before.outbox);
  CHECK(books->state().sums == before.sums);
  must(books->verify());
}

TEST_CASE("The same record of another node is another record") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 10)));
  const auto result = must_commit(*books, polled("beta", numbered_groups("beta", 1, 10)));
  CHECK(result.records->size() == 10);
  CHECK(count_details(all_records(*books, "alpha")) == 10);
  CHECK(count_details(all_records(*books, "beta")) == 10);
  CHECK(all_records(*books, "gamma").empty());
}

TEST_CASE("All writes of a commit take effect or none") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 3)));
  auto too_long = numbered_groups("alpha", 20, 1);
  too_long[0].model.assign(100'000, 'm');
  journal_entry amended;
  amended.restart = restart_record{};
  amended.restart->node = "alpha";
  amended.restart->number = 9; // there is none
  for (const ledger::write& bad : {ledger::write{polled("alpha", too_long)}, ledger::write{amended}}) {
    const auto result = books->commit({polled("alpha", numbered_groups("alpha", 10, 3)), bad}, at_seconds(0));
    REQUIRE_FALSE(result);
    CHECK(code_of(result.error()) == errc::bad_request);
    CHECK(books->state().records == 3);
  }
  CHECK(must_commit(*books, polled("alpha", numbered_groups("alpha", 10, 3))).records->size() == 3);
  must(books->verify());
}

TEST_CASE("The outbox gives items in order of sequence until they are forgotten") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 5)));
  journal_entry entry;
  entry.events.push_back({0, event_kind::down, "alpha", at_seconds(5), R"({"why":"timeout"})"});
  entry.events.push_back({0, event_kind::up, "alpha", {}, "{}"});
  const auto told = must_commit(*books, entry);
  REQUIRE(told.events->size() == 2);
  CHECK((*told.events)[0].seq == 6);
  CHECK((*told.events)[1].seq == 7);
  CHECK((*told.events)[1].at == at_seconds(1)); // when it was committed, since it said nothing itself
  must_commit(*books, polled("beta", numbered_groups("beta", 1, 1)));

  const auto check_page = [&] {
    const auto page = must(books->read_outbox(0, 1000));
    REQUIRE(page.items.size() == 8);
    for (std::size_t i = 0; i < 8; ++i)
      CHECK(page.items[i].seq == i + 1);
    REQUIRE(page.items[0].record);
    CHECK(page.items[0].record->seq == 1);
    CHECK(page.items[0].record->node == "alpha");
    CHECK(page.items[0].record->key == books->id_of_key("sk-client-secret-1"));
    CHECK(page.items[0].record->model == "model-1");
    CHECK_FALSE(page.items[5].record);
    CHECK(page.items[5].event.kind == event_kind::down);
    CHECK(page.items[5].event.node == "alpha");
    CHECK(page.items[5].event.at == at_seconds(5));
    CHECK(page.items[5].event.data == R"({"why":"timeout"})");
    CHECK(page.items[7].record->node == "beta");
  };
  check_page();
  books.reset();
  books = must_open(small_settings(folder.path()));
  check_page();

  CHECK(must(books->read_outbox(0, 3)).items.size() == 3);
  CHECK(must(books->read_outbox(3, 2)).items[0].seq == 4);
  CHECK(must(books->read_outbox(8, 10)).items.empty());
  CHECK(must(books->read_outbox(UINT64_MAX, 10)).items.empty());
  CHECK(must(books->read_outbox(0, 0)).items.empty());

  must(books->forget_outbox({1, 2, 2, 6, 99}));
  CHECK(books->state().outbox == 5);
  must(books->forget_outbox({1, 2, 6}));
  CHECK(books->state().outbox == 5);
  const auto rest = must(books->read_outbox(0, 1000));
  REQUIRE(rest.items.size() == 5);
  CHECK(rest.items[0].seq == 3);
  CHECK(rest.items[3].seq == 7);
  CHECK(books->state().records == 6); // the records stay
  must(books->verify());
}

TEST_CASE("A walk over the records shows them as they were when it began and leaves out what is present") {
  const scratch_folder folder;
  auto books = must_open(small_settings(folder.path()));
  const auto first = must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 100)));
  auto present = std::make_shared<std::unordered_set<record_id>>();
  for (std::size_t i = 0; i < 30; ++i)
    present->insert((*first.records)[i].id);
  const auto walk = books->records("alpha", present);
  must_commit(*books, polled("alpha", numbered_groups("alpha", 101, 100)));
  books.reset(); // the walk holds what it needs
  std::uint64_t seen = 0;
  for (auto part = must(walk->next(9)); !part.empty(); part = must(walk->next(9))) {
    for (const auto& group : part)
      for (const auto& d : group.details)
        CHECK_FALSE(present->contains(d.id));
    seen += count_details(part);
  }
  CHECK(seen == 70);
  CHECK(must(walk->next(9)).empty());
}

TEST_CASE("Readers on other threads never see a commit in part") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 10)));
  std::atomic<bool> done{false};
  std::atomic<int> torn{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i)
    readers.emplace_back([&] {
      while (!done) {
        if (count_details(all_records(*books, "alpha")) % 10 != 0 || books->state().records % 10 != 0
            || must(books->sums_since("alpha", at_seconds(0))).requests % 10 != 0
            || must(books->read_outbox(0, 10'000)).items.size() % 10 != 0 || books->verify())
          ++torn;
      }
    });
  for (std::uint64_t i = 1; i < 60; ++i)
    must_commit(*books, polled("alpha", numbered_groups("alpha", 1 + i * 10, 10)));
  done = true;
  for (auto& reader : readers)
    reader.join();
  CHECK(torn == 0);
}

TEST_CASE("A second opener is refused while the first one lives") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  const auto second = ledger::open(small_settings(folder.path()));
  REQUIRE_FALSE(second);
  CHECK(code_of(second.error()) == errc::storage_in_use);
}

TEST_CASE("A name may hold any bytes; an empty one stays empty") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  std::vector<record_group> groups(2);
  groups[0].client_key = secret{std::string("k\0\xff\n\"", 5)};
  groups[0].model = std::string("\0", 1);
  groups[0].details.push_back(numbered_detail("alpha", groups[0].client_key.reveal(), groups[0].model, 3));
  groups[0].details[0].source = std::string("\xc3\x28\0", 3);
  groups[1].details.push_back(numbered_detail("alpha", "", "", 4));
  groups[1].details[0].source.clear();
  groups[1].details[0].auth_index.clear();
  must_commit(*books, polled("alpha", groups));
  const auto found = all_records(*books, "alpha");
  REQUIRE(found.size() == 2);
  CHECK(found[0].client_key.empty());
  CHECK(found[0].model.empty());
  CHECK(found[0].details[0].source.empty());
  CHECK(found[1].client_key == groups[0].client_key);
  CHECK(found[1].model == groups[0].model);
  CHECK(found[1].details[0].source == groups[0].details[0].source);
}

} // namespace keyportal::storage::test
