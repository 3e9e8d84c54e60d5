#include "storage/migrate.hpp"

#include <algorithm>
#include <map>
#include <set>

#include "storage/arrivals.hpp"
#include "storage/credentials.hpp"
#include "storage/rollup_check.hpp"
#include "storage/values.hpp"

namespace keyportal::storage {
namespace {

constexpr std::size_t enough_bytes = std::size_t{1} << 20; // of one batch
constexpr std::size_t most_in_arrivals_row = 64;
constexpr sequence most_in_window = sequence{1} << 20; // sequences sorted at a time: 40 MB

/// Rows written in batches of bounded size; the last step is synced by whoever ends the migration.
class row_writer {
public:
  explicit row_writer(database& db) : db_(&db) {}
  template <class Value>
  caf::error put(family where, const std::string& key, const Value& value) {
    batch_.Put(db_->handle(where), key, encode(value));
    return batch_.GetDataSize() < enough_bytes ? caf::error{} : flush();
  }
  caf::error flush() {
    auto failed = db_->write(batch_, false);
    batch_.Clear();
    return failed;
  }

private:
  database* db_;
  rocksdb::WriteBatch batch_;
};

using record_visitor = std::function<caf::error(const record_key&, const record_value&)>;

caf::error each_record(const database& db, const record_visitor& visit) {
  return db.each(family::records, key_prefix<record_key>(), {},
                 [&](std::string_view bytes_of_key, std::string_view bytes, bool&) -> caf::error {
                   record_key key;
                   record_value value;
                   if (!decode_key(bytes_of_key, key) || !decode(bytes, value))
                     return damaged("record");
                   return visit(key, value);
                 });
}

// --- sums ---------------------------------------------------------------------------------

caf::error make_sums(database& db, const names& dictionary) {
  struct sums {
    totals all;
    record_span plain;
    record_span with_facts;
  };
  std::map<name_number, sums> nodes;
  credential_table credentials;
  known_names met{dictionary};
  row_writer out{db};
  const auto add = [&](const record_key& key, const record_value& record) -> caf::error {
    const auto model = met.get(name_kind::model, record.model);
    if (!model)
      return model.error();
    const auto parts = parts_of(record, (*model)->text);
    auto& node = nodes[key.node];
    node.all.add(record.tokens, parts, record.latency_ms, record.failed);
    (record.facts ? node.with_facts : node.plain).add(key.at_ns);
    auto& credential = credentials[{key.node, record.auth_index}];
    ++(record.failed ? credential.failed : credential.ok);
    return {};
  };
  if (auto failed = each_record(db, add))
    return failed;
  for (const auto& [place, value] : credentials)
    if (auto failed = out.put(family::meta, row_key(place), value))
      return failed;
  const auto write_node = [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
    node_key of;
    node_value value;
    if (!decode_key(key, of) || !decode(bytes, value))
      return damaged("node");
    const auto& counted = nodes[of.node];
    value.sums = counted.all;
    value.plain = counted.plain;
    value.with_facts = counted.with_facts;
    return out.put(family::meta, std::string{key}, value);
  };
  if (auto failed = db.each(family::meta, key_prefix<node_key>(), {}, write_node))
    return failed;
  return out.flush();
}

// --- arrivals --------------------------------------------------------------------------------

caf::error make_arrivals(database& db, sequence last) {
  struct found {
    arrival_record record;
    name_number node;
  };
  row_writer out{db};
  for (sequence first = 1; first <= last; first += most_in_window) {
    std::vector<found> window;
    const auto take = [&](const record_key& key, const record_value& value) -> caf::error {
      if (value.seq >= first && value.seq - first < most_in_window)
        window.push_back({{value.seq, ms_of_ns(key.at_ns)}, key.node});
      return {};
    };
    if (auto failed = each_record(db, take))
      return failed;
    std::sort(window.begin(), window.end(), [](const found& a, const found& b) { return a.record.seq < b.record.seq; });
    arrivals_value row;
    const auto put_row = [&]() -> caf::error {
      if (row.records.empty())
        return {};
      auto failed = out.put(family::arrivals, encode_key(arrivals_key{row.records.back().seq}), row);
      row.records.clear();
      return failed;
    };
    for (const auto& one : window) {
      if (one.node != row.node || row.records.size() == most_in_arrivals_row)
        if (auto failed = put_row())
          return failed;
      row.node = one.node;
      row.records.push_back(one.record);
    }
    if (auto failed = put_row())
      return failed;
  }
  return out.flush();
}

// --- outbox ----------------------------------------------------------------------------------

// Version 1: kind, node, then of usage each record with its sequence (as a step), moment and id.
bool decode_version_1(std::string_view in, outbox_value& out) {
  std::uint8_t kind = 0;
  if (in.empty() || in[0] != 1)
    return false;
  in.remove_prefix(1);
  if (!get_fixed(in, kind) || kind > static_cast<std::uint8_t>(event_kind::incomplete) || !get_varint(in, out.node))
    return false;
  out.kind = static_cast<event_kind>(kind);
  if (out.kind != event_kind::usage)
    return get_fixed(in, out.at_ns) && get_text(in, out.data) && in.empty();
  out.node = 0;
  std::uint64_t count = 0;
  if (!get_varint(in, count) || count == 0)
    return false;
  for (sequence seq = 0; count > 0; --count) {
    std::uint64_t step = 0;
    std::int64_t ignored_ns = 0;
    record_id ignored;
    if (!get_varint(in, step) || step == 0 || !get_fixed(in, ignored_ns) || !get_bytes(in, ignored.bytes))
      return false;
    seq += step;
    if (!out.waiting.empty() && out.waiting.back().last + 1 == seq)
      out.waiting.back().last = seq;
    else
      out.waiting.push_back({seq, seq});
  }
  return in.empty();
}

caf::error rewrite_outbox(database& db) {
  row_writer out{db};
  auto failed = db.each(family::outbox, key_prefix<outbox_key>(), {},
                        [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
                          outbox_value row;
                          if (decode(bytes, row))
                            return {}; // by a migration that was interrupted
                          row = {};
                          if (!decode_version_1(bytes, row))
                            return damaged("outbox");
                          return out.put(family::outbox, std::string{key}, row);
                        });
  return failed ? failed : out.flush();
}

// --- roll-ups ---------------------------------------------------------------------------------

// Schema 2 had rows of hours and days by key and model only, schema 3 cells in rows of another form.
caf::error make_cells(database& db, const names& dictionary, std::int32_t first_minute) {
  rocksdb::WriteBatch old;
  const std::string hours(1, static_cast<char>(tag::hour));
  const std::string end(1, static_cast<char>(static_cast<char>(tag::day) + 1));
  old.DeleteRange(db.handle(family::rollups), hours, end);
  old.DeleteRange(db.handle(family::rollups), key_prefix<cells_key>(), prefix_end(key_prefix<sieve_key>()));
  if (auto failed = db.write(old, false))
    return failed;
  open_hours open;
  row_writer out{db};
  auto unread = db.each(family::meta, key_prefix<node_key>(), {},
                        [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
                          node_key of;
                          node_value value;
                          if (!decode_key(key, of) || !decode(bytes, value))
                            return damaged("node");
                          const auto hour = newest_hour(db, of.node);
                          if (!hour)
                            return hour.error();
                          value.open_hour = open[of.node] = std::max(*hour, first_minute / 60);
                          return out.put(family::meta, std::string{key}, value);
                        });
  if (unread)
    return unread;
  if (auto unwritten = out.flush())
    return unwritten;
  const auto days = days_with_usage(db, nullptr, {});
  if (!days)
    return days.error();
  for (const auto& one : *days) {
    rocksdb::WriteBatch batch;
    const auto hour = open.find(one.node);
    if (hour == open.end())
      return damaged("node");
    if (auto wrong = compare_day(db, dictionary, nullptr, one, first_minute, hour->second, &batch); !wrong)
      return wrong.error();
    if (auto failed = db.write(batch, false))
      return failed;
  }
  std::set<numbered_day> eights;
  for (const auto& one : *days)
    eights.insert({one.node, eight_days_of(one.day)});
  for (const auto& one : eights) {
    rocksdb::WriteBatch batch;
    if (auto made = compare_eight_days(db, nullptr, one.node, one.day, open[one.node], nullptr, &batch); !made)
      return made.error();
    if (auto failed = db.write(batch, false))
      return failed;
  }
  return {};
}

} // namespace

caf::error migrate(database& db, const names& dictionary) {
  const auto key = encode_key(schema_key{});
  const auto found = db.get(family::meta, key);
  if (!found)
    return found.error();
  std::uint32_t version = 0;
  if (!*found || !decode_number(**found, version))
    return damaged("schema");
  if (version == schema_version)
    return {};
  const auto row = db.get(family::meta, encode_key(position_key{}));
  if (!row)
    return row.error();
  position_value position;
  if (*row && !decode(**row, position))
    return damaged("position");
  // Schema 4 lets records go (retirement.hpp), so of older days there may be roll-ups only; schema 5 has other rows of
  // them, and writes records and arrivals in another form and reads both.
  if (version >= 3) {
    if (auto failed = remake_rows(db))
      return failed;
    rocksdb::WriteBatch batch;
    batch.Put(db.handle(family::meta), key, encode_number(schema_version));
    return db.write(batch, true);
  }
  if (version < 2) {
    if (auto failed = make_sums(db, dictionary))
      return failed;
    if (auto failed = make_arrivals(db, position.last))
      return failed;
    if (auto failed = rewrite_outbox(db))
      return failed;
  }
  position.first_minute = first_minute_at(position, std::chrono::system_clock::now());
  if (auto failed = make_cells(db, dictionary, position.first_minute))
    return failed;
  // Synced, and with it all that stands before it in the log.
  rocksdb::WriteBatch batch;
  batch.Put(db.handle(family::meta), encode_key(position_key{}), encode(position));
  batch.Put(db.handle(family::meta), key, encode_number(schema_version));
  return db.write(batch, true);
}

} // namespace keyportal::storage
