#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "actors/cluster/stream_log.hpp"

namespace keyportal::cluster {

bool is_entry_id(std::string_view id) {
  return !id.empty() && id.size() <= 128 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_'
           || c == '.' || c == '/';
  });
}

caf::error unfit(std::string_view id, std::string_view bytes) {
  if (!is_entry_id(id))
    return make_error(errc::bad_request, "the id of an entry of the stream");
  if (bytes.size() > longest_stream_entry)
    return make_error(errc::body_too_large, "an entry of the stream");
  return {};
}

class memory_stream {
public:
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<stream_entry> entries;
  std::unordered_map<std::string, stream_position> ids;

  std::vector<stream_entry> behind(stream_position after, std::size_t limit) const { // with the mutex
    if (after >= entries.size())
      return {};
    const auto from = entries.begin() + static_cast<std::ptrdiff_t>(after);
    return {from, from + static_cast<std::ptrdiff_t>(std::min<std::size_t>(limit, entries.size() - after))};
  }
};

namespace {

class memory_follower : public stream_follower {
public:
  memory_follower(std::shared_ptr<memory_stream> stream, stream_position after, follow_callbacks told)
    : stream_(std::move(stream)), thread_([this, after, calls = std::move(told)] { work(after, calls); }) {}
  ~memory_follower() override {
    {
      const std::lock_guard guard(stream_->mutex);
      stopped_ = true;
    }
    stream_->changed.notify_all();
    thread_.join();
  }

private:
  void work(stream_position after, const follow_callbacks& told) {
    if (told.on_link)
      told.on_link({});
    for (;;) {
      std::vector<stream_entry> page;
      {
        std::unique_lock lock(stream_->mutex);
        stream_->changed.wait(lock, [&] { return stopped_ || stream_->entries.size() > after; });
        if (stopped_)
          return;
        page = stream_->behind(after, 512);
      }
      after = page.back().position;
      told.on_entries(std::move(page));
    }
  }

  std::shared_ptr<memory_stream> stream_;
  bool stopped_ = false;
  std::thread thread_;
};

class memory_log : public stream_log {
public:
  explicit memory_log(std::shared_ptr<memory_stream> stream) : stream_(std::move(stream)) {}

  append_result append(stream_position expected, std::string_view id, std::string_view bytes) override {
    if (auto wrong = unfit(id, bytes))
      return {append_result::kind::failed, 0, std::move(wrong)};
    const std::lock_guard guard(stream_->mutex);
    const auto end = stream_->entries.size();
    if (const auto there = stream_->ids.find(std::string(id)); there != stream_->ids.end())
      return {append_result::kind::done, there->second};
    if (expected != end)
      return {append_result::kind::conflict, end};
    stream_->entries.push_back({end + 1, std::string(id), std::string(bytes)});
    stream_->ids.emplace(id, end + 1);
    stream_->changed.notify_all();
    return {append_result::kind::done, end + 1};
  }
  caf::expected<stream_position> end() override {
    const std::lock_guard guard(stream_->mutex);
    return stream_position{stream_->entries.size()};
  }
  caf::expected<std::vector<stream_entry>> read(stream_position after, std::size_t limit) override {
    const std::lock_guard guard(stream_->mutex);
    return stream_->behind(after, limit);
  }
  std::unique_ptr<stream_follower> follow(stream_position after, follow_callbacks told) override {
    return std::make_unique<memory_follower>(stream_, after, std::move(told));
  }

private:
  std::shared_ptr<memory_stream> stream_;
};

} // namespace

std::shared_ptr<memory_stream> make_memory_stream() { return std::make_shared<memory_stream>(); }
std::unique_ptr<stream_log> open_log(std::shared_ptr<memory_stream> stream) {
  return std::make_unique<memory_log>(std::move(stream));
}

} // namespace keyportal::cluster
