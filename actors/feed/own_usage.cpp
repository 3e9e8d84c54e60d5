#include "actors/feed/own_usage.hpp"

#include <algorithm>
#include <set>

#include <nlohmann/json.hpp>

#include "messages/json.hpp"

namespace keyportal {

namespace {

/// More that wait for one answer are forgotten, and the answer with them: it is asked anew.
constexpr std::size_t most_waiting = 10'000;

totals totals_of(const usage_sums& sums) {
  totals out;
  out.requests = sums.requests;
  out.ok = sums.requests - sums.failed;
  out.failed = sums.failed;
  out.tokens = sums.tokens;
  out.parts = sums.parts;
  out.latency_ms_sum = sums.latency_ms;
  return out;
}

usage_question question_about(const std::string& subject, bool is_key, moment day) {
  usage_question out;
  out.from = day;
  out.to = day + std::chrono::hours{26}; // days are up to 25 hours long; there is nothing behind now
  out.by = {usage_by::key};
  out.where[is_key ? usage_by::key : usage_by::user] = {subject};
  out.top = 1000;
  return out;
}

} // namespace

void own_usage::listen(const live_person& person) {
  auto& it = people_[person.subject()];
  it = {};
  it.is_key = person.user.empty();
  if (it.is_key)
    own(person.key, person.key);
}

void own_usage::leave(const std::string& subject) {
  const auto found = people_.find(subject);
  if (found == people_.end())
    return;
  for (const auto& key : found->second.keys)
    if (const auto of = subjects_of_.find(key); of != subjects_of_.end()) {
      std::erase(of->second, subject);
      if (of->second.empty())
        subjects_of_.erase(of);
    }
  people_.erase(found);
}

void own_usage::own(const key_id& key, const std::string& subject) {
  auto& of = subjects_of_[key];
  if (std::find(of.begin(), of.end(), subject) != of.end())
    return;
  of.push_back(subject);
  people_[subject].keys.push_back(key);
}

void own_usage::learn(const std::string& subject, const std::vector<key_id>& keys) {
  if (!people_.contains(subject))
    return;
  for (const auto& key : keys)
    own(key, subject);
}

void own_usage::learn(const std::vector<node_event>& events) {
  if (people_.empty())
    return;
  for (const auto& e : events) {
    if (!is_of_key(e.kind))
      continue;
    const auto data = nlohmann::json::parse(e.data, nullptr, false);
    if (!data.is_object())
      continue;
    const auto owner = data.find("owner");
    if (owner != data.end() && owner->is_string())
      learn(owner->get<std::string>(), {e.about});
  }
}

live_frame_ptr own_usage::frame(const key_id& key, const totals& today, sequence position, moment now) {
  return make_frame({{"type", "own_usage"},
                     {"key", key},
                     {"today", to_json(today)},
                     {"position", position},
                     {"at", to_rfc3339_ms(now)}},
                    0, "own_usage " + key);
}

own_usage::news own_usage::on(const committed& m, moment day, moment now) {
  news out;
  if (subjects_of_.empty())
    return out;
  std::set<std::pair<std::string, key_id>> changed;
  for (const auto& r : *m.records) {
    const auto found = subjects_of_.find(r.key);
    if (found == subjects_of_.end() || r.at.unix_ns < unix_ns(day))
      continue;
    for (const auto& subject : found->second) {
      auto& it = people_[subject];
      if (it.day != day) // what was used before this record is asked for: the day may have begun without a listener
        it = {it.is_key, day, false, false, {}, {}, std::move(it.keys)};
      use came{r.seq, r.key, {}};
      came.amount.add(r.tokens, r.parts, r.latency_ms, r.failed);
      if (it.known) {
        it.today[r.key].add(came.amount);
        changed.emplace(subject, r.key);
        continue;
      }
      it.waiting.push_back(std::move(came));
      if (!std::exchange(it.asked, true))
        out.questions.emplace_back(subject, question_about(subject, it.is_key, day));
    }
  }
  for (const auto& [subject, key] : changed)
    out.frames.emplace_back(subject, frame(key, people_[subject].today[key], m.last, now));
  return out;
}

own_usage::news own_usage::answer(const std::string& subject, moment from, const usage_report* report, moment now) {
  news out;
  const auto found = people_.find(subject);
  if (found == people_.end())
    return out;
  auto& it = found->second;
  if (!it.asked || it.day != from) // of a day that is over
    return out;
  auto waiting = std::exchange(it.waiting, {});
  it.asked = false;
  if (report == nullptr || waiting.size() > most_waiting)
    return out;
  it.known = true;
  for (const auto& row : report->rows)
    if (row.of.size() == 1)
      it.today[row.of.front()] = totals_of(row.all.sums);
  std::set<key_id> changed;
  auto last = report->position;
  for (const auto& came : waiting) {
    changed.insert(came.key);
    if (came.seq <= report->position)
      continue;
    it.today[came.key].add(came.amount);
    last = std::max(last, came.seq);
  }
  for (const auto& key : changed)
    out.frames.emplace_back(subject, frame(key, it.today[key], last, now));
  return out;
}

} // namespace keyportal
