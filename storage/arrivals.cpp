// Records in the order in which they came: what consumers go through, and what waits for the stream.
#include "storage/arrivals.hpp"

#include <algorithm>

#include "messages/token_rules.hpp"
#include "storage/ledger_parts.hpp"
#include "storage/packing.hpp"

namespace keyportal::storage {

constexpr std::uint32_t most_at_once = 10'000;

// --- records from rows ------------------------------------------------------------------

caf::expected<name_ptr> known_names::get(name_kind kind, name_number number) {
  auto& entry = met_[number];
  if (entry && entry->kind == kind)
    return entry;
  auto found = dictionary_->get(kind, number);
  if (found)
    entry = *found;
  return found;
}

caf::expected<std::shared_ptr<attempt_facts>> facts_of(const record_value& value, known_names& met) {
  if (!value.facts)
    return std::shared_ptr<attempt_facts>{};
  const auto provider = met.get(name_kind::provider, value.facts->provider);
  if (!provider)
    return provider.error();
  const auto alias = met.get(name_kind::alias, value.facts->alias);
  if (!alias)
    return alias.error();
  const auto endpoint = met.get(name_kind::endpoint, value.facts->endpoint);
  if (!endpoint)
    return endpoint.error();
  const auto error = met.get(name_kind::error, value.facts->error);
  if (!error)
    return error.error();
  const auto tier = met.get(name_kind::service_tier, value.facts->service_tier);
  if (!tier)
    return tier.error();
  return std::make_shared<attempt_facts>(attempt_facts{(*provider)->text,
                                                       (*alias)->text,
                                                       (*endpoint)->text,
                                                       value.facts->ttft_ms,
                                                       value.facts->status_code,
                                                       {},
                                                       (*error)->text,
                                                       (*tier)->text});
}

token_parts parts_of(const record_value& value, std::string_view model) {
  return value.facts ? value.facts->parts : parts_by_model(model, value.tokens);
}

caf::expected<stored_record> record_of(const record_key& key, const record_value& value, known_names& met) {
  const auto node = met.get(name_kind::node, key.node);
  if (!node)
    return node.error();
  const auto client_key = met.get(name_kind::client_key, value.client_key);
  if (!client_key)
    return client_key.error();
  const auto model = met.get(name_kind::model, value.model);
  if (!model)
    return model.error();
  const auto auth_index = met.get(name_kind::auth_index, value.auth_index);
  if (!auth_index)
    return auth_index.error();
  auto facts = facts_of(value, met);
  if (!facts)
    return facts.error();
  return stored_record{value.seq,
                       key.id,
                       (*node)->text,
                       (*client_key)->key,
                       (*model)->text,
                       (*auth_index)->text,
                       {key.at_ns, value.offset_minutes},
                       value.latency_ms,
                       value.tokens,
                       value.failed,
                       parts_of(value, (*model)->text),
                       std::move(*facts),
                       value.cost_nano};
}

record_finder::record_finder(const database& db, const rocksdb::Snapshot* as_of, bool fill_cache) {
  rocksdb::ReadOptions options;
  options.snapshot = as_of;
  options.fill_cache = fill_cache;
  row_.reset(db.raw().NewIterator(options, db.handle(family::records)));
}

caf::expected<bool> record_finder::find(name_number node, const arrival_record& wanted) {
  constexpr std::int64_t ms_ns = 1'000'000;
  constexpr int most_steps = 8; // more cost what a seek does
  // 64 bits do not hold all of the first millisecond and of the last one.
  std::int64_t first_ns = 0, last_ns = 0;
  if (__builtin_mul_overflow(wanted.at_ms, ms_ns, &first_ns))
    first_ns = wanted.at_ms < 0 ? INT64_MIN : INT64_MAX;
  if (__builtin_add_overflow(first_ns, ms_ns - 1, &last_ns))
    last_ns = INT64_MAX;
  const bool goes_on = row_->Valid() && node == node_ && wanted.at_ms >= at_ms_;
  const bool same_ms = goes_on && wanted.at_ms == at_ms_;
  node_ = node;
  at_ms_ = INT64_MAX;
  bool here = false; // at the first row that may be it
  if (same_ms) {     // mostly the next one
    row_->Next();
    auto found = look_from_here(node, last_ns, wanted.seq);
    if (!found || *found)
      return found;
  } else if (goes_on) {
    for (int step = 0; step < most_steps && !here && row_->Valid(); ++step) {
      record_key of;
      if (!decode_key(row_->key().ToStringView(), of))
        return damaged("record");
      here = of.node != node || of.at_ns >= first_ns;
      if (!here)
        row_->Next();
    }
  }
  if (!here)
    row_->Seek(encode_key(record_key{node, first_ns, {}}));
  return look_from_here(node, last_ns, wanted.seq);
}

caf::expected<bool> record_finder::look_from_here(name_number node, std::int64_t last_ns, sequence wanted) {
  for (; row_->Valid(); row_->Next()) {
    if (!decode_key(row_->key().ToStringView(), key_))
      return damaged("record");
    if (key_.node != node || key_.at_ns > last_ns)
      return false;
    if (!decode(row_->value().ToStringView(), value_))
      return damaged("record");
    if (value_.seq == wanted) {
      at_ms_ = ms_of_ns(key_.at_ns);
      return true;
    }
  }
  if (auto failed = to_error(row_->status()))
    return failed;
  return false;
}

caf::error read_records(record_finder& finder, name_number node, std::int64_t first_ns,
                        const std::vector<arrival_record>& wanted, std::vector<found_record>& out) {
  out.clear();
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const auto found = finder.find(node, wanted[i]);
    if (!found)
      return found.error();
    if (*found)
      out.push_back({finder.key(), finder.value(), i});
    else if (wanted[i].at_ms >= ms_of_ns(first_ns)) // else its row of arrivals stays as long as another record in it does
      return damaged("record");
  }
  return {};
}

