// Invented traffic of a stand-in, and the consumer inside it.
#include "server.hpp"

#include <algorithm>
#include <utility>

namespace keyportal::cpa_sim {
namespace {

constexpr std::size_t batch = 1000; // records that become visible together

} // namespace

void server::emit_traffic(double seconds) {
  {
    const std::lock_guard guard(lock_);
    if (rate_ <= 0 || ended_)
      return;
    owed_ += rate_ * std::min(seconds, 1.0);
  }
  const auto count = static_cast<std::size_t>(owed_);
  owed_ -= static_cast<double>(count);
  record(count);
}

void server::set_rate(double records_per_second) {
  {
    const std::lock_guard guard(lock_);
    rate_ = std::clamp(records_per_second, 0.0, 1e6);
  }
  changed_.notify_all();
}

std::size_t server::record(std::size_t count) { return record(count, options_.push_patience); }

std::size_t server::record(std::size_t count, std::chrono::milliseconds patience) {
  std::size_t done = 0;
  std::vector<attempt> attempts;
  while (done < count && !down_) {
    const std::size_t size = std::min(batch, count - done);
    attempts.clear();
    zone place;
    {
      const std::lock_guard guard(lock_);
      place = place_;
    }
    {
      const std::lock_guard guard(record_lock_);
      for (std::size_t i = 0; i < size; ++i)
        attempts.push_back(traffic_.next(unix_now_ns(), place));
    }
    const std::size_t recorded = record(attempts, patience);
    done += recorded;
    if (recorded < size)
      break;
  }
  return done;
}

/// Each batch as far as subscribers have room, then the rest, until all are made.
std::size_t server::record(std::span<const attempt> attempts, std::chrono::milliseconds patience) {
  std::size_t recorded = 0;
  bool patient = patience.count() > 0;
  while (!attempts.empty()) {
    std::shared_ptr<node> here;
    {
      // Not while restarting: the process that would record is not there.
      const std::lock_guard guard(record_lock_);
      if (down_)
        return recorded;
      here = current();
      const auto result = here->record_live(attempts, patient);
      recorded += result.recorded;
      attempts = attempts.subspan(result.made);
      if (result.made != 0) {
        patient = patience.count() > 0;
        continue;
      }
      if (!patient)
        return recorded; // the oracle cannot be written
    }
    patient = here->wait_for_room(patience);
  }
  return recorded;
}

bool server::record(const std::vector<attempt>& attempts) {
  return record(std::span(attempts), options_.push_patience) == attempts.size();
}

bool server::record(const std::vector<cpa_sim::record>& records) {
  const traits t = traits_of(options_.version);
  std::vector<attempt> attempts;
  for (const auto& r : records) {
    auto way = std::make_shared<route>();
    way->api = way->api_key = r.api;
    way->model = way->alias = r.model.empty() ? "unknown" : r.model;
    way->source = r.what.source;
    way->auth_index = r.what.auth_index;
    way->provider = "unknown";
    way->executor = "unknown";
    way->count = counting_of(r.model);
    prepare(*way, t);
    attempt a;
    a.way = std::move(way);
    a.started = r.what.timestamp.is_zero() ? place_.at(unix_now_ns()) : r.what.timestamp;
    a.latency_ms = std::max<std::int64_t>(r.what.latency_ms, 0);
    a.status = r.what.failed ? 500 : 200;
    a.used = {r.what.tokens.input, r.what.tokens.output, r.what.tokens.reasoning, r.what.tokens.cached, 0,
              r.what.tokens.total};
    attempts.push_back(std::move(a));
  }
  return record(attempts);
}

bool server::rival(const std::string& mode, std::chrono::milliseconds every, std::size_t most) {
  if (mode != "pop" && mode != "subscribe" && mode != "off")
    return false;
  {
    const std::lock_guard guard(lock_);
    rival_mode_ = mode;
    rival_every_ = every;
    rival_most_ = most;
  }
  let_rival_work();
  changed_.notify_all();
  return true;
}

void server::let_rival_work() {
  const auto here = current();
  std::unique_lock guard(lock_);
  if (down_ || ended_ || !here)
    return;
  if (rival_ && (rival_mode_ != "subscribe" || rival_node_ != here || rival_->ended())) {
    const auto old = std::exchange(rival_, nullptr);
    const auto old_node = std::exchange(rival_node_, nullptr);
    guard.unlock();
    old_node->unsubscribe(old, "rival went");
    guard.lock();
  }
  if (rival_mode_ == "subscribe" && !rival_) {
    rival_node_ = here;
    rival_ = here->subscribe(channel::usage, -1);
  } else if (rival_mode_ == "pop" && std::chrono::steady_clock::now() - rival_last_ >= rival_every_) {
    rival_last_ = std::chrono::steady_clock::now();
    here->pop(rival_most_, "rival");
  }
}

} // namespace keyportal::cpa_sim
