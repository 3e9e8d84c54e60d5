#include "actors/poller/poll_plan.hpp"

#include <algorithm>
#include <utility>

namespace keyportal {

namespace {

using namespace std::chrono_literals;
constexpr auto fast_probe = 100ms;  ///< while the node is away: it must be looked at within a moment of its return
constexpr auto slow_probe = 1000ms; ///< once it has been away for a minute
constexpr auto down_after = 1000ms; ///< a quicker restart is told as a restart only
constexpr auto longest_backoff = 30s;
constexpr auto forbidden_pause = 60s; ///< for refusals that are not counted towards a ban
constexpr auto never = std::chrono::hours{24 * 365};

} // namespace

poll_plan::step poll_plan::next(time now) {
  if (under_way_ != step::nothing)
    return step::nothing;
  if (!away_ && now >= next_poll_) {
    under_way_ = step::poll;
    poll_began_ = now;
    paused_ = 0ms;
    dropped_at_begin_ |= std::exchange(dropped_, false);
  } else if (now >= next_probe_) {
    under_way_ = step::probe;
  }
  return under_way_;
}

void poll_plan::found(time now) {
  if (away_) {
    away_ = false;
    // It is back, so look at once; but not over and over at one that lives and cuts every poll off.
    next_poll_ =
      cut_off() ? now + std::min<std::chrono::milliseconds>(250ms * (1 << std::min(cut_polls_ - 2, 8)), longest_backoff)
                : now;
    refused_ = false; // another process: it has forgotten our failures, and its key may be another
    backoff_ = 0ms;
  }
  next_probe_ = now + settings_.probe_interval;
}

void poll_plan::lost(time now) {
  connection_lost_ = true;
  if (!away_) {
    away_ = true;
    away_since_ = now;
  }
  next_probe_ = now + (now - away_since_ > 60s ? slow_probe : fast_probe);
}

void poll_plan::poll_succeeded(time now) {
  under_way_ = step::nothing;
  cut_polls_ = 0;
  found(now);
  connection_lost_ = dropped_at_begin_ = false;
  refused_ = false;
  backoff_ = 0ms;
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now - poll_began_) - paused_;
  next_poll_ = dropped_ ? now : poll_began_ + std::max(settings_.interval, took * settings_.slack);
}

void poll_plan::poll_again() {
  under_way_ = step::nothing;
  next_poll_ = {};
}

void poll_plan::poll_soon() {
  if (!refused_)
    next_poll_ = {};
}

void poll_plan::poll_failed(time now, errc why, std::chrono::seconds wait) {
  under_way_ = step::nothing;
  next_probe_ = now + settings_.probe_interval;
  cut_polls_ = why == errc::node_unreachable ? cut_polls_ + 1 : 0;
  switch (why) {
    case errc::node_unreachable: lost(now); break;
    case errc::node_wrong_key:
      refused_ = true;
      next_poll_ = now + never;
      break;
    case errc::node_banned:
      refused_ = true;
      next_poll_ = now + wait + 5s;
      break;
    case errc::node_forbidden:
    case errc::node_without_usage:
      refused_ = true;
      next_poll_ = now + forbidden_pause;
      break;
    default: // cut, garbled or refused by our own side: the node is there, so try again, each time a little later
      backoff_ =
        backoff_ == 0ms ? settings_.interval : std::min<std::chrono::milliseconds>(backoff_ * 2, longest_backoff);
      next_poll_ = now + backoff_;
  }
}

void poll_plan::probe_succeeded(time now, bool new_connection) {
  under_way_ = step::nothing;
  // A connection that used to last and is a new one now: the node may have gone and come back between two probes.
  // Where connections never last (a proxy that closes them) a new one says nothing.
  if (new_connection && connection_lasts_ && !away_) {
    connection_lost_ = true;
    if (!refused_)
      next_poll_ = now;
  }
  connection_lasts_ = !new_connection;
  found(now);
}

void poll_plan::probe_failed(time now) {
  under_way_ = step::nothing;
  cut_polls_ = 0;
  lost(now);
}

std::optional<bool> poll_plan::link_change(time now) {
  std::optional<bool> state;
  if (!away_ && under_way_ == step::nothing)
    state = true;
  else if (away_ && now - away_since_ >= down_after)
    state = false;
  if (!state || state == told_)
    return std::nullopt;
  told_ = state;
  return state;
}

} // namespace keyportal
