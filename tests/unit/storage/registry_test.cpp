// The registry's log and what is folded of it.
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <algorithm>

#include <rocksdb/db.h>

#include "faulty_files.hpp"
#include "sample.hpp"
#include "storage/database.hpp"
#include "storage/registry_rows.hpp"
#include "storage/sha256.hpp"
#include "storage/values.hpp"

namespace keyportal::storage::test {
namespace {

registry_entry entry_named(std::string command, moment at = at_seconds(0)) {
  registry_entry out;
  out.at = at;
  out.who = "cli";
  out.from = "local";
  out.command = std::move(command);
  out.what = "test";
  return out;
}

node_event event_about(event_kind kind, std::string about) {
  return {0, kind, {}, at_seconds(3), R"({"a":1})", std::move(about)};
}

// What a registry does in its first hours: people, a policy, keys that are made, assigned, and thrown away.
std::vector<append_entry> some_history(const ledger& by) {
  std::vector<append_entry> out;
  auto people = entry_named("add");
  for (std::uint64_t i = 0; i < 3; ++i)
    people.users.push_back({std::nullopt, numbered_user(i)});
  out.push_back(entry_of(0, people, {event_about(event_kind::user_registered, "u0")}));
  auto rules = entry_named("");
  rules.policies = {{std::nullopt, numbered_policy(1)}, {std::nullopt, numbered_policy(2)}};
  out.push_back(entry_of(1, rules));
  auto made = entry_named("make");
  std::vector<client_key> keys;
  for (std::uint64_t i = 0; i < 5; ++i)
    made.keys.push_back({std::nullopt, keys.emplace_back(numbered_key(by, i))});
  out.push_back(entry_of(2, made));
  auto assigned = entry_named("assign");
  auto taken = keys[2];
  taken.owner = "u1";
  taken.state = key_state::live;
  assigned.keys = {{keys[2], taken}};
  assigned.users = {{numbered_user(1), numbered_user(1, 1)}};
  out.push_back(entry_of(3, assigned, {event_about(event_kind::key_assigned, taken.id)}));
  auto dropped = entry_named("");
  dropped.policies = {{numbered_policy(1), std::nullopt}};
  out.push_back(entry_of(4, dropped));
  return out;
}

void append_all(ledger& into, const std::vector<append_entry>& history) {
  for (const auto& one : history)
    REQUIRE(must_commit(into, one).appended == one.expected + 1);
}

bool same(const registry_image& a, const registry_image& b) {
  return a.position == b.position && a.users == b.users && a.keys == b.keys && a.policies == b.policies
         && a.commands == b.commands;
}

std::shared_ptr<database> raw_database(const settings& how) {
  return must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
}

std::string all_rows(const settings& how) {
  const auto db = raw_database(how);
  std::string out;
  for (std::size_t i = 0; i < families; ++i) {
    const std::unique_ptr<rocksdb::Iterator> row{db->raw().NewIterator({}, db->handle(static_cast<family>(i)))};
    for (row->SeekToFirst(); row->Valid(); row->Next())
      out += row->key().ToString() + row->value().ToString();
    must(to_error(row->status()));
  }
  return out;
}

} // namespace

TEST_CASE("What an entry says is what the registry is from then on, also after opening anew") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  auto books = must_open(how);
  CHECK(same(must(books->load_registry()), {}));
  const auto history = some_history(*books);
  append_all(*books, history);
  const auto check = [&] {
    const auto image = must(books->load_registry());
    CHECK(image.position == 5);
    CHECK(books->registry_position() == 5);
    CHECK(image.users == std::deque{numbered_user(0), numbered_user(1, 1), numbered_user(2)});
    CHECK(image.policies == std::vector{numbered_policy(2)});
    CHECK(image.commands == std::vector<std::pair<std::string, log_position>>{{"add", 1}, {"make", 3}, {"assign", 4}});
    REQUIRE(image.keys.size() == 5);
    CHECK(
      std::is_sorted(image.keys.begin(), image.keys.end(), [](const auto& a, const auto& b) { return a.id < b.id; }));
    for (const auto& key : image.keys)
      CHECK((key.owner == "u1") == (key.id == history[3].entry->keys[0].after->id));
    const auto log = all_entries(*books, 2);
    REQUIRE(log.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) {
      CHECK(log[i].position == i + 1);
      CHECK(log[i].command == history[i].entry->command);
      CHECK(log[i].users == history[i].entry->users);
      CHECK(log[i].keys == history[i].entry->keys);
      CHECK(log[i].policies == history[i].entry->policies);
    }
    CHECK(must(books->entries(3, 1)).at(0).position == 4);
    CHECK(must(books->entries(5, 10)).empty());
    must(books->verify());
  };
  check();
  books.reset();
  books = must_open(how);
  check();
}

