#include "actors/key_keeper/key_plan.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/cpa/config_text.hpp"
#include "messages/records.hpp"

namespace keyportal {

namespace {

using namespace std::chrono_literals;
using time = key_plan::time;

constexpr std::size_t few_writes = 2;  ///< more are cheaper as one list: fetched, written and read back
constexpr std::size_t few_missing = 5; ///< more than a person removes by hand between two looks
constexpr std::size_t sampled = 3;     ///< of each kind, of a list that was written
constexpr std::size_t tried_at_once = 1'000;

// CPA up to 7.2.18 enforces a write after 150 ms, later ones after 3 ms.
constexpr std::chrono::milliseconds gaps[] = {2ms, 3ms, 5ms, 10ms, 20ms, 20ms, 20ms, 20ms, 20ms, 20ms, 20ms, 50ms};
constexpr auto patience = 1'000ms;        ///< until a write counts as lost
constexpr auto patience_of_trial = 300ms; ///< until what is in the list counts as not in force
/// After a write that changes nothing that can be tried: another one would be lost if it came during CPA's reload.
constexpr auto reload_time = 500ms;
constexpr auto own_effects = 2s;   ///< what is missing so soon after a write of ours was lost by it
constexpr auto after_restore = 5s; ///< or by a restored file
constexpr auto second_look = 1'000ms;
constexpr auto list_good_for = 20ms; ///< what somebody else writes between our reading and our writing is lost
constexpr auto tidy_after = 5s;
constexpr auto open_check_every = 10s; ///< next to nothing for CPA, and an open node is an open purse
constexpr auto config_good_for = 10min;
constexpr auto config_renewed_after = 5min; ///< at a quiet moment, so that no write has to wait for it
constexpr auto config_of_new_list = 2s;     ///< what is kept then has the sentinel, and can be brought back
constexpr auto overdue = 10s;
constexpr auto forbidden_pause = 60s;
constexpr auto wrong_key_pause = 31min; // five within half an hour are a ban, and others try too
constexpr auto never = std::chrono::hours{24 * 365};

std::chrono::milliseconds call_backoff(std::uint32_t failures) {
  return std::min<std::chrono::milliseconds>(250ms * (1U << std::min(failures - 1, 10U)), 8s);
}
/// A first failure is a lost write, which happens: again at once.
std::chrono::milliseconds write_backoff(std::uint32_t failures) {
  return failures <= 1 ? 0ms : std::min<std::chrono::milliseconds>(1'000ms * (1U << std::min(failures - 2, 10U)), 30s);
}

} // namespace

// --- what should be ---------------------------------------------------------------

void key_plan::enter(entry& e, state s) {
  const auto listed = [](state x) { return x != state::done && x != state::presumed; };
  if (listed(e.is))
    by_state_[static_cast<std::size_t>(e.is)].erase(e.number);
  e.is = s;
  if (listed(s))
    by_state_[static_cast<std::size_t>(s)].emplace(e.number, &e);
}

std::vector<key_plan::entry*> key_plan::copy_of(state s) const {
  std::vector<entry*> out;
  for (const auto& [number, e] : all(s))
    out.push_back(e);
  return out;
}

void key_plan::forget(const key_id& id) {
  const auto at = entries_.find(id);
  enter(at->second, state::done);
  by_text_.erase(at->second.text.reveal());
  wanted_ -= at->second.should_work;
  untold_keys_.erase(id);
  untold_taken_.erase(id);
  entries_.erase(at);
}

void key_plan::ordered(const key_orders& orders, time now) {
  if (!orders.whole && !ordered_)
    return;
  if (orders.whole) {
    ordered_ = true;
    std::unordered_set<std::string_view> named;
    for (const auto& one : orders.keys)
      named.insert(one.id);
    std::vector<key_id> gone;
    for (const auto& [id, e] : entries_)
      if (!named.contains(id))
        gone.push_back(id);
    for (const auto& id : gone)
      forget(id);
    if (orders.sentinel != sentinel_) {
      sentinel_ = orders.sentinel;
      have_list_ = sentinel_there_ = false;
    }
    untold_strangers_ = foreign_; // whoever asks for all may have forgotten them
    look_at_ = open_check_at_ = now;
  }
  for (const auto& one : orders.keys)
    order(one, orders.whole, now);
}

void key_plan::order(const key_orders::one& o, bool whole, time now) {
  auto at = entries_.find(o.id);
  if (at != entries_.end() && at->second.text != o.text) {
    forget(o.id);
    at = entries_.end();
  }
  const bool known = at != entries_.end();
  if (!known) {
    at = entries_.emplace(o.id, entry{}).first;
    at->second.id = o.id;
    at->second.text = o.text;
    at->second.at_node = foreign_.erase(o.text.reveal()) > 0;
    by_text_[at->second.text.reveal()] = &at->second;
    untold_strangers_.erase(o.text.reveal());
    at->second.is = state::done; // in no index yet
  }
  entry& e = at->second;
  const bool same = known && e.should_work == o.should_work;
  // Where the opposite was ordered before, the registry has seen less than we have done.
  const bool in_force = o.should_work && o.was_seen && (!known || same);
  ours_ |= in_force;
  untold_keys_.erase(e.id);
  untold_taken_.erase(e.id);
  e.told = in_force ? std::optional{true} : std::nullopt;
  wanted_ += static_cast<std::uint64_t>(o.should_work) - static_cast<std::uint64_t>(known && e.should_work);
  e.should_work = o.should_work;
  if (same && e.is == state::done) {
    if (!e.told)
      untold_keys_.insert(e.id);
    return;
  }
  if (same && e.is == state::taken && in_force && whole) {
    untold_taken_.insert(e.id); // the registry has not heard of it
    return;
  }
  if (same && e.is != state::taken && (e.is != state::suspect || whole))
    return;
  if (changing() == 0)
    unsettled_at_ = now;
  enter(e, state::done);
  e.number = ++numbers_;
  e.failures = 0;
  e.not_before = {};
  e.ordered_at = in_force ? std::nullopt : std::optional{now};
  if (o.should_work && !cpa::is_usable_key(o.text.reveal()))
    return enter(e, state::unwritable);
  if (in_force && !known) {
    if (have_list_ && !e.at_node)
      look_at_ = now;
    return enter(e, state::presumed);
  }
  if (!have_list_)
    return enter(e, state::fresh);
  const bool right = e.at_node == e.should_work && e.plain && !write_under_way() && !round_;
  enter(e, right ? state::to_try : state::to_write);
}

void key_plan::node_may_be_new(time now) {
  look_at_ = open_check_at_ = now;
  failures_ = rounds_failed_ = 0;
  write_at_ = try_at_ = now;
  manage_at_ = now;
  if (wrong_key_)
    manage_at_ = std::max(now, wrong_key_at_ + wrong_key_pause);
}

void key_plan::config_restored(time now) {
  put_back_until_ = now + after_restore;
  written_at_ = now;
  list_fresh_ = false;
  look_at_ = open_check_at_ = now + second_look; // when it is loaded
}

// --- what to do --------------------------------------------------------------------

std::size_t key_plan::due(time now) const {
  std::size_t n = 0;
  for (const auto& [number, e] : all(state::to_write))
    if (e->not_before <= now && ++n > few_writes)
      break;
  return n;
}

key_plan::entry* key_plan::first_due(time now) const {
  for (const auto& [number, e] : all(state::to_write))
    if (e->not_before <= now)
      return e;
  return nullptr;
}

bool key_plan::full_write_wanted(time now) const {
  if (sentinel_.empty())
    return false;
  const auto n = due(now);
  if ((ours_ || n > 0) && (!sentinel_there_ || lost_ || anybody_))
    return true;
  if (n > few_writes || tidy_now_)
    return true;
  for (const auto& [number, e] : all(state::to_write))
    if (e->not_before <= now && !e->should_work && !e->plain)
      return true;
  return false;
}

/// Every key that is not ours in its order, ours as they should be, the sentinel always, examples never.
std::vector<secret> key_plan::merged(const std::vector<secret>& list) const {
  std::vector<secret> out;
  std::unordered_set<std::string_view> there;
  const auto stays = [](const entry& e) {
    return e.should_work && e.is != state::unwritable && e.is != state::taken && e.is != state::suspect;
  };
  for (const auto& key : list) {
    const auto text = trimmed(key.reveal());
    if (text.empty() || cpa::is_template_key(text))
      continue;
    if (text == sentinel_.reveal()) {
      if (there.insert(text).second)
        out.push_back(sentinel_);
    } else if (const auto at = by_text_.find(text); at == by_text_.end()) {
      there.insert(text);
      out.push_back(key);
    } else if (stays(*at->second) && there.insert(text).second) {
      out.push_back(at->second->text);
    }
  }
  if (there.insert(sentinel_.reveal()).second)
    out.insert(out.begin(), sentinel_);
  if (lost_)
    for (const auto& text : foreign_)
      if (there.insert(text).second)
        out.emplace_back(text);
  std::map<std::uint64_t, const entry*> missing;
  for (const auto& [id, e] : entries_)
    if (stays(e) && !there.contains(e.text.reveal()))
      missing.emplace(e.number, &e);
  for (const auto& [number, e] : missing)
    out.push_back(e->text);
  return out;
}

key_plan::call key_plan::begin(call c) {
  under_way_ = std::move(c);
  under_way_number_ = numbers_;
  return under_way_;
}

key_plan::call key_plan::next(time now) {
  using kind = call::kind;
  if (call_under_way() || !ordered_)
    return {};
  trial_of_suspect_ = false;
  if (round_ && !round_->passed) {
    if (now < round_->probe_at)
      return {};
    return begin({.is = kind::trial, .key = round_->sample[round_->at].key});
  }
  if (now < manage_at_)
    return {};
  if (open_check_at_ <= now)
    return begin({.is = kind::trial});
  if (look_at_ <= now || (round_ && round_->passed))
    return begin({.is = kind::list});
  if (!have_list_)
    return {};
  for (const auto& [number, e] : all(state::suspect))
    if (list_fresh_ && list_at_ - e->suspect_since >= second_look) {
      trial_of_suspect_ = true;
      under_way_id_ = e->id;
      return begin({.is = kind::trial, .key = e->text});
    }
  const bool full = full_write_wanted(now);
  if ((full || due(now) > 0) && write_at_ <= now && !sentinel_.empty()) {
    if (!alarm() && (!config_at_ || now - *config_at_ > config_good_for))
      return begin({.is = kind::config});
    if (full) {
      if (!list_fresh_ || now - list_at_ > list_good_for)
        return begin({.is = kind::list});
      return begin({.is = kind::put, .keys = merged(list_)});
    }
    const auto* e = first_due(now);
    under_way_id_ = e->id;
    under_way_adds_ = e->should_work;
    return begin({.is = kind::swap, .from = e->text, .to = e->should_work ? e->text : sentinel_});
  }
  if (!all(state::to_try).empty() && try_at_ <= now) {
    auto found = copy_of(state::to_try);
    found.resize(std::min(found.size(), tried_at_once));
    std::vector<std::pair<key_id, bool>> keys;
    for (auto* e : found) {
      enter(*e, state::in_round);
      keys.emplace_back(e->id, e->should_work);
    }
    begin_round(false, false, std::move(keys), sample_of(found, found.size()), now);
    return next(now);
  }
  if (ours_ && config_renew_at_ <= now)
    return begin({.is = kind::config});
  return {};
}

std::optional<time> key_plan::wake_at(time now) const {
  if (!ordered_ || call_under_way())
    return std::nullopt;
  if (round_ && !round_->passed)
    return std::max(now, round_->probe_at);
  auto t = std::min(look_at_, open_check_at_);
  if (round_)
    t = now;
  if (have_list_) {
    if (full_write_wanted(now) || (due(now) > 0 && !sentinel_.empty()))
      t = std::min(t, write_at_);
    else if (!sentinel_.empty())
      for (const auto& [number, e] : all(state::to_write))
        t = std::min(t, std::max(write_at_, e->not_before));
    if (!all(state::to_try).empty())
      t = std::min(t, try_at_);
    if (ours_)
      t = std::min(t, config_renew_at_);
  }
  t = std::max(t, manage_at_);
  if (changing() > 0 && !drift(now))
    t = std::min(t, unsettled_at_ + overdue + 1ms);
  return std::max(t, now);
}

// --- what came of it -----------------------------------------------------------------

void key_plan::set_right(entry& e, time now) {
  if (e.ordered_at)
    changes_.push_back({e.should_work, std::chrono::duration_cast<std::chrono::milliseconds>(now - *e.ordered_at)});
  e.ordered_at.reset();
  e.failures = 0;
  e.not_before = {};
  e.doubtful = e.rewrite = false;
  if (e.told != e.should_work)
    untold_keys_.insert(e.id);
  unsettled_at_ = now;
  enter(e, state::done);
  if (in_step())
    strayed_ = in_trouble_ = false;
}

void key_plan::judge(entry& e, bool lost, bool ours_lately, time now) {
  const bool right = e.at_node == e.should_work;
  const bool can_be_tried = cpa::is_usable_key(e.text.reveal());
  const auto put_back = [&] {
    if (!ours_lately)
      strayed_ = true;
    unsettled_at_ = now;
    enter(e, state::to_write);
  };
  switch (e.is) {
    case state::done:
    case state::presumed:
      if (right)
        return e.is == state::presumed ? enter(e, state::done) : void();
      if (!e.should_work || lost || ours_lately)
        return put_back();
      e.suspect_since = now;
      return enter(e, state::suspect);
    case state::suspect:
      if (right)
        return enter(e, state::done);
      if (lost || ours_lately)
        return put_back();
      if (!can_be_tried && now - e.suspect_since >= second_look) {
        untold_taken_.insert(e.id);
        enter(e, state::taken);
      }
      return;
    case state::fresh:
    case state::to_try:
      if (right && !can_be_tried)
        return set_right(e, now);
      return enter(e, right ? state::to_try : state::to_write);
    case state::to_write:
      if (right && !can_be_tried)
        return set_right(e, now);
      if (right && !e.rewrite)
        enter(e, state::to_try);
      return;
    case state::in_round:
      if (round_ && round_->passed) {
        if (right && (!e.doubtful || !can_be_tried))
          return set_right(e, now);
        enter(e, right ? state::to_try : state::to_write);
      }
      return;
    case state::taken:
      if (right) {
        untold_taken_.erase(e.id);
        e.told.reset();
        enter(e, state::to_try);
      }
      return;
    case state::unwritable:
    case state::count_: return;
  }
}

void key_plan::listed(const std::vector<secret>& keys, time now) {
  wrong_key_ = false;
  under_way_ = {};
  failures_ = 0;
  struct place {
    std::uint32_t times = 0;
    bool plain = true;
  };
  list_ = keys;
  list_at_ = now;
  have_list_ = list_fresh_ = true;
  look_at_ = now + reconcile_interval_;
  std::unordered_map<std::string_view, place> seen;
  template_there_ = false;
  for (const auto& key : list_) {
    const auto text = trimmed(key.reveal());
    template_there_ |= cpa::is_template_key(text);
    if (text.empty())
      continue;
    auto& p = seen[text];
    ++p.times;
    p.plain &= text.size() == key.reveal().size();
  }
  const auto sentinel = seen.find(sentinel_.reveal());
  sentinel_there_ = sentinel != seen.end();
  ours_ |= sentinel_there_;
  untidy_ = sentinel_there_ && (sentinel->second.times > 1 || !sentinel->second.plain);
  std::size_t missing = 0;
  for (auto& [id, e] : entries_) {
    const auto at = seen.find(e.text.reveal());
    e.at_node = at != seen.end();
    e.plain = !e.at_node || (at->second.times == 1 && at->second.plain);
    untidy_ |= e.should_work && !e.plain;
    missing += e.should_work && !e.at_node && (e.is == state::done || e.is == state::presumed);
  }
  const bool lost = ours_ && (!sentinel_there_ || missing > few_missing);
  anybody_ |= ours_ && seen.empty(); // CPA without keys asks for none
  if (lost && !lost_) {
    lost_ = strayed_ = true;
    unsettled_at_ = now;
  } else if (!lost) {
    lost_ = false;
  }

  std::set<std::string> foreign;
  for (const auto& [text, p] : seen)
    if (text != sentinel_.reveal() && !by_text_.contains(text) && !cpa::is_template_key(text))
      foreign.emplace(text);
  for (const auto& text : foreign)
    if (!foreign_.contains(text))
      untold_strangers_.insert(text);
  std::erase_if(untold_strangers_, [&](const auto& text) { return !foreign.contains(text); });
  if (lost)
    foreign_.merge(foreign); // those of before are put back too
  else
    foreign_ = std::move(foreign);

  const bool ours_lately = now < put_back_until_;
  for (auto& [id, e] : entries_)
    judge(e, lost, ours_lately, now);
  if (round_ && round_->passed)
    round_.reset();
  if (!all(state::suspect).empty() && now - all(state::suspect).begin()->second->suspect_since < second_look)
    look_at_ = now + second_look;
  tidy_now_ = untidy_ && ours_ && changing() == 0 && now - written_at_ >= tidy_after;
  if (in_step())
    strayed_ = in_trouble_ = false;
}

std::vector<key_plan::probe> key_plan::sample_of(std::vector<entry*> from, std::size_t most) const {
  std::erase_if(from, [](const entry* e) { return !cpa::is_usable_key(e->text.reveal()); });
  const auto clean = static_cast<std::size_t>(
    std::stable_partition(from.begin(), from.end(), [](const entry* e) { return !e->doubtful; }) - from.begin());
  const auto among = clean > 0 && most < from.size() ? clean : from.size();
  const auto n = std::min(most, among);
  std::vector<probe> out;
  for (std::size_t i = 0; i < n; ++i) { // from the first to the last
    const auto* e = from[n == 1 ? 0 : i * (among - 1) / (n - 1)];
    out.push_back({e->text, e->should_work ? key_trial::let_in : key_trial::refused, e->id});
  }
  return out;
}

void key_plan::begin_round(bool of_write, bool read_back, std::vector<std::pair<key_id, bool>> keys,
                           std::vector<probe> sample, time now) {
  if (sample.empty()) { // nothing of it can be tried
    sample.push_back({std::nullopt, key_trial::refused, {}});
    read_back = true;
  }
  round_.emplace();
  round_->began = now;
  round_->of_write = of_write;
  round_->read_back = read_back;
  round_->sample = std::move(sample);
  round_->keys = std::move(keys);
  round_->probe_at = of_write ? now + gaps[0] : now;
}

void key_plan::written(time now) {
  const bool whole = under_way_.is == call::kind::put;
  under_way_ = {};
  failures_ = 0;
  ours_ = true;
  list_fresh_ = false;
  written_at_ = now;
  put_back_until_ = std::max(put_back_until_, now + own_effects);
  std::vector<std::pair<key_id, bool>> keys;
  if (!whole) {
    const auto at = entries_.find(under_way_id_);
    if (at == entries_.end()) {
      write_at_ = now + reload_time;
      return;
    }
    auto& e = at->second;
    e.at_node = under_way_adds_;
    e.plain = true;
    untidy_ |= !under_way_adds_;
    e.rewrite = false;
    if (e.is == state::to_write && e.number <= under_way_number_) {
      enter(e, state::in_round);
      keys.emplace_back(e.id, e.should_work);
    }
    std::vector<probe> sample;
    if (cpa::is_usable_key(e.text.reveal()))
      sample.push_back({e.text, under_way_adds_ ? key_trial::let_in : key_trial::refused, e.id});
    return begin_round(true, e.doubtful, std::move(keys), std::move(sample), now);
  }
  config_renew_at_ = std::min(config_renew_at_, now + config_of_new_list);
  sentinel_there_ = true;
  lost_ = untidy_ = tidy_now_ = template_there_ = false;
  std::vector<entry*> added, removed;
  for (auto* e : copy_of(state::to_write)) {
    if (e->number > under_way_number_)
      continue; // ordered meanwhile
    (e->should_work ? added : removed).push_back(e);
    e->rewrite = false;
    enter(*e, state::in_round);
    keys.emplace_back(e->id, e->should_work);
  }
  for (auto& [id, e] : entries_)
    if (e.number <= under_way_number_) {
      e.at_node = e.should_work && e.is != state::unwritable && e.is != state::taken && e.is != state::suspect;
      e.plain = true;
    }
  auto sample = sample_of(added, sampled);
  for (auto& one : sample_of(removed, sampled))
    sample.push_back(std::move(one));
  if (sample.empty())
    write_at_ = now + reload_time;
  sample.push_back({sentinel_, key_trial::let_in, {}});
  sample.push_back({std::nullopt, key_trial::refused, {}});
  begin_round(true, true, std::move(keys), std::move(sample), now);
}

void key_plan::tried(key_trial outcome, time now) {
  const bool without_key = !under_way_.key;
  under_way_ = {};
  if (without_key && outcome != key_trial::unclear)
    anybody_ = outcome == key_trial::let_in;
  if (std::exchange(trial_of_suspect_, false)) {
    const auto at = entries_.find(under_way_id_);
    if (at == entries_.end() || at->second.is != state::suspect)
      return;
    if (outcome == key_trial::refused) {
      untold_taken_.insert(at->second.id);
      enter(at->second, state::taken);
    } else {
      at->second.suspect_since = now; // not saved, it seems; the next look says more
    }
    return;
  }
  if (!round_ || round_->passed) {
    open_check_at_ = now + std::min<std::chrono::milliseconds>(reconcile_interval_, open_check_every);
    return;
  }
  auto& r = *round_;
  if (outcome == r.sample[r.at].expected) {
    r.probe_at = now;
    if (!r.of_write) { // each speaks for itself only
      r.began = now;
      r.gap = 0;
      if (const auto at = entries_.find(r.sample[r.at].id); at != entries_.end() && at->second.is == state::in_round)
        set_right(at->second, now);
    }
    if (++r.at == r.sample.size())
      pass_round(now);
  } else if (now - r.began >= (r.of_write ? patience : patience_of_trial)) {
    give_up_round(outcome == key_trial::unclear, now);
  } else {
    r.gap = std::min(r.gap + 1, std::size(gaps) - 1);
    r.probe_at = now + gaps[r.gap];
  }
}

void key_plan::pass_round(time now) {
  rounds_failed_ = 0;
  round_->passed = true;
  if (round_->read_back) {
    look_at_ = now;
    return;
  }
  const auto keys = std::move(round_->keys);
  round_.reset();
  for (const auto& [id, works] : keys)
    if (const auto at = entries_.find(id);
        at != entries_.end() && at->second.is == state::in_round && at->second.should_work == works)
      set_right(at->second, now);
}

void key_plan::give_up_round(bool unclear, time now) {
  const auto r = std::move(*round_);
  round_.reset();
  for (const auto& [id, works] : r.keys)
    if (const auto at = entries_.find(id); at != entries_.end() && at->second.is == state::in_round) {
      auto& e = at->second;
      e.doubtful = true;
      e.rewrite = !unclear && !r.of_write;
      enter(e, unclear ? state::to_try : state::to_write);
    }
  look_at_ = now;
  if (unclear) { // writing again would not make it clearer
    try_at_ = now + write_backoff(++rounds_failed_ + 1);
    return;
  }
  const auto at = entries_.find(r.sample[r.at].id);
  if (at == entries_.end() || at->second.failures == 0) // else it is this key's own trouble
    write_at_ = std::max(write_at_, now + write_backoff(++rounds_failed_));
  if (at != entries_.end() && at->second.is == state::to_write) {
    auto& e = at->second;
    e.rewrite = true;
    e.not_before = now + write_backoff(++e.failures);
    in_trouble_ |= e.failures >= 3;
  }
}

void key_plan::config_kept(time now) {
  under_way_ = {};
  failures_ = 0;
  config_at_ = now;
  config_renew_at_ = now + config_renewed_after;
}

void key_plan::failed(errc why, time now, std::chrono::seconds ban) {
  const auto what = std::exchange(under_way_, {});
  trial_of_suspect_ = false;
  ++failures_;
  switch (why) {
    case errc::node_wrong_key:
      wrong_key_ = true;
      wrong_key_at_ = now;
      manage_at_ = now + never; // until the node is another process: more tries would be a ban
      break;
    case errc::node_banned: manage_at_ = now + ban + 5s; break;
    case errc::node_forbidden:
    case errc::node_without_usage: manage_at_ = now + forbidden_pause; break;
    default: manage_at_ = now + call_backoff(failures_);
  }
  if (what.is == call::kind::swap || what.is == call::kind::put) {
    put_back_until_ = std::max(put_back_until_, now + own_effects); // it may have worked all the same
    list_fresh_ = false;
    look_at_ = now;
    write_at_ = std::max(write_at_, now + call_backoff(++rounds_failed_));
    for (auto* e : copy_of(state::to_write))
      e->doubtful = true;
    if (why == errc::node_failed)
      config_at_.reset(); // perhaps it cannot save because there is nothing left in the file
  }
  if (round_ && !round_->passed && what.is == call::kind::trial)
    give_up_round(true, now);
}

// --- what is known ---------------------------------------------------------------------

std::uint64_t key_plan::changing() const {
  return count(state::to_write) + count(state::to_try) + count(state::in_round) + count(state::fresh)
         + count(state::unwritable);
}

bool key_plan::in_step() const {
  return ordered_ && have_list_ && changing() == 0 && count(state::taken) == 0 && count(state::suspect) == 0 && !lost_
         && !alarm() && (sentinel_there_ || !ours_);
}

bool key_plan::drift(time now) const {
  return strayed_ || in_trouble_ || lost_ || alarm() || count(state::taken) > 0
         || (changing() > 0 && now - unsettled_at_ > overdue);
}

std::string key_plan::problem() const {
  if (alarm())
    return "the node lets in anybody, without a key";
  if (anybody_)
    return "the node lets in anybody: it was never given a key; the first one that should work there closes it";
  if (template_there_)
    return "the node has an example key of CLIProxyAPI, which newer versions answer by refusing everybody; remove it "
           "from api-keys";
  if (lost_)
    return "the node has lost its list of keys";
  if (count(state::taken) > 0)
    return fmt::format("{} of the node's keys were removed there by somebody else", count(state::taken));
  if (count(state::unwritable) > 0)
    return fmt::format("{} keys cannot be keys: blanks, control characters, or an example of CLIProxyAPI's",
                       count(state::unwritable));
  if (in_trouble_)
    return "changes of the node's keys stay without effect; can it write its config.yaml?";
  return {};
}

std::optional<key_sighting> key_plan::untold() const {
  key_sighting out;
  for (const auto& id : untold_keys_)
    if (const auto at = entries_.find(id); at != entries_.end() && at->second.is == state::done)
      out.keys.push_back({id, at->second.should_work});
  for (const auto& text : untold_strangers_)
    out.strangers.emplace_back(text);
  out.taken_away.assign(untold_taken_.begin(), untold_taken_.end());
  if (out.keys.empty() && out.strangers.empty() && out.taken_away.empty())
    return std::nullopt;
  return out;
}

void key_plan::told(const key_sighting& what) {
  for (const auto& one : what.keys)
    if (const auto at = entries_.find(one.key); at != entries_.end()) {
      at->second.told = one.works;
      if (at->second.should_work == one.works)
        untold_keys_.erase(one.key);
    }
  for (const auto& text : what.strangers)
    untold_strangers_.erase(text.reveal());
  for (const auto& id : what.taken_away)
    untold_taken_.erase(id);
}

} // namespace keyportal