// --- extras -----------------------------------------------------------------------------

caf::expected<std::vector<std::string>> extras_of(const arrivals_key& key, const arrivals_value& row,
                                                  const sealer& seal) {
  std::vector<std::string> out;
  if (row.extras.empty())
    return out;
  const auto texts = unpack(seal, row.extras, encode_key(key));
  if (!texts)
    return texts.error();
  std::string_view in{*texts};
  for (out.resize(row.records.size()); auto& text : out)
    if (!get_text(in, text))
      return damaged("arrivals");
  return out;
}

caf::expected<std::string> extras_reader::get(sequence seq) {
  const auto place_of = [&] {
    return std::lower_bound(row_.records.begin(), row_.records.end(), seq,
                            [](const arrival_record& one, sequence wanted) { return one.seq < wanted; });
  };
  auto place = place_of();
  if (place == row_.records.end() || place->seq != seq) {
    row_.records.clear();
    const auto read = [&](std::string_view bytes_of_key, std::string_view bytes, bool& stop) -> caf::error {
      stop = true;
      arrivals_key key;
      if (!decode_key(bytes_of_key, key) || !decode(bytes, row_))
        return damaged("arrivals");
      auto extras = extras_of(key, row_, dictionary_->seal());
      if (!extras)
        return extras.error();
      extras_ = std::move(*extras);
      return {};
    };
    if (auto failed =
          db_->each(family::arrivals, key_prefix<arrivals_key>(), encode_key(arrivals_key{seq}), read, as_of_->get()))
      return failed;
    place = place_of();
    if (place == row_.records.end() || place->seq != seq)
      return damaged("arrivals");
  }
  return extras_.empty() ? std::string{} : extras_[static_cast<std::size_t>(place - row_.records.begin())];
}

// --- in order of arrival --------------------------------------------------------------------

namespace {

caf::error append_arrivals(std::vector<arrival>& out, const read_arrivals& what, const arrivals_key& key,
                           arrivals_value& row, record_finder& finder, std::int64_t first_ns,
                           const sealer& seal, known_names& met) {
  std::vector<std::string> extras;
  if (what.with_extra) {
    auto all = extras_of(key, row, seal);
    if (!all)
      return all.error();
    extras = std::move(*all);
  }
  const auto begin = std::find_if(row.records.begin(), row.records.end(),
                                  [&](const arrival_record& one) { return one.seq > what.after; });
  const auto skipped = static_cast<std::size_t>(begin - row.records.begin());
  row.records.erase(row.records.begin(), begin);
  std::vector<found_record> found;
  if (auto failed = read_records(finder, row.node, first_ns, row.records, found))
    return failed;
  for (const auto& [of, value, i] : found) {
    if (out.size() == what.limit)
      break;
    auto record = record_of(of, value, met);
    if (!record)
      return record.error();
    auto& one = out.emplace_back();
    one.record = std::move(*record);
    if (!extras.empty())
      one.extra = std::move(extras[skipped + i]);
    if (!what.whole)
      continue;
    const auto client_key = met.get(name_kind::client_key, value.client_key);
    if (!client_key)
      return client_key.error();
    const auto source = met.get(name_kind::source, value.source);
    if (!source)
      return source.error();
    one.client_key = secret{(*client_key)->text};
    one.source = (*source)->text;
  }
  return {};
}

} // namespace

