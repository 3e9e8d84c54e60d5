// Records out of other tools' databases, and days that they had added up.
#include <catch2/catch_test_macros.hpp>

#include "sample.hpp"
#include "storage/sha256.hpp"

using namespace keyportal;
using namespace keyportal::storage;
using namespace keyportal::storage::test;

namespace {

constexpr const char* node = "cpa";

/// The record of that number as another tool kept it: tokens counted its own way, the source hidden.
detail copy_of(std::uint64_t number, const std::string& key = "sk-one", const std::string& model = "gpt") {
  auto d = queued_detail(node, key, model, number);
  d.source = "acc***@example.com";
  d.tokens.input += 1000;
  d.tokens.total += 1000;
  d.copied = true;
  d.id = make_record_id(node, key, model, d);
  return d;
}

collection of(std::vector<detail> details, const std::string& key = "sk-one", const std::string& model = "gpt") {
  return decoded(node, {{secret{key}, model, std::move(details)}});
}

std::vector<detail> some(detail (*make)(std::uint64_t), std::uint64_t first, std::uint64_t count) {
  std::vector<detail> out;
  for (auto i = first; i < first + count; ++i)
    out.push_back(make(i));
  return out;
}
detail queued(std::uint64_t i) { return queued_detail(node, "sk-one", "gpt", i); }
detail plain(std::uint64_t i) { return numbered_detail(node, "sk-one", "gpt", i); }
detail copied(std::uint64_t i) { return copy_of(i); }

struct scene {
  scratch_folder folder;
  std::unique_ptr<ledger> store = must_open(small_settings(folder.path()));
  std::uint64_t add(collection what) { return must_commit(*store, std::move(what)).records->size(); }
  std::uint64_t would_add(collection what) {
    return must(store->rehearse({std::move(what)}, at_seconds(0))).front().records->size();
  }
};

} // namespace

TEST_CASE_METHOD(scene, "A copy of a record that is there adds nothing, whichever way the record came") {
  CHECK(add(of(some(queued, 0, 20))) == 20);
  CHECK(add(of(some(plain, 20, 20))) == 20);
  CHECK(would_add(of(some(copied, 0, 45))) == 5);
  CHECK(add(of(some(copied, 0, 45))) == 5);
  CHECK(add(of(some(copied, 0, 45))) == 0);
  CHECK(store->state().records == 45);
  CHECK_FALSE(store->verify());
}

TEST_CASE_METHOD(scene, "A record whose copy came first adds nothing, whichever way it comes") {
  CHECK(add(of(some(copied, 0, 40))) == 40);
  CHECK(add(of(some(queued, 0, 20))) == 0);
  CHECK(add(of(some(plain, 20, 25))) == 5);
  store.reset();
  store = must_open(small_settings(folder.path()));
  CHECK(add(of(some(queued, 10, 40))) == 5); // 45 to 49
  CHECK_FALSE(store->verify());
}

TEST_CASE_METHOD(scene, "A copy and its record in one commit are one record") {
  const auto both = must(store->commit({of({queued(1)}), of({copy_of(1), copy_of(2)}), of({plain(2)})}, at_seconds(0)));
  CHECK(both[0].records->size() == 1);
  CHECK(both[1].records->size() == 1);
  CHECK(both[2].records->empty());
  CHECK_FALSE(store->verify());
}

TEST_CASE_METHOD(scene, "Another key, model, credential or outcome in the same nanosecond is another attempt") {
  REQUIRE(add(of({queued(1)})) == 1);
  CHECK(add(of({copy_of(1, "sk-two")}, "sk-two")) == 1);
  CHECK(add(of({copy_of(1, "sk-one", "claude")}, "sk-one", "claude")) == 1);
  auto failed = copy_of(1);
  failed.failed = !failed.failed;
  auto elsewhere = copy_of(1);
  elsewhere.auth_index = "another";
  auto nowhere = copy_of(1);
  nowhere.auth_index.clear();
  for (auto* one : {&failed, &elsewhere, &nowhere})
    one->id = make_record_id(node, "sk-one", "gpt", *one);
  CHECK(add(of({failed})) == 1);
  CHECK(add(of({elsewhere})) == 1);
  CHECK(add(of({nowhere})) == 0); // the tool did not keep the credential
  CHECK_FALSE(store->verify());
}

