// A sink that is a list: what tests use where a real server would only be in the way.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "actors/publisher/sink.hpp"

namespace keyportal {

/// Outlives the sinks that write to it, as a stream does.
struct recording_stream {
  std::mutex mutex;
  std::vector<sink::message> messages;
  std::unordered_set<std::string> ids;
};

/// Takes subjects under "keyportal.v1." and answers from a thread of its own.
class recording_sink final : public sink {
public:
  recording_sink(recording_stream& stream, callbacks told)
    : stream_(stream), told_(std::move(told)), thread_([this] { work(); }) {}
  ~recording_sink() override {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  caf::error publish(std::vector<message> messages) override {
    std::lock_guard lock(mutex_);
    for (auto& each : messages)
      waiting_.push_back(std::move(each));
    changed_.notify_all();
    return {};
  }

  caf::expected<std::unordered_set<std::string>> stored_tail(std::size_t n) override {
    std::lock_guard lock(stream_.mutex);
    std::unordered_set<std::string> ids;
    auto first = stream_.messages.size() > n ? stream_.messages.size() - n : 0;
    for (auto i = first; i < stream_.messages.size(); ++i)
      ids.insert(stream_.messages[i].id);
    return ids;
  }

private:
  void work() {
    told_.on_link({true, ""});
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
      if (stopping_)
        return;
      auto next = std::move(waiting_.front());
      waiting_.pop_front();
      lock.unlock();
      delivery_outcome outcome;
      if (next.subject.starts_with("keyportal.v1.")) {
        outcome.stored.push_back(next.seq);
        std::lock_guard stream_lock(stream_.mutex);
        if (stream_.ids.insert(next.id).second)
          stream_.messages.push_back(std::move(next));
      } else {
        outcome.failed.push_back(next.seq);
      }
      told_.on_outcome(std::move(outcome));
      lock.lock();
    }
  }

  recording_stream& stream_;
  callbacks told_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<message> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

} // namespace keyportal