caf::expected<std::vector<arrival>> ledger::arrivals(const read_arrivals& asked) const {
  std::vector<arrival> out;
  auto what = asked;
  what.limit = std::min(what.limit, most_at_once);
  std::optional<name_number> node;
  if (what.node) {
    node = parts_->number_of(*what.node);
    if (!node)
      return out;
  }
  if (what.limit == 0 || what.after == UINT64_MAX)
    return out;
  const auto& db = *parts_->db;
  const view as_of{db};
  const auto first_ns = parts_->first_moments();
  known_names met{*parts_->dictionary};
  record_finder finder{db, as_of.get()};
  const auto read = [&](std::string_view bytes_of_key, std::string_view bytes, bool& stop) -> caf::error {
    arrivals_key key;
    arrivals_value row;
    if (!decode_key(bytes_of_key, key) || !decode(bytes, row))
      return damaged("arrivals");
    if (node && row.node != *node)
      return {};
    auto failed =
      append_arrivals(out, what, key, row, finder, first_ns.of(row.node), parts_->dictionary->seal(), met);
    stop = out.size() == what.limit;
    return failed;
  };
  if (auto failed = db.each(family::arrivals, key_prefix<arrivals_key>(), encode_key(arrivals_key{what.after + 1}),
                            read, as_of.get()))
    return failed;
  return out;
}

// --- outbox ---------------------------------------------------------------------------

namespace {

/// Fills a page from the rows of the outbox and of arrivals beside them.
class page_filler {
public:
  page_filler(outbox_page& page, std::uint32_t limit, const database& db, const names& dictionary, const view& as_of)
    : page_(&page), limit_(limit), db_(&db), as_of_(&as_of), finder_(db, as_of.get()), met_(dictionary) {}
  // What waits is never let go, so all of it is there.

  [[nodiscard]] bool full() const { return page_->items.size() == limit_; }

  caf::error add(const outbox_key& key, outbox_value& row, sequence after) {
    if (row.kind != event_kind::usage) {
      const auto node = met_.get(name_kind::node, row.node);
      if (!node)
        return node.error();
      page_->items.push_back(
        {key.last,
         {},
         {key.last, row.kind, (*node)->text, moment_of(row.at_ns), std::move(row.data), std::move(row.about)}});
      return {};
    }
    for (auto range : row.waiting) {
      range.first = std::max(range.first, after + 1);
      if (range.first > range.last)
        continue;
      if (full())
        break;
      if (auto failed = add(range))
        return failed;
    }
    return {};
  }

private:
  caf::error add(const sequence_range& range) {
    const auto read = [&](std::string_view bytes_of_key, std::string_view bytes, bool& stop) -> caf::error {
      arrivals_key key;
      arrivals_value row;
      if (!decode_key(bytes_of_key, key) || !decode(bytes, row))
        return damaged("arrivals");
      std::erase_if(row.records,
                    [&](const arrival_record& one) { return one.seq < range.first || one.seq > range.last; });
      row.records.resize(std::min(row.records.size(), limit_ - page_->items.size()));
      if (auto failed = read_records(finder_, row.node, INT64_MIN, row.records, found_))
        return failed;
      for (const auto& [of, value, place] : found_) {
        auto record = record_of(of, value, met_);
        if (!record)
          return record.error();
        auto& item = page_->items.emplace_back();
        item.seq = value.seq;
        item.record = std::move(*record);
      }
      stop = full() || key.last >= range.last;
      return {};
    };
    return db_->each(family::arrivals, key_prefix<arrivals_key>(), encode_key(arrivals_key{range.first}), read,
                     as_of_->get());
  }

  outbox_page* page_;
  std::size_t limit_;
  const database* db_;
  const view* as_of_;
  record_finder finder_;
  known_names met_;
  std::vector<found_record> found_;
};

} // namespace

caf::expected<outbox_page> ledger::read_outbox(sequence after, std::uint32_t limit) const {
  outbox_page page;
  limit = std::min(limit, most_at_once);
  if (limit == 0 || after == UINT64_MAX)
    return page;
  const auto& db = *parts_->db;
  const view as_of{db};
  page_filler filler{page, limit, db, *parts_->dictionary, as_of};
  const auto read = [&](std::string_view bytes_of_key, std::string_view bytes, bool& stop) -> caf::error {
    outbox_key key;
    outbox_value row;
    if (!decode_key(bytes_of_key, key) || !decode(bytes, row))
      return damaged("outbox");
    auto failed = filler.add(key, row, after);
    stop = filler.full();
    return failed;
  };
  if (auto failed =
        db.each(family::outbox, key_prefix<outbox_key>(), encode_key(outbox_key{after + 1}), read, as_of.get()))
    return failed;
  return page;
}

} // namespace keyportal::storage
