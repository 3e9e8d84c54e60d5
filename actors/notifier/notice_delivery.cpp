// Bringing what was decided to its end.
#include <algorithm>

#include "actors/notifier/notice_book.hpp"
#include "actors/notifier/notice_text.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t together = 4;        ///< of one channel in the queue
constexpr std::size_t most_unanswered = 2; ///< where a message is not known again
constexpr std::size_t most_in_doubt = 6;   ///< so many with those that our own end broke off
constexpr auto lost_after = 150s;          ///< longer than the queue knows an order again
constexpr auto feishu_knows_again = 50min; ///< it forgets `uuid` after an hour

/// Whose pace it is: two accounts with one address are one person there.
const std::string& whom(const notice_record& n) { return n.address.empty() ? n.recipient : n.address; }

/// Attempts since it was first sent, or sent once more by hand.
std::size_t tries_of(const notice_record& n) {
  std::size_t out = 0;
  for (const auto& one : n.attempts)
    out = one.outcome == "resent" ? 0 : out + 1;
  return out;
}

struct doubts {
  std::size_t attempts = 0;   ///< whose outcome nobody knows
  std::size_t unanswered = 0; ///< those of them that our own end did not break off
  moment since{};
};
/// Since it was first sent, or sent once more by hand.
doubts doubt_of(const notice_record& n) {
  doubts out;
  for (const auto& one : n.attempts)
    if (one.outcome == "resent") {
      out = {};
    } else if (one.outcome == "unknown") {
      if (out.attempts++ == 0)
        out.since = one.at;
      out.unanswered += one.answer == ended_while_sent ? 0 : 1;
    }
  return out;
}

} // namespace

bool is_in_doubt(const notice_record& n) { return doubt_of(n).attempts > 0; }

// --- delivering -----------------------------------------------------------------------------------------------

std::vector<delivery_queue::order> notice_book::pick(moment now, notice_changes& out) {
  std::vector<delivery_queue::order> orders;
  for (auto& [name, at] : channels_) {
    // An order that does not come out of the queue is lost with it, and put in again.
    std::erase_if(at.outstanding, [&](const auto& one) {
      const auto there = open_.find(one.first);
      return there == open_.end() || (there->second.state == notice_state::waiting && one.second + lost_after <= now);
    });
    for (auto it = at.due.begin(); it != at.due.end() && it->first <= now;) { // too late
      auto& one = open_.at((it++)->second);
      if (one.until > now || one.state != notice_state::waiting || at.outstanding.contains(one.id))
        continue;
      auto over = one;
      over.state = notice_state::given_up;
      leave(one);
      out.put.push_back(std::move(over));
    }
    if (now < at.resting_until)
      continue;
    const std::size_t room = at.failures > 0 ? 1 : together; // after a failure one tries whether it works again
    std::size_t looked = 0;
    auto begin = at.due.begin();
    if (at.failures > 0) { // by one that is in doubt anyway, so that not one after the other comes to be
      for (auto it = begin; it != at.due.end() && it->first <= now && ++looked <= 256; ++it)
        if (!at.outstanding.contains(it->second) && is_in_doubt(open_.at(it->second))) {
          begin = it;
          break;
        }
      looked = 0;
    }
    for (auto it = begin; it != at.due.end() && it->first <= now && at.outstanding.size() < room;) {
      const auto id = it->second;
      const auto first = open_.find(id);
      const auto& one = first->second;
      if (at.outstanding.contains(id) || one.state != notice_state::waiting || at.pace.next(whom(one), now) > now) {
        if (++looked > 256)
          break;
        ++it;
        continue;
      }
      const auto before = open_.size();
      if (at.failures == 0) // while it fails more would come to each digest
        gather(at, first->second, now, out);
      if (open_.size() != before) { // it is told by a digest that is due now
        it = at.due.begin();
        continue;
      }
      at.outstanding.emplace(id, now);
      orders.push_back({id, name, static_cast<std::uint32_t>(unix_ns(now) / 1'000'000)});
      ++it;
    }
  }
  return orders;
}

void notice_book::not_queued(const std::vector<delivery_queue::order>& orders) {
  for (const auto& one : orders)
    if (auto* at = state_of(one.channel))
      at->outstanding.erase(one.id);
}

notice_book::start notice_book::taken(const notice_id& id, moment now, notice_changes& out) {
  const auto found = open_.find(id);
  if (found == open_.end() || found->second.state != notice_state::waiting || found->second.due_at > now)
    return {};
  auto& one = found->second;
  auto* const at = state_of(one.channel);
  if (at == nullptr)
    return {};
  if (now < at->resting_until) {
    at->outstanding.erase(id); // it is picked again when the channel is tried again
    return {};
  }
  const auto place = whom(one);
  if (const auto when = at->pace.next(place, now); when > now)
    return {nullptr, when};
  at->pace.took(place, now);
  at->outstanding[id] = now;
  one.state = notice_state::sending;
  one.attempts.push_back({now, 0, "begun", ""});
  out.put.push_back(one);
  return {&one, std::nullopt};
}

