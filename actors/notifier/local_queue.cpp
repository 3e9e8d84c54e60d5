#include "actors/notifier/local_queue.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/telemetry/log.hpp"
#include "messages/errors.hpp"

namespace keyportal {

local_queue::local_queue(std::shared_ptr<storage::notice_shelf> shelf, callbacks told)
  : shelf_(std::move(shelf)), told_(std::move(told)) {
  auto kept = shelf_->orders();
  if (kept)
    for (auto& [number, text] : *kept) {
      last_ = std::max(last_, number);
      there_.emplace(number, text);
      waiting_.emplace_back(number, std::move(text));
    }
  else // the notices themselves know what is due, and put it in again
    log::warn("notices", "queue", "{}", render(kept.error()));
  thread_ = std::thread([this] { hand_out(); });
}

local_queue::~local_queue() {
  {
    const std::lock_guard guard(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

caf::error local_queue::put(const std::vector<order>& orders) {
  std::vector<std::pair<std::uint64_t, std::string>> rows;
  {
    const std::lock_guard guard(mutex_);
    for (const auto& one : orders) {
      auto text = fmt::format("{}/{}", one.id, one.attempt);
      if (std::none_of(there_.begin(), there_.end(), [&](const auto& t) { return t.second == text; }))
        rows.emplace_back(++last_, std::move(text));
    }
  }
  if (rows.empty())
    return {};
  if (auto failed = shelf_->put_orders(rows))
    return failed;
  {
    const std::lock_guard guard(mutex_);
    for (auto& row : rows) {
      there_.insert(row);
      waiting_.push_back(std::move(row));
    }
  }
  changed_.notify_all();
  return {};
}

void local_queue::done(const std::string& lease) {
  const auto number = std::strtoull(lease.c_str(), nullptr, 10);
  {
    const std::lock_guard guard(mutex_);
    there_.erase(number);
  }
  if (auto failed = shelf_->drop_order(number))
    log::warn("notices", "queue", "{}", render(failed));
}

void local_queue::hand_out() {
  told_.on_change({true, {}});
  for (;;) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return stopped_ || !waiting_.empty(); });
    if (stopped_)
      return;
    const auto [number, text] = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    told_.on_order({text.substr(0, text.find('/')), std::to_string(number)});
  }
}

} // namespace keyportal
