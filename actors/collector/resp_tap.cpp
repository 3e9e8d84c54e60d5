#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "actors/collector/tap.hpp"
#include "actors/cpa/resp_connection.hpp"
#include "actors/telemetry/log.hpp"

namespace keyportal {

namespace {

using namespace std::chrono_literals;
constexpr std::size_t pop_at_once = 2'000;                  ///< records; some 2.5 MB
constexpr std::size_t most_in_batch = std::size_t{4} << 20; ///< bytes handed over at once
constexpr auto read_timeout = 1s;
constexpr auto errors_again = 60s;

/// One session: its connections, and the threads that read them.
class session {
public:
  session(const tap_settings& settings, const tap::callbacks& told, queue_mode mode)
    : settings_(settings), told_(told), mode_(mode), main_(connect_settings()), side_(connect_settings()),
      errors_(connect_settings()), thread_([this] { run(); }) {}

  ~session() {
    end();
    thread_.join();
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  void end() {
    stopped_ = true;
    wind_up();
  }

  /// What is under way comes to its end, nothing more is begun.
  void wind_up() {
    over_ = true;
    main_.stop();
    side_.stop();
    errors_.stop();
    const std::lock_guard lock{mutex_};
    room_.notify_all();
  }

  void taken(std::size_t bytes) {
    const std::lock_guard lock{mutex_};
    waiting_bytes_ -= std::min(bytes, waiting_bytes_);
    room_.notify_all();
  }

private:
  cpa::resp_settings connect_settings() const {
    cpa::resp_settings out;
    out.node = settings_.node;
    out.url = settings_.url;
    out.management_key = settings_.management_key;
    return out;
  }

  void run() {
    auto why = mode_ == queue_mode::subscribe ? follow() : pop();
    wind_up();
    if (helper_.joinable())
      helper_.join();
    if (listener_.joinable())
      listener_.join();
    if (stopped_)
      why = make_error(errc::shutting_down, settings_.node);
    told_.changed(tap_changed{mode_, false, std::move(why)});
  }

  /// Subscribed first, so that nothing falls between what waited and what comes.
  caf::error follow() {
    if (auto failed = main_.open())
      return failed;
    if (auto failed = main_.subscribe("usage"))
      return failed;
    told_.changed(tap_changed{mode_, true, {}});
    helper_ = std::thread{[this] { take_backlog(); }};
    if (settings_.errors_too)
      listener_ = std::thread{[this] { listen_to_errors(); }};
    while (true) {
      const auto got = main_.read(read_timeout);
      hand_over(inbox_channel::subscribe, got.payloads);
      if (got.what == cpa::resp_batch::meaning::closed || got.what == cpa::resp_batch::meaning::refused)
        return got.problem;
      wait_for_room();
    }
  }

  /// What waited before we were subscribed is not pushed, only popped.
  void take_backlog() {
    if (auto failed = side_.open()) {
      if (!over_)
        log::warn("collector", "backlog", "{}: what waited in its queue could not be taken: {}", settings_.node,
                  render(failed));
      main_.stop();
      return;
    }
    std::uint64_t count = 0;
    while (!over_) {
      const auto got = side_.pop(pop_at_once);
      hand_over(inbox_channel::resp_pop, got.payloads);
      count += got.payloads.size();
      if (got.what == cpa::resp_batch::meaning::closed || got.what == cpa::resp_batch::meaning::refused) {
        if (!over_) {
          log::warn("collector", "backlog", "{}: taking what waited in its queue was cut short: {}", settings_.node,
                    render(got.problem));
          main_.stop(); // the session begins anew, and with it the taking
        }
        return;
      }
      if (got.what == cpa::resp_batch::meaning::payloads && got.payloads.empty())
        break;
      wait_for_pops_before(got.payloads);
    }
    side_.close();
    if (count > 0)
      log::info("collector", "backlog", "{}: {} records that waited in its queue were taken", settings_.node, count);
  }

  void listen_to_errors() {
    if (errors_.open() || errors_.subscribe("errors"))
      return; // older nodes have no such channel; nothing depends on it
    while (!over_) {
      const auto got = errors_.read(read_timeout);
      hand_over(inbox_channel::errors, got.payloads);
      if (got.what == cpa::resp_batch::meaning::closed || got.what == cpa::resp_batch::meaning::refused)
        return;
    }
  }

  caf::error pop() {
    if (auto failed = main_.open())
      return failed;
    told_.changed(tap_changed{mode_, true, {}});
    while (!over_) {
      const auto got = main_.pop(pop_at_once);
      hand_over(inbox_channel::resp_pop, got.payloads);
      if (got.what == cpa::resp_batch::meaning::closed || got.what == cpa::resp_batch::meaning::refused)
        return got.problem;
      wait_for_pops_before(got.payloads);
      if (got.payloads.size() < pop_at_once)
        pause(settings_.pop_interval);
    }
    return {};
  }

  void hand_over(inbox_channel channel, std::span<const std::string_view> payloads) {
    std::size_t at = 0;
    while (at < payloads.size()) {
      auto batch = std::make_shared<payload_batch>();
      std::size_t bytes = 0, end = at;
      while (end < payloads.size() && (end == at || bytes + payloads[end].size() <= most_in_batch))
        bytes += payloads[end++].size();
      batch->bytes.reserve(bytes);
      batch->ends.reserve(end - at);
      for (; at < end; ++at)
        batch->add(payloads[at]);
      {
        const std::lock_guard lock{mutex_};
        waiting_bytes_ += bytes;
      }
      const std::lock_guard lock{handing_};
      told_.payloads(payloads_came{channel, std::move(batch)});
    }
  }

  void wait_for_room() {
    std::unique_lock lock{mutex_};
    room_.wait(lock, [&] { return over_ || waiting_bytes_ < settings_.window_bytes; });
  }
  /// What was popped exists only here until it is on disk: the next pop may overlap with the syncing of this one, no
  /// more, so that a crash costs two at most.
  void wait_for_pops_before(std::span<const std::string_view> last) {
    std::size_t bytes = 0;
    for (const auto payload : last)
      bytes += payload.size();
    std::unique_lock lock{mutex_};
    room_.wait(lock, [&] { return over_ || waiting_bytes_ <= std::min(bytes, settings_.window_bytes); });
  }
  void pause(std::chrono::milliseconds how_long) {
    std::unique_lock lock{mutex_};
    room_.wait_for(lock, how_long, [&] { return over_.load(); });
  }

  const tap_settings& settings_;
  const tap::callbacks& told_;
  const queue_mode mode_;
  std::atomic<bool> stopped_{false}; ///< ended by us
  std::atomic<bool> over_{false};    ///< by us, or because a connection ended
  std::mutex mutex_;
  std::condition_variable room_;
  std::size_t waiting_bytes_ = 0; ///< handed over and not taken
  std::mutex handing_;
  cpa::resp_connection main_;
  cpa::resp_connection side_;
  cpa::resp_connection errors_;
  std::thread helper_;
  std::thread listener_;
  std::thread thread_; ///< the last member: it uses all others
};

class resp_tap final : public tap {
public:
  resp_tap(tap_settings settings, callbacks told) : settings_(std::move(settings)), told_(std::move(told)) {}
  void begin(queue_mode mode) override {
    session_.reset();
    session_ = std::make_unique<session>(settings_, told_, mode);
  }
  void end() override {
    if (session_)
      session_->end();
  }
  void taken(std::size_t bytes) override {
    if (session_)
      session_->taken(bytes);
  }

private:
  const tap_settings settings_;
  const callbacks told_;
  std::unique_ptr<session> session_;
};

} // namespace

std::unique_ptr<tap> make_resp_tap(tap_settings settings, tap::callbacks told) {
  return std::make_unique<resp_tap>(std::move(settings), std::move(told));
}

} // namespace keyportal