TEST_CASE_METHOD(scene, "A rehearsal changes nothing") {
  CHECK(would_add(of(some(copied, 0, 10))) == 10);
  CHECK(store->state().records == 0);
  CHECK(store->state().last == 0);
  CHECK_FALSE(store->verify());
}

TEST_CASE_METHOD(scene, "A copy is never among what a node lacks, and is in a snapshot") {
  add(of({copy_of(1), copy_of(2)}));
  add(of({plain(3)}));
  const auto walk = store->records(node, std::make_shared<const std::unordered_set<record_id>>());
  CHECK(count_details(must(walk->next(100))) == 1);
  CHECK(count_details(all_records(*store, node)) == 3);
}

TEST_CASE_METHOD(scene, "Keys are found by their hash, those of records and those of the registry") {
  const auto find = [&](const std::string& text) {
    const auto found = must(store->keys_by_sha256({sha256_hex(text)}));
    return found.empty() ? std::string{"nobody"} : found.at(sha256_hex(text)).reveal();
  };
  CHECK(find("sk-one") == "nobody");
  add(of({plain(1)}));
  CHECK(find("sk-one") == "sk-one");
  CHECK(find("sk-registry-secret-7") == "nobody");
  registry_entry entry;
  entry.what = "keys_imported";
  entry.keys.push_back({std::nullopt, numbered_key(*store, 7)});
  must_commit(*store, entry_of(0, std::move(entry)));
  CHECK(find("sk-registry-secret-7") == "sk-registry-secret-7");
  add(of({plain(2)}, "sk-later"));
  CHECK(find("sk-later") == "sk-later");
  CHECK(must(store->keys_by_sha256({"no hash", std::string(64, 'z')})).empty());
}

TEST_CASE_METHOD(scene, "Days are kept once, become what was given last, and are told page by page") {
  const auto day = [](int number, std::int64_t requests, const std::string& key = {}, const std::string& owner = {}) {
    keep_history::one one;
    one.day = {node, 20'000 + number, history_source::usage_db, {}, owner, requests, requests, 0, 100, 0, 0};
    one.key_text = secret{key};
    return one;
  };
  const auto keep = [&](std::vector<keep_history::one> days, bool dry_run = false) {
    const auto done = must(store->keep_history({std::move(days), dry_run}));
    return std::vector<std::uint64_t>{done.added, done.changed, done.known};
  };
  const std::vector<keep_history::one> given = {day(1, 5), day(2, 6), day(2, 3, "sk-one", "ada@example.com")};
  CHECK(keep(given, true) == std::vector<std::uint64_t>{3, 0, 0});
  CHECK(must(store->history({})).days.empty());
  CHECK(keep(given) == std::vector<std::uint64_t>{3, 0, 0});
  CHECK(keep(given) == std::vector<std::uint64_t>{0, 0, 3});
  CHECK(keep({day(2, 9)}, true) == std::vector<std::uint64_t>{0, 1, 0});
  CHECK(keep({day(2, 9)}) == std::vector<std::uint64_t>{0, 1, 0});
  store.reset();
  store = must_open(small_settings(folder.path()));
  read_history which;
  which.limit = 2;
  const auto first = must(store->history(which));
  REQUIRE(first.days.size() == 2);
  CHECK(first.days[1].day.requests == 9);
  REQUIRE_FALSE(first.next.empty());
  which.after = first.next;
  const auto second = must(store->history(which));
  REQUIRE(second.days.size() == 1);
  CHECK(second.days[0].day.owner == "ada@example.com");
  CHECK(second.days[0].day.key == store->id_of_key("sk-one"));
  CHECK(second.next.empty());
  which = {};
  which.node = node;
  which.from = which.to = 20'001;
  CHECK(must(store->history(which)).days.size() == 1);
  which.node = "another";
  CHECK(must(store->history(which)).days.empty());
  CHECK(store->state().records == 0); // they are no records
  CHECK_FALSE(store->verify());
}
