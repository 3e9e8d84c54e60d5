// One subscriber: messages that wait for its socket, and what becomes of them when it is slow or gone.
#pragma once

#include "usage_queue.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace keyportal::cpa_sim {

enum class channel { usage, errors };

/// Messages in the form the wire has, with the number of the record in each (0: no record).
struct messages {
  struct one {
    std::size_t end; ///< in `bytes`
    std::uint64_t number;
  };
  std::string bytes;
  std::vector<one> each;
  void add(std::string_view channel_name, std::string_view payload, std::uint64_t number);
  void add_raw(std::string_view bytes_as_they_are);
  void clear() { bytes.clear(), each.clear(); }
};

/// How all pushes behave for now.
struct push_manner {
  std::atomic<bool> paused{false};
  std::atomic<std::size_t> split{0}; ///< not 0: pieces of at most so many bytes
};

/// Thread-safe. Messages go to the socket at once as far as it takes them; 256 more may wait.
class subscriber {
public:
  static constexpr std::size_t most_waiting = 256;

  /// `fd` is duplicated; negative: an inner subscriber that takes everything.
  subscriber(std::uint64_t id, channel what, int fd, const push_manner& manner);
  ~subscriber();
  subscriber(const subscriber&) = delete;
  subscriber& operator=(const subscriber&) = delete;

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] channel what() const { return what_; }
  /// How many messages it would take now, after giving the socket what waits.
  std::size_t room();
  /// Waits until there is room or the time is over.
  void wait_for_room(std::chrono::milliseconds most);
  /// Expects room for them.
  void take(const messages& m);
  /// An answer to a command; not counted among the messages.
  void answer(std::string_view bytes);

  // For the thread that serves the connection.
  /// Readable when something waits for the socket that `flush` should give it.
  [[nodiscard]] int wake_fd() const { return wake_; }
  void woken();
  void wake() const;
  [[nodiscard]] bool waiting();
  /// Gives the socket what it takes, in pieces when told so. False when the socket is broken.
  bool flush();
  /// No more messages come; what waits is still delivered, then the connection ends.
  void end();
  [[nodiscard]] bool ended() const { return ended_; }
  /// Its peer seems to be gone without a word: nothing is sent or noticed until that moment.
  void become_ghost(std::chrono::steady_clock::time_point until);
  [[nodiscard]] bool ghost() const;
  [[nodiscard]] std::chrono::steady_clock::time_point ghost_until() const { return ghost_until_; }

  /// Records it was given that never reached its socket whole.
  [[nodiscard]] record_ranges undelivered();
  [[nodiscard]] std::uint64_t delivered(); ///< records wholly handed to the socket

private:
  void send_now();
  void give(const char* data, std::size_t size);
  void handed(std::size_t bytes);

  const std::uint64_t id_;
  const channel what_;
  const push_manner& manner_;
  int fd_ = -1;
  int wake_ = -1;
  std::atomic<bool> ended_{false};
  std::atomic<std::chrono::steady_clock::time_point> ghost_until_{};
  std::mutex lock_;                 // guards what follows
  std::string bytes_;               // not yet handed to the socket
  std::size_t head_ = 0;            // of it, what is handed already
  std::uint64_t sent_ = 0;          // bytes ever handed
  std::uint64_t given_ = 0;         // bytes ever given to us
  std::deque<messages::one> queue_; // `end` counted from the first byte ever
  std::size_t answers_ = 0;         // of them, those that are no messages
  record_ranges swallowed_;         // by a ghost
  std::size_t ghost_bytes_ = 0;
  std::uint64_t delivered_ = 0;
  std::uint32_t dice_ = 1;
  bool broken_ = false;
};

} // namespace keyportal::cpa_sim
