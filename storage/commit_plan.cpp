// Records: which of them are new, and all that changes with each.
#include "storage/commit_plan.hpp"

#include <algorithm>
#include <tuple>

#include "messages/errors.hpp"
#include "messages/token_rules.hpp"
#include "storage/packing.hpp"

namespace keyportal::storage {
namespace {

// Fewer rows are faster to write, and their extras compress better together; but all of a row is read at once.
constexpr std::size_t most_in_arrivals_row = 64;
// A row of which a part was shipped is written anew.
constexpr sequence most_in_outbox_row = 1024;

std::uint64_t head_of(const record_id& id) {
  std::uint64_t head = 0;
  std::memcpy(&head, id.bytes.data(), sizeof head);
  return head;
}

} // namespace

commit_plan::short_key::short_key(const record_key& key) : node(key.node), at_ns(key.at_ns), id_head(head_of(key.id)) {}

commit_plan::commit_plan(const database& db, const names& known, const ledger_memory& before,
                         credential_table& credentials, std::shared_ptr<const pricing> prices, moment now)
  : db_(&db), now_(now), registry_before_(before.registry.last), after_(before),
    names_(known, before.position.last_name), prices_(std::move(prices)), cells_(first_minute_at(before.position, now)),
    credentials_(db, family::meta, "credential", credentials) {}

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

caf::error commit_plan::add(const collection& write) {
  auto of = node(write.node);
  if (!of)
    return of.error();
  auto candidates = candidates_of(write, **of);
  if (!candidates)
    return candidates.error();
  const auto count = candidates->size();
  std::vector<std::int64_t> refused;
  if (auto failed = drop_known(*candidates, **of, refused))
    return failed;
  for (const auto at_ns : refused)
    (*of)->value.refused.add(at_ns);
  changed_ = changed_ || !refused.empty();

  auto records = std::make_shared<std::vector<stored_record>>();
  records->reserve(candidates->size());
  const auto first = after_.position.last + 1;
  for (const auto& one : *candidates)
    if (auto failed = insert(one, write.node, **of, *records))
      return failed;
  if (auto failed = put_arrivals_row())
    return failed;
  put_outbox_rows(first, after_.position.last);
  if (auto failed = remember(write, **of))
    return failed;
  if (write.from_poll && write.forget_marks)
    forget_gone((*of)->value, refused.size());
  if (auto failed = clear_inbox(write.inbox_done, **of))
    return failed;
  for (const auto& letter : write.dead)
    if (auto failed = put_letter(letter, **of))
      return failed;
  if (auto failed = drop_letters(write.replayed_letters))
    return failed;

  auto result = empty_result();
  result.refused = refused.size();
  result.duplicates = count - records->size() - refused.size();
  result.at_node.emplace_back(write.node, (*of)->value.at_node());
  if (!records->empty()) {
    changed_ = true;
    result.sums.emplace_back(write.node, (*of)->value.sums);
  }
  result.records = std::move(records);
  results_.push_back(std::move(result));
  return {};
}

caf::expected<std::vector<commit_plan::candidate>> commit_plan::candidates_of(const collection& write,
                                                                              const node_state& of) {
  std::vector<candidate> out;
  if (!write.groups)
    return out;
  std::size_t count = 0;
  for (const auto& group : *write.groups)
    count += group.details.size();
  out.reserve(count);
  for (const auto& group : *write.groups) {
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
      out.push_back({{of.number, detail.at.unix_ns, detail.id}, &group, &detail, client_key->get(), model->get()});
  }
  // In order of time: so the stream tells it, and so the rows lie. Of two forms of one record the one that says more
  // comes first: the other one is its duplicate then.
  std::sort(out.begin(), out.end(), [](const candidate& a, const candidate& b) {
    if (a.key.at_ns != b.key.at_ns)
      return a.key.at_ns < b.key.at_ns;
    const auto order = std::memcmp(a.key.id.bytes.data(), b.key.id.bytes.data(), sizeof(std::uint64_t));
    if (order != 0)
      return order < 0;
    return std::tuple(!a.detail->facts, a.key.id) < std::tuple(!b.detail->facts, b.key.id);
  });
  return out;
}

// --- which are new ----------------------------------------------------------------

// Leaves those that neither the database nor this commit has. Of closed days nobody can tell: those are refused.
caf::error commit_plan::drop_known(std::vector<candidate>& candidates, const node_state& of,
                                   std::vector<std::int64_t>& refused) {
  constexpr std::size_t at_once = 256;
  constexpr std::size_t row_bytes = 1 + 4 + 8 + 16;
  std::string rows;
  std::vector<rocksdb::Slice> keys(at_once);
  std::vector<rocksdb::PinnableSlice> values(at_once);
  std::vector<rocksdb::Status> states(at_once);
  std::size_t left = 0;
  inserted_.reserve(inserted_.size() + candidates.size());
  for (std::size_t first = 0; first < candidates.size(); first += at_once) {
    const auto count = std::min(at_once, candidates.size() - first);
    rows.clear();
    for (std::size_t i = 0; i < count; ++i)
      append_key(rows, candidates[first + i].key);
    for (std::size_t i = 0; i < count; ++i)
      keys[i] = rocksdb::Slice(rows.data() + i * row_bytes, row_bytes);
    // They do but for two forms of one record; sorting them again would cost much.
    const bool ascend = std::is_sorted(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(count),
                                       [](const auto& a, const auto& b) { return a.compare(b) < 0; });
    db_->raw().MultiGet({}, db_->handle(family::records), count, keys.data(), values.data(), states.data(), ascend);
    for (std::size_t i = 0; i < count; ++i) {
      values[i].Reset();
      if (states[i].ok())
        continue;
      if (!states[i].IsNotFound())
        return to_error(states[i]);
      const auto& one = candidates[first + i];
      auto known = is_there_otherwise(one, of);
      if (known && !*known && (copies_expected_ || of.value.copied.holds(one.key.at_ns)))
        known = is_copied_otherwise(one, of);
      if (!known)
        return known.error();
      if (!*known && one.key.at_ns < of.value.first_ns) {
        refused.push_back(one.key.at_ns);
        continue;
      }
      if (!*known && take_place(one)) {
        if (copies_expected_) {
          const auto taken = attempt_of(one);
          if (!taken)
            return taken.error();
          attempts_.emplace(node_moment{one.key.node, one.key.at_ns}, *taken);
        }
        candidates[left++] = one;
      }
    }
  }
  candidates.resize(left);
  return {};
}

// A node may tell one attempt in two forms: by `/usage` or a file, and by its queue. Both ids have the same head then,
// and at least one of the forms is without facts. Looking is worth its price only where both kinds can meet.
caf::expected<bool> commit_plan::is_there_otherwise(const candidate& one, const node_state& of) {
  const bool has_facts = one.detail->facts != nullptr;
  if (!(has_facts ? of.value.plain : of.value.with_facts).holds(one.key.at_ns))
    return false;
  if (!records_)
    records_.reset(db_->raw().NewIterator({}, db_->handle(family::records)));
  key_bytes_.clear();
  append_key(key_bytes_, one.key);
  key_bytes_.resize(key_bytes_.size() - sizeof(record_id) + sizeof(std::uint64_t));
  for (records_->Seek(key_bytes_); records_->Valid() && records_->key().starts_with(key_bytes_); records_->Next()) {
    record_value there;
    if (!decode(records_->value().ToStringView(), there))
      return damaged("record");
    if (!has_facts || !there.facts)
      return true;
  }
  if (auto failed = to_error(records_->status()))
    return failed;
  return false;
}

bool commit_plan::attempt::is_same_as(const attempt& other) const {
  // A credential that one of the two does not name may be that of the other.
  return (copied || other.copied) && client_key == other.client_key && model == other.model && failed == other.failed
         && (auth_index == other.auth_index || auth_index == 0 || other.auth_index == 0);
}

caf::expected<commit_plan::attempt> commit_plan::attempt_of(const candidate& one) {
  const auto auth_index = names_.number(name_kind::auth_index, one.detail->auth_index);
  if (!auth_index)
    return auth_index.error();
  return attempt{one.client_key->number, one.model->number, (*auth_index)->number, one.detail->failed,
                 one.detail->copied};
}

// Other tools keep the moment to the nanosecond, but may count tokens their own way and hide the source, so that a copy
// has another id than the record. Looking takes a seek, so it is done for copies and where copies are only.
caf::expected<bool> commit_plan::is_copied_otherwise(const candidate& one, const node_state& of) {
  const auto own = attempt_of(one);
  if (!own)
    return own.error();
  const auto [begin, end] = attempts_.equal_range(node_moment{one.key.node, one.key.at_ns});
  for (auto there = begin; there != end; ++there)
    if (own->is_same_as(there->second))
      return true;
  if (!own->copied && !of.value.copied.holds(one.key.at_ns))
    return false;
  if (!records_)
    records_.reset(db_->raw().NewIterator({}, db_->handle(family::records)));
  key_bytes_ = key_prefix<record_key>(one.key.node, one.key.at_ns);
  for (records_->Seek(key_bytes_); records_->Valid() && records_->key().starts_with(key_bytes_); records_->Next()) {
    record_value there;
    if (!decode(records_->value().ToStringView(), there))
      return damaged("record");
    if (own->is_same_as({there.client_key, there.model, there.auth_index, there.failed, there.copied}))
      return true;
  }
  if (auto failed = to_error(records_->status()))
    return failed;
  return false;
}

// False when this very commit has it already, in one form or the other.
bool commit_plan::take_place(const candidate& one) {
  const short_key key{one.key};
  const bool has_facts = one.detail->facts != nullptr;
  const auto [begin, end] = inserted_.equal_range(key);
  for (auto there = begin; there != end; ++there)
    if (there->second.id == one.key.id || !has_facts || !there->second.has_facts)
      return false;
  inserted_.emplace(key, form{one.key.id, has_facts});
  return true;
}

// --- what changes with each -----------------------------------------------------------

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
  record_value value{seq,
                     one.client_key->number,
                     one.model->number,
                     (*source)->number,
                     (*auth_index)->number,
                     d.at.offset_minutes,
                     d.failed,
                     d.latency_ms,
                     d.tokens,
                     {},
                     {},
                     d.copied};
  priced_attempt priced{one.model->text, {}, {}, {}, d.at.unix_ns, {}, d.failed};
  std::shared_ptr<const attempt_facts> facts;
  if (d.facts) {
    const auto provider = names_.number(name_kind::provider, d.facts->provider);
    if (!provider)
      return provider.error();
    const auto alias = names_.number(name_kind::alias, d.facts->alias);
    if (!alias)
      return alias.error();
    const auto endpoint = names_.number(name_kind::endpoint, d.facts->endpoint);
    if (!endpoint)
      return endpoint.error();
    const auto error = names_.number(name_kind::error, d.facts->error);
    if (!error)
      return error.error();
    const auto tier = names_.number(name_kind::service_tier, d.facts->service_tier);
    if (!tier)
      return tier.error();
    value.facts = facts_value{(*provider)->number,  (*alias)->number, (*endpoint)->number, d.facts->ttft_ms,
                              d.facts->status_code, d.parts,          (*error)->number,    (*tier)->number};
    facts = d.facts;
    if (!facts->extra.empty() || !facts->error.empty()) { // are not for listeners
      auto told = *facts;
      told.extra.clear();
      told.error.clear();
      facts = std::make_shared<const attempt_facts>(std::move(told));
    }
    priced.alias = d.facts->alias;
    priced.provider = d.facts->provider;
    priced.service_tier = d.facts->service_tier;
  }
  const auto parts = d.facts ? d.parts : parts_by_model(one.model->text, d.tokens);
  priced.parts = parts;
  if (prices_ != nullptr)
    value.cost_nano = prices_->cost_of(priced);
  key_bytes_.clear();
  append_key(key_bytes_, one.key);
  value_bytes_.clear();
  append(value_bytes_, value);
  batch_.Put(db_->handle(family::records), key_bytes_, value_bytes_);

