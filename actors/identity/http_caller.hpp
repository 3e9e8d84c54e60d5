// Makes the calls of conversations, by libcurl, on a few threads of its own.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <caf/expected.hpp>

#include "actors/identity/http_call.hpp"

namespace keyportal::identity {

/// Certificates and names are verified, redirects are not followed, no proxy is used, and only what `check_provider_url`
/// allows is asked; an address that leads to this machine or to link-local addresses only when the url says so itself.
class http_caller {
public:
  struct bounds {
    std::size_t threads = 2;
    std::size_t waiting = 64;                  ///< calls that may wait for a thread
    std::chrono::milliseconds timeout{10'000}; ///< of a call, from its first to its last byte
    std::chrono::milliseconds connect_timeout{3'000};
    std::size_t answer_bytes = std::size_t{1} << 20;
    std::filesystem::path authorities; ///< certificate authorities (PEM); empty: those of the system
  };
  using done = std::function<void(caf::expected<http_answer>)>;

  http_caller() : http_caller(bounds{}) {}
  explicit http_caller(bounds most);
  http_caller(const http_caller&) = delete;
  http_caller& operator=(const http_caller&) = delete;
  /// Ends calls under way with shutting_down within a second.
  ~http_caller();

  /// Any thread; does not block. `then` is called once, from a thread of the caller's (from this one when it is refused), and
  /// must not block: an actor sends itself a message there. Any status is an answer. Errors: provider_unreachable,
  /// provider_answer_wrong for more than `answer_bytes`, half an answer or one that is no HTTP, too_many_requests when too
  /// many wait, shutting_down. They name the host and nothing behind it.
  void ask(http_call call, done then);

private:
  struct order {
    http_call call;
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

} // namespace keyportal::identity
