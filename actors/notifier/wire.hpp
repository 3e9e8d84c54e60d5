// Sends requests and mails by libcurl, on a few threads of its own.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "actors/notifier/channel.hpp"

struct sockaddr;

namespace keyportal {

/// Certificates and names are verified, redirects are not followed, no proxy is used. HTTP in clear goes to this machine
/// only, or where `allow_private` says so; and addresses of private networks are not asked unless it does, or the address
/// itself is one of this machine.
class notice_wire {
public:
  struct bounds {
    std::size_t threads = 8;
    std::chrono::milliseconds timeout{15'000};
    std::chrono::milliseconds connect_timeout{5'000};
    std::size_t answer_bytes = std::size_t{256} << 10;
    std::filesystem::path authorities; ///< certificate authorities (PEM); empty: those of the system
  };
  using done = std::function<void(wire_answer)>;

  explicit notice_wire(bounds most);
  notice_wire(const notice_wire&) = delete;
  notice_wire& operator=(const notice_wire&) = delete;
  /// Ends what is under way within a second; what was not begun is not told of.
  ~notice_wire();

  /// Any thread; does not block. `then` is called once, from a thread of its own.
  void send(wire_request what, done then);

private:
  struct order {
    wire_request what;
    done then;
  };
  void work();

  bounds bounds_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<order> waiting_;
  std::atomic<bool> stopped_{false};
  std::vector<std::thread> threads_;
};

/// Whether an address is of this machine, of a private network, or of no host at all.
bool is_inside(const sockaddr* address);

} // namespace keyportal
