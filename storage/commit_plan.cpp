#include "storage/commit_plan.hpp"

#include <algorithm>

#include <fmt/core.h>

#include "messages/errors.hpp"

namespace keyportal::storage {

// Fewer rows are faster to write; a row of which a part was shipped is written anew.
constexpr std::size_t most_in_outbox_row = 64;

commit_plan::commit_plan(const database& db, const names& known, const ledger_memory& before,
                         rollup_table& rollup_cache, moment now)
  : db_(&db), now_(now), after_(before), names_(known, before.position.last_name), rollups_(db, rollup_cache) {}

template <class Key, class Value>
void commit_plan::put(family where, const Key& key, const Value& value) {
  batch_.Put(db_->handle(where), encode_key(key), encode(value));
  changed_ = true;
}

caf::expected<node_state*> commit_plan::node(const node_name& name) {
  if (const auto found = after_.nodes.find(name); found != after_.nodes.end())
    return &found->second;
  const auto entry = names_.number(name_kind::node, name);
  if (!entry)
    return entry.error();
  if ((*entry)->number == 0)
    return make_error(errc::bad_request, "a node without a name");
  return &after_.nodes.emplace(name, node_state{(*entry)->number, {}}).first->second;
}

// --- records --------------------------------------------------------------------

caf::error commit_plan::add(const collection& write) {
  auto of = node(write.node);
  if (!of)
    return of.error();
  std::vector<candidate> candidates;
  std::size_t count = 0;
  if (write.groups)
    for (const auto& group : *write.groups)
      count += group.details.size();
  candidates.reserve(count);
  for (std::size_t i = 0; write.groups && i < write.groups->size(); ++i) {
    const auto& group = (*write.groups)[i];
    if (group.details.empty())
      continue;
    const auto client_key = names_.number(name_kind::client_key, group.client_key.reveal());
    if (!client_key)
      return client_key.error();
    const auto model = names_.number(name_kind::model, group.model);
    if (!model)
      return model.error();
    held_.push_back(*client_key);
    held_.push_back(*model);
    for (const auto& detail : group.details)
      candidates.push_back(
        {{(*of)->number, detail.at.unix_ns, detail.id}, &group, &detail, client_key->get(), model->get()});
  }
  // In order of time: so the stream tells it, and so the rows lie.
  std::sort(candidates.begin(), candidates.end(), [](const candidate& a, const candidate& b) {
    return a.key.at_ns != b.key.at_ns ? a.key.at_ns < b.key.at_ns : a.key.id < b.key.id;
  });
  if (auto failed = drop_known(candidates))
    return failed;

  auto records = std::make_shared<std::vector<stored_record>>();
  records->reserve(candidates.size());
  for (const auto& one : candidates)
    if (auto failed = insert(one, write.node, **of, *records))
      return failed;
  put_outbox_row();
  if (auto failed = remember(write, **of))
    return failed;

  committed result;
  result.last = after_.position.last;
  result.duplicates = count - records->size();
  result.events = std::make_shared<const std::vector<node_event>>();
  if (!records->empty()) {
    changed_ = true;
    result.sums.emplace_back(write.node, (*of)->value.sums);
  }
  result.records = std::move(records);
  results_.push_back(std::move(result));
  return {};
}

// Leaves those that neither the database nor this commit has.
caf::error commit_plan::drop_known(std::vector<candidate>& candidates) {
  constexpr std::size_t at_once = 256;
  constexpr std::size_t row_bytes = 1 + 4 + 8 + 16;
  std::string rows;
  std::vector<rocksdb::Slice> keys(at_once);
  std::vector<rocksdb::PinnableSlice> values(at_once);
  std::vector<rocksdb::Status> states(at_once);
  std::size_t left = 0;
  for (std::size_t first = 0; first < candidates.size(); first += at_once) {
    const auto count = std::min(at_once, candidates.size() - first);
    rows.clear();
    for (std::size_t i = 0; i < count; ++i)
      append_key(rows, candidates[first + i].key);
    for (std::size_t i = 0; i < count; ++i)
      keys[i] = rocksdb::Slice(rows.data() + i * row_bytes, row_bytes);
    db_->raw().MultiGet({}, db_->handle(family::records), count, keys.data(), values.data(), states.data(), true);
    for (std::size_t i = 0; i < count; ++i) {
      values[i].Reset();
      if (states[i].ok())
        continue;
      if (!states[i].IsNotFound())
        return to_error(states[i]);
      if (inserted_.insert(candidates[first + i].key).second)
        candidates[left++] = candidates[first + i];
    }
  }
  candidates.resize(left);
  return {};
}

caf::error commit_plan::insert(const candidate& one, const node_name& name, node_state& of,
                               std::vector<stored_record>& out) {
  const auto source = names_.number(name_kind::source, one.detail->source);
  if (!source)
    return source.error();
  const auto auth_index = names_.number(name_kind::auth_index, one.detail->auth_index);
  if (!auth_index)
    return auth_index.error();
  const auto seq = ++after_.position.last;
  const auto& d = *one.detail;
  const record_value value{
    seq,      one.client_key->number, one.model->number, (*source)->number, (*auth_index)->number, d.at.offset_minutes,
    d.failed, d.latency_ms,           d.tokens};
  key_bytes_.clear();
  append_key(key_bytes_, one.key);
  value_bytes_.clear();
  append(value_bytes_, value);
  batch_.Put(db_->handle(family::records), key_bytes_, value_bytes_);
  outbox_row_.node = one.key.node;
  outbox_row_.records.push_back({seq, one.key.at_ns, one.key.id});
  if (outbox_row_.records.size() == most_in_outbox_row)
    put_outbox_row();
  if (auto failed = rollups_.add(one.key, value))
    return failed;
  of.value.sums.add(d.tokens, d.latency_ms, d.failed);
  ++after_.position.records;
  ++after_.position.outbox;
  out.push_back({seq, d.id, name, one.client_key->key, one.model->text, (*auth_index)->text, d.at, d.latency_ms,
                 d.tokens, d.failed});
  return {};
}

void commit_plan::put_outbox_row() {
  if (outbox_row_.records.empty())
    return;
  put(family::outbox, outbox_key{outbox_row_.records.back().seq}, outbox_row_);
  outbox_row_.records.clear();
}

// --- what to remember of the node --------------------------------------------------

caf::error commit_plan::remember(const collection& write, node_state& of) {
  if (!write.from_poll)
    return {};
  changed_ = true;
  of.value.known = true;
  of.value.last_seen_ns = unix_ns(write.seen_at);
  of.value.counters = write.counters;
  if (write.forget_marks) {
    // A range, since marks of earlier writes of this very commit are in the batch only.
    const auto marks = key_prefix<mark_key>(of.number);
    batch_.DeleteRange(db_->handle(family::meta), marks, prefix_end(marks));
  }
  for (const auto& mark : write.marks) {
    const auto client_key = names_.number(name_kind::client_key, mark.client_key.reveal());
    if (!client_key)
      return client_key.error();
    const auto model = names_.number(name_kind::model, mark.model);
    if (!model)
      return model.error();
    put(family::meta, mark_key{of.number, (*client_key)->number, (*model)->number},
        mark_value{mark.count, mark.raw_bytes, mark.raw_hash, mark.ids_hash, mark.total_requests});
  }
  return {};
}

// --- journal -------------------------------------------------------------------------

caf::error commit_plan::add(const journal_entry& write) {
  auto events = std::make_shared<std::vector<node_event>>(write.events);
  for (auto& event : *events) {
    if (event.kind == event_kind::usage)
      return make_error(errc::bad_request, "records come in collections");
    auto of = node(event.node);
    if (!of)
      return of.error();
    if (event.at == moment{})
      event.at = now_;
    event.seq = ++after_.position.last;
    ++after_.position.outbox;
    put(family::outbox, outbox_key{event.seq},
        outbox_value{event.kind, (*of)->number, {}, unix_ns(event.at), event.data});
  }
  committed result;
  if (write.restart) {
    const auto number = journal(*write.restart);
    if (!number)
      return number.error();
    result.restart_number = *number;
  }
  if (write.gap)
    if (auto failed = journal(*write.gap))
      return failed;
  result.last = after_.position.last;
  result.records = std::make_shared<const std::vector<stored_record>>();
  result.events = std::move(events);
  results_.push_back(std::move(result));
  return {};
}

caf::expected<std::uint64_t> commit_plan::journal(const restart_record& restart) {
  auto of = node(restart.node);
  if (!of)
    return of.error();
  if (restart.number > (*of)->value.restarts)
    return make_error(errc::bad_request, fmt::format("{}: there is no restart {}", restart.node, restart.number));
  const auto number = restart.number == 0 ? ++(*of)->value.restarts : restart.number;
  put(family::meta, restart_key{(*of)->number, number}, restart);
  return number;
}

caf::error commit_plan::journal(const gap_record& gap) {
  auto of = node(gap.node);
  if (!of)
    return of.error();
  if (gap.number > (*of)->value.gaps)
    return make_error(errc::bad_request, fmt::format("{}: there is no gap {}", gap.node, gap.number));
  const auto number = gap.number == 0 ? ++(*of)->value.gaps : gap.number;
  put(family::meta, gap_key{(*of)->number, number}, gap);
  return {};
}

// --- the end of it ---------------------------------------------------------------------

caf::error commit_plan::close() {
  if (!changed_)
    return {};
  if (auto failed = names_.write_to(batch_, *db_))
    return failed;
  rollups_.write_to(batch_);
  for (const auto& [name, state] : after_.nodes)
    put(family::meta, node_key{state.number}, state.value);
  after_.position.last_name = names_.last();
  put(family::meta, position_key{}, after_.position);
  return {};
}

ledger_memory commit_plan::keep() {
  names_.keep();
  rollups_.keep();
  return std::move(after_);
}

} // namespace keyportal::storage
