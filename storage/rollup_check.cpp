#include "storage/rollup_check.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "storage/arrivals.hpp"
#include "storage/ledger_parts.hpp"

namespace keyportal::storage {
namespace {

constexpr std::int64_t day_ns = 86'400'000'000'000;

/// Keys in [first, end).
struct row_span {
  std::string first;
  std::string end;
};

// Calls `visit(key, value)` for the rows of a span.
template <class Visit>
caf::error each_row(const database& db, family where, const row_span& span, const rocksdb::Snapshot* as_of,
                    Visit&& visit) {
  const rocksdb::Slice end{span.end};
  rocksdb::ReadOptions options;
  options.snapshot = as_of;
  options.iterate_upper_bound = &end;
  options.fill_cache = false;
  const std::unique_ptr<rocksdb::Iterator> row{db.raw().NewIterator(options, db.handle(where))};
  for (row->Seek(span.first); row->Valid(); row->Next())
    if (auto failed = visit(row->key().ToStringView(), row->value().ToStringView()))
      return failed;
  return to_error(row->status());
}

// The same for rows of cells.
template <class Visit>
caf::error each_cells_row(const database& db, name_number node, const std::vector<row_kind>& which,
                          const rocksdb::Snapshot* as_of, Visit&& visit) {
  for (const auto& one : which) {
    cells_key from{static_cast<std::uint8_t>(one.by),
                   static_cast<std::uint8_t>(one.view),
                   static_cast<std::uint8_t>(one.part),
                   node,
                   0,
                   one.first};
    auto last = from;
    last.chunk = UINT32_MAX;
    last.start = INT32_MAX;
    const auto end_text = encode_key(last);
    const rocksdb::Slice end{end_text};
    rocksdb::ReadOptions options;
    options.snapshot = as_of;
    options.iterate_upper_bound = &end;
    options.fill_cache = false;
    const std::unique_ptr<rocksdb::Iterator> row{db.raw().NewIterator(options, db.handle(family::rollups))};
    for (row->Seek(encode_key(from)); row->Valid();) {
      cells_key of;
      if (!decode_key(row->key().ToStringView(), of))
        return damaged("roll-up");
      if (of.chunk == from.chunk && of.start >= one.first && of.start < one.end) {
        if (auto failed = visit(row->key().ToStringView(), row->value().ToStringView()))
          return failed;
        row->Next();
        continue;
      }
      // To the same day of the next chunk that there is.
      if (of.chunk == from.chunk && of.start >= one.end && ++from.chunk == 0)
        break;
      from.chunk = std::max(from.chunk, of.chunk);
      row->Seek(encode_key(from));
    }
    if (auto failed = to_error(row->status()))
      return failed;
  }
  return {};
}

// The same for the roll-ups of a day.
template <class Visit>
caf::error each_rollup(const database& db, const numbered_day& which, const rocksdb::Snapshot* as_of, Visit&& visit) {
  if (auto failed = each_cells_row(db, which.node, rows_of_day(which.day), as_of, visit))
    return failed;
  return each_row(
    db, family::rollups,
    {encode_key(sieve_key{which.node, which.day * 24}), encode_key(sieve_key{which.node, (which.day + 1) * 24})}, as_of,
    visit);
}

row_span records_of(const numbered_day& which) {
  auto span = records_of_day(which.node, which.day);
  return {std::move(span.first), std::move(span.end)};
}

} // namespace

std::int64_t begin_of_day(std::int32_t day) {
  std::int64_t ns = 0;
  return !__builtin_mul_overflow(std::int64_t{day}, day_ns, &ns) ? ns : day < 0 ? INT64_MIN : INT64_MAX;
}

record_span_of_day records_of_day(name_number node, std::int32_t day) {
  record_key first;
  first.node = node;
  first.at_ns = begin_of_day(day);
  record_key last = first;
  last.id.bytes.fill(0xff);
  // The last day ends where 64 bits do.
  last.at_ns = first.at_ns > INT64_MAX - day_ns ? INT64_MAX : begin_of_day(day + 1) - 1;
  return {encode_key(first), encode_key(last) + '\xff'};
}

caf::expected<std::vector<numbered_day>> days_with_usage(const database& db, const rocksdb::Snapshot* as_of,
                                                         const std::map<name_number, std::int64_t>& first_ns) {
  std::set<numbered_day> out;
  rocksdb::ReadOptions options;
  options.snapshot = as_of;
  options.fill_cache = false;
  // From the first record of one day to the first one behind it.
  const std::unique_ptr<rocksdb::Iterator> record{db.raw().NewIterator(options, db.handle(family::records))};
  for (record->Seek(key_prefix<record_key>()); record->Valid();) {
    record_key of;
    if (!decode_key(record->key().ToStringView(), of))
      return damaged("record");
    const numbered_day day{of.node, start_of(granularity::day, of.at_ns)};
    out.insert(day);
    record->Seek(records_of(day).end);
  }
  if (auto failed = to_error(record->status()))
    return failed;
  auto failed =
    each_row(db, family::rollups, {key_prefix<cells_key>(), prefix_end(key_prefix<sieve_key>())}, as_of,
             [&](std::string_view key, std::string_view) -> caf::error {
               cells_key cells;
               sieve_key sieve;
               numbered_day day;
               if (decode_key(key, cells) && cells.by <= static_cast<std::uint8_t>(granularity::eight_days)) {
                 const auto by = static_cast<granularity>(cells.by);
                 if (by == granularity::eight_days)
                   return {}; // made of days
                 day = {cells.node, coarser(by, cells.start, granularity::day)};
               } else if (decode_key(key, sieve)) {
                 day = {sieve.node, sieve.hour / 24 - (sieve.hour % 24 < 0 ? 1 : 0)};
               } else {
                 return damaged("roll-up");
               }
               // Of closed days only those that have records still.
               const auto first = first_ns.find(day.node);
               if (first == first_ns.end() || begin_of_day(day.day) >= first->second)
                 out.insert(day);
               return {};
             });
  if (failed)
    return failed;
  return std::vector<numbered_day>(out.begin(), out.end());
}

caf::expected<std::int32_t> newest_hour(const database& db, name_number node) {
  const std::unique_ptr<rocksdb::Iterator> record{db.raw().NewIterator({}, db.handle(family::records))};
  record->SeekForPrev(prefix_end(key_prefix<record_key>(node)));
  if (auto failed = to_error(record->status()))
    return failed;
  record_key of;
  if (!record->Valid() || !decode_key(record->key().ToStringView(), of) || of.node != node)
    return no_hour;
  return start_of(granularity::hour, of.at_ns);
}

caf::expected<std::uint64_t> compare_day(const database& db, const names& dictionary, const rocksdb::Snapshot* as_of,
                                         const numbered_day& which, std::int32_t first_minute, std::int32_t open_hour,
                                         rocksdb::WriteBatch* mended, const day_visitor& visit) {
  known_names met{dictionary};
  cell_changes made{first_minute};
  auto failed = each_row(db, family::records, records_of(which), as_of,
                         [&](std::string_view key, std::string_view value) -> caf::error {
                           record_key of;
                           record_value record;
                           if (!decode_key(key, of) || !decode(value, record))
                             return damaged("record");
                           const auto model = met.get(name_kind::model, record.model);
                           if (!model)
                             return model.error();
                           const auto parts = parts_of(record, (*model)->text);
                           made.add(change_by(of, record, parts));
                           if (visit)
                             visit(of, record, parts);
                           made.add_to_sieve(of.node, of.at_ns, kind_of(record));
                           return {};
                         });
  if (failed)
    return failed;
  std::map<std::string, std::string> expected;
  for (auto& [key, value] : made.rows({{which.node, open_hour}})) {
    cells_key cells;
    // Of eight days more than these records are part.
    if (!decode_key(key, cells) || cells.by != static_cast<std::uint8_t>(granularity::eight_days))
      expected.emplace(std::move(key), std::move(value));
  }
  std::uint64_t wrong = 0;
  failed = each_rollup(db, which, as_of, [&](std::string_view key, std::string_view value) -> caf::error {
    const auto found = expected.find(std::string{key});
    if (found != expected.end() && found->second == value) {
      expected.erase(found);
      return {};
    }
    ++wrong;
    if (found == expected.end() && mended != nullptr)
      mended->Delete(db.handle(family::rollups), rocksdb::Slice{key.data(), key.size()});
    else if (found != expected.end() && mended == nullptr)
      expected.erase(found);
    return {};
  });
  if (failed)
    return failed;
  if (mended == nullptr)
    return wrong + expected.size();
  std::uint64_t missing = 0;
  for (const auto& [key, value] : expected) {
    std::string there;
    rocksdb::ReadOptions options;
    options.snapshot = as_of;
    missing += db.raw().Get(options, db.handle(family::rollups), key, &there).IsNotFound() ? 1 : 0;
    mended->Put(db.handle(family::rollups), key, value);
  }
  return wrong + missing;
}

caf::expected<std::uint64_t> compare_eight_days(const database& db, const rocksdb::Snapshot* as_of, name_number node,
                                                std::int32_t begin, std::int32_t open_hour,
                                                const std::function<bool(std::int32_t first_day)>& wanted,
                                                rocksdb::WriteBatch* mended) {
  std::vector<row_kind> days;
  for (std::int32_t day = begin; day < begin + 8; ++day)
    days.push_back({granularity::day, cell_view::keys, cell_part::sums, day, day + 1});
  std::vector<std::pair<std::string, std::string>> rows, made;
  std::optional<std::int32_t> first;
  auto failed = each_cells_row(db, node, days, as_of, [&](std::string_view key, std::string_view value) -> caf::error {
    cells_key of;
    if (!decode_key(key, of))
      return damaged("roll-up");
    first = first ? std::min(*first, of.start) : of.start;
    rows.emplace_back(key, value);
    return {};
  });
  if (failed)
    return failed;
  if (wanted && first && !wanted(*first))
    return std::uint64_t{0};
  const auto open = coarser(granularity::hour, open_hour, granularity::eight_days);
  if (open_hour == no_hour || coarser(granularity::day, begin, granularity::eight_days) < open)
    if (!make_eight_days(rows, made))
      return damaged("roll-up");
  std::map<std::string, std::string> expected(made.begin(), made.end());
  std::uint64_t wrong = 0;
  failed = each_cells_row(db, node, rows_of_eight_days(begin), as_of,
                          [&](std::string_view key, std::string_view value) -> caf::error {
                            const auto found = expected.find(std::string{key});
                            if (found != expected.end() && found->second == value) {
                              expected.erase(found);
                              return {};
                            }
                            ++wrong;
                            if (mended != nullptr && found == expected.end())
                              mended->Delete(db.handle(family::rollups), rocksdb::Slice{key.data(), key.size()});
                            if (mended != nullptr && found != expected.end())
                              mended->Put(db.handle(family::rollups), found->first, found->second);
                            if (found != expected.end())
                              expected.erase(found);
                            return {};
                          });
  if (failed)
    return failed;
  if (mended != nullptr)
    for (const auto& [key, value] : expected)
      mended->Put(db.handle(family::rollups), key, value);
  return wrong + expected.size();
}

std::int32_t eight_days_of(std::int32_t day) { return coarser(granularity::day, day, granularity::eight_days) * 8; }

caf::error remake_rows(database& db) {
  const auto number = [](auto one) { return static_cast<std::uint8_t>(one); };
  rocksdb::WriteBatch batch;
  const auto drop = [&](const std::string& prefix) {
    batch.DeleteRange(db.handle(family::rollups), prefix, prefix_end(prefix));
  };
  drop(key_prefix<cells_key>(number(granularity::hour), number(cell_view::keys)));
  for (const auto by : {granularity::day, granularity::eight_hours, granularity::eight_days})
    drop(key_prefix<cells_key>(number(by)));
  const auto write = [&](std::size_t least) -> caf::error {
    if (batch.GetDataSize() < least)
      return {};
    auto failed = db.write(batch, false);
    batch.Clear();
    return failed;
  };
  if (auto failed = write(0))
    return failed;
  open_hours open;
  auto failed = db.each(family::meta, key_prefix<node_key>(), {},
                        [&](std::string_view key, std::string_view bytes, bool&) -> caf::error {
                          node_key of;
                          node_value value;
                          if (!decode_key(key, of) || !decode(bytes, value))
                            return damaged("node");
                          open[of.node] = value.open_hour;
                          return {};
                        });
  if (failed)
    return failed;
  const auto minutes = key_prefix<cells_key>(number(granularity::minute));
  failed = each_row(db, family::rollups, {minutes, prefix_end(minutes)}, nullptr,
                    [&](std::string_view key, std::string_view row) -> caf::error {
                      std::string fresh;
                      if (!rewrite_cells(key, row, fresh))
                        return damaged("roll-up");
                      batch.Put(db.handle(family::rollups), rocksdb::Slice{key.data(), key.size()}, fresh);
                      return write(std::size_t{1} << 20);
                    });
  if (failed)
    return failed;
  for (const auto& [node, hour] : open) {
    std::set<std::int32_t> days, eights;
    const auto totals = key_prefix<cells_key>(number(granularity::hour), number(cell_view::total),
                                              number(cell_part::sums), node);
    failed = each_row(db, family::rollups, {totals, prefix_end(totals)}, nullptr,
                      [&](std::string_view key, std::string_view) -> caf::error {
                        cells_key of;
                        if (!decode_key(key, of))
                          return damaged("roll-up");
                        days.insert(day_of_hour(of.start));
                        eights.insert(eight_days_of(day_of_hour(of.start)));
                        return {};
                      });
    if (failed)
      return failed;
    for (const auto day : days) {
      std::vector<row_kind> which;
      for (const auto part : {cell_part::sums, cell_part::distributions})
        which.push_back({granularity::hour, cell_view::all, part, day * 24, (day + 1) * 24});
      std::vector<std::pair<std::string, std::string>> hours, made;
      failed = each_cells_row(db, node, which, nullptr, [&](std::string_view key, std::string_view row) {
        hours.emplace_back(key, row);
        return caf::error{};
      });
      if (failed)
        return failed;
      if (!cell_changes::remake(hours, {{node, hour}}, made))
        return damaged("roll-up");
      for (const auto& [key, row] : made)
        batch.Put(db.handle(family::rollups), key, row);
      if (failed = write(0); failed)
        return failed;
    }
    for (const auto begin : eights) {
      if (auto made = compare_eight_days(db, nullptr, node, begin, hour, nullptr, &batch); !made)
        return made.error();
      if (failed = write(0); failed)
        return failed;
    }
  }
  return write(0);
}

// --- the ledger's own ------------------------------------------------------------------------

namespace {

/// Whether a day is closed and has no records any more: what its roll-ups say nobody can compare then.
caf::expected<bool> has_gone(const database& db, const rocksdb::Snapshot* as_of, const numbered_day& which,
                             std::int64_t first_ns) {
  if (begin_of_day(which.day) >= first_ns)
    return false;
  bool any = false;
  const auto rows = records_of(which);
  const rocksdb::Slice end{rows.end};
  rocksdb::ReadOptions options;
  options.snapshot = as_of;
  options.iterate_upper_bound = &end;
  const std::unique_ptr<rocksdb::Iterator> row{db.raw().NewIterator(options, db.handle(family::records))};
  row->Seek(rows.first);
  any = row->Valid();
  if (auto failed = to_error(row->status()))
    return failed;
  return !any;
}

} // namespace

caf::expected<std::vector<ledger::usage_day>> ledger::days_of_rollups() const {
  std::vector<usage_day> out;
  std::map<name_number, node_name> nodes;
  std::map<name_number, std::int64_t> first_ns;
  {
    const std::lock_guard lock{parts_->mutex};
    for (const auto& [name, state] : parts_->memory.nodes) {
      nodes.emplace(state.number, name);
      first_ns.emplace(state.number, state.value.first_ns);
    }
  }
  const auto days = days_with_usage(*parts_->db, nullptr, first_ns);
  if (!days)
    return days.error();
  for (const auto& one : *days) {
    const auto name = nodes.find(one.node);
    if (name == nodes.end())
      return make_error(errc::storage_corrupt, "usage of a node that is not there");
    out.push_back({name->second, one.day});
  }
  return out;
}

caf::expected<std::uint64_t> ledger::check_rollups(const usage_day& which) const {
  const auto number = parts_->number_of(which.node);
  if (!number)
    return std::uint64_t{0};
  const view as_of{*parts_->db};
  position_value position;
  const auto row = parts_->db->get(family::meta, encode_key(position_key{}), as_of.get());
  if (!row)
    return row.error();
  if (*row && !decode(**row, position))
    return damaged("position");
  const auto gone = has_gone(*parts_->db, as_of.get(), {*number, which.day}, parts_->first_ns_of(*number));
  if (!gone)
    return gone.error();
  if (*gone)
    return std::uint64_t{0}; // nothing is left to compare with
  node_value node;
  const auto node_row = parts_->db->get(family::meta, encode_key(node_key{*number}), as_of.get());
  if (!node_row)
    return node_row.error();
  if (*node_row && !decode(**node_row, node))
    return damaged("node");
  const auto of_day = compare_day(*parts_->db, *parts_->dictionary, as_of.get(), {*number, which.day},
                                  position.first_minute, node.open_hour, nullptr);
  if (!of_day)
    return of_day;
  // With the first of their days that can be compared.
  const auto first_ns = parts_->first_ns_of(*number);
  const auto closed = first_ns == INT64_MIN ? INT32_MIN : start_of(granularity::day, first_ns);
  const auto of_eight = compare_eight_days(*parts_->db, as_of.get(), *number, eight_days_of(which.day), node.open_hour,
                                           [&](std::int32_t first) { return std::max(first, closed) == which.day; }, nullptr);
  if (!of_eight)
    return of_eight;
  return *of_day + *of_eight;
}

caf::expected<std::uint64_t> ledger::mend_rollups(const usage_day& which) {
  if (auto failed = parts_->mend())
    return failed;
  const auto number = parts_->number_of(which.node);
  if (!number)
    return std::uint64_t{0};
  const auto gone = has_gone(*parts_->db, nullptr, {*number, which.day}, parts_->first_ns_of(*number));
  if (!gone)
    return gone.error();
  if (*gone)
    return std::uint64_t{0};
  rocksdb::WriteBatch batch;
  auto wrong =
    compare_day(*parts_->db, *parts_->dictionary, nullptr, {*number, which.day}, parts_->memory.position.first_minute,
                parts_->memory.nodes.find(which.node)->second.value.open_hour, &batch);
  if (!wrong)
    return wrong;
  const std::vector days{day_changes::node_day{*number, which.day}};
  const auto write_batch = [&]() -> caf::error {
    if (batch.Count() == 0)
      return {};
    parts_->changed->begin(days);
    if (auto failed = parts_->db->write(batch, parts_->how.sync)) {
      parts_->broken = true;
      return failed;
    }
    parts_->changed->end(days);
    batch.Clear();
    return {};
  };
  if (auto failed = write_batch())
    return failed;
  // Then what is made of days: of those as they are now.
  const auto of_eight = compare_eight_days(*parts_->db, nullptr, *number, eight_days_of(which.day),
                                           parts_->memory.nodes.find(which.node)->second.value.open_hour, nullptr,
                                           &batch);
  if (!of_eight)
    return of_eight;
  if (auto failed = write_batch())
    return failed;
  return *wrong + *of_eight;
}

} // namespace keyportal::storage
