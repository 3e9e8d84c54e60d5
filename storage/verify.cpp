// The ledger proved against itself: everything added up anew from the records.
#include <fmt/core.h>

#include "storage/arrivals.hpp"
#include "storage/credentials.hpp"
#include "storage/ledger_parts.hpp"

namespace keyportal::storage {
namespace {

caf::error differs(std::string what) { return make_error(errc::storage_corrupt, std::move(what)); }

struct node_count {
  totals sums;
  record_span plain;
  record_span with_facts;
  record_span copied;
};

struct recount {
  std::map<name_number, node_count> nodes;
  credential_table credentials;
  std::uint64_t records = 0;
  std::vector<bool> sequences;
};

caf::error count_records(const database& db, const view& as_of, const names& dictionary, recount& out) {
  known_names met{dictionary};
  return db.each(
    family::records, key_prefix<record_key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      record_key of;
      record_value record;
      if (!decode_key(key, of) || !decode(value, record))
        return damaged("record");
      if (record.seq == 0 || record.seq >= out.sequences.size() || out.sequences[record.seq])
        return differs(fmt::format("sequence {} is out of range or there twice", record.seq));
      const auto model = met.get(name_kind::model, record.model);
      if (!model)
        return model.error();
      const auto parts = parts_of(record, (*model)->text);
      out.sequences[record.seq] = true;
      ++out.records;
      auto& node = out.nodes[of.node];
      node.sums.add(record.tokens, parts, record.latency_ms, record.failed);
      (record.facts ? node.with_facts : node.plain).add(of.at_ns);
      if (record.copied)
        node.copied.add(of.at_ns);
      auto& credential = out.credentials[{of.node, record.auth_index}];
      ++(record.failed ? credential.failed : credential.ok);
      return {};
    },
    as_of.get());
}

using first_moments = std::map<name_number, std::int64_t>;

// Every record is in one row of arrivals, under its own sequence. Rows may also name records that have gone.
caf::error check_arrivals(const database& db, const view& as_of, const names& dictionary, const recount& counted,
                          const first_moments& first) {
  std::uint64_t items = 0;
  sequence before = 0;
  record_finder finder{db, as_of.get(), false};
  std::vector<found_record> found;
  auto failed = db.each(
    family::arrivals, key_prefix<arrivals_key>(), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      arrivals_key of;
      arrivals_value row;
      if (!decode_key(key, of) || !decode(bytes, row))
        return damaged("arrivals");
      if (row.records.front().seq <= before || row.records.back().seq != of.last)
        return differs(fmt::format("arrivals up to {} are out of place", of.last));
      before = of.last;
      const auto at = first.find(row.node);
      if (auto missing = read_records(finder, row.node, at == first.end() ? INT64_MIN : at->second, row.records, found))
        return missing;
      items += found.size();
      const auto extras = extras_of(of, row, dictionary.seal());
      return extras ? caf::error{} : extras.error();
    },
    as_of.get());
  if (!failed && items != counted.records)
    return differs(fmt::format("{} records, {} arrived", counted.records, items));
  return failed;
}

caf::error compare_credentials(const database& db, const view& as_of, recount& counted) {
  auto failed = db.each(
    family::meta, key_prefix<credential_key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      credential_key of;
      credential_value held;
      if (!decode_key(key, of) || !decode(value, held))
        return damaged("credential");
      const credential_place place{of.node, of.auth_index};
      const auto found = counted.credentials.find(place);
      auto own = found == counted.credentials.end() ? credential_value{} : found->second;
      own.ok += held.gone_ok;
      own.failed += held.gone_failed;
      own.gone_ok = held.gone_ok;
      own.gone_failed = held.gone_failed;
      if (own != held || (found == counted.credentials.end() && held.gone_ok + held.gone_failed == 0))
        return differs(fmt::format("credential {} of node {} says what its records do not", of.auth_index, of.node));
      counted.credentials.erase(place);
      return {};
    },
    as_of.get());
  if (!failed && !counted.credentials.empty())
    return differs(fmt::format("{} credentials are missing", counted.credentials.size()));
  return failed;
}

// The rows of one kind: as many as were counted, none above the highest number given.
template <class Key>
caf::error check_numbered(const database& db, const view& as_of, family where, std::string_view kind,
                          std::uint64_t expected, std::uint64_t highest) {
  std::uint64_t rows = 0;
  auto failed = db.each(
    where, key_prefix<Key>(), {},
    [&](std::string_view key, std::string_view, bool&) -> caf::error {
      Key of;
      if (!decode_key(key, of) || of.number == 0 || of.number > highest)
        return damaged(kind);
      ++rows;
      return {};
    },
    as_of.get());
  if (!failed && rows != expected)
    return differs(fmt::format("{} rows of kind '{}', {} counted", rows, kind, expected));
  return failed;
}

