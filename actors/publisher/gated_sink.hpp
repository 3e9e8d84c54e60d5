// A sink that is there only while this process is the one that publishes.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

#include "actors/publisher/publisher.hpp"
#include "actors/publisher/sink.hpp"

namespace keyportal {

/// Made and ended on a thread of its own, as `may` says, which is asked several times a second. While it is not there the link is
/// down, and says why; what was under way when it ended counts as failed.
class gated_sink final : public sink {
public:
  gated_sink(std::function<bool()> may, sink_factory make, callbacks told)
    : may_(std::move(may)), make_(std::move(make)), told_(std::move(told)), thread_([this] { work(); }) {}
  ~gated_sink() override {
    {
      const std::lock_guard guard(wait_mutex_);
      stopped_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

  caf::error publish(std::vector<message> messages) override {
    const std::lock_guard guard(mutex_);
    if (!inner_)
      return make_error(errc::cluster_elsewhere);
    std::vector<sequence> seqs;
    for (const auto& one : messages)
      seqs.push_back(one.seq);
    {
      const std::lock_guard under_way(under_way_mutex_);
      under_way_.insert(seqs.begin(), seqs.end());
    }
    auto failed = inner_->publish(std::move(messages));
    if (failed)
      forget(seqs);
    return failed;
  }
  caf::expected<std::unordered_set<std::string>> stored_tail(std::size_t n) override {
    const std::lock_guard guard(mutex_);
    if (!inner_)
      return make_error(errc::cluster_elsewhere);
    return inner_->stored_tail(n);
  }

private:
  void forget(const std::vector<sequence>& seqs) {
    const std::lock_guard guard(under_way_mutex_);
    for (const auto seq : seqs)
      under_way_.erase(seq);
  }

  void work() {
    told_.on_link({false, "another process of the cluster publishes"});
    for (bool is_there = false;;) {
      {
        std::unique_lock lock(wait_mutex_);
        wake_.wait_for(lock, std::chrono::milliseconds{100}, [this] { return stopped_; });
        if (stopped_)
          break;
      }
      const bool should = may_();
      if (should == is_there)
        continue;
      is_there = should;
      if (should) {
        callbacks inner;
        inner.on_link = told_.on_link;
        inner.on_outcome = [this](delivery_outcome outcome) {
          forget(outcome.stored);
          forget(outcome.failed);
          told_.on_outcome(std::move(outcome));
        };
        auto fresh = make_(std::move(inner));
        const std::lock_guard guard(mutex_);
        inner_ = std::move(fresh);
      } else
        end();
    }
    end();
  }

  void end() {
    std::unique_ptr<sink> over;
    {
      const std::lock_guard guard(mutex_);
      over = std::move(inner_);
    }
    over.reset();
    told_.on_link({false, "another process of the cluster publishes"});
    delivery_outcome rest;
    {
      const std::lock_guard guard(under_way_mutex_);
      rest.failed.assign(under_way_.begin(), under_way_.end());
      under_way_.clear();
    }
    if (!rest.failed.empty())
      told_.on_outcome(std::move(rest));
  }

  std::function<bool()> may_;
  sink_factory make_;
  callbacks told_;
  std::mutex mutex_; ///< of `inner_`
  std::unique_ptr<sink> inner_;
  std::mutex under_way_mutex_;
  std::set<sequence> under_way_;
  std::mutex wait_mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::thread thread_;
};

} // namespace keyportal