  arrivals_row_.node = one.key.node;
  arrivals_row_.records.push_back({seq, ms_of_ns(one.key.at_ns)});
  const std::string_view extra = d.facts ? std::string_view{d.facts->extra} : std::string_view{};
  put_text(extras_, extra);
  any_extra_ |= !extra.empty();
  if (arrivals_row_.records.size() == most_in_arrivals_row)
    if (auto failed = put_arrivals_row())
      return failed;

  cells_.add(change_by(one.key, value, parts));
  cells_.add_to_sieve(one.key.node, one.key.at_ns, kind_of(value));
  if (auto failed = storage::add(credentials_, one.key, value))
    return failed;
  of.value.sums.add(d.tokens, parts, d.latency_ms, d.failed);
  (d.facts ? of.value.with_facts : of.value.plain).add(d.at.unix_ns);
  if (d.copied)
    of.value.copied.add(d.at.unix_ns);
  ++after_.position.records;
  ++after_.position.outbox;
  out.push_back({seq, d.id, name, one.client_key->key, one.model->text, (*auth_index)->text, d.at, d.latency_ms,
                 d.tokens, d.failed, parts, std::move(facts), value.cost_nano});
  return {};
}

caf::error commit_plan::put_arrivals_row() {
  if (arrivals_row_.records.empty())
    return {};
  const arrivals_key key{arrivals_row_.records.back().seq};
  if (any_extra_) {
    auto packed = pack(names_.seal(), extras_, encode_key(key));
    if (!packed)
      return packed.error();
    arrivals_row_.extras = std::move(*packed);
  }
  put(family::arrivals, key, arrivals_row_);
  arrivals_row_.records.clear();
  arrivals_row_.extras.clear();
  extras_.clear();
  any_extra_ = false;
  return {};
}

