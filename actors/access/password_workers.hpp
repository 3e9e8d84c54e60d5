// Threads for passwords: a few, so that memory and processor stay bounded however many people sign in at once.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "actors/access/password.hpp"
#include "actors/access/secret_bytes.hpp"

namespace keyportal {

/// Each thread uses at most the memory of one hash at a time (19 MiB), and the threads give way to all other work of the
/// process. All functions may be called from any thread.
class password_workers {
public:
  /// Called once, in a thread of this pool or in the one that ends it (without threads: in the one that asks); must not throw and should only pass the answer on.
  using hashed = std::function<void(caf::expected<std::string>)>;
  struct verdict {
    bool right = false;
    bool rehash = false; ///< right, but made with other costs than now: hash it anew
  };
  using verified = std::function<void(caf::expected<verdict>)>;

  /// Without threads everything is done at once, by who asks: for programs that must not depend on time. `waiting`: how many may stand in line beside those in work.
  password_workers(std::size_t threads, std::size_t waiting, password_cost cost = {});
  /// Those in work are finished, those in line are answered with shutting_down.
  ~password_workers();
  password_workers(const password_workers&) = delete;
  password_workers& operator=(const password_workers&) = delete;

  /// No error: `done` will be called. sign_in_busy when the line is full: `done` is not called.
  caf::error hash(wiped_text password, const password_salt& salt, hashed done);
  /// `phc` empty: there is no such user; takes as long as with one and is never right.
  caf::error verify(wiped_text password, std::string phc, verified done);

  /// How many stand in line, for metrics.
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::size_t threads() const { return threads_.size(); }

private:
  struct job {
    wiped_text password;
    password_salt salt{};
    std::string phc;
    hashed on_hash; ///< one of the two
    verified on_verdict;
  };

  caf::error enter(job&& what);
  void work();
  void run(job& what) const;

  const std::size_t most_; ///< in line and in work together
  const password_cost cost_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<job> line_;
  std::size_t busy_ = 0; ///< threads in work
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

} // namespace keyportal
