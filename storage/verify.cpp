// The ledger proved against itself: everything added up anew from the records.
#include <fmt/core.h>

#include "storage/ledger_parts.hpp"

namespace keyportal::storage {
namespace {

caf::error differs(std::string what) {
  return make_error(errc::storage_corrupt, std::move(what));
}

struct recount {
  std::map<name_number, totals> nodes;
  rollup_changes::table cells;
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
      rollup_changes::cell cell{of.node, hour_of(of.at_ns), record.client_key, record.model, false};
      out.cells[cell].add(record.tokens, record.latency_ms, record.failed);
      cell.start = day_of(of.at_ns);
      cell.daily = true;
      out.cells[cell].add(record.tokens, record.latency_ms, record.failed);
      return {};
    },
    as_of.get());
}

template <class Key>
caf::error compare_cells(const database& db, const view& as_of, bool daily, recount& counted) {
  return db.each(
    family::rollups, key_prefix<Key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      Key of;
      totals sums;
      if (!decode_key(key, of) || !decode(value, sums))
        return damaged("roll-up");
      const auto found = counted.cells.find({of.node, of.start, of.client_key, of.model, daily});
      if (found == counted.cells.end() || found->second != sums)
        return differs(fmt::format("the {} roll-up {} of node {} says {} requests, its records {}",
                                   daily ? "daily" : "hourly", of.start, of.node, sums.requests,
                                   found == counted.cells.end() ? 0 : found->second.requests));
      counted.cells.erase(found);
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
  std::uint64_t rows = 0;
  auto failed = db.each(
    family::outbox, key_prefix<outbox_key>(), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      outbox_key of;
      outbox_value value;
      if (!decode_key(key, of) || !decode(bytes, value) || of.seq >= counted.sequences.size())
        return damaged("outbox");
      ++rows;
      if (value.kind != event_kind::usage)
        return {};
      const auto row = db.get(family::records, encode_key(value.record), as_of.get());
      if (!row)
        return row.error();
      record_value record;
      if (!*row || !decode(**row, record) || record.seq != of.seq)
        return differs(fmt::format("outbox {} has no record", of.seq));
      return {};
    },
    as_of.get());
  if (!failed && rows != expected)
    return differs(fmt::format("{} rows in the outbox, {} counted", rows, expected));
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
  if (auto failed = compare_cells<hour_key>(db, as_of, false, counted))
    return failed;
  if (auto failed = compare_cells<day_key>(db, as_of, true, counted))
    return failed;
  if (!counted.cells.empty())
    return differs(fmt::format("{} roll-ups are missing", counted.cells.size()));
  if (auto failed = compare_nodes(db, as_of, counted))
    return failed;
  return check_outbox(db, as_of, counted, position.outbox);
}

} // namespace keyportal::storage
