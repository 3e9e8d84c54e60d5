#include "actors/access/password_workers.hpp"

#include <algorithm>

#include <sys/resource.h>
#include <unistd.h>

namespace keyportal {

password_workers::password_workers(std::size_t threads, std::size_t waiting, password_cost cost)
  : most_(waiting + threads), cost_(cost) {
  threads_.reserve(threads);
  for (std::size_t n = 0; n < threads; ++n)
    threads_.emplace_back([this] { work(); });
}

password_workers::~password_workers() {
  std::deque<job> left;
  {
    const std::lock_guard guard{mutex_};
    stopping_ = true;
    left.swap(line_);
  }
  changed_.notify_all();
  for (auto& one : left)
    if (one.on_hash)
      one.on_hash(make_error(errc::shutting_down));
    else
      one.on_verdict(make_error(errc::shutting_down));
  for (auto& thread : threads_)
    thread.join();
}

caf::error password_workers::hash(wiped_text password, const password_salt& salt, hashed done) {
  return enter({std::move(password), salt, {}, std::move(done), {}});
}

caf::error password_workers::verify(wiped_text password, std::string phc, verified done) {
  return enter({std::move(password), {}, std::move(phc), {}, std::move(done)});
}

std::size_t password_workers::waiting() const {
  const std::lock_guard guard{mutex_};
  return line_.size();
}

caf::error password_workers::enter(job&& what) {
  if (threads_.empty()) {
    run(what);
    return caf::none;
  }
  {
    const std::lock_guard guard{mutex_};
    if (line_.size() + busy_ >= most_)
      return make_error(errc::sign_in_busy);
    line_.push_back(std::move(what));
  }
  changed_.notify_one();
  return caf::none;
}

void password_workers::work() {
  // Hashing keeps a core busy: whoever waits for an answer that is quick to give goes first. Linux: of this thread only.
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), 10);
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || !line_.empty(); });
    if (stopping_)
      return;
    job next = std::move(line_.front());
    line_.pop_front();
    ++busy_;
    lock.unlock();
    run(next);
    next = {}; // the password goes now, not when the next one comes
    lock.lock();
    --busy_;
  }
}

void password_workers::run(job& what) const {
  if (what.on_hash) {
    what.on_hash(hash_password(what.password.reveal(), what.salt, cost_));
    return;
  }
  const bool nobody = what.phc.empty();
  const auto right = verify_password(what.password.reveal(), nobody ? dummy_password_hash(cost_) : what.phc);
  if (!right)
    what.on_verdict(right.error());
  else
    what.on_verdict(verdict{*right && !nobody, *right && !nobody && needs_rehash(what.phc, cost_)});
}

} // namespace keyportal
