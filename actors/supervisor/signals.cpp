#include "actors/supervisor/signals.hpp"

#include <csignal>
#include <unistd.h>

namespace keyportal {

namespace {

sigset_t ours() {
  sigset_t set;
  sigemptyset(&set);
  for (const int s : {SIGTERM, SIGINT, SIGHUP})
    sigaddset(&set, s);
  return set;
}

} // namespace

void block_signals() {
  const auto set = ours();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

signal_watch::signal_watch(std::function<void(int)> on_first) {
  thread_ = std::thread([this, on_first = std::move(on_first)] {
    const auto set = ours();
    bool again = false;
    for (;;) {
      int which = 0;
      if (sigwait(&set, &which) != 0)
        continue;
      if (stop_)
        return;
      if (again)
        _exit(1); // somebody insists; everything acknowledged is on disk
      again = true;
      on_first(which);
    }
  });
}

signal_watch::~signal_watch() {
  stop_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

} // namespace keyportal
