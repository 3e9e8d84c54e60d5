// The log that several processes share: the port, and one in memory for tests.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <caf/expected.hpp>

#include "messages/errors.hpp"

namespace keyportal::cluster {

struct log_message {
  std::uint64_t sequence = 0; ///< ascending, with holes
  std::string id;             ///< as it was published
  std::string bytes;
};

/// All from the log's own thread, one after the other, never from within a call to it, not after its destructor returned.
struct log_callbacks {
  /// In order, each once, from the beginning asked for. While it does not return nothing more comes.
  std::function<void(std::vector<log_message>)> on_messages;
  /// No error: it follows, and `end` is the log's last sequence then; else why it does not now. `cluster_trimmed`: the log
  /// does not reach back to where it should begin.
  std::function<void(const caf::error& why, std::uint64_t end)> on_link;
};

/// Followed until it is destroyed.
class shared_log {
public:
  virtual ~shared_log() = default;
  /// Sends, and does not wait. Whether it came into the log is seen where it comes back out of it, and nowhere else: what does
  /// not may be published again under its id, which within minutes is one message. Any thread.
  virtual void publish(const std::string& id, const std::string& bytes) = 0;
};
using log_opener = std::function<std::unique_ptr<shared_log>(std::uint64_t after, log_callbacks)>;

/// One log in memory for all that open it, with faults on command.
class memory_log : public std::enable_shared_from_this<memory_log> {
public:
  virtual ~memory_log() = default;
  virtual std::unique_ptr<shared_log> open(std::uint64_t after, log_callbacks told) = 0;
  /// The next `count` that are published are lost.
  virtual void lose(std::size_t count) = 0;
  /// What was published comes to nobody until it is let go on. Those that are open are told so.
  virtual void hold(bool held) = 0;
  [[nodiscard]] virtual std::uint64_t size() const = 0;
};
std::shared_ptr<memory_log> make_memory_log();

} // namespace keyportal::cluster
