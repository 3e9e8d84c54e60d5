// The ledger's longer reads: roll-ups, all records of a node.
#include <algorithm>

#include "storage/arrivals.hpp"
#include "storage/ledger_parts.hpp"

namespace keyportal::storage {

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

caf::expected<std::vector<ledger::record_use>> ledger::uses_between(const node_name& node, moment from,
                                                                    moment to) const {
  std::vector<record_use> out;
  const auto number = parts_->number_of(node);
  if (!number || from >= to)
    return out;
  const auto take = [&](std::string_view key_bytes, std::string_view bytes, bool& stop) -> caf::error {
    record_key key;
    record_value value;
    if (!decode_key(key_bytes, key) || !decode(bytes, value))
      return damaged("record");
    const auto at = moment_of(key.at_ns);
    stop = at >= to;
    if (stop)
      return {};
    const auto client_key = parts_->dictionary->get(name_kind::client_key, value.client_key);
    if (!client_key)
      return client_key.error();
    out.push_back({(*client_key)->key, at, value.tokens.total});
    return {};
  };
  if (auto failed = parts_->db->each(family::records, key_prefix<record_key>(*number),
                                     key_prefix<record_key>(*number, unix_ns(from)), take))
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
  std::unique_ptr<rocksdb::Iterator> row; ///< an iterator is a consistent view of itself; null: no such node
  std::unique_ptr<view> as_of;            ///< for extras only
  std::unique_ptr<known_names> met;
  std::unique_ptr<extras_reader> extras; ///< null: not asked for
};

ledger::scan::scan(std::unique_ptr<parts> with) : parts_(std::move(with)) {}
ledger::scan::~scan() = default;

std::unique_ptr<ledger::scan> ledger::records(const node_name& node,
                                              std::shared_ptr<const std::unordered_set<record_id>> present,
                                              bool with_extra) const {
  auto with = std::make_unique<scan::parts>();
  with->db = parts_->db;
  with->dictionary = parts_->dictionary;
  with->present = std::move(present);
  with->met = std::make_unique<known_names>(*with->dictionary);
  if (const auto number = parts_->number_of(node)) {
    with->lower = key_prefix<record_key>(*number);
    with->upper = prefix_end(with->lower);
    with->lower_bound = with->lower;
    with->upper_bound = with->upper;
    rocksdb::ReadOptions options;
    if (with_extra) {
      with->as_of = std::make_unique<view>(*with->db);
      with->extras = std::make_unique<extras_reader>(*with->db, *with->dictionary, *with->as_of);
      options.snapshot = with->as_of->get();
    }
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
    auto& met = *parts_->met;
    if (is_new) {
      const auto client_key = met.get(name_kind::client_key, value.client_key);
      if (!client_key)
        return client_key.error();
      const auto model = met.get(name_kind::model, value.model);
      if (!model)
        return model.error();
      out.push_back({secret{(*client_key)->text}, (*model)->text, {}});
    }
    const auto source = met.get(name_kind::source, value.source);
    if (!source)
      return source.error();
    const auto auth_index = met.get(name_kind::auth_index, value.auth_index);
    if (!auth_index)
      return auth_index.error();
    auto facts = facts_of(value, met);
    if (!facts)
      return facts.error();
    if (*facts && parts_->extras) {
      auto extra = parts_->extras->get(value.seq);
      if (!extra)
        return extra.error();
      (*facts)->extra = std::move(*extra);
    }
    auto& group = out[place->second];
    group.details.push_back({key.id,
                             {key.at_ns, value.offset_minutes},
                             value.latency_ms,
                             (*source)->text,
                             (*auth_index)->text,
                             value.tokens,
                             value.failed,
                             parts_of(value, group.model),
                             std::move(*facts)});
    ++taken;
  }
  if (auto failed = to_error(row.status()))
    return failed;
  return out;
}

} // namespace keyportal::storage
