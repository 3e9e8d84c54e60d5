// Letting records go: which days may, what has to be remembered of them, and giving the disk back.
#include "storage/retirement.hpp"

#include <algorithm>

#include <fmt/core.h>
#include <rocksdb/utilities/checkpoint.h>

#include "storage/arrivals.hpp"
#include "storage/commit_plan.hpp"
#include "storage/ledger_parts.hpp"
#include "storage/rollup_check.hpp"

namespace keyportal::storage {

namespace {

totals difference(const totals& all, const totals& gone) {
  totals out = all;
  const auto minus = [](std::int64_t& from, std::int64_t amount) { __builtin_sub_overflow(from, amount, &from); };
  minus(out.requests, gone.requests);
  minus(out.ok, gone.ok);
  minus(out.failed, gone.failed);
  minus(out.tokens.input, gone.tokens.input);
  minus(out.tokens.output, gone.tokens.output);
  minus(out.tokens.reasoning, gone.tokens.reasoning);
  minus(out.tokens.cached, gone.tokens.cached);
  minus(out.tokens.total, gone.tokens.total);
  minus(out.parts.uncached_input, gone.parts.uncached_input);
  minus(out.parts.cache_read, gone.parts.cache_read);
  minus(out.parts.cache_write, gone.parts.cache_write);
  minus(out.parts.output, gone.parts.output);
  minus(out.parts.reasoning, gone.parts.reasoning);
  minus(out.parts.unclassified, gone.parts.unclassified);
  minus(out.latency_ms_sum, gone.latency_ms_sum);
  return out;
}

} // namespace

std::vector<ledger::kept_records> ledger::kept() const {
  std::vector<kept_records> out;
  const std::lock_guard lock{parts_->mutex};
  for (const auto& [name, state] : parts_->memory.nodes) {
    const auto& v = state.value;
    const auto gone = v.gone.plain + v.gone.with_facts;
    out.push_back({name, v.first_ns, v.plain.count + v.with_facts.count - gone, gone, v.refused.count,
                   v.refused.count > 0 ? v.refused.first_ns : 0, v.refused.count > 0 ? v.refused.last_ns : 0,
                   difference(v.sums, v.gone.sums)});
  }
  return out;
}

caf::expected<std::vector<ledger::usage_day>> ledger::days_of_records(std::int32_t before) const {
  std::map<name_number, node_name> nodes;
  {
    const std::lock_guard lock{parts_->mutex};
    for (const auto& [name, state] : parts_->memory.nodes)
      nodes.emplace(state.number, name);
  }
  std::vector<usage_day> out;
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const auto& db = *parts_->db;
  // From the first record of one day to the first one behind it.
  const std::unique_ptr<rocksdb::Iterator> record{db.raw().NewIterator(options, db.handle(family::records))};
  for (record->Seek(key_prefix<record_key>()); record->Valid();) {
    record_key of;
    if (!decode_key(record->key().ToStringView(), of))
      return damaged("record");
    const auto day = start_of(granularity::day, of.at_ns);
    if (day >= before) { // on to the next node
      record->Seek(prefix_end(key_prefix<record_key>(of.node)));
      continue;
    }
    const auto name = nodes.find(of.node);
    if (name != nodes.end()) // else a commit has just made it
      out.push_back({name->second, day});
    record->Seek(records_of_day(of.node, day).end);
  }
  if (auto failed = to_error(record->status()))
    return failed;
  std::sort(out.begin(), out.end(),
            [](const auto& a, const auto& b) { return std::tie(a.node, a.day) < std::tie(b.node, b.day); });
  return out;
}

caf::expected<sequence> ledger::first_unread(const std::vector<std::string>& consumers) const {
  const auto& db = *parts_->db;
  const view as_of{db};
  position_value position;
  const auto row = db.get(family::meta, encode_key(position_key{}), as_of.get());
  if (!row)
    return row.error();
  if (*row && !decode(**row, position))
    return damaged("position");
  auto first = position.last + 1;
  const auto take = [&](std::string_view key, std::string_view bytes, bool& stop) -> caf::error {
    outbox_key of;
    outbox_value value;
    if (!decode_key(key, of) || !decode(bytes, value))
      return damaged("outbox");
    first = std::min(first, value.waiting.empty() ? of.last : value.waiting.front().first);
    stop = true;
    return {};
  };
  if (auto failed = db.each(family::outbox, key_prefix<outbox_key>(), {}, take, as_of.get()))
    return failed;
  for (const auto& name : consumers) {
    const auto entry = parts_->dictionary->find(name_kind::consumer, name);
    if (!entry)
      return entry.error();
    if (!*entry)
      continue;
    const auto progress = db.get(family::meta, encode_key(consumer_key{(*entry)->number}), as_of.get());
    if (!progress)
      return progress.error();
    consumer_value value;
    if (!*progress)
      continue;
    if (!decode(**progress, value))
      return damaged("consumer");
    first = std::min(first, value.seq + 1);
  }
  return first;
}

std::shared_ptr<const retirement> ledger::close_before(const usage_day& which) {
  auto out = std::make_shared<retirement>();
  out->node = which.node;
  out->first_ns = begin_of_day(which.day);
  return out;
}

namespace {

/// The rows of arrivals that hold none but records that go with this day or have gone before.
class arrivals_sweep {
public:
  arrivals_sweep(const database& db, const view& as_of, const numbered_day& which, std::int64_t first_ns)
    : finder_(db, as_of.get(), false), which_(which), first_ms_(ms_of_ns(first_ns)),
      begin_ms_(ms_of_ns(begin_of_day(which.day))), end_ms_(ms_of_ns(begin_of_day(which.day + 1))) {
    rocksdb::ReadOptions options;
    options.snapshot = as_of.get();
    options.fill_cache = false;
    row_.reset(db.raw().NewIterator(options, db.handle(family::arrivals)));
  }

