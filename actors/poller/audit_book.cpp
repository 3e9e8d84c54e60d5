#include "actors/poller/audit_book.hpp"

#include <algorithm>

namespace keyportal {

namespace {

const audit_memory::credential* find(const std::vector<audit_memory::credential>& in, const std::string& auth_index) {
  const auto at = std::find_if(in.begin(), in.end(), [&](const auto& c) { return c.auth_index == auth_index; });
  return at == in.end() ? nullptr : &*at;
}

/// Of several indexes a key may have, the one under which the ledger has records; the first where it has none.
const std::string& index_of(const cpa::account_counter& counter, const audit_memory& held, bool& matched) {
  for (const auto& index : counter.auth_indexes)
    if (find(held.credentials, index)) {
      matched = true;
      return index;
    }
  matched = counter.auth_indexes.size() == 1;
  return counter.auth_indexes.front();
}

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

audit_book::evidence audit_book::compare_process(const audit_look& look) const {
  evidence out;
  out.version_changed = !memory_.version.empty() && !look.version.empty() && memory_.version != look.version;
  std::map<std::string, bounds> now;
  for (const auto& counter : look.counters)
    for (const auto& index : counter.auth_indexes) {
      now[index].ok += counter.ok;
      now[index].failed += counter.failed;
    }
  for (const auto& known : memory_.credentials) {
    if (known.node_ok + known.node_failed == 0)
      continue;
    ++out.known;
    const auto at = now.find(known.auth_index);
    if (at == now.end() || at->second.ok < known.node_ok || at->second.failed < known.node_failed)
      ++out.fell;
    // What waited in its queue when it was first met was counted before, and comes on top: not until that is settled.
    if (at != now.end() && looks_of_boot_ >= 2)
      if (const auto* held = find(look.before.credentials, known.auth_index)) {
        const auto ok = held->held_ok - known.base_ok - at->second.ok;
        const auto failed = held->held_failed - known.base_failed - at->second.failed;
        out.surplus += static_cast<std::uint64_t>(std::max<std::int64_t>(ok, 0) + std::max<std::int64_t>(failed, 0));
      }
  }
  return out;
}

std::map<std::string, audit_book::account_state> audit_book::accounts_of(const audit_look& look) const {
  std::map<std::string, account_state> out;
  for (const auto& counter : look.counters) {
    bool matched = false;
    auto& one = out[index_of(counter, look.after, matched)];
    one.matched = matched;
    one.name = counter.name;
    one.node.ok += counter.ok;
    one.node.failed += counter.failed;
  }
  return out;
}

void audit_book::begin_boot(const audit_look& look, const held_counts* held_at_connect) {
  auto now = accounts_of(look);
  memory_.boot += 1;
  memory_.boot_seen_at = look.at;
  memory_.credentials.clear();
  for (const auto& held : look.after.credentials) // records may come of accounts that are not listed yet
    now[held.auth_index];
  for (const auto& [index, account] : now) {
    auto& c = credential(index);
    const auto* held_now = find(look.after.credentials, index);
    if (held_at_connect) {
      const auto* held = find(*held_at_connect, index);
      c.base_ok = held ? held->held_ok : 0;
      c.base_failed = held ? held->held_failed : 0;
    } else {
      c.base_ok = (held_now ? held_now->held_ok : 0) - account.node.ok;
      c.base_failed = (held_now ? held_now->held_failed : 0) - account.node.failed;
    }
  }
  least_before_.clear();
  most_before_.clear();
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
  auto now = accounts_of(look);

  // Records of accounts that are not listed, or of keys whose index is made in a way that is not known: they explain
  // what seems to be missing of unmatched keys.
  bounds spare;
  for (const auto& held : look.after.credentials)
    if (!now.contains(held.auth_index)) {
      const auto* known = find(memory_.credentials, held.auth_index);
      spare.ok += held.held_ok - (known ? known->base_ok : 0);
      spare.failed += held.held_failed - (known ? known->base_failed : 0);
    }
  for (auto& [index, account] : now) {
    const bool seen_before = find(memory_.credentials, index) != nullptr;
    auto& c = credential(index);
    out.worth_keeping |= !seen_before || c.node_ok != account.node.ok || c.node_failed != account.node.failed;
    const auto* before = find(look.before.credentials, index);
    const auto* after = find(look.after.credentials, index);
    // Fewer than before, in the same process: the account was taken away and added again.
    if (account.node.ok < c.node_ok || account.node.failed < c.node_failed) {
      c.base_ok = (after ? after->held_ok : 0) - account.node.ok;
      c.base_failed = (after ? after->held_failed : 0) - account.node.failed;
      open_.erase(index);
      least_before_.erase(index);
      most_before_.erase(index);
    }
    c.node_ok = account.node.ok;
    c.node_failed = account.node.failed;
    account.most = {c.node_ok + c.base_ok - (before ? before->held_ok : 0),
                    c.node_failed + c.base_failed - (before ? before->held_failed : 0)};
    account.least = {c.node_ok + c.base_ok - (after ? after->held_ok : 0),
                     c.node_failed + c.base_failed - (after ? after->held_failed : 0)};
    if (!account.matched) {
      const auto explain = [](std::int64_t& least, std::int64_t& from) {
        const auto part = std::clamp<std::int64_t>(least, 0, std::max<std::int64_t>(from, 0));
        least -= part;
        from -= part;
      };
      explain(account.least.ok, spare.ok);
      explain(account.least.failed, spare.failed);
    }
  }

  for (auto& [index, account] : now) {
    auto& c = credential(index);
    const auto least = least_before_.find(index);
    const auto most = most_before_.find(index);
    if (least != least_before_.end()) {
      // More records than were counted, even by the older reading: the base was too low.
      const auto surplus_ok = -std::max(account.most.ok, most->second.ok);
      const auto surplus_failed = -std::max(account.most.failed, most->second.failed);
      if (surplus_ok > 0 || surplus_failed > 0) {
        const bounds by{std::max<std::int64_t>(surplus_ok, 0), std::max<std::int64_t>(surplus_failed, 0)};
        c.base_ok += by.ok;
        c.base_failed += by.failed;
        account.least = {account.least.ok + by.ok, account.least.failed + by.failed};
        account.most = {account.most.ok + by.ok, account.most.failed + by.failed};
        out.worth_keeping = true;
      }
      // What both looks miss is missing.
      const auto stays = [](std::int64_t a, std::int64_t b) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(0, std::min(a, b)));
      };
      const auto missing_ok = stays(account.least.ok, least->second.ok);
      const auto missing_failed = stays(account.least.failed, least->second.failed);
      const auto told = open_.find(index);
      const bool is_open = told != open_.end();
      const auto told_ok = is_open ? told->second.missing_ok : 0;
      const auto told_failed = is_open ? told->second.missing_failed : 0;
      // Late records explain, as far as even the older reading allows.
      const auto at_most = [](std::int64_t most_missing, std::uint64_t told_missing) {
        return std::min<std::uint64_t>(told_missing,
                                       static_cast<std::uint64_t>(std::max<std::int64_t>(most_missing, 0)));
      };
      const auto ok = std::max(missing_ok, at_most(account.most.ok, told_ok));
      const auto failed = std::max(missing_failed, at_most(account.most.failed, told_failed));
      if (ok != told_ok || failed != told_failed) {
        incomplete_record record;
        if (is_open) {
          record = told->second;
        } else {
          record.number = ++last_number_;
          record.from = all_there_at_ == moment{} ? memory_.boot_seen_at : all_there_at_;
          record.credential = index;
        }
        if (ok + failed > told_ok + told_failed || !is_open)
          record.to = look.at;
        record.missing_ok = ok;
        record.missing_failed = failed;
        if (ok + failed == 0) {
          record.missing_ok = told_ok; // it says what had been missing
          record.missing_failed = told_failed;
          record.closed_at = look.at;
          open_.erase(index);
        } else {
          open_[index] = record;
        }
        (is_open ? out.amended : out.opened).push_back(std::move(record));
        out.worth_keeping = true;
      }
    }
    least_before_[index] = account.least;
    most_before_[index] = account.most;
  }
  for (const auto& [index, record] : open_)
    out.missing += record.missing_ok + record.missing_failed;
  // One look that misses something may be too early; but what it misses was not all there.
  const bool all_there = std::all_of(now.begin(), now.end(), [](const auto& entry) {
    return entry.second.least.ok <= 0 && entry.second.least.failed <= 0;
  });
  if (open_.empty() && all_there)
    all_there_at_ = look.at;
  ++looks_of_boot_;
  memory_.compared_at = look.at;
  if (!look.version.empty())
    memory_.version = look.version;
  return out;
}

} // namespace keyportal
