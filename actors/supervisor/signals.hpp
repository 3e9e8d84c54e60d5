// Signals as ordinary calls on an ordinary thread.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace keyportal {

/// Blocks SIGTERM, SIGINT and SIGHUP for the calling thread and all that it starts; SIGPIPE is ignored. Call it before the
/// first thread begins.
void block_signals();

/// Waits for the blocked signals. The first calls `on_first`; a second one ends the process at once with code 1.
class signal_watch {
public:
  explicit signal_watch(std::function<void(int)> on_first);
  ~signal_watch();
  signal_watch(const signal_watch&) = delete;
  signal_watch& operator=(const signal_watch&) = delete;

private:
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

} // namespace keyportal