  /// `sequences` ascend.
  caf::error run(const std::vector<sequence>& sequences, std::vector<sequence_range>& out) {
    bool adjacent = false;
    for (auto next = sequences.begin(); next != sequences.end();) {
      arrivals_key key;
      arrivals_value row;
      if (!at(*next, adjacent)) {
        if (auto failed = to_error(row_->status()))
          return failed;
        return damaged("arrivals");
      }
      if (!decode_key(row_->key().ToStringView(), key) || !decode(row_->value().ToStringView(), row))
        return damaged("arrivals");
      const auto goes = all_gone(row);
      if (!goes)
        return goes.error();
      if (*goes && adjacent && !out.empty())
        out.back().last = key.last;
      else if (*goes)
        out.push_back({key.last, key.last});
      adjacent = *goes;
      next = std::upper_bound(next, sequences.end(), key.last);
    }
    return {};
  }

private:
  // At the row that has the sequence; `adjacent` stays true only where it is the one right behind the last.
  bool at(sequence seq, bool& adjacent) {
    if (adjacent) {
      row_->Next();
      arrivals_key key;
      if (row_->Valid() && decode_key(row_->key().ToStringView(), key) && key.last >= seq)
        return true;
      adjacent = false;
    }
    row_->Seek(encode_key(arrivals_key{seq}));
    return row_->Valid();
  }

  caf::expected<bool> all_gone(const arrivals_value& row) {
    if (row.node != which_.node)
      return damaged("arrivals");
    for (const auto& one : row.records) {
      if (one.at_ms >= begin_ms_ && one.at_ms < end_ms_)
        continue;
      if (one.at_ms >= first_ms_)
        return false;
      const auto there = finder_.find(row.node, one);
      if (!there)
        return there.error();
      if (*there)
        return false;
    }
    return true;
  }

