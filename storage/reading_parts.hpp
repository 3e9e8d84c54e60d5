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
  std::unique_ptr<view> as_of;

  // Calls `visit(start, bytes of the row)` in order.
  template <class Visit>
  caf::error each_row(const node_name& node, const cell_question& what, cell_part part, Visit&& visit) const {
    const auto number = nodes.find(node);
    if (number == nodes.end() || what.first >= what.end)
      return {};
    const cells_key from{static_cast<std::uint8_t>(what.by), static_cast<std::uint8_t>(what.view),
                         static_cast<std::uint8_t>(part), number->second, what.first};
    auto upper = from;
    upper.start = what.end;
    const auto first = encode_key(from);
    const auto end = encode_key(upper);
    const rocksdb::Slice end_slice{end};
    rocksdb::ReadOptions options;
    options.snapshot = as_of->get();
    options.iterate_upper_bound = &end_slice;
    const std::unique_ptr<rocksdb::Iterator> row{db->raw().NewIterator(options, db->handle(family::rollups))};
    for (row->Seek(first); row->Valid(); row->Next()) {
      cells_key of;
      if (!decode_key(row->key().ToStringView(), of) || !visit(of.start, row->value().ToStringView()))
        return damaged("roll-up");
    }
    return to_error(row->status());
  }
};

} // namespace keyportal::storage