TEST_CASE("Events of keys and people wait in the outbox without a node") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  auto books = must_open(how);
  const auto done = must_commit(*books, some_history(*books)[0]);
  REQUIRE(done.events->size() == 1);
  CHECK(done.events->front().about == "u0");
  CHECK(done.events->front().seq == done.last);
  books.reset();
  books = must_open(how);
  const auto page = must(books->read_outbox(0, 10));
  REQUIRE(page.items.size() == 1);
  const auto& event = page.items[0].event;
  CHECK(event.kind == event_kind::user_registered);
  CHECK(event.node.empty());
  CHECK(event.about == "u0");
  CHECK(event.at == at_seconds(3));
  CHECK(event.data == R"({"a":1})");
  CHECK(books->state().sums.empty()); // no node came of it
  must(books->forget_outbox({event.seq}));
  CHECK(books->state().outbox == 0);
  must(books->verify());
}

TEST_CASE("An entry that comes too late changes nothing, and what is committed with it does not notice") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  const auto history = some_history(*books);
  auto late = entry_named("late");
  late.users = {{std::nullopt, numbered_user(77)}};
  const auto late_write = entry_of(0, late, {event_about(event_kind::user_registered, "u77")});
  // In one commit: the second one for the first position is late, the next one goes on behind the first.
  const auto results = must(books->commit(
    {history[0], late_write, polled("alpha", numbered_groups("alpha", 0, 10)), history[1]}, at_seconds(0)));
  CHECK(results[0].appended == 1);
  CHECK(results[1].appended == 0);
  CHECK(results[1].events->empty());
  CHECK(results[2].records->size() == 10);
  CHECK(results[3].appended == 2);
  const auto before = must(books->load_registry());
  const auto last = books->state().last;
  CHECK(before.users.size() == 3);
  CHECK(books->state().outbox == 11);
  for (const log_position expected : {0, 1, 3, 1000}) {
    CHECK(must_commit(*books, entry_of(expected, late)).appended == 0);
    CHECK(same(must(books->load_registry()), before));
    CHECK(books->state().last == last);
  }
  CHECK(all_entries(*books).size() == 2);
  must(books->verify());
}

TEST_CASE("What makes no sense as an entry is refused and changes nothing") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  std::vector<append_entry> bad{{0, nullptr, {}}};
  auto entry = entry_named("x");
  entry.users = {{std::nullopt, std::nullopt}};
  bad.push_back(entry_of(0, entry));
  entry.users = {{numbered_user(1), numbered_user(2)}};
  bad.push_back(entry_of(0, entry));
  entry.users = {{std::nullopt, user{}}};
  bad.push_back(entry_of(0, entry));
  entry.users = {{std::nullopt, numbered_user(1)}};
  entry.users[0].after->id = std::string(256, 'u');
  bad.push_back(entry_of(0, entry));
  bad.push_back(entry_of(0, entry_named("x"), {node_event{0, event_kind::usage, {}, {}, "{}", "u1"}}));
  bad.push_back(entry_of(0, entry_named("x"), {node_event{0, event_kind::up, {}, {}, "{}", {}}}));
  for (const auto& one : bad) {
    const auto result = books->commit({one}, at_seconds(0));
    REQUIRE_FALSE(result);
    CHECK(code_of(result.error()) == errc::bad_request);
  }
  CHECK(books->registry_position() == 0);
  CHECK(must(books->read_outbox(0, 10)).items.empty());
  must(books->verify());
}

TEST_CASE("A page of entries ends where it gets large, and holds one at least") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  for (log_position i = 0; i < 3; ++i) {
    auto large = entry_named("");
    large.what = std::string(std::size_t{10} << 20, 'x');
    must_commit(*books, entry_of(i, large));
  }
  CHECK(must(books->entries(0, 10)).size() == 2);
  CHECK(must(books->entries(2, 10)).size() == 1);
  CHECK(all_entries(*books, 10).size() == 3);
}