  record_finder finder_;
  numbered_day which_;
  std::int64_t first_ms_, begin_ms_, end_ms_; // days begin with a millisecond
  std::unique_ptr<rocksdb::Iterator> row_;
};

} // namespace

caf::expected<ledger::day_check> ledger::check_day(const usage_day& which, sequence unread) const {
  day_check out;
  const auto& db = *parts_->db;
  const view as_of{db};
  const auto number = parts_->number_of(which.node);
  if (!number)
    return make_error(errc::bad_request, "a node the ledger does not know");
  position_value position;
  node_value node;
  const auto position_row = db.get(family::meta, encode_key(position_key{}), as_of.get());
  if (!position_row)
    return position_row.error();
  const auto node_row = db.get(family::meta, encode_key(node_key{*number}), as_of.get());
  if (!node_row)
    return node_row.error();
  if (!*position_row || !decode(**position_row, position) || !*node_row || !decode(**node_row, node))
    return damaged("node");
  auto ready = std::make_shared<retirement>();
  ready->node = which.node;
  ready->first_ns = node.first_ns;
  auto& day = ready->day.emplace();
  day.day = which.day;
  std::vector<sequence> sequences;
  const auto count = [&](const record_key&, const record_value& record, const token_parts& tokens) {
    ++day.records;
    day.gone.sums.add(record.tokens, tokens, record.latency_ms, record.failed);
    ++(record.facts ? day.gone.with_facts : day.gone.plain);
    day.gone.copied += record.copied ? 1 : 0;
    auto& credential = day.credentials[record.auth_index];
    ++(record.failed ? credential.failed : credential.ok);
    sequences.push_back(record.seq);
  };
  const auto wrong = compare_day(db, *parts_->dictionary, as_of.get(), {*number, which.day}, position.first_minute,
                                 node.open_hour, nullptr, count);
  if (!wrong)
    return wrong.error();
  out.records = day.records;
  if (day.records == 0) {
    out.why = "it has no records";
    return out;
  }
  if (*wrong > 0) {
    out.broken = true;
    out.why = fmt::format("{} roll-ups say what the records do not; `keyportal ledger rebuild` mends them", *wrong);
    return out;
  }
  std::sort(sequences.begin(), sequences.end());
  if (sequences.back() >= unread) {
    out.why = "some of its records wait for the stream or for a consumer";
    return out;
  }
  if (begin_of_day(which.day + 1) > node.first_ns) {
    out.may_close = true;
    out.why = "it is not closed";
    return out;
  }
  if (auto failed = arrivals_sweep{db, as_of, {*number, which.day}, node.first_ns}.run(sequences, day.arrivals))
    return failed;
  out.ready = std::move(ready);
  return out;
}

caf::error commit_plan::retire(const retirement& what) {
  auto of = node(what.node);
  if (!of)
    return of.error();
  auto& value = (*of)->value;
  changed_ = true;
  value.first_ns = std::max(value.first_ns, what.first_ns);
  after_.position.first_ns = std::max(after_.position.first_ns, value.first_ns);
  cells_.over_before((*of)->number, start_of(granularity::hour, value.first_ns));
  if (!what.day)
    return {};
  const auto& day = *what.day;
  if (begin_of_day(day.day + 1) > value.first_ns || day.records > after_.position.records)
    return make_error(errc::bad_request, "a day that is not closed");
  // Twice would count twice.
  const auto rows = records_of_day((*of)->number, day.day);
  {
    rocksdb::ReadOptions options;
    const rocksdb::Slice end{rows.end};
    options.iterate_upper_bound = &end;
    const std::unique_ptr<rocksdb::Iterator> first{db_->raw().NewIterator(options, db_->handle(family::records))};
    first->Seek(rows.first);
    if (!first->Valid()) {
      if (auto failed = to_error(first->status()))
        return failed;
      return make_error(errc::bad_request, "a day that has gone already");
    }
  }
  batch_.DeleteRange(db_->handle(family::records), rows.first, rows.end);
  const auto hour = day.day * 24;
  batch_.DeleteRange(db_->handle(family::rollups), encode_key(sieve_key{(*of)->number, hour}),
                     encode_key(sieve_key{(*of)->number, hour + 24}));
  for (const auto& range : day.arrivals)
    batch_.DeleteRange(db_->handle(family::arrivals), encode_key(arrivals_key{range.first}),
                       encode_key(arrivals_key{range.last + 1}));
  after_.position.records -= day.records;
  value.gone.sums.add(day.gone.sums);
  value.gone.plain += day.gone.plain;
  value.gone.with_facts += day.gone.with_facts;
  value.gone.copied += day.gone.copied;
  for (const auto& [auth_index, counts] : day.credentials) {
    const auto row = credentials_.at({(*of)->number, auth_index});
    if (!row)
      return row.error();
    (*row)->gone_ok += counts.ok;
    (*row)->gone_failed += counts.failed;
  }
  return {};
}

caf::error ledger::give_back(const node_name& node, std::int32_t from, std::int32_t to) const {
  const auto number = parts_->number_of(node);
  if (!number || from >= to)
    return {};
  auto& db = *parts_->db;
  rocksdb::CompactRangeOptions how;
  how.exclusive_manual_compaction = false; // others go on beside it
  how.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const auto compact = [&](family where, const std::string& first, const std::string& end) {
    const rocksdb::Slice begin{first};
    const rocksdb::Slice behind{end};
    return to_error(db.raw().CompactRange(how, db.handle(where), &begin, &behind));
  };
  for (auto day = from; day < to; ++day) {
    const auto rows = records_of_day(*number, day);
    if (auto failed = compact(family::records, rows.first, rows.end))
      return failed;
  }
  if (auto failed =
        compact(family::rollups, encode_key(sieve_key{*number, from * 24}), encode_key(sieve_key{*number, to * 24})))
    return failed;
  // What went of the arrivals begins at their beginning, but for what came late.
  arrivals_key first;
  auto failed = db.each(family::arrivals, key_prefix<arrivals_key>(), {},
                        [&](std::string_view key, std::string_view, bool& stop) -> caf::error {
                          stop = true;
                          return decode_key(key, first) ? caf::error{} : damaged("arrivals");
                        });
  if (failed)
    return failed;
  return compact(family::arrivals, key_prefix<arrivals_key>(),
                 first.last == 0 ? prefix_end(key_prefix<arrivals_key>()) : encode_key(first));
}

caf::error ledger::skip_sequences(sequence count) {
  if (auto failed = parts_->mend())
    return failed;
  auto position = parts_->memory.position;
  position.last += count;
  rocksdb::WriteBatch batch;
  auto& db = *parts_->db;
  batch.Put(db.handle(family::meta), encode_key(position_key{}), encode(position));
  // Of what another life of this ledger told beyond here nothing is known: whoever asks for it is to be told so.
  const auto forget = [&](std::string_view key, std::string_view, bool&) -> caf::error {
    batch.Delete(db.handle(family::meta), key);
    return {};
  };
  if (auto failed = db.each(family::meta, key_prefix<event_key>(), {}, forget))
    return failed;
  batch.Put(db.handle(family::meta), encode_key(event_horizon_key{}), encode(event_horizon_value{position.last}));
  if (auto failed = db.write(batch, true)) {
    parts_->broken = true;
    return failed;
  }
  const std::lock_guard lock{parts_->mutex};
  parts_->memory.position = position;
  parts_->memory.events = {0, true, position.last};
  return {};
}

caf::error ledger::checkpoint(const std::filesystem::path& folder) const {
  rocksdb::Checkpoint* made = nullptr;
  if (auto failed = to_error(rocksdb::Checkpoint::Create(&parts_->db->raw(), &made)))
    return failed;
  const std::unique_ptr<rocksdb::Checkpoint> with{made};
  // What is in memory is written to tables first, so that next to nothing of the log has to be copied.
  return to_error(with->CreateCheckpoint(folder.string(), 0));
}

} // namespace keyportal::storage
