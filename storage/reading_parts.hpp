// What a reading of the ledger is made of; for the ledger's own files only.
#pragma once

#include <map>
#include <memory>

#include "storage/ledger_parts.hpp"

namespace keyportal::storage {

struct ledger::reading::parts {
  std::shared_ptr<database> db;
  std::shared_ptr<names> dictionary;
  std::map<node_name, name_number, std::less<>> nodes;
  sequence position = 0;
  std::int32_t first_minute = INT32_MIN;
  name_number last_name = 0; ///< the dictionary may be ahead of it
  std::shared_ptr<const day_changes> changed;
  std::uint64_t stamp = 0; ///< before `as_of` was taken
  std::unique_ptr<view> as_of;
  std::map<name_number, std::int32_t> open_hours; ///< of nodes that were asked about

  /// Of the node as it is in the view; its row is read once.
  caf::expected<std::int32_t> open_hour(name_number node) {
    if (const auto found = open_hours.find(node); found != open_hours.end())
      return found->second;
    const auto row = db->get(family::meta, encode_key(node_key{node}), as_of->get());
    if (!row)
      return row.error();
    node_value value;
    if (*row && !decode(**row, value))
      return damaged("node");
    return open_hours[node] = value.open_hour;
  }

  /// Calls `visit(start, view, bytes of the row)` for the rows that say what is asked, see ledger::reading::rows.
  template <class Visit>
  caf::error each_part(const node_name& node, const cell_question& what, cell_part part, const Visit& visit);
  template <class Amounts, class Visit>
  caf::error each(const node_name& node, const cell_question& what, const Visit& visit);

  // Calls `visit(start, bytes of the row)`, chunk after chunk, in order of start.
  template <class Visit>
  caf::error each_row(name_number node, const cell_question& what, cell_part part, Visit&& visit) const {
    cells_key at{static_cast<std::uint8_t>(what.by),
                 static_cast<std::uint8_t>(what.view),
                 static_cast<std::uint8_t>(part),
                 node,
                 0,
                 what.first};
    auto behind = at;
    behind.chunk = UINT32_MAX;
    behind.start = INT32_MAX;
    const auto end = encode_key(behind);
    const rocksdb::Slice end_slice{end};
    rocksdb::ReadOptions options;
    options.snapshot = as_of->get();
    options.iterate_upper_bound = &end_slice;
    const std::unique_ptr<rocksdb::Iterator> row{db->raw().NewIterator(options, db->handle(family::rollups))};
    if (!to_wanted(what, at))
      return {};
    for (row->Seek(encode_key(at)); row->Valid();) {
      cells_key of;
      if (!decode_key(row->key().ToStringView(), of))
        return damaged("roll-up");
      if (of.chunk == at.chunk && of.start >= what.first && of.start < what.end) {
        if (!visit(of.start, row->value().ToStringView()))
          return damaged("roll-up");
        row->Next();
        continue;
      }
      // To where the rows of the next chunk that is there and wanted begin.
      if (of.chunk == at.chunk && of.start >= what.end && ++at.chunk == 0)
        break;
      at.chunk = std::max(at.chunk, of.chunk);
      if (!to_wanted(what, at))
        break;
      row->Seek(encode_key(at));
    }
    return to_error(row->status());
  }

private:
  /// Goes on to the next chunk with a lead that is wanted; false: there is none.
  bool to_wanted(const cell_question& what, cells_key& at) const {
    if ((what.leads == nullptr && what.models == nullptr) || what.by == granularity::minute)
      return true;
    const auto view = static_cast<cell_view>(at.view);
    const auto is_name = [this](name_kind kind) {
      return [this, kind](name_number one) { return static_cast<bool>(dictionary->get(kind, one)); };
    };
    const auto in_one = has_tiles(view) ? tiles : 1;
    const auto wanted =
      has_tiles(view) && what.models != nullptr ? what.models->wanted_tiles(last_name, is_name(name_kind::model)) : ~0U;
    if (wanted == 0)
      return false;
    const auto kind = has_keys(view) ? name_kind::client_key : name_kind::auth_index;
    for (const auto last = last_name / leads_in_chunk(view); at.chunk / in_one <= last;) {
      const auto chunk = at.chunk / in_one;
      if (what.leads != nullptr && !what.leads->wants_chunk(view, chunk, last_name, is_name(kind))) {
        at.chunk = (chunk + 1) * in_one;
        continue;
      }
      for (; at.chunk / in_one == chunk; ++at.chunk)
        if ((wanted >> at.chunk % in_one & 1U) != 0)
          return true;
    }
    return false;
  }
};

} // namespace keyportal::storage