TEST_CASE("Commands are forgotten after a week, the oldest first and a few at a time") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  auto books = must_open(how);
  constexpr std::int64_t day = 86'400;
  log_position last = 0;
  const auto append = [&](std::string command, moment at) {
    must(books->commit({entry_of(last, entry_named(std::move(command), at))}, at));
    ++last;
  };
  for (int i = 0; i < 200; ++i)
    append("old-" + std::to_string(i), at_seconds(0));
  append("", at_seconds(0));
  append("young", at_seconds(3 * day));
  append("at the edge", at_seconds(7 * day)); // a week to the second
  CHECK(must(books->load_registry()).commands.size() == 202);
  append("later", at_seconds(7 * day + 1));
  const auto left = must(books->load_registry()).commands.size();
  CHECK(left < 203);
  CHECK(left > 3); // not all at once
  must(books->verify());
  books.reset();
  books = must_open(how);
  for (int i = 0; i < 10; ++i)
    append("", at_seconds(7 * day + 2));
  using commands = std::vector<std::pair<std::string, log_position>>;
  CHECK(must(books->load_registry()).commands == commands{{"young", 202}, {"at the edge", 203}, {"later", 204}});
  must(books->verify());
  append("", at_seconds(30 * day));
  CHECK(must(books->load_registry()).commands.empty());
  CHECK(all_entries(*books).size() == last); // the log itself is kept
  must(books->verify());
}

TEST_CASE("A log or a fold that somebody changed is noticed, and the log says where") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  {
    const auto books = must_open(how);
    append_all(*books, some_history(*books));
    must(books->verify());
  }
  const int damage = GENERATE(range(0, 9));
  INFO("damage " << damage);
  errc expected = errc::audit_broken;
  std::string about = "entry 3";
  {
    const auto db = raw_database(how);
    const auto handle = db->handle(family::registry);
    const auto read = [&](const auto& key) { return must(db->get(family::registry, encode_key(key))).value(); };
    rocksdb::WriteBatch batch;
    registry_entry entry;
    REQUIRE(decode(read(entry_key{3}), entry));
    switch (damage) {
      case 0: // one field of an old entry
        entry.who = "somebody";
        batch.Put(handle, encode_key(entry_key{3}), encode(entry));
        break;
      case 1: batch.Delete(handle, encode_key(entry_key{3})); break;
      case 2: { // with a hash of its own: the chain breaks behind it
        entry.who = "somebody";
        registry_entry before;
        REQUIRE(decode(read(entry_key{2}), before));
        auto bytes = encode(entry);
        entry.hash = chained(before.hash, std::string_view{bytes}.substr(0, bytes.size() - 32));
        batch.Put(handle, encode_key(entry_key{3}), encode(entry));
        about = "entry 4";
        break;
      }
      case 3: // the last one is gone
        batch.Delete(handle, encode_key(entry_key{5}));
        about = "entry 4";
        break;
      case 4: batch.Put(handle, encode_key(entry_key{3}), "\1nonsense"); break;
      case 5: {
        batch.Put(handle, encode_key(user_key{"u2"}), encode(numbered_user(2, 1)));
        expected = errc::storage_corrupt;
        about = "u2";
        break;
      }
      case 6:
        batch.Put(handle, encode_key(policy_key{"team-9"}), encode(numbered_policy(9)));
        expected = errc::storage_corrupt;
        about = "team-9";
        break;
      case 7:
        batch.Delete(handle, encode_key(row_key_of(*entry.keys[0].after)));
        expected = errc::storage_corrupt;
        about = "client key";
        break;
      case 8:
        batch.Put(handle, encode_key(command_key{3}), encode(command_value{unix_ns(at_seconds(0)), "other"}));
        expected = errc::storage_corrupt;
        about = "entry 3";
        break;
      default: break;
    }
    must(db->write(batch, true));
  }
  const auto books = must_open(how);
  for (const auto& found : {books->verify_registry(), books->verify()}) {
    REQUIRE(found);
    CHECK(code_of(found) == expected);
    CHECK(about_of(found).find(about) != std::string::npos);
  }
}

TEST_CASE("An entry whose image before is not what was there is noticed") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  append_all(*books, some_history(*books));
  auto entry = entry_named("");
  entry.users = {{numbered_user(2, 3), numbered_user(2, 4)}};
  must_commit(*books, entry_of(5, entry));
  const auto found = books->verify_registry();
  REQUIRE(found);
  CHECK(code_of(found) == errc::audit_broken);
  CHECK(about_of(found).find("entry 6") != std::string::npos);
}

