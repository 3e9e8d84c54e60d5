// What goes wrong on command: from its name to what happens.
#include "server.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>

namespace keyportal::cpa_sim {
bool server::fault(const cpa_sim::fault& f) {
  if (f.name == "restart" && f.path.empty()) {
    ask_restart(std::chrono::milliseconds(number_of(f.value, 0)), false);
    return true;
  }
  if (f.name == "kill" && f.path.empty()) {
    if (options_.may_kill_itself)
      ::kill(::getpid(), SIGKILL);
    ask_restart(std::chrono::milliseconds(0), false);
    return true;
  }
  if (f.name == "empty_config") {
    return !options_.state_file.empty() && ::truncate(options_.state_file.c_str(), 0) == 0;
  }
  if (f.name == "frozen") {
    front_.freeze(true);
    const long time = number_of(f.value, 0);
    const std::lock_guard guard(lock_);
    if (time > 0)
      thaw_at_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(time);
    changed_.notify_all();
    return true;
  }
  if (f.name == "push_paused") {
    manner_.paused = true;
    const long time = number_of(f.value, 0);
    const std::lock_guard guard(lock_);
    if (time > 0)
      push_on_at_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(time);
    changed_.notify_all();
    return true;
  }
  if (f.name == "push_split") {
    manner_.split = static_cast<std::size_t>(number_of(f.value, 7));
    return true;
  }
  if (f.name == "half_open") {
    current()->make_ghosts(std::chrono::milliseconds(number_of(f.value, 5000)));
    return true;
  }
  if (f.name == "control_object") {
    for (int i = 0; i < std::max(f.count, 1); ++i)
      current()->push_control(f.value.empty() ? R"({"refresh":true})" : f.value);
    return true;
  }
  if (f.name == "startup_502" && !f.value.empty()) {
    starting_until_ms_ = steady_ms() + number_of(f.value, 100);
    return true;
  }
  if (f.name == "tz" && !zone::named(f.value))
    return false;
  if (f.name == "cap1000")
    current()->keep_newest(1000);
  return faults_.add(f);
}

void server::clear_faults() {
  faults_.clear();
  front_.freeze(false);
  manner_.paused = false;
  manner_.split = 0;
  current()->wake_subscribers();
  current()->keep_newest(0);
  starting_until_ms_ = 0;
  const std::lock_guard guard(lock_);
  thaw_at_.reset();
  push_on_at_.reset();
}

std::optional<twist> server::next_twist(const std::string& path) {
  const auto taken = faults_.take(path);
  if (taken.empty())
    return std::nullopt;
  twist t;
  for (const auto& f : taken) {
    t.twice = t.twice || f.name == "push_duplicate";
    t.malformed = t.malformed || f.name == "malformed_payload";
    t.odd_fields = t.odd_fields || f.name == "odd_fields";
    t.overflow = t.overflow || f.name == "overflow";
    if (f.name == "push_garbage")
      t.before += f.value.empty() ? std::string("%garbage\x00\xff\r\n", 12) : f.value;
  }
  return t;
}

void server::serve_resp(int fd, int stop_fd, const std::string& peer) {
  resp_hooks hooks;
  hooks.faults = [this](const std::string& path) {
    {
      const std::lock_guard guard(lock_);
      if (calls_by_path_.size() < 1000 || calls_by_path_.contains(path))
        ++calls_by_path_[path];
    }
    return faults_.take(path);
  };
  hooks.to_process = [this](const cpa_sim::fault& f) {
    if (f.name == "kill" && options_.may_kill_itself)
      ::kill(::getpid(), SIGKILL);
    ask_restart(std::chrono::milliseconds(number_of(f.value, 0)), false);
  };
  resp_connection(fd, stop_fd, peer, current(), std::move(hooks)).run();
}

} // namespace keyportal::cpa_sim
