#include "actors/notifier/pace_book.hpp"

#include <algorithm>

namespace keyportal {

namespace {

using namespace std::chrono_literals;

/// When, of those begun within `window`, so few are left that another one fits.
moment room_in(const std::deque<moment>& begun, int most, std::chrono::milliseconds window, moment now) {
  if (most <= 0 || begun.size() < static_cast<std::size_t>(most))
    return now;
  return std::max(now, begun[begun.size() - static_cast<std::size_t>(most)] + window);
}

} // namespace

pace_limits published_limits(std::string_view kind) {
  if (kind == "feishu" || kind == "lark")
    return {40, 800, 4};
  if (kind == "feishu_bot" || kind == "lark_bot")
    return {4, 80, 0};
  if (kind == "dingtalk" || kind == "wecom")
    return {2, 16, 0};
  if (kind == "telegram")
    return {1, 16, 1};
  if (kind == "mail")
    return {10, 300, 2};
  return {20, 600, 0};
}

moment pace_book::next(const std::string& recipient, moment now) const {
  auto at = std::max(room_in(begun_, most_.per_second, 1s, now), room_in(begun_, most_.per_minute, 1min, now));
  if (const auto mine = begun_for_.find(recipient); mine != begun_for_.end())
    at = std::max(at, room_in(mine->second, most_.per_second_each, 1s, now));
  return at;
}

void pace_book::took(const std::string& recipient, moment now) {
  while (!begun_.empty() && begun_.front() + 1min <= now)
    begun_.pop_front();
  begun_.push_back(now);
  if (most_.per_second_each <= 0)
    return;
  if (begun_for_.size() > 1000)
    std::erase_if(begun_for_, [now](const auto& one) { return one.second.back() + 1s <= now; });
  auto& mine = begun_for_[recipient];
  while (!mine.empty() && mine.front() + 1s <= now)
    mine.pop_front();
  mine.push_back(now);
}

std::chrono::milliseconds backoff(std::size_t failures, double chance) {
  const auto doubled = 2s * (1LL << std::min<std::size_t>(failures == 0 ? 0 : failures - 1, 12));
  const auto longest = std::min<std::chrono::milliseconds>(doubled, 15min);
  return std::chrono::milliseconds{
    static_cast<std::int64_t>(static_cast<double>(longest.count()) * (0.75 + chance / 2))};
}

} // namespace keyportal
