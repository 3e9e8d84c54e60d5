#include "actors/publisher/delivery_window.hpp"

#include <algorithm>
#include <iterator>

namespace keyportal {

void delivery_window::link(bool connected, time now) {
  if (connected == connected_)
    return;
  connected_ = connected;
  doubt(now);
  if (connected)
    not_before_ = now; // a new link is reason enough to try at once
}

void delivery_window::doubt(time now) {
  if (sure_) {
    pause_ = std::clamp(pause_ * 2, limits_.first_pause, limits_.longest_pause);
    not_before_ = now + pause_;
  }
  sure_ = false;
  waiting_.clear(); // read again from the outbox, in order with what failed
  discard_ = reading_;
  tail_.clear();
}

void delivery_window::page(std::vector<sink::message> items) {
  if (!reading_)
    return;
  reading_ = false;
  auto more_came = std::exchange(more_while_reading_, false);
  if (std::exchange(discard_, false) || (items.empty() && more_came))
    return;
  if (items.empty()) {
    at_end_ = true;
    tail_.clear();
    note_shipped();
    return;
  }
  cursor_ = std::max(cursor_, items.back().seq);
  for (auto& item : items) {
    if (tail_.contains(item.id))
      stored_.push_back(item.seq);
    else
      waiting_.push_back(std::move(item));
  }
  note_shipped();
}

void delivery_window::added(std::vector<sink::message> items) {
  if (items.empty())
    return;
  cursor_ = items.back().seq;
  std::move(items.begin(), items.end(), std::back_inserter(waiting_));
}

void delivery_window::page_failed(time now) {
  reading_ = discard_ = false;
  doubt(now);
}

void delivery_window::tail(std::unordered_set<std::string> ids) {
  if (sure_ || !connected_ || !in_flight_.empty())
    return;
  sure_ = true;
  tail_ = std::move(ids);
  cursor_ = 0;
  at_end_ = false;
}

void delivery_window::tail_failed(time now) {
  pause_ = std::clamp(pause_ * 2, limits_.first_pause, limits_.longest_pause);
  not_before_ = now + pause_;
}

void delivery_window::stored(const std::vector<sequence>& seqs) {
  for (auto seq : seqs) {
    if (in_flight_.erase(seq) == 0)
      continue;
    stored_.push_back(seq);
    pause_ = std::chrono::milliseconds{0};
  }
  note_shipped();
}

void delivery_window::failed(const std::vector<sequence>& seqs, time now) {
  bool any = false;
  for (auto seq : seqs)
    any |= in_flight_.erase(seq) > 0;
  if (any)
    doubt(now);
}

bool delivery_window::wants_tail(time now) const {
  return connected_ && !sure_ && in_flight_.empty() && now >= not_before_;
}

std::optional<sequence> delivery_window::wants_page() {
  if (!sure_ || reading_ || at_end_ || waiting_.size() >= limits_.page)
    return std::nullopt;
  reading_ = true;
  return cursor_;
}

std::vector<sink::message> delivery_window::take(std::size_t most) {
  std::uint64_t span = in_flight_.empty() ? 0 : sent_ - in_flight_.begin()->second;
  if (!sure_ || span >= limits_.in_flight)
    return {};
  auto count = std::min({most, waiting_.size(), static_cast<std::size_t>(limits_.in_flight - span)});
  std::vector<sink::message> out;
  out.reserve(count);
  for (; count > 0; --count) {
    in_flight_.emplace(waiting_.front().seq, sent_++);
    out.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  return out;
}

std::vector<sequence> delivery_window::take_stored() { return std::exchange(stored_, {}); }

std::optional<delivery_window::time> delivery_window::wake_at() const {
  if (!connected_ || sure_ || !in_flight_.empty())
    return std::nullopt;
  return not_before_;
}

void delivery_window::note_shipped() {
  if (!sure_)
    return;
  auto last = cursor_;
  if (!in_flight_.empty())
    last = std::min(last, in_flight_.begin()->first - 1);
  if (!waiting_.empty())
    last = std::min(last, waiting_.front().seq - 1);
  shipped_ = std::max(shipped_, last);
}

} // namespace keyportal
