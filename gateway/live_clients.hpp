// Who listens: WebSockets and streams of Server-Sent Events, as the feed knows them.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/callers.hpp"
#include "gateway/server.hpp"
#include "messages/live.hpp"

namespace keyportal::gateway {

/// What somebody may listen to; pure.
live_person person_of(const visitor& by);

/// What a listener asks for: in the address, or in a message of his.
struct live_question {
  std::vector<std::string> topics; ///< none: all that he may
  std::optional<sequence> after;
  bool asked = false; ///< one of the two was given
};
/// `topics=own,nodes&after=17`, and for streams Last-Event-ID, which goes before `after`. `bad_request`. Pure.
caf::expected<live_question> read_live_query(const http_request& request);
/// {"type":"subscribe","topics":["own"],"after":17}. Nothing for other messages, which mean nothing; `bad_request` for
/// one that is malformed. Pure.
caf::expected<std::optional<live_question>> read_live_message(std::string_view text);

/// Asks what a listener may now.
using live_look = std::function<std::optional<live_person>()>;
/// By what his request said about him, as long as he is the same.
live_look look_of(std::shared_ptr<const entrance> door, const http_request& request, const visitor& by);

/// A WebSocket's user that listens.
std::shared_ptr<websocket_user> make_live_socket(live_actor feed, live_person person, live_question what,
                                                 live_look look);

/// Bounds of a stream: at one more frame it ends; who asks again with Last-Event-ID misses nothing.
inline constexpr std::size_t most_stream_frames = 256;
/// The body of a stream of Server-Sent Events, which joins at once and leaves when it is dropped.
body_source make_live_stream(live_actor feed, live_person person, live_question what, live_look look);

} // namespace keyportal::gateway