void notice_book::ended(const notice_id& id, const delivery_result& what, moment now, notice_changes& out) {
  using kind = delivery_result::kind;
  const auto found = open_.find(id);
  if (found == open_.end())
    return;
  auto& one = found->second;
  auto* const at = state_of(one.channel);
  if (one.attempts.empty())
    one.attempts.push_back({now, 0, "begun", ""});
  auto& attempt = one.attempts.back();
  attempt.took_ms = (now - attempt.at) / 1ms;
  attempt.answer = cut(what.answer, 300);
  auto is = what.is;
  if (is == kind::unknown) {
    attempt.outcome = "unknown";
    if (at != nullptr)
      ++at->unknown;
    const auto doubt = doubt_of(one);
    // Feishu's and Lark's apps know an id again: there it may be sent until one answer comes. Elsewhere once more, since
    // told twice is better than not at all, and the text says which notice it is. What our own end broke off says nothing
    // about the channel, and most of it never left; there is an end to it all the same, if sending is what ends us.
    const bool knows_again = at != nullptr && (at->set->kind == "feishu" || at->set->kind == "lark");
    if ((knows_again && now - doubt.since < feishu_knows_again)
        || (doubt.unanswered < most_unanswered && doubt.attempts < most_in_doubt))
      is = kind::again;
    else
      one.state = notice_state::unknown;
  }
  switch (is) {
    case kind::delivered:
      one.state = notice_state::delivered;
      one.message = what.message;
      attempt.outcome = "delivered";
      break;
    case kind::refused:
      one.state = notice_state::refused;
      attempt.outcome = "refused";
      break;
    case kind::again:
    case kind::broken:
      if (what.is != kind::unknown)
        attempt.outcome = "again";
      break;
    case kind::unknown: break;
  }
  if (at != nullptr) {
    at->delivered += is == kind::delivered ? 1 : 0;
    at->refused += is == kind::refused ? 1 : 0;
    at->again += is == kind::again || is == kind::broken ? 1 : 0;
    if (is == kind::delivered || is == kind::refused) {
      if (is == kind::delivered || !what.channel_wide) {
        at->failures = 0;
        at->problem.clear();
      }
    } else if (what.channel_wide || is == kind::broken || what.is == kind::unknown) {
      at->problem = what.answer;
      if (now >= at->resting_until || what.wait) { // else it was begun before the channel rested, and says nothing new
        ++at->failures;
        const auto pause = is == kind::broken ? std::chrono::milliseconds{5min} : backoff(at->failures, by_.chance());
        at->resting_until = now + std::max(pause, what.wait.value_or(0ms));
      }
    }
  }
  if (is_over(one.state)) {
    auto over = one;
    leave(one);
    if (!over.sealed.empty())
      over.sealed.clear(); // nobody needs the code any more
    out.put.push_back(std::move(over));
    return;
  }
  auto when = now + std::max<std::chrono::milliseconds>(backoff(tries_of(one), by_.chance()), what.wait.value_or(0ms));
  if (at != nullptr && at->resting_until > now)
    when = what.channel_wide || is == kind::broken ? at->resting_until : std::max(when, at->resting_until);
  if (!one.sealed.empty()) // a code is waited for
    when = std::min(when, now + std::max<std::chrono::milliseconds>(5s, what.wait.value_or(0ms)));
  wait_until(one, when);
  out.put.push_back(one);
}

std::optional<moment> notice_book::wake_at() const {
  std::optional<moment> out;
  for (const auto& [name, at] : channels_) {
    if (at.due.empty())
      continue;
    if (at.outstanding.size() >= (at.failures > 0 ? 1 : together))
      continue; // it goes on when one of them ended
    auto next = at.due.begin();
    while (next != at.due.end() && at.outstanding.contains(next->second))
      ++next;
    if (next == at.due.end())
      continue;
    const auto& one = open_.at(next->second);
    auto when = std::max(next->first, at.resting_until);
    when = std::max(when, at.pace.next(whom(one), when));
    if (!out || when < *out)
      out = when;
  }
  return out;
}

bool notice_book::under_way() const {
  return std::any_of(open_.begin(), open_.end(),
                     [](const auto& one) { return one.second.state == notice_state::sending; });
}

void notice_book::show(notices_state& out) const {
  out.waiting = open_.size();
  for (const auto& one : by_.settings.channels) {
    const auto& at = channels_.at(one.name);
    notices_state::channel c;
    c.name = one.name;
    c.kind = one.kind;
    c.personal = is_for_people(one.kind);
    c.waiting = at.due.size();
    if (at.failures > 0)
      c.resting_until = at.resting_until;
    c.problem = at.problem;
    c.delivered = at.delivered;
    c.refused = at.refused;
    c.again = at.again;
    c.unknown = at.unknown;
    out.channels.push_back(std::move(c));
  }
}

} // namespace keyportal