TEST_CASE("A key's text opens for its own id only") {
  const scratch_folder folder;
  const auto books = must_open(small_settings(folder.path()));
  const std::string text = "sk-registry-secret-1";
  const auto id = books->id_of_key(text);
  const auto sealed = must(books->seal_key(text, id));
  CHECK(must(books->open_key(sealed, id)).reveal() == text);
  CHECK(sealed != must(books->seal_key(text, id))); // nobody can tell that two are the same
  CHECK(code_of(books->open_key(sealed, books->id_of_key("other")).error()) == errc::seal_broken);
  CHECK(code_of(books->open_key(sealed.substr(1), id).error()) == errc::seal_broken);
  CHECK(code_of(books->open_key("", id).error()) == errc::seal_broken);
}

TEST_CASE("No file below the data folder holds an issued key in clear") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  log_position last = 0;
  for (const bool compacted : {false, true}) {
    auto books = must_open(how);
    for (int i = 0; i < 100; ++i, ++last) {
      auto entry = entry_named("make-" + std::to_string(last));
      const auto key = numbered_key(*books, last);
      auto live = key;
      live.state = key_state::live;
      live.owner = "u1";
      entry.keys = {{std::nullopt, key}, {key, live}};
      must_commit(*books, entry_of(last, entry, {event_about(event_kind::key_assigned, key.id)}));
    }
    must(books->keep_config(
      {"alpha", at_seconds(1), std::make_shared<const std::string>("api-keys:\n  - sk-registry-secret-1\n")}));
    must(books->verify());
    if (compacted)
      must(books->compact());
    books.reset();
    // Files, and rows as they are before they are compressed.
    for (const auto& bytes : {all_bytes(how.folder), all_rows(how)}) {
      CHECK(bytes.find("sk-registry-secret") == std::string::npos);
      CHECK(bytes.find("api-keys") == std::string::npos);
    }
    CHECK(all_rows(how).find("make-7") != std::string::npos); // the search does find what is in clear
  }
}

TEST_CASE("A database from before there was a registry gets one") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  {
    const auto books = must_open(how);
    must_commit(*books, polled("alpha", numbered_groups("alpha", 0, 20)));
    journal_entry up;
    up.events = {{0, event_kind::up, "alpha", at_seconds(5), "{}"}};
    must_commit(*books, up);
  }
  {
    const auto db = raw_database(how);
    // As it was: no such family, and an event as version 2 had it.
    auto row = must(db->get(family::outbox, encode_key(outbox_key{21}))).value();
    REQUIRE(row[0] == 3);
    row[0] = 2;
    row.erase(1 + 1 + 1 + 8, 1); // the empty text that it is about
    rocksdb::WriteBatch batch;
    batch.Put(db->handle(family::outbox), encode_key(outbox_key{21}), row);
    must(db->write(batch, true));
    must(to_error(db->raw().DropColumnFamily(db->handle(family::registry))));
  }
  const auto books = must_open(how);
  must(books->verify());
  CHECK(books->state().records == 20);
  const auto items = must(books->read_outbox(20, 10)).items;
  REQUIRE(items.size() == 1);
  CHECK(items[0].event.kind == event_kind::up);
  CHECK(items[0].event.node == "alpha");
  CHECK(items[0].event.data == "{}");
  CHECK(items[0].event.about.empty());
  append_all(*books, some_history(*books));
  must(books->verify());
}

TEST_CASE("An entry that cannot be written is not there, and the next one takes its place") {
  using fault = faulty_files::fault;
  const auto kind = GENERATE(fault::io_error, fault::disk_full, fault::sync_fails);
  const scratch_folder folder;
  faulty_files files;
  auto how = small_settings(folder.path());
  how.env = files.env();
  auto books = must_open(how);
  const auto history = some_history(*books);
  must_commit(*books, history[0]);
  files.set(kind, true);
  CHECK_FALSE(books->commit({history[1]}, at_seconds(0)));
  CHECK(books->registry_position() == 1);
  CHECK(must(books->load_registry()).position == 1);
  files.set(fault::none);
  books.reset();
  files.cut_power();
  books = must_open(how);
  CHECK(books->registry_position() == 1);
  must(books->verify());
  CHECK(must_commit(*books, history[1]).appended == 2);
  must(books->verify());
}

} // namespace keyportal::storage::test
