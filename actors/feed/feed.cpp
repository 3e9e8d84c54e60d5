#include "actors/feed/feed.hpp"

namespace keyportal {

feed_actor::behavior_type feed(feed_actor::stateful_pointer<feed_state> self, std::shared_ptr<board> now_board,
                               std::function<moment()> now,
                               std::function<void(std::shared_ptr<const std::string>)> broadcast) {
  self->state.now_board = now_board;
  auto tell = [now_board, now, broadcast](const auto& message) {
    for (auto& frame : now_board->on(message, now()))
      broadcast(std::make_shared<const std::string>(std::move(frame)));
  };
  return {
    [tell](const committed& m) { tell(m); },
    [tell](const node_condition& m) { tell(m); },
    [tell](const restart_noticed& m) { tell(m); },
    [tell](const snapshot_made& m) { tell(m); },
    [now_board, now](const read_overview&) { return now_board->now_is(now()); },
    [now_board, now](const read_greeting&) { return std::make_shared<const std::string>(now_board->greeting(now())); },
  };
}

} // namespace keyportal
