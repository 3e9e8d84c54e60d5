// The ledger proved against itself: everything added up anew from the records.
#include <fmt/core.h>

#include "storage/ledger_parts.hpp"

namespace keyportal::storage {
namespace {

caf::error differs(std::string what) { return make_error(errc::storage_corrupt, std::move(what)); }

struct recount {
  std::map<name_number, totals> nodes;
  rollup_table rollups;
  std::uint64_t records = 0;
  std::vector<bool> sequences;
};

caf::error count_records(const database& db, const view& as_of, recount& out) {
  return db.each(
    family::records, key_prefix<record_key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      record_key of;
      record_value record;
      if (!decode_key(key, of) || !decode(value, record))
        return damaged("record");
      if (record.seq == 0 || record.seq >= out.sequences.size() || out.sequences[record.seq])
        return differs(fmt::format("sequence {} is out of range or there twice", record.seq));
      out.sequences[record.seq] = true;
      ++out.records;
      out.nodes[of.node].add(record.tokens, record.latency_ms, record.failed);
      for (const auto& place : {hour_place(of, record.client_key), day_place(of, record.client_key)})
        out.rollups[place].of(record.model).add(record.tokens, record.latency_ms, record.failed);
      return {};
    },
    as_of.get());
}

template <class Key>
caf::error compare_rollups(const database& db, const view& as_of, bool daily, recount& counted) {
  return db.each(
    family::rollups, key_prefix<Key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      Key of;
      rollup_value row;
      if (!decode_key(key, of) || !decode(value, row))
        return damaged("roll-up");
      const auto found = counted.rollups.find({of.node, of.start, of.client_key, daily});
      if (found == counted.rollups.end() || found->second != row)
        return differs(fmt::format("the {} roll-up {} of node {}, key {}, says what its records do not",
                                   daily ? "daily" : "hourly", of.start, of.node, of.client_key));
      counted.rollups.erase(found);
      return {};
    },
    as_of.get());
}

caf::error compare_nodes(const database& db, const view& as_of, recount& counted) {
  auto failed = db.each(
    family::meta, key_prefix<node_key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      node_key of;
      node_value node;
      if (!decode_key(key, of) || !decode(value, node))
        return damaged("node");
      if (node.sums != counted.nodes[of.node])
        return differs(fmt::format("node {} says {} requests, its records {}", of.node, node.sums.requests,
                                   counted.nodes[of.node].requests));
      counted.nodes.erase(of.node);
      return {};
    },
    as_of.get());
  if (!failed && !counted.nodes.empty())
    return differs("records of a node that is not there");
  return failed;
}

caf::error check_outbox(const database& db, const view& as_of, recount& counted, std::uint64_t expected) {
  std::uint64_t items = 0;
  sequence before = 0;
  auto failed = db.each(
    family::outbox, key_prefix<outbox_key>(), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      outbox_key of;
      outbox_value row;
      if (!decode_key(key, of) || !decode(bytes, row) || of.last >= counted.sequences.size())
        return damaged("outbox");
      items += row.kind == event_kind::usage ? row.records.size() : 1;
      for (const auto& waiting : row.records) {
        const auto bytes_of_record =
          db.get(family::records, encode_key(record_key{row.node, waiting.at_ns, waiting.id}), as_of.get());
        if (!bytes_of_record)
          return bytes_of_record.error();
        record_value record;
        if (!*bytes_of_record || !decode(**bytes_of_record, record) || record.seq != waiting.seq
            || waiting.seq <= before || waiting.seq > of.last)
          return differs(fmt::format("outbox {} has no record or is out of place", waiting.seq));
        before = waiting.seq;
      }
      before = of.last;
      return {};
    },
    as_of.get());
  if (!failed && items != expected)
    return differs(fmt::format("{} items in the outbox, {} counted", items, expected));
  return failed;
}

} // namespace

caf::error ledger::verify() const {
  const auto& db = *parts_->db;
  const view as_of{db};
  const auto row = db.get(family::meta, encode_key(position_key{}), as_of.get());
  if (!row)
    return row.error();
  position_value position;
  if (*row && !decode(**row, position))
    return damaged("position");
  if (position.last > std::uint64_t{1} << 36) // 8 GB of bits; not reached in a century, so it is damage
    return damaged("position");
  recount counted;
  counted.sequences.resize(position.last + 1);
  if (auto failed = count_records(db, as_of, counted))
    return failed;
  if (counted.records != position.records)
    return differs(fmt::format("{} records, {} counted", counted.records, position.records));
  if (auto failed = compare_rollups<hour_key>(db, as_of, false, counted))
    return failed;
  if (auto failed = compare_rollups<day_key>(db, as_of, true, counted))
    return failed;
  if (!counted.rollups.empty())
    return differs(fmt::format("{} roll-ups are missing", counted.rollups.size()));
  if (auto failed = compare_nodes(db, as_of, counted))
    return failed;
  return check_outbox(db, as_of, counted, position.outbox);
}

} // namespace keyportal::storage
