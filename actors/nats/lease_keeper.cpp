#include "actors/nats/lease_keeper.hpp"

#include <ctime>

#include "actors/telemetry/log.hpp"

namespace keyportal::nats {

using namespace std::chrono_literals;
using namespace cluster;

local_time boot_time() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds{now.tv_sec} + std::chrono::nanoseconds{now.tv_nsec};
}

lease_keeper::lease_keeper(table_settings table, lease_settings how, member self, std::vector<duty> duties,
                           std::function<void()> changed)
  : table_(std::move(table)), duties_(duties), changed_(std::move(changed)),
    plan_(how, std::move(self), std::move(duties)), thread_([this] { work(); }) {}

lease_keeper::~lease_keeper() {
  leave();
  {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, 2s, [this] { return plan_.has_left() || !problem_.empty(); });
    stopped_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::optional<std::uint64_t> lease_keeper::fence(const std::string& duty) const {
  const std::lock_guard guard(mutex_);
  return plan_.fence(duty, boot_time());
}

std::set<std::string> lease_keeper::held() const {
  const std::lock_guard guard(mutex_);
  std::set<std::string> out;
  const auto now = boot_time();
  for (const auto& one : duties_)
    if (plan_.may_act(one.name, now))
      out.insert(one.name);
  return out;
}

std::vector<member> lease_keeper::members() const {
  const std::lock_guard guard(mutex_);
  return plan_.members(boot_time());
}

std::string lease_keeper::holder(const std::string& duty) const {
  const std::lock_guard guard(mutex_);
  return plan_.holder(duty);
}

std::string lease_keeper::problem() const {
  const std::lock_guard guard(mutex_);
  return problem_;
}

void lease_keeper::leave() {
  const std::lock_guard guard(mutex_);
  leaving_ = true;
  plan_.leave();
}

void lease_keeper::see(const std::vector<lease_row>& rows) {
  const std::lock_guard guard(mutex_);
  for (const auto& row : rows)
    plan_.see(row, boot_time());
}

/// Writes and reads what is due. Nothing of it is held while the network is waited for.
void lease_keeper::step() {
  std::vector<lease_step> steps;
  {
    const std::lock_guard guard(mutex_);
    steps = plan_.next(boot_time());
  }
  for (const auto& one : steps) {
    if (one.what == lease_step::kind::look) {
      if (auto row = table_.look(one.key))
        see({std::move(*row)});
      continue;
    }
    const auto done = table_.put(one.key, one.value, one.expected);
    const std::lock_guard guard(mutex_);
    plan_.wrote(one.key, done.how, done.revision, boot_time());
  }
}

void lease_keeper::work() {
  for (;;) {
    caf::error failed;
    if (!table_.is_open())
      failed = table_.open();
    if (!failed) {
      auto rows = table_.changes(50ms);
      if (!rows)
        failed = std::move(rows.error());
      else {
        see(*rows);
        step();
      }
    }
    if (failed)
      table_.close();
    const auto now_held = held();
    const auto now_members = members();
    bool is_other = false;
    {
      std::unique_lock lock(mutex_);
      auto text = failed ? render(failed) : std::string{};
      if (text != problem_ && !text.empty())
        log::warn("cluster", "leases", "{}", text);
      problem_ = std::move(text);
      is_other = now_held != told_held_ || now_members != told_members_;
      told_held_ = now_held;
      told_members_ = now_members;
      if (stopped_)
        return;
      if (leaving_)
        wake_.notify_all();
      if (failed)
        wake_.wait_for(lock, 200ms, [this] { return stopped_; });
    }
    if (is_other && changed_)
      changed_();
  }
}

} // namespace keyportal::nats