void commit_plan::put_outbox_rows(sequence first, sequence last) {
  while (first <= last) {
    const auto end = std::min(last, first + most_in_outbox_row - 1);
    outbox_value row;
    row.waiting.push_back({first, end});
    put(family::outbox, outbox_key{end}, row);
    first = end + 1;
  }
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

// The node is another process and has what its lists say: of the records that are gone here at most those that were
// refused just now. The others nobody can put back.
void commit_plan::forget_gone(node_value& value, std::uint64_t refused) {
  const auto gone = value.gone.plain + value.gone.with_facts - value.gone.copied;
  value.lost_at_node = gone - std::min(gone, refused);
}

// --- the end of it ---------------------------------------------------------------------

caf::error commit_plan::close() {
  if (!changed_)
    return {};
  if (auto failed = names_.write_to(batch_, *db_))
    return failed;
  if (auto failed = close_registry())
    return failed;
  forget_minutes();
  open_hours open;
  for (const auto& [name, state] : after_.nodes)
    open.emplace(state.number, state.value.open_hour);
  if (auto failed = cells_.write_to(batch_, *db_, open))
    return failed;
  for (auto& [name, state] : after_.nodes)
    state.value.open_hour = open.at(state.number);
  credentials_.write_to(batch_);
  for (const auto& [name, state] : after_.nodes)
    put(family::meta, node_key{state.number}, state.value);
  after_.position.last_name = names_.last();
  put(family::meta, position_key{}, after_.position);
  return {};
}

void commit_plan::forget_minutes() {
  const auto first = first_minute_at(after_.position, now_);
  if (first == after_.position.first_minute)
    return;
  after_.position.first_minute = first;
  for (const auto& [name, state] : after_.nodes)
    drop_minutes_before(first, state.number, batch_, *db_);
}

ledger_memory commit_plan::keep() {
  names_.keep();
  credentials_.keep();
  return std::move(after_);
}

} // namespace keyportal::storage
