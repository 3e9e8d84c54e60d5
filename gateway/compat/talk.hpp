// The two ways of talking with a tool, and what they share.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <semaphore>
#include <set>
#include <string>
#include <string_view>

#include "gateway/compat/backend.hpp"
#include "gateway/compat/key_guard.hpp"
#include "gateway/compat/line.hpp"
#include "gateway/compat/places.hpp"
#include "gateway/host_rules.hpp"

namespace keyportal::compat {

/// What every connection stands on; outlives them all.
struct common_ground {
  common_ground(backend& b, std::vector<consumer> consumers, gateway::host_rules h)
    : back(b), guard(std::move(consumers)), all_places(b), hosts(std::move(h)) {}

  backend& back;
  key_guard guard;
  places all_places;
  const gateway::host_rules hosts;
  bool pass_through = false;
  /// Other things of one sort are not added up at the same time: each may take memory for every record there is.
  std::counting_semaphore<> sheets{2};
  std::function<void(std::string_view route, int status)> on_answer;
  std::atomic<bool> stopping{false};

  /// Names that tools left among the client keys without any usage. CLIProxyAPI forgets them when it restarts, we when
  /// we do; whoever left one sees that nothing was lost in between.
  std::mutex markers_mutex;
  std::map<node_name, std::set<std::string>> markers;

  /// Wakes subscribers; `fd` is an eventfd.
  void add_waker(int fd);
  void remove_waker(int fd);
  void wake_all();

  void told(std::string_view route, int status) const {
    if (on_answer)
      on_answer(route, status);
  }

private:
  std::mutex wakers_mutex_;
  std::set<int> wakers_;
};

/// Until the other end goes, or the connection is cut. `first`: bytes read already.
void talk_http(common_ground& ground, line& with, std::string first);
void talk_resp(common_ground& ground, line& with, std::string first);

} // namespace keyportal::compat
