#include "actors/poller/audit_book.hpp"

#include <algorithm>

namespace keyportal {

namespace {

/// The name under which all are compared whose records cannot be told apart.
const std::string together = "others";

const audit_memory::credential* find(const std::vector<audit_memory::credential>& in, const std::string& auth_index) {
  const auto at = std::find_if(in.begin(), in.end(), [&](const auto& c) { return c.auth_index == auth_index; });
  return at == in.end() ? nullptr : &*at;
}

/// Of several indexes a key may have, the one under which the ledger has records.
const std::string& index_of(const cpa::account_counter& counter, const audit_memory& held) {
  if (counter.auth_indexes.size() == 1)
    return counter.auth_indexes.front();
  for (const auto& index : counter.auth_indexes)
    if (find(held.credentials, index))
      return index;
  return together;
}

/// Whether the index is not CPA's word but one of several possible ones.
bool is_worked_out(const audit_look& look, const std::string& index) {
  return std::any_of(look.counters.begin(), look.counters.end(), [&](const auto& c) {
    return c.auth_indexes.size() > 1
           && std::find(c.auth_indexes.begin(), c.auth_indexes.end(), index) != c.auth_indexes.end();
  });
}

template <class Counts>
Counts counted(const audit_look& look) {
  Counts out;
  for (const auto& counter : look.counters) {
    auto& one = out[index_of(counter, look.after)];
    one.ok += counter.ok;
    one.failed += counter.failed;
  }
  return out;
}

/// What the ledger holds of those that are listed, and of all others as one where some are compared as one.
template <class Counts>
Counts held_of(const std::vector<audit_memory::credential>& credentials, const Counts& listed) {
  Counts out;
  for (const auto& c : credentials) {
    const bool is_listed = listed.contains(c.auth_index);
    if (!is_listed && !listed.contains(together))
      continue;
    auto& one = out[is_listed ? c.auth_index : together];
    one.ok += c.held_ok;
    one.failed += c.held_failed;
  }
  return out;
}

std::uint64_t positive(std::int64_t n) { return static_cast<std::uint64_t>(std::max<std::int64_t>(n, 0)); }

} // namespace

void audit_book::recall(audit_memory memory, const std::vector<incomplete_record>& newest) {
  memory_ = std::move(memory);
  all_there_at_ = memory_.compared_at;
  looks_of_boot_ = memory_.compared_at > memory_.boot_seen_at ? 2 : 0;
  last_number_ = newest.empty() ? 0 : newest.front().number;
  for (const auto& one : newest)
    if (!one.closed_at && one.from >= memory_.boot_seen_at)
      open_.emplace(one.credential, one); // the newest one of a credential
}

audit_memory::credential& audit_book::credential(const std::string& auth_index) {
  const auto at = std::find_if(memory_.credentials.begin(), memory_.credentials.end(),
                               [&](const auto& c) { return c.auth_index == auth_index; });
  if (at != memory_.credentials.end())
    return *at;
  memory_.credentials.push_back({});
  memory_.credentials.back().auth_index = auth_index;
  return memory_.credentials.back();
}

void audit_book::rebase(const std::string& auth_index, const bounds& held, const bounds& counted) {
  auto& c = credential(auth_index);
  c.base_ok = held.ok - counted.ok;
  c.base_failed = held.failed - counted.failed;
  open_.erase(auth_index);
  least_before_.erase(auth_index);
  most_before_.erase(auth_index);
}

audit_book::evidence audit_book::compare_process(const audit_look& look) const {
  evidence out;
  out.version_changed = !memory_.version.empty() && !look.version.empty() && memory_.version != look.version;
  auto now = look;
  now.after = look.before; // the later reading is not made yet
  const auto counts_now = counted<counts>(now);
  const auto held = held_of(look.before.credentials, counts_now);
  for (const auto& known : memory_.credentials) {
    if (known.node_ok + known.node_failed == 0 || known.auth_index == together)
      continue;
    ++out.known;
    const auto at = counts_now.find(known.auth_index);
    if (at == counts_now.end() || at->second.ok < known.node_ok || at->second.failed < known.node_failed)
      ++out.fell;
    // What waited in its queue when it was first met was counted before, and comes on top: not until that is settled.
    const auto has = held.find(known.auth_index);
    if (at != counts_now.end() && has != held.end() && looks_of_boot_ >= 2)
      out.surplus += positive(has->second.ok - known.base_ok - at->second.ok)
                     + positive(has->second.failed - known.base_failed - at->second.failed);
  }
  return out;
}

void audit_book::begin_boot(const audit_look& look, const held_counts* held_at_connect) {
  const auto now = counted<counts>(look);
  auto held = held_of(held_at_connect ? *held_at_connect : look.after.credentials, now);
  memory_.boot += 1;
  memory_.boot_seen_at = look.at;
  memory_.credentials.clear();
  least_before_.clear();
  most_before_.clear();
  for (const auto& [index, n] : now)
    rebase(index, held[index], held_at_connect ? bounds{} : n);
  looks_of_boot_ = held_at_connect ? 2 : 0;
  open_.clear(); // what the former process lost stays told: it will not come any more
  all_there_at_ = look.at;
}

audit_book::finding audit_book::compare(const audit_look& look) {
  finding out;
  if (memory_.boot == 0) {
    begin_boot(look, nullptr);
    out.worth_keeping = true;
  }
  const auto now = counted<counts>(look);
  auto before = held_of(look.before.credentials, now);
  auto after = held_of(look.after.credentials, now);
  bool all_there = true;
  for (const auto& [index, n] : now) {
    const auto* known = find(memory_.credentials, index);
    // Fewer than before, in the same process: the account was taken away and added again. And a key whose index has
    // just become known was compared together with others until now.
    if (known ? n.ok < known->node_ok || n.failed < known->node_failed : is_worked_out(look, index))
      rebase(index, after[index], n);
    auto& c = credential(index);
    out.worth_keeping |= !known || c.node_ok != n.ok || c.node_failed != n.failed;
    c.node_ok = n.ok;
    c.node_failed = n.failed;
    bounds most{n.ok + c.base_ok - before[index].ok, n.failed + c.base_failed - before[index].failed};
    bounds least{n.ok + c.base_ok - after[index].ok, n.failed + c.base_failed - after[index].failed};
    if (least_before_.contains(index)) {
      // More records than were counted, by two looks, even by the older reading: the base was too low.
      const auto raise = [&](std::int64_t& base, std::int64_t& most_now, std::int64_t& least_now,
                             std::int64_t most_then) {
        const auto by = -std::max(most_now, most_then);
        if (by <= 0)
          return;
        base += by;
        most_now += by;
        least_now += by;
        out.worth_keeping = true;
      };
      raise(c.base_ok, most.ok, least.ok, most_before_[index].ok);
      raise(c.base_failed, most.failed, least.failed, most_before_[index].failed);
      tell(index, least, least_before_[index], most, look.at, out);
    }
    all_there &= least.ok <= 0 && least.failed <= 0;
    least_before_[index] = least;
    most_before_[index] = most;
  }
  for (const auto& [index, record] : open_)
    out.missing += record.missing_ok + record.missing_failed;
  // One look that misses something may be too early; but what it misses was not all there.
  if (open_.empty() && all_there)
    all_there_at_ = look.at;
  ++looks_of_boot_;
  memory_.compared_at = look.at;
  if (!look.version.empty())
    memory_.version = look.version;
  return out;
}

void audit_book::tell(const std::string& index, const bounds& least, const bounds& least_before, const bounds& most,
                      moment at, finding& into) {
  const auto found = open_.find(index);
  const bool is_open = found != open_.end();
  incomplete_record record;
  if (is_open)
    record = found->second;
  // What two looks miss is missing; what was told stays so until even the older reading allows no more.
  const auto missing = [](std::int64_t now, std::int64_t then, std::int64_t most_now, std::uint64_t told) {
    return std::max(positive(std::min(now, then)), std::min(told, positive(most_now)));
  };
  const auto ok = missing(least.ok, least_before.ok, most.ok, record.missing_ok);
  const auto failed = missing(least.failed, least_before.failed, most.failed, record.missing_failed);
  if (ok == record.missing_ok && failed == record.missing_failed)
    return;
  if (!is_open) {
    record.number = ++last_number_;
    record.from = all_there_at_ == moment{} ? memory_.boot_seen_at : all_there_at_;
    record.credential = index;
  }
  if (ok + failed == 0) { // it goes on to say what had been missing
    record.closed_at = at;
    open_.erase(index);
  } else {
    if (ok + failed > record.missing_ok + record.missing_failed)
      record.to = at;
    record.missing_ok = ok;
    record.missing_failed = failed;
    open_[index] = record;
  }
  into.worth_keeping = true;
  (is_open ? into.amended : into.opened).push_back(std::move(record));
}

} // namespace keyportal
