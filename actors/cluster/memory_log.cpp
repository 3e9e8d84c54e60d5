#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "actors/cluster/shared_log.hpp"

namespace keyportal::cluster {
namespace {

class log_in_memory;

class follower_in_memory : public shared_log {
public:
  follower_in_memory(std::shared_ptr<log_in_memory> log, std::uint64_t after, log_callbacks told);
  ~follower_in_memory() override;
  void publish(const std::string& id, const std::string& bytes) override;

private:
  void work();
  std::shared_ptr<log_in_memory> log_;
  std::uint64_t after_;
  log_callbacks told_;
  bool stopped_ = false; ///< under the log's mutex
  std::thread thread_;
};

class log_in_memory : public memory_log {
public:
  std::unique_ptr<shared_log> open(std::uint64_t after, log_callbacks told) override {
    return std::make_unique<follower_in_memory>(std::static_pointer_cast<log_in_memory>(shared_from_this()), after,
                                                std::move(told));
  }
  void lose(std::size_t count) override {
    const std::lock_guard guard(mutex);
    losing = count;
  }
  void hold(bool is_held) override {
    const std::lock_guard guard(mutex);
    held = is_held;
    changed.notify_all();
  }
  std::uint64_t size() const override {
    const std::lock_guard guard(mutex);
    return messages.size();
  }

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::deque<log_message> messages;
  std::set<std::string> ids;
  std::size_t losing = 0;
  bool held = false;
};

follower_in_memory::follower_in_memory(std::shared_ptr<log_in_memory> log, std::uint64_t after, log_callbacks told)
  : log_(std::move(log)), after_(after), told_(std::move(told)), thread_([this] { work(); }) {}

follower_in_memory::~follower_in_memory() {
  {
    const std::lock_guard guard(log_->mutex);
    stopped_ = true;
    log_->changed.notify_all();
  }
  thread_.join();
}

void follower_in_memory::publish(const std::string& id, const std::string& bytes) {
  const std::lock_guard guard(log_->mutex);
  if (log_->losing > 0) {
    --log_->losing;
    return;
  }
  if (!log_->held && log_->ids.insert(id).second) {
    log_->messages.push_back({log_->messages.size() + 1, id, bytes});
    log_->changed.notify_all();
  }
}

void follower_in_memory::work() {
  std::unique_lock lock(log_->mutex);
  bool linked = false;
  while (!stopped_) {
    if (linked == log_->held) {
      linked = !log_->held;
      const auto end = log_->messages.size();
      lock.unlock();
      told_.on_link(linked ? caf::error{} : make_error(errc::cluster_no_quorum), end);
      lock.lock();
      continue;
    }
    if (log_->held || after_ >= log_->messages.size()) {
      log_->changed.wait(lock);
      continue;
    }
    const auto first = log_->messages.begin() + static_cast<std::ptrdiff_t>(after_);
    std::vector<log_message> page(first, log_->messages.end());
    after_ = page.back().sequence;
    lock.unlock();
    told_.on_messages(std::move(page));
    lock.lock();
  }
}

} // namespace

std::shared_ptr<memory_log> make_memory_log() { return std::make_shared<log_in_memory>(); }

} // namespace keyportal::cluster
