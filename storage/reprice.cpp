// What older records cost, worked out anew.
#include <algorithm>
#include <limits>
#include <map>

#include "storage/arrivals.hpp"
#include "storage/ledger_parts.hpp"

namespace keyportal::storage {

namespace {

void add(std::int64_t& to, std::int64_t amount) {
  if (__builtin_add_overflow(to, amount, &to))
    to = amount > 0 ? std::numeric_limits<std::int64_t>::max() : std::numeric_limits<std::int64_t>::min();
}

/// The texts of what a price depends on; held as long as they are looked at.
struct attempt_names {
  name_ptr model, alias, provider, tier;
};

caf::error read_names(known_names& met, const record_value& record, attempt_names& to) {
  const auto get = [&met](name_kind kind, name_number number, name_ptr& text) -> caf::error {
    auto found = met.get(kind, number);
    if (!found)
      return found.error();
    text = *found;
    return {};
  };
  if (auto failed = get(name_kind::model, record.model, to.model))
    return failed;
  if (!record.facts)
    return {};
  if (auto failed = get(name_kind::alias, record.facts->alias, to.alias))
    return failed;
  if (auto failed = get(name_kind::provider, record.facts->provider, to.provider))
    return failed;
  return get(name_kind::service_tier, record.facts->service_tier, to.tier);
}

std::string_view text_of(const name_ptr& name) { return name ? std::string_view{name->text} : std::string_view{}; }

} // namespace

std::shared_ptr<const pricing> ledger::prices() const { return parts_->prices; }

caf::expected<ledger::reprice_done> ledger::reprice(const reprice_step& what) {
  if (!what.with)
    return make_error(errc::bad_request, "a reprice without prices");
  if (auto failed = parts_->mend())
    return failed;
  reprice_done out;
  const auto number = parts_->number_of(what.node);
  if (!number || what.from_ns >= what.to_ns)
    return out;
  const auto& db = *parts_->db;
  record_key first;
  first.node = *number;
  first.at_ns = what.from_ns;
  auto last = first;
  last.at_ns = what.to_ns;
  const auto end = encode_key(last);
  const rocksdb::Slice bound{end};
  rocksdb::ReadOptions options;
  options.iterate_upper_bound = &bound;
  options.fill_cache = false;
  known_names met{*parts_->dictionary};
  cell_changes cells{parts_->memory.position.first_minute};
  rocksdb::WriteBatch batch;
  const std::unique_ptr<rocksdb::Iterator> row{db.raw().NewIterator(options, db.handle(family::records))};
  row->Seek(what.next.empty() ? encode_key(first) : what.next);
  for (; row->Valid() && out.records < what.most; row->Next()) {
    record_key of;
    record_value record;
    if (!decode_key(row->key().ToStringView(), of) || !decode(row->value().ToStringView(), record))
      return damaged("record");
    attempt_names texts;
    if (auto failed = read_names(met, record, texts))
      return failed;
    const auto tokens = parts_of(record, text_of(texts.model));
    const auto cost = what.with->cost_of({text_of(texts.model), text_of(texts.alias), text_of(texts.provider),
                                          text_of(texts.tier), of.at_ns, tokens, record.failed});
    ++out.records;
    add(out.cost_before, record.cost_nano.value_or(0));
    add(out.cost_after, cost.value_or(0));
    out.unpriced_before += record.cost_nano ? 0 : 1;
    out.unpriced_after += cost ? 0 : 1;
    if (cost == record.cost_nano)
      continue;
    ++out.changed;
    if (what.dry_run)
      continue;
    // Only what differs is added to the roll-ups, so they stay what the records come to.
    cell_change change;
    change.node = of.node;
    change.at_ns = of.at_ns;
    change.id = kind_of(record).id;
    change.sums.cost_nano = cost.value_or(0) - record.cost_nano.value_or(0);
    change.sums.unpriced = (cost ? 0 : 1) - (record.cost_nano ? 0 : 1);
    cells.add(change);
    record.cost_nano = cost;
    batch.Put(db.handle(family::records), row->key(), encode(record));
    const auto key = parts_->dictionary->get(name_kind::client_key, record.client_key);
    if (!key)
      return key.error();
    out.changes.push_back({(*key)->key, moment_of(of.at_ns), change.sums.cost_nano});
  }
  if (auto failed = to_error(row->status()))
    return failed;
  if (row->Valid()) {
    out.next = row->key().ToString();
    record_key of;
    if (!decode_key(out.next, of))
      return damaged("record");
    out.at = moment_of(of.at_ns);
  }
  if (batch.Count() == 0)
    return out;
  open_hours open;
  for (const auto& [name, state] : parts_->memory.nodes)
    open.emplace(state.number, state.value.open_hour);
  if (auto failed = cells.write_to(batch, db, open)) // nothing is over by it: there is no newer record
    return failed;
  const auto days = cells.days();
  parts_->changed->begin(days);
  if (auto failed = parts_->db->write(batch, parts_->how.sync)) {
    parts_->broken = true;
    return failed;
  }
  parts_->changed->end(days);
  return out;
}

caf::expected<std::vector<unpriced_model>> ledger::unpriced(moment from, moment to) const {
  struct found {
    std::int64_t requests = 0, tokens = 0;
    std::int32_t first = INT32_MAX, last = INT32_MIN;
  };
  std::map<std::pair<name_number, name_number>, found> all;
  const auto books = read();
  cell_question what;
  what.by = granularity::day;
  what.view = cell_view::kinds;
  what.first = start_of(granularity::day, unix_ns(from));
  what.end = start_of(granularity::day, unix_ns(to)) + 1;
  for (const auto& [node, sums] : state().sums) {
    auto failed = books->sums(node, what, [&](std::int32_t start, const cell_id& id, const cell_sums& cell) {
      if (cell.unpriced <= 0)
        return;
      auto& one = all[{id.model, id.provider}];
      one.requests += cell.unpriced;
      // A cell may have both kinds where its price began in between: then these are at most so many.
      one.tokens += cell.parts.total();
      one.first = std::min(one.first, start);
      one.last = std::max(one.last, start);
    });
    if (failed)
      return failed;
  }
  const auto shown = [](std::int32_t day) {
    return to_rfc3339_ms(moment_of(std::int64_t{day} * ns_of(granularity::day))).substr(0, 10);
  };
  std::vector<unpriced_model> out;
  for (const auto& [which, one] : all) {
    auto model = books->text(name_kind::model, which.first);
    if (!model)
      return model.error();
    auto provider = books->text(name_kind::provider, which.second);
    if (!provider)
      return provider.error();
    out.push_back(
      {std::move(*model), std::move(*provider), one.requests, one.tokens, shown(one.first), shown(one.last)});
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.requests > b.requests; });
  return out;
}

} // namespace keyportal::storage
