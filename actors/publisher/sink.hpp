// The port between the publisher's decisions and whatever takes the messages (JetStream; in tests a list).
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "messages/actors.hpp"

namespace keyportal {

/// Takes messages and says of each, later, whether it is stored. Called from one thread at a time.
class sink {
public:
  struct message {
    sequence seq = 0; ///< place in the outbox; names the message in outcomes
    std::string subject;
    std::string id; ///< the same for every attempt: what duplicates are recognised by
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
  };

  /// Called from the sink's own threads, never from within a call to the sink; not after the destructor returned.
  struct callbacks {
    std::function<void(delivery_outcome)> on_outcome;
    std::function<void(link_changed)> on_link;
  };

  virtual ~sink() = default;

  /// Sends in the given order without waiting for the answers. Every accepted message gets exactly one outcome within
  /// a bounded time, also when the link breaks. An error means that none was accepted.
  virtual caf::error publish(std::vector<message> messages) = 0;

  /// The ids of at least the last `n` messages of each stream (all, if there are fewer). Blocks for seconds at most.
  virtual caf::expected<std::unordered_set<std::string>> stored_tail(std::size_t n) = 0;
};

} // namespace keyportal
