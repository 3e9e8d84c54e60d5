// The ledger's longer reads: the outbox, roll-ups, all records of a node.
#include <algorithm>

#include "storage/ledger_parts.hpp"

namespace keyportal::storage {

// --- outbox ---------------------------------------------------------------------------

namespace {

caf::error fill(stored_record& out, const record_key& key, const record_value& value, const names& dictionary) {
  const auto node = dictionary.get(name_kind::node, key.node);
  if (!node)
    return node.error();
  const auto client_key = dictionary.get(name_kind::client_key, value.client_key);
  if (!client_key)
    return client_key.error();
  const auto model = dictionary.get(name_kind::model, value.model);
  if (!model)
    return model.error();
  const auto auth_index = dictionary.get(name_kind::auth_index, value.auth_index);
  if (!auth_index)
    return auth_index.error();
  out = {value.seq,
         key.id,
         (*node)->text,
         (*client_key)->key,
         (*model)->text,
         (*auth_index)->text,
         {key.at_ns, value.offset_minutes},
         value.latency_ms,
         value.tokens,
         value.failed};
  return {};
}

// The items of a row whose sequence is above `after`, as long as there is room.
caf::error append_items(std::vector<outbox_item>& items, std::size_t limit, const outbox_key& key, outbox_value& row,
                        sequence after, const database& db, const names& dictionary, const view& as_of) {
  if (row.kind != event_kind::usage) {
    const auto node = dictionary.get(name_kind::node, row.node);
    if (!node)
      return node.error();
    items.push_back({key.last, {}, {key.last, row.kind, (*node)->text, moment_of(row.at_ns), std::move(row.data)}});
    return {};
  }
  for (const auto& waiting : row.records) {
    if (waiting.seq <= after)
      continue;
    if (items.size() == limit)
      break;
    const record_key of{row.node, waiting.at_ns, waiting.id};
    const auto bytes = db.get(family::records, encode_key(of), as_of.get());
    if (!bytes)
      return bytes.error();
    record_value record;
    if (!*bytes || !decode(**bytes, record))
      return damaged("record");
    outbox_item item;
    item.seq = waiting.seq;
    if (auto failed = fill(item.record.emplace(), of, record, dictionary))
      return failed;
    items.push_back(std::move(item));
  }
  return {};
}

} // namespace

caf::expected<outbox_page> ledger::read_outbox(sequence after, std::uint32_t limit) const {
  outbox_page page;
  limit = std::min<std::uint32_t>(limit, 10'000);
  if (limit == 0 || after == UINT64_MAX)
    return page;
  const auto& db = *parts_->db;
  const view as_of{db};
  const auto read = [&](std::string_view bytes_of_key, std::string_view bytes, bool& stop) -> caf::error {
    outbox_key key;
    outbox_value row;
    if (!decode_key(bytes_of_key, key) || !decode(bytes, row))
      return damaged("outbox");
    auto failed = append_items(page.items, limit, key, row, after, db, *parts_->dictionary, as_of);
    stop = page.items.size() == limit;
    return failed;
  };
  if (auto failed =
        db.each(family::outbox, key_prefix<outbox_key>(), encode_key(outbox_key{after + 1}), read, as_of.get()))
    return failed;
  return page;
}

// --- roll-ups ---------------------------------------------------------------------------

namespace {

// Visits the roll-ups of a node whose start is at least `first`, in order.
template <class Key, class Visit>
caf::error each_rollup(const database& db, name_number node, std::int32_t first, Visit visit) {
  return db.each(family::rollups, key_prefix<Key>(node), key_prefix<Key>(node, first),
                 [&](std::string_view key, std::string_view value, bool& stop) -> caf::error {
                   Key of;
                   rollup_value row;
                   if (!decode_key(key, of) || !decode(value, row))
                     return damaged("roll-up");
                   return visit(of, row, stop);
                 });
}

// The first period of all begins before what 64 bits of nanoseconds can say: it is cut off there.
moment start_of(std::int32_t period, std::int64_t unit) {
  std::int64_t ns = 0;
  return moment_of(__builtin_mul_overflow(std::int64_t{period}, unit, &ns) ? INT64_MIN : ns);
}

} // namespace

caf::expected<totals> ledger::sums_since(const node_name& node, moment from_hour) const {
  totals out;
  const auto number = parts_->number_of(node);
  if (!number)
    return out;
  const auto add = [&](const hour_key&, const rollup_value& row, bool&) {
    for (const auto& [model, sums] : row.models)
      out.add(sums);
    return caf::error{};
  };
  if (auto failed = each_rollup<hour_key>(*parts_->db, *number, hour_of(unix_ns(from_hour)), add))
    return failed;
  return out;
}

caf::expected<std::vector<ledger::rollup_row>> ledger::rollups(const node_name& node, bool daily, moment from,
                                                               moment to) const {
  std::vector<rollup_row> out;
  const auto number = parts_->number_of(node);
  if (!number || from >= to)
    return out;
  const auto unit = daily ? day_ns : hour_ns;
  const auto take = [&](const auto& of, const rollup_value& row, bool& stop) -> caf::error {
    const auto start = start_of(of.start, unit);
    stop = start >= to;
    if (stop || start < from)
      return {};
    const auto client_key = parts_->dictionary->get(name_kind::client_key, of.client_key);
    if (!client_key)
      return client_key.error();
    for (const auto& [number_of_model, sums] : row.models) {
      const auto model = parts_->dictionary->get(name_kind::model, number_of_model);
      if (!model)
        return model.error();
      out.push_back({start, (*client_key)->key, (*model)->text, sums});
    }
    return {};
  };
  const auto first = unix_ns(from);
  if (auto failed = daily ? each_rollup<day_key>(*parts_->db, *number, day_of(first), take)
                          : each_rollup<hour_key>(*parts_->db, *number, hour_of(first), take))
    return failed;
  return out;
}

// --- all records of a node -----------------------------------------------------------------

struct ledger::scan::parts {
  std::shared_ptr<database> db;
  std::shared_ptr<names> dictionary;
  std::shared_ptr<const std::unordered_set<record_id>> present;
  std::string lower;
  std::string upper;
  rocksdb::Slice lower_bound;
  rocksdb::Slice upper_bound;
  std::unique_ptr<rocksdb::Iterator> row;        ///< an iterator is a consistent view of itself; null: no such node
  std::unordered_map<name_number, name_ptr> met; ///< spares asking the dictionary for every record

  caf::expected<name_ptr> name(name_kind kind, name_number number) {
    auto& entry = met[number];
    if (entry && entry->kind == kind)
      return entry;
    auto found = dictionary->get(kind, number);
    if (found)
      entry = *found;
    return found;
  }
};

ledger::scan::scan(std::unique_ptr<parts> with) : parts_(std::move(with)) {}
ledger::scan::~scan() = default;

std::unique_ptr<ledger::scan> ledger::records(const node_name& node,
                                              std::shared_ptr<const std::unordered_set<record_id>> present) const {
  auto with = std::make_unique<scan::parts>();
  with->db = parts_->db;
  with->dictionary = parts_->dictionary;
  with->present = std::move(present);
  if (const auto number = parts_->number_of(node)) {
    with->lower = key_prefix<record_key>(*number);
    with->upper = prefix_end(with->lower);
    with->lower_bound = with->lower;
    with->upper_bound = with->upper;
    rocksdb::ReadOptions options;
    options.iterate_lower_bound = &with->lower_bound;
    options.iterate_upper_bound = &with->upper_bound;
    options.fill_cache = false; // read once: must not push out what polls need
    with->row.reset(with->db->raw().NewIterator(options, with->db->handle(family::records)));
    with->row->SeekToFirst();
  }
  return std::unique_ptr<scan>{new scan(std::move(with))};
}

caf::expected<std::vector<record_group>> ledger::scan::next(std::size_t max_records) {
  std::vector<record_group> out;
  if (!parts_->row)
    return out;
  std::unordered_map<std::uint64_t, std::size_t> groups; // client key and model -> place in `out`
  auto& row = *parts_->row;
  for (std::size_t taken = 0; row.Valid() && taken < std::max<std::size_t>(1, max_records); row.Next()) {
    record_key key;
    record_value value;
    if (!decode_key(row.key().ToStringView(), key) || !decode(row.value().ToStringView(), value))
      return damaged("record");
    if (parts_->present && parts_->present->contains(key.id))
      continue;
    const auto [place, is_new] = groups.try_emplace(std::uint64_t{value.client_key} << 32 | value.model, out.size());
    if (is_new) {
      const auto client_key = parts_->name(name_kind::client_key, value.client_key);
      if (!client_key)
        return client_key.error();
      const auto model = parts_->name(name_kind::model, value.model);
      if (!model)
        return model.error();
      out.push_back({secret{(*client_key)->text}, (*model)->text, {}});
    }
    const auto source = parts_->name(name_kind::source, value.source);
    if (!source)
      return source.error();
    const auto auth_index = parts_->name(name_kind::auth_index, value.auth_index);
    if (!auth_index)
      return auth_index.error();
    out[place->second].details.push_back({key.id,
                                          {key.at_ns, value.offset_minutes},
                                          value.latency_ms,
                                          (*source)->text,
                                          (*auth_index)->text,
                                          value.tokens,
                                          value.failed});
    ++taken;
  }
  if (auto failed = to_error(row.status()))
    return failed;
  return out;
}

} // namespace keyportal::storage
