// A database as programs before the usage queue left it.
#include <catch2/catch_test_macros.hpp>

#include <map>

#include "sample.hpp"
#include "storage/database.hpp"
#include "storage/cells.hpp"
#include "storage/values.hpp"

namespace keyportal::storage::test {
namespace {

void put_all(std::string& out, std::initializer_list<std::int64_t> numbers) {
  for (const auto number : numbers)
    put_zigzag(out, number);
}

// Sums as version 1 had them.
void put_sums(std::string& out, const totals& t) {
  put_all(out, {t.requests, t.ok, t.failed, t.latency_ms_sum, t.tokens.input, t.tokens.output, t.tokens.reasoning,
                t.tokens.cached, t.tokens.total});
}

std::string version_1(const node_value& value) {
  std::string out(1, 1);
  out.push_back(value.known ? 1 : 0);
  put_fixed(out, value.last_seen_ns);
  put_all(out, {value.counters.requests, value.counters.ok, value.counters.failed, value.counters.tokens});
  put_sums(out, value.sums);
  put_varint(out, value.restarts);
  put_varint(out, value.gaps);
  return out;
}

std::string version_1(const record_value& value) {
  std::string out(1, 1);
  out.push_back(value.failed ? 1 : 0);
  put_varint(out, value.seq);
  for (const auto number : {value.client_key, value.model, value.source, value.auth_index})
    put_varint(out, number);
  put_all(out, {value.offset_minutes, value.latency_ms, value.tokens.input, value.tokens.output, value.tokens.reasoning,
                value.tokens.cached, value.tokens.total});
  return out;
}

std::string version_1(const position_value& value) {
  std::string out(1, 1);
  for (const auto number : {value.last, value.records, value.outbox, std::uint64_t{value.last_name}})
    put_varint(out, number);
  return out;
}

std::string version_1(const outbox_value& value, const std::map<sequence, record_key>& at) {
  std::string out(1, 1);
  out.push_back(static_cast<char>(value.kind));
  if (value.kind != event_kind::usage) {
    put_varint(out, value.node);
    put_fixed(out, value.at_ns);
    put_text(out, value.data);
    return out;
  }
  std::vector<sequence> waiting;
  for (const auto& range : value.waiting)
    for (auto seq = range.first; seq <= range.last; ++seq)
      waiting.push_back(seq);
  put_varint(out, at.at(waiting[0]).node);
  put_varint(out, waiting.size());
  sequence before = 0;
  for (const auto seq : waiting) {
    const auto& record = at.at(seq);
    put_varint(out, seq - before);
    put_fixed(out, record.at_ns);
    put_bytes(out, record.id.bytes);
    before = seq;
  }
  return out;
}

// Turns a database of plain records into what schema 1 was.
void make_old(const settings& how) {
  const auto db =
    must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
  rocksdb::WriteBatch batch;
  std::map<sequence, record_key> at;
  const auto each = [&](family where, const std::string& prefix, const auto& visit) {
    must(db->each(where, prefix, {}, [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      visit(std::string{key}, bytes);
      return {};
    }));
  };
  each(family::arrivals, key_prefix<arrivals_key>(),
       [&](const std::string& key, std::string_view) { batch.Delete(db->handle(family::arrivals), key); });
  each(family::records, key_prefix<record_key>(), [&](const std::string& key, std::string_view bytes) {
    record_key of;
    record_value row;
    REQUIRE(decode_key(key, of));
    REQUIRE(decode(bytes, row));
    at[row.seq] = of;
    batch.Put(db->handle(family::records), key, version_1(row));
  });
  each(family::outbox, key_prefix<outbox_key>(), [&](const std::string& key, std::string_view bytes) {
    outbox_value row;
    REQUIRE(decode(bytes, row));
    batch.Put(db->handle(family::outbox), key, version_1(row, at));
  });
  for (const auto& prefix : {key_prefix<cells_key>(), key_prefix<sieve_key>()})
    each(family::rollups, prefix,
         [&](const std::string& key, std::string_view) { batch.Delete(db->handle(family::rollups), key); });
  for (const auto old : {tag::hour, tag::day}) // they had 12 bytes more
    batch.Put(db->handle(family::rollups), std::string(1, static_cast<char>(old)) + std::string(12, 'x'), "sums");
  each(family::meta, key_prefix<node_key>(), [&](const std::string& key, std::string_view bytes) {
    node_value row;
    REQUIRE(decode(bytes, row));
    batch.Put(db->handle(family::meta), key, version_1(row));
  });
  each(family::meta, key_prefix<credential_key>(),
       [&](const std::string& key, std::string_view) { batch.Delete(db->handle(family::meta), key); });
  each(family::meta, key_prefix<position_key>(), [&](const std::string& key, std::string_view bytes) {
    position_value row;
    REQUIRE(decode(bytes, row));
    batch.Put(db->handle(family::meta), key, version_1(row));
  });
  batch.Put(db->handle(family::meta), encode_key(schema_key{}), encode_number(1));
  must(db->write(batch, true));
}

} // namespace

TEST_CASE("A database of schema 1 is brought up: nothing is lost, all that is new is made from its records") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  std::vector<arrival> before;
  ledger_state state;
  std::vector<sequence> waiting;
  {
    const auto books = must_open(how);
    must_commit(*books, polled("alpha", numbered_groups("alpha", 500, 300)));
    must_commit(*books, polled("beta", numbered_groups("beta", 1, 100)));
    journal_entry entry;
    entry.events.push_back({0, event_kind::up, "alpha", at_seconds(0), "{}"});
    must_commit(*books, entry);
    must_commit(*books, polled("alpha", numbered_groups("alpha", 1, 300)));
    must(books->forget_outbox({1, 2, 5, 6, 7, 200, 650}));
    before = all_arrivals(*books);
    state = books->state();
    for (const auto& item : must(books->read_outbox(0, 10'000)).items)
      waiting.push_back(item.seq);
  }
  make_old(how);
  for (int opened = 0; opened < 2; ++opened) {
    const auto books = must_open(how);
    must(books->verify());
    CHECK(books->state().last == state.last);
    CHECK(books->state().outbox == state.outbox);
    CHECK(books->state().sums == state.sums);
    const auto after = all_arrivals(*books);
    REQUIRE(after.size() == before.size());
    for (std::size_t i = 0; i < after.size(); ++i) {
      CHECK(after[i].record.seq == before[i].record.seq);
      CHECK(after[i].record.id == before[i].record.id);
      CHECK(after[i].record.node == before[i].record.node);
    }
    std::vector<sequence> still;
    for (const auto& item : must(books->read_outbox(0, 10'000)).items)
      still.push_back(item.seq);
    CHECK(still == waiting);
    CHECK(must(books->recall_audit("alpha")).credentials.size() == 3);
    // And goes on: known records are known, in both forms.
    CHECK(must_commit(*books, polled("alpha", numbered_groups("alpha", 500, 300))).duplicates == 300);
    CHECK(must_commit(*books, decoded("alpha", queued_groups("alpha", 1, 300))).duplicates == 300);
    must(books->forget_outbox({3}));
    std::erase(waiting, sequence{3});
    state = books->state();
  }
}

TEST_CASE("A database of schema 4 is brought up: rows of longer periods are made of those by hour, without records") {
  const scratch_folder folder;
  const auto how = small_settings(folder.path());
  const auto rows = [&] {
    std::map<std::string, std::string> out;
    const auto db =
      must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
    must(db->each(family::rollups, key_prefix<cells_key>(), {}, [&](std::string_view key, std::string_view row, bool&) {
      out.emplace(key, row);
      return caf::error{};
    }));
    return out;
  };
  {
    const auto books = must_open(how);
    for (const char* const node : {"alpha", "beta"})
      for (int spread : {1, 977, 86'400}) { // over seconds, hours and weeks
        auto groups = queued_groups(node, 1, 40);
        std::int64_t n = 0;
        for (auto& group : groups)
          for (auto& one : group.details) {
            one.at.unix_ns += ++n * spread * 1'000'000'000;
            one.id.bytes[3] = static_cast<std::uint8_t>(spread);
          }
        must_commit(*books, decoded(node, groups));
      }
    must(books->verify());
  }
  const auto before = rows();
  {
    const auto db =
      must(database::open_store({how.folder / "db", how.block_cache_bytes, how.write_buffer_bytes, nullptr}));
    rocksdb::WriteBatch batch;
    for (const auto& [key, row] : before) {
      cells_key of;
      REQUIRE(decode_key(key, of));
      if (of.by >= 2)
        batch.Delete(db->handle(family::rollups), key);
    }
    // Rows of then that there are no more, and one that has another meaning now.
    for (const auto& key :
         {cells_key{1, 1, 0, 1, 7, 490'896}, cells_key{2, 1, 0, 1, 0, 20'454}, cells_key{2, 3, 0, 1, 0, 20'454}})
      batch.Put(db->handle(family::rollups), encode_key(key),
                encode(sums_row{{{}, {7, {}, {}, 0, 0, 0, 0, 0}}}, cell_view::keys));
    batch.Put(db->handle(family::meta), encode_key(schema_key{}), encode_number(4));
    must(db->write(batch, true));
  }
  must(must_open(how)->verify());
  const auto after = rows();
  CHECK(after.size() == before.size());
  CHECK(after == before);
}

} // namespace keyportal::storage::test
