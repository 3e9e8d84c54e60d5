#include "actors/collector/collect_plan.hpp"

#include <algorithm>

namespace keyportal {

namespace {

using namespace std::chrono_literals;
constexpr auto try_refused_again = 60s;
constexpr auto first_backoff = 100ms; ///< the queue lives in the node's memory: be back before much of it is old
constexpr auto longest_backoff = 5s;
constexpr auto never = std::chrono::hours{24 * 365};

} // namespace

collect_setting collect_setting_of(std::string_view word) {
  return word == "off"         ? collect_setting::off
         : word == "subscribe" ? collect_setting::subscribe
         : word == "resp_pop"  ? collect_setting::resp_pop
         : word == "http_pop"  ? collect_setting::http_pop
                               : collect_setting::automatic;
}

void collect_plan::era_found(const era_answer& era, bool restarted) {
  if (restarted || !era_ || era_->version != era.version || era_->has_usage != era.has_usage) {
    subscribe_again_ = resp_again_ = http_again_ = {};
    next_try_ = {};
    backoff_ = 0ms;
  }
  era_ = era;
}

queue_mode collect_plan::best(time now) const {
  if (!era_)
    return queue_mode::off;
  const auto allowed = [&](collect_setting one) { return setting_ == collect_setting::automatic || setting_ == one; };
  // Nodes with `/usage` do not push; and what is popped there is taken from others, so only where it is wanted.
  if (!era_->has_usage && allowed(collect_setting::subscribe) && now >= subscribe_again_ && now >= resp_again_)
    return queue_mode::subscribe;
  if (allowed(collect_setting::resp_pop) && now >= resp_again_)
    return queue_mode::resp_pop;
  if (allowed(collect_setting::http_pop) && era_->has_http_queue && now >= http_again_)
    return queue_mode::http_pop;
  return queue_mode::off;
}

queue_mode collect_plan::mode(time now) const { return now < next_try_ ? queue_mode::off : best(now); }

void collect_plan::connected(time) { backoff_ = 0ms; }

void collect_plan::failed(queue_mode mode, errc why, time now, std::chrono::seconds wait) {
  switch (why) {
    case errc::node_without_subscribe: subscribe_again_ = now + try_refused_again; return;
    case errc::node_without_resp: subscribe_again_ = resp_again_ = now + try_refused_again; return;
    case errc::node_without_usage: // HTTP: no queue
      (mode == queue_mode::http_pop ? http_again_ : resp_again_) = now + try_refused_again;
      return;
    case errc::node_wrong_key: next_try_ = now + never; return; // until the node is another process
    case errc::node_banned: next_try_ = now + wait + 5s; return;
    case errc::node_forbidden: next_try_ = now + try_refused_again; return;
    default:
      backoff_ = backoff_ == 0ms ? first_backoff : std::min<std::chrono::milliseconds>(backoff_ * 2, longest_backoff);
      next_try_ = now + backoff_;
  }
}

std::optional<collect_plan::time> collect_plan::wake_at(time now) const {
  if (!era_ || setting_ == collect_setting::off)
    return std::nullopt;
  std::optional<time> out;
  for (const auto t : {next_try_, subscribe_again_, resp_again_, http_again_})
    if (t > now && t < now + std::chrono::hours{24} && (!out || t < *out))
      out = t;
  return out;
}

bool collect_plan::better_way_due(time now) const {
  if (!era_ || setting_ != collect_setting::automatic)
    return false;
  const bool subscribe_due = subscribe_again_ != time{} && now >= subscribe_again_ && !era_->has_usage;
  const bool resp_due = resp_again_ != time{} && now >= resp_again_;
  return subscribe_due || resp_due;
}

bool collect_plan::hopeless() const {
  return setting_ != collect_setting::off && era_ && !era_->has_usage && !era_->has_http_queue && resp_again_ != time{};
}

} // namespace keyportal
