#include "subscriber.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>

namespace keyportal::cpa_sim {
namespace {

constexpr std::size_t ghost_buffer = 2'600'000;                                 // what the sockets of a real one held
constexpr std::uint64_t no_message = std::numeric_limits<std::uint64_t>::max(); // number of an answer

void append_size(std::string& out, std::size_t size) {
  char digits[24];
  out += '$';
  out.append(digits, std::to_chars(digits, digits + sizeof digits, size).ptr);
  out += "\r\n";
}

} // namespace

void messages::add(std::string_view channel_name, std::string_view payload, std::uint64_t number) {
  bytes += "*3\r\n$7\r\nmessage\r\n";
  append_size(bytes, channel_name.size());
  bytes += channel_name;
  bytes += "\r\n";
  append_size(bytes, payload.size());
  bytes += payload;
  bytes += "\r\n";
  each.push_back({bytes.size(), number});
}

void messages::add_raw(std::string_view bytes_as_they_are) {
  bytes += bytes_as_they_are;
  each.push_back({bytes.size(), 0});
}

subscriber::subscriber(std::uint64_t id, channel what, int fd, const push_manner& manner)
  : id_(id), what_(what), manner_(manner), dice_(static_cast<std::uint32_t>(id * 2654435761U + 1)) {
  if (fd < 0)
    return;
  fd_ = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  wake_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

subscriber::~subscriber() {
  for (const int fd : {fd_, wake_}) {
    if (fd >= 0)
      ::close(fd);
  }
}

bool subscriber::ghost() const { return std::chrono::steady_clock::now() < ghost_until_.load(); }

/// The socket took so many bytes: the messages that end in them are delivered.
void subscriber::handed(std::size_t bytes) {
  sent_ += bytes;
  for (; !queue_.empty() && queue_.front().end <= sent_; queue_.pop_front()) {
    const std::uint64_t number = queue_.front().number;
    if (number == no_message) {
      --answers_;
    } else if (number != 0) {
      ++delivered_;
    }
  }
}

void subscriber::give(const char* data, std::size_t size) {
  while (size > 0) {
    std::size_t piece = size;
    if (const std::size_t split = manner_.split; split != 0) {
      dice_ = dice_ * 1664525 + 1013904223;
      piece = std::min<std::size_t>(size, 1 + (dice_ >> 8) % split);
    }
    const ssize_t sent = ::send(fd_, data, piece, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EINTR)
      continue;
    if (sent <= 0) {
      broken_ = broken_ || (errno != EAGAIN && errno != EWOULDBLOCK);
      break;
    }
    handed(static_cast<std::size_t>(sent));
    data += sent;
    size -= static_cast<std::size_t>(sent);
    if (manner_.split != 0)
      break; // the next piece after a moment
  }
}

void subscriber::send_now() {
  if (broken_ || manner_.paused)
    return;
  if (ghost()) {
    // The kernel still takes bytes for a peer that is gone, until its buffer is full.
    for (; !queue_.empty() && ghost_bytes_ + queue_.front().end - sent_ <= ghost_buffer; queue_.pop_front()) {
      const std::size_t size = queue_.front().end - sent_;
      if (queue_.front().number == no_message) {
        --answers_;
      } else if (queue_.front().number != 0) {
        add_number(swallowed_, queue_.front().number);
      }
      ghost_bytes_ += size;
      head_ += size;
      sent_ += size;
    }
  } else if (head_ < bytes_.size()) {
    const std::uint64_t before = sent_;
    give(bytes_.data() + head_, bytes_.size() - head_);
    head_ += sent_ - before;
  }
  if (head_ == bytes_.size()) {
    bytes_.clear();
    head_ = 0;
  } else if (head_ > (std::size_t{1} << 20)) {
    bytes_.erase(0, head_);
    head_ = 0;
  }
}

std::size_t subscriber::room() {
  if (fd_ < 0)
    return most_waiting;
  const std::lock_guard guard(lock_);
  if (manner_.split == 0)
    send_now();
  const std::size_t used = queue_.size() - answers_;
  return used >= most_waiting ? 0 : most_waiting - used;
}

void subscriber::wait_for_room(std::chrono::milliseconds most) {
  const auto deadline = std::chrono::steady_clock::now() + most;
  while (room() < most_waiting / 2) {
    const auto left =
      std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0)
      return;
    pollfd waiting{manner_.paused || manner_.split != 0 || ghost() ? -1 : fd_, POLLOUT, 0};
    ::poll(&waiting, 1, static_cast<int>(std::min<std::int64_t>(left.count(), 5)));
    if ((waiting.revents & (POLLERR | POLLHUP)) != 0)
      return;
  }
}

void subscriber::take(const messages& m) {
  if (fd_ < 0) {
    const std::lock_guard guard(lock_);
    delivered_ += m.each.size();
    return;
  }
  const std::lock_guard guard(lock_);
  for (const auto& one : m.each)
    queue_.push_back({given_ + one.end, one.number});
  given_ += m.bytes.size();
  std::size_t taken = 0;
  if (head_ == bytes_.size() && !broken_ && !manner_.paused && manner_.split == 0 && !ghost()) {
    const std::uint64_t before = sent_;
    give(m.bytes.data(), m.bytes.size());
    taken = sent_ - before;
  }
  if (taken == m.bytes.size())
    return;
  bytes_.append(m.bytes, taken);
  if (ghost())
    send_now();
  wake();
}

void subscriber::wake() const {
  const std::uint64_t one = 1;
  if (wake_ >= 0) {
    [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof one);
  }
}

void subscriber::answer(std::string_view bytes) {
  const std::lock_guard guard(lock_);
  given_ += bytes.size();
  queue_.push_back({given_, no_message});
  ++answers_;
  bytes_ += bytes;
  if (manner_.split == 0)
    send_now();
}

void subscriber::woken() {
  std::uint64_t ignored = 0;
  [[maybe_unused]] const auto got = ::read(wake_, &ignored, sizeof ignored);
}

bool subscriber::waiting() {
  const std::lock_guard guard(lock_);
  return head_ < bytes_.size() && !manner_.paused;
}

bool subscriber::flush() {
  const std::lock_guard guard(lock_);
  send_now();
  return !broken_;
}

void subscriber::end() {
  ended_ = true;
  wake();
}

void subscriber::become_ghost(std::chrono::steady_clock::time_point until) {
  ghost_until_ = until;
  wake();
}

record_ranges subscriber::undelivered() {
  const std::lock_guard guard(lock_);
  record_ranges all = swallowed_;
  for (const auto& one : queue_) {
    if (one.number != 0 && one.number != no_message)
      add_number(all, one.number);
  }
  return all;
}

std::uint64_t subscriber::delivered() {
  const std::lock_guard guard(lock_);
  return delivered_;
}

} // namespace keyportal::cpa_sim
