// All that is no record: events, what happened to a node, what was received, what could not be decoded, consumers.
#include <utility>

#include <fmt/core.h>

#include "messages/errors.hpp"
#include "storage/commit_plan.hpp"
#include "storage/packing.hpp"
#include "storage/payloads.hpp"

namespace keyportal::storage {
namespace {

constexpr std::size_t longest_reason_bytes = 1024;
constexpr std::size_t longest_consumer_bytes = 256;

} // namespace

committed commit_plan::empty_result() const {
  static const auto no_records = std::make_shared<const std::vector<stored_record>>();
  static const auto no_events = std::make_shared<const std::vector<node_event>>();
  committed out;
  out.last = after_.position.last;
  out.records = no_records;
  out.events = no_events;
  return out;
}

// --- journal -------------------------------------------------------------------------

caf::expected<std::shared_ptr<const std::vector<node_event>>>
commit_plan::put_events(const std::vector<node_event>& given) {
  auto events = std::make_shared<std::vector<node_event>>(given);
  for (auto& event : *events) {
    if (event.kind == event_kind::usage)
      return make_error(errc::bad_request, "records come in collections");
    name_number number = 0;
    if (!event.node.empty() || event.about.empty()) {
      const auto of = node(event.node);
      if (!of)
        return of.error();
      number = (*of)->number;
    }
    if (event.at == moment{})
      event.at = now_;
    const auto before = after_.position.last;
    event.seq = ++after_.position.last;
    ++after_.position.outbox;
    const outbox_value row{event.kind, {}, number, unix_ns(event.at), event.data, event.about};
    put(family::outbox, outbox_key{event.seq}, row);
    if (event.kind == event_kind::totals)
      continue; // of no use later
    if (!std::exchange(after_.events.any_yet, true)) {
      after_.events.horizon = before; // an older program may have forgotten what came before
      put(family::meta, event_horizon_key{}, event_horizon_value{before});
    }
    put(family::meta, event_key{event.seq}, row);
    ++after_.events.rows;
  }
  if (auto failed = let_events_go())
    return failed;
  return events;
}

/// So that no more than `ledger::events_kept` stay; now and then, many at once.
caf::error commit_plan::let_events_go() {
  auto& kept = after_.events;
  if (kept.rows <= ledger::events_kept + ledger::events_kept / 16)
    return {};
  const auto many = kept.rows - ledger::events_kept;
  std::uint64_t gone = 0;
  // Those of this commit are not in the database yet: they are the newest, and stay unless it alone has too many.
  auto failed = db_->each(family::meta, key_prefix<event_key>(), encode_key(event_key{kept.horizon + 1}),
                          [&](std::string_view key, std::string_view, bool& stop) -> caf::error {
                            event_key of;
                            if (!decode_key(key, of))
                              return damaged("event");
                            batch_.Delete(db_->handle(family::meta), key);
                            kept.horizon = of.seq;
                            stop = ++gone == many;
                            return {};
                          });
  if (failed)
    return failed;
  kept.rows -= gone;
  put(family::meta, event_horizon_key{}, event_horizon_value{kept.horizon});
  return {};
}

caf::error commit_plan::add(const journal_entry& write) {
  auto events = put_events(write.events);
  if (!events)
    return events.error();
  auto result = empty_result();
  if (write.restart) {
    const auto number = journal(*write.restart);
    if (!number)
      return number.error();
    result.restart_number = *number;
  }
  if (write.gap)
    if (auto failed = journal(*write.gap))
      return failed;
  for (const auto& incomplete : write.incompletes) {
    const auto number = journal(incomplete);
    if (!number)
      return number.error();
    result.incomplete_numbers.push_back(*number);
  }
  if (write.audit)
    if (auto failed = journal(*write.audit))
      return failed;
  if (auto failed = drop_letters(write.dropped_letters))
    return failed;
  if (write.retired)
    if (auto failed = retire(*write.retired))
      return failed;
  result.events = std::move(*events);
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

caf::expected<std::uint64_t> commit_plan::journal(const incomplete_record& incomplete) {
  auto of = node(incomplete.node);
  if (!of)
    return of.error();
  if (incomplete.number > (*of)->value.incompletes)
    return make_error(errc::bad_request,
                      fmt::format("{}: there is no incomplete {}", incomplete.node, incomplete.number));
  const auto number = incomplete.number == 0 ? ++(*of)->value.incompletes : incomplete.number;
  put(family::meta, incomplete_key{(*of)->number, number}, incomplete);
  return number;
}

caf::error commit_plan::journal(const audit_memory& audit) {
  auto of = node(audit.node);
  if (!of)
    return of.error();
  audit_value value{audit.boot, unix_ns(audit.boot_seen_at), unix_ns(audit.compared_at), audit.version, {}};
  value.credentials.reserve(audit.credentials.size());
  for (const auto& one : audit.credentials) {
    const auto auth_index = names_.number(name_kind::auth_index, one.auth_index);
    if (!auth_index)
      return auth_index.error();
    value.credentials.push_back({(*auth_index)->number, one.node_ok, one.node_failed, one.base_ok, one.base_failed});
  }
  put(family::meta, audit_key{(*of)->number}, value);
  return {};
}

// --- inbox ------------------------------------------------------------------------------

caf::error commit_plan::add(const received& write) {
  auto of = node(write.node);
  if (!of)
    return of.error();
  if (!write.payloads || !is_whole(*write.payloads))
    return make_error(errc::bad_request, "received nothing, or payloads whose ends lie elsewhere");
  const inbox_key key{(*of)->number, ++after_.position.last_inbox};
  ++after_.position.inbox;
  auto packed = pack(names_.seal(), encode(*write.payloads), encode_key(key), packing::quick);
  if (!packed)
    return packed.error();
  put(family::inbox, key, inbox_value{unix_ns(write.at), write.channel, std::move(*packed)});
  auto result = empty_result();
  result.inbox_number = key.number;
  results_.push_back(std::move(result));
  return {};
}

// Numbers that are not there any more are no error: what they brought has been counted.
caf::error commit_plan::clear_inbox(const std::vector<std::uint64_t>& numbers, const node_state& of) {
  for (const auto number : numbers) {
    if (!inbox_)
      inbox_.reset(db_->raw().NewIterator({}, db_->handle(family::inbox)));
    const auto key = encode_key(inbox_key{of.number, number});
    inbox_->Seek(key); // unlike Get, copies no payload
    if (!inbox_->Valid()) {
      if (auto failed = to_error(inbox_->status()))
        return failed;
      continue;
    }
    if (inbox_->key() != rocksdb::Slice{key} || !cleared_.insert(number).second)
      continue;
    // Written once, so both vanish where they meet: already when the write buffer is flushed.
    batch_.SingleDelete(db_->handle(family::inbox), key);
    --after_.position.inbox;
    changed_ = true;
  }
  return {};
}

// --- dead letters -------------------------------------------------------------------------

caf::error commit_plan::put_letter(const dead_letter& letter, const node_state& of) {
  auto number_of_node = of.number;
  if (!letter.node.empty()) {
    const auto other = node(letter.node);
    if (!other)
      return other.error();
    number_of_node = (*other)->number;
  }
  const dead_letter_key key{++after_.position.last_letter};
  ++after_.position.dead_letters;
  const auto& payload = letter.payload.reveal();
  auto packed = pack(names_.seal(), payload, encode_key(key));
  if (!packed)
    return packed.error();
  put(family::meta, key,
      dead_letter_value{number_of_node, unix_ns(letter.at), letter.channel,
                        letter.reason.substr(0, longest_reason_bytes), payload.size(), std::move(*packed)});
  return {};
}

caf::error commit_plan::drop_letters(const std::vector<std::uint64_t>& numbers) {
  for (const auto number : numbers) {
    const auto key = encode_key(dead_letter_key{number});
    const auto row = db_->get(family::meta, key);
    if (!row)
      return row.error();
    if (!*row || !dropped_letters_.insert(number).second)
      continue;
    batch_.Delete(db_->handle(family::meta), key);
    --after_.position.dead_letters;
    changed_ = true;
  }
  return {};
}

// --- consumers ----------------------------------------------------------------------------

caf::error commit_plan::add(const consumer_progress& write) {
  if (write.name.empty() || write.name.size() > longest_consumer_bytes)
    return make_error(errc::bad_request, fmt::format("a consumer with a name of {} bytes", write.name.size()));
  if (write.seq > after_.position.last)
    return make_error(errc::bad_request,
                      fmt::format("a consumer at {}, the ledger is at {}", write.seq, after_.position.last));
  const auto name = names_.number(name_kind::consumer, write.name);
  if (!name)
    return name.error();
  put(family::meta, consumer_key{(*name)->number}, consumer_value{write.seq});
  results_.push_back(empty_result());
  return {};
}

// --- what several processes share ------------------------------------------------------------

caf::error commit_plan::add(const shared_progress& write) {
  put(family::meta, shared_key{}, write);
  results_.push_back(empty_result());
  return {};
}

// Whoever writes to the shared log has the installation's key; all the same only rows of these kinds are taken.
caf::error commit_plan::add(const shared_rows& write) {
  for (const auto& row : write.rows) {
    const auto kind = row.key.empty() ? tag::schema : static_cast<tag>(row.key.front());
    const bool notices = kind == tag::notice || kind == tag::notice_mark || kind == tag::notice_preferences;
    if (!notices && kind != tag::account)
      return make_error(errc::bad_request, "a row of another kind");
    auto* in = db_->handle(notices ? family::meta : family::registry);
    if (row.value)
      batch_.Put(in, row.key, *row.value);
    else
      batch_.Delete(in, row.key);
    changed_ = true;
  }
  results_.push_back(empty_result());
  return {};
}

} // namespace keyportal::storage
