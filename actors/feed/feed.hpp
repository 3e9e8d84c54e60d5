// FEED: what is now, for pages; pushes changes to WebSockets the moment they are durable.
#pragma once

#include <functional>

#include "actors/feed/board.hpp"
#include "messages/actors.hpp"

namespace keyportal {

struct feed_state {
  feed_state() = default;
  static inline const char* name = "feed";
  std::shared_ptr<board> now_board;
};

/// `broadcast` hands one frame to all WebSockets; it must not block. Bounds and slow readers are its business.
feed_actor::behavior_type feed(feed_actor::stateful_pointer<feed_state> self, std::shared_ptr<board> now_board,
                               std::function<moment()> now,
                               std::function<void(std::shared_ptr<const std::string>)> broadcast);

} // namespace keyportal