// What a span says of its records, some of which may have gone: exactly how many there are, and where at the most.
bool agrees(const record_span& held, const record_span& counted, std::uint64_t gone) {
  return gone == 0
           ? held == counted
           : held.count == counted.count + gone && held.first_ns <= counted.first_ns && held.last_ns >= counted.last_ns;
}

caf::error compare_nodes(const database& db, const view& as_of, recount& counted, first_moments& first) {
  auto failed = db.each(
    family::meta, key_prefix<node_key>(), {},
    [&](std::string_view key, std::string_view value, bool&) -> caf::error {
      node_key of;
      node_value node;
      if (!decode_key(key, of) || !decode(value, node))
        return damaged("node");
      auto& own = counted.nodes[of.node];
      own.sums.add(node.gone.sums);
      if (node.sums != own.sums || !agrees(node.plain, own.plain, node.gone.plain)
          || !agrees(node.with_facts, own.with_facts, node.gone.with_facts)
          || !agrees(node.copied, own.copied, node.gone.copied))
        return differs(
          fmt::format("node {} says {} requests, its records {}", of.node, node.sums.requests, own.sums.requests));
      if (node.gone.plain + node.gone.with_facts < node.lost_at_node + node.gone.copied)
        return differs(fmt::format("node {} lost more than went", of.node));
      if (node.first_ns != INT64_MIN)
        first.emplace(of.node, node.first_ns);
      counted.nodes.erase(of.node);
      return {};
    },
    as_of.get());
  if (!failed && !counted.nodes.empty())
    return differs("records of a node that is not there");
  return failed;
}

caf::error check_outbox(const database& db, const view& as_of, const recount& counted, std::uint64_t expected) {
  std::uint64_t items = 0;
  sequence before = 0;
  auto failed = db.each(
    family::outbox, key_prefix<outbox_key>(), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      outbox_key of;
      outbox_value row;
      if (!decode_key(key, of) || !decode(bytes, row) || of.last >= counted.sequences.size())
        return damaged("outbox");
      if (row.kind != event_kind::usage)
        ++items;
      for (const auto& range : row.waiting) {
        if (range.first <= before || range.last > of.last)
          return differs(fmt::format("outbox {} is out of place", of.last));
        before = range.last;
        items += range.last - range.first + 1;
        for (auto seq = range.first; seq <= range.last; ++seq)
          if (!counted.sequences[seq])
            return differs(fmt::format("{} waits in the outbox, but there is no such record", seq));
      }
      before = of.last;
      return {};
    },
    as_of.get());
  if (!failed && items != expected)
    return differs(fmt::format("{} items in the outbox, {} counted", items, expected));
  return failed;
}

caf::error check_events(const database& db, const view& as_of, sequence last) {
  event_horizon_value horizon;
  const auto row = db.get(family::meta, encode_key(event_horizon_key{}), as_of.get());
  if (!row)
    return row.error();
  if (*row && !decode(**row, horizon))
    return damaged("event horizon");
  return db.each(
    family::meta, key_prefix<event_key>(), {},
    [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
      event_key of;
      outbox_value event;
      if (!decode_key(key, of) || !decode(bytes, event) || event.kind == event_kind::usage)
        return damaged("event");
      if (of.seq <= horizon.seq || of.seq > last)
        return differs(fmt::format("event {} is not between {} and {}", of.seq, horizon.seq, last));
      return {};
    },
    as_of.get());
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
  if (auto failed = count_records(db, as_of, *parts_->dictionary, counted))
    return failed;
  if (counted.records != position.records)
    return differs(fmt::format("{} records, {} counted", counted.records, position.records));
  const auto days = days_of_rollups();
  if (!days)
    return days.error();
  for (const auto& one : *days) {
    const auto wrong = check_rollups(one);
    if (!wrong)
      return wrong.error();
    if (*wrong > 0)
      return differs(fmt::format("{} roll-ups of node {} of day {} since 1970 say what the records do not", *wrong,
                                 one.node, one.day));
  }
  first_moments first;
  if (auto failed = compare_nodes(db, as_of, counted, first))
    return failed;
  if (auto failed = compare_credentials(db, as_of, counted))
    return failed;
  if (auto failed = check_arrivals(db, as_of, *parts_->dictionary, counted, first))
    return failed;
  if (auto failed = check_outbox(db, as_of, counted, position.outbox))
    return failed;
  if (auto failed = check_events(db, as_of, position.last))
    return failed;
  if (auto failed = check_numbered<inbox_key>(db, as_of, family::inbox, "inbox", position.inbox, position.last_inbox))
    return failed;
  if (auto failed = check_numbered<dead_letter_key>(db, as_of, family::meta, "dead letter", position.dead_letters,
                                                    position.last_letter))
    return failed;
  return verify_registry();
}

} // namespace keyportal::storage
