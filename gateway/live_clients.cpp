#include "gateway/live_clients.hpp"

#include <atomic>
#include <charconv>
#include <deque>
#include <mutex>
#include <utility>

#include <caf/send.hpp>
#include <nlohmann/json.hpp>

#include "messages/errors.hpp"

namespace keyportal::gateway {

namespace {

constexpr std::size_t most_topics = 16;
/// Close codes of RFC 6455.
constexpr std::uint16_t going_away = 1001, policy = 1008;

std::optional<sequence> position_in(std::string_view text) {
  sequence value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size())
    return std::nullopt;
  return value;
}

frame part(const live_frame_ptr& of, const std::string& text) { return {of, &text}; }

/// What both kinds have in common.
class live_client : public live_listener {
public:
  live_client(live_actor feed, live_look look) : feed_(std::move(feed)), look_(std::move(look)) {}

  void ask_for_room() override { wants_room_ = true; }
  std::optional<live_person> look_again() override { return look_(); }

protected:
  /// What was given is on its way.
  void room(const live_listener_ptr& self) {
    if (wants_room_.exchange(false))
      caf::anon_send(feed_, live_room{self});
  }
  const live_actor feed_;

private:
  const live_look look_;
  std::atomic<bool> wants_room_{false};
};

class live_socket final : public live_client, public websocket_user, public std::enable_shared_from_this<live_socket> {
public:
  live_socket(live_actor feed, live_person person, live_question what, live_look look)
    : live_client(std::move(feed), std::move(look)), person_(std::move(person)), what_(std::move(what)) {}

  // Of the server.
  void opened(std::shared_ptr<websocket> socket) override {
    std::atomic_store(&socket_, std::move(socket));
    caf::anon_send(feed_, live_join{shared_from_this(), std::exchange(person_, {}), std::exchange(what_.topics, {}),
                                    what_.asked, what_.after});
  }
  void said(std::string_view text) override {
    auto message = read_live_message(text);
    if (!message) {
      const auto& row = row_of(errc::bad_request);
      give(make_frame({{"type", "refused"}, {"topic", ""}, {"code", row.name}, {"title", about_of(message.error())}}));
    } else if (*message) {
      caf::anon_send(feed_, live_subscribe{shared_from_this(), std::move((*message)->topics), (*message)->after});
    }
  }
  void written() override { room(shared_from_this()); }
  void closed() override {
    std::atomic_store(&socket_, std::shared_ptr<websocket>{});
    caf::anon_send(feed_, live_leave{shared_from_this()});
  }

  // Of the feed.
  void give(const live_frame_ptr& frame) override {
    if (const auto socket = std::atomic_load(&socket_))
      socket->send(part(frame, frame->text), frame->replaces.empty() ? nullptr : part(frame, frame->replaces));
  }
  void beat() override {} // the server pings
  void end(live_end_reason why) override {
    if (const auto socket = std::atomic_load(&socket_))
      why == live_end_reason::signed_out ? socket->close(policy, "signed out")
                                         : socket->close(going_away, "Key Portal is stopping");
  }

private:
  live_person person_;
  live_question what_;
  std::shared_ptr<websocket> socket_;
};

/// Hands out what waits, a piece at a time, as the client takes it.
class live_stream final : public live_client, public std::enable_shared_from_this<live_stream> {
public:
  using taker = std::function<void(body_piece)>;
  using live_client::live_client;

  void take(taker give) {
    {
      const std::lock_guard lock(mutex_);
      taker_ = std::move(give);
    }
    hand_out();
  }
  void join(live_person person, live_question what) {
    caf::anon_send(feed_,
                   live_join{shared_from_this(), std::move(person), std::move(what.topics), what.asked, what.after});
  }
  void leave() { caf::anon_send(feed_, live_leave{shared_from_this()}); }

  void give(const live_frame_ptr& frame) override {
    {
      const std::lock_guard lock(mutex_);
      if (ended_)
        return;
      if (!frame->replaces.empty())
        for (auto at = queue_.begin(); at != queue_.end(); ++at)
          if ((*at)->replaces == frame->replaces) {
            queue_.erase(at);
            break;
          }
      if (queue_.size() >= most_stream_frames) { // he asks on from where he is
        ended_ = true;
        queue_.clear();
      } else {
        queue_.push_back(frame);
      }
    }
    hand_out();
  }
  void beat() override {
    static const auto sign = std::make_shared<const std::string>(":\n\n");
    taker ready;
    {
      const std::lock_guard lock(mutex_);
      if (!ended_)
        ready = std::exchange(taker_, nullptr);
    }
    if (ready)
      ready({sign, false});
  }
  void end(live_end_reason) override {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
      queue_.clear();
    }
    hand_out();
  }

private:
  void hand_out() {
    taker ready;
    body_piece piece;
    bool all = false;
    {
      const std::lock_guard lock(mutex_);
      if (!taker_ || (queue_.empty() && !ended_))
        return;
      ready = std::exchange(taker_, nullptr);
      piece.last = ended_;
      if (queue_.size() == 1) {
        piece.text = part(queue_.front(), queue_.front()->event_text);
      } else {
        auto text = std::make_shared<std::string>();
        for (const auto& one : queue_)
          *text += one->event_text;
        piece.text = std::move(text);
      }
      queue_.clear();
      all = !ended_;
    }
    ready(std::move(piece));
    if (all)
      room(shared_from_this());
  }

  std::mutex mutex_;
  std::deque<live_frame_ptr> queue_;
  taker taker_; ///< the client waits for more
  bool ended_ = false;
};

} // namespace

live_person person_of(const visitor& by) {
  const auto& who = by.who;
  live_person out;
  (who.kind == caller_kind::key_view ? out.key : out.user) = who.subject;
  if (who.held)
    out.tag = tag_of(*who.held);
  out.own_keys = who.rights.has(right::own_keys_read) && who.kind != caller_kind::key_view;
  if (who.rights.has(right::own_usage) && !who.subject.empty())
    out.may.add(live_topic::own);
  if (who.rights.has(right::read_nodes))
    out.may.add(live_topic::nodes);
  if (who.rights.has(right::read_settings))
    out.may.add(live_topic::jobs);
  bool everything = true;
  for (const auto one :
       {right::read_nodes, right::read_usage, right::read_people, right::read_keys, right::read_policies})
    everything = everything && who.rights.has(one);
  if (everything)
    out.may.add(live_topic::all);
  return out;
}

caf::expected<live_question> read_live_query(const http_request& request) {
  live_question out;
  for (const auto& [name, value] : request.query) {
    if (name == "topics") {
      out.asked = true;
      for (std::string_view rest = value; !rest.empty();) {
        const auto end = std::min(rest.find(','), rest.size());
        out.topics.emplace_back(rest.substr(0, end));
        rest.remove_prefix(std::min(end + 1, rest.size()));
      }
    } else if (name == "after") {
      out.after = position_in(value);
      if (!out.after)
        return make_error(errc::bad_request, "after is a number");
    }
  }
  if (out.topics.size() > most_topics)
    return make_error(errc::bad_request, "too many topics");
  // A browser that lost the connection says where it was; what else it sent there is no position of ours.
  if (const auto last = position_in(header_of(request, "last-event-id")))
    out.after = last;
  out.asked = out.asked || out.after;
  return out;
}

caf::expected<std::optional<live_question>> read_live_message(std::string_view text) {
  using nlohmann::json;
  // Nothing that is meant has more depth than this; a parser that calls itself would go as deep as it is told to.
  const auto shallow = [](int depth, json::parse_event_t, json&) { return depth <= 4; };
  const auto said = json::parse(text, shallow, false);
  if (!said.is_object() || said.value("type", json()) != "subscribe")
    return std::optional<live_question>{};
  live_question out;
  out.asked = true;
  const auto topics = said.value("topics", json());
  if (!topics.is_array() || topics.size() > most_topics)
    return make_error(errc::bad_request, "topics is a list of at most 16 names");
  for (const auto& one : topics) {
    if (!one.is_string())
      return make_error(errc::bad_request, "topics is a list of at most 16 names");
    out.topics.push_back(one.get<std::string>());
  }
  if (const auto after = said.find("after"); after != said.end() && !after->is_null()) {
    if (!after->is_number_unsigned())
      return make_error(errc::bad_request, "after is a number");
    out.after = after->get<sequence>();
  }
  return std::optional{std::move(out)};
}

live_look look_of(std::shared_ptr<const entrance> door, const http_request& request, const visitor& by) {
  if (by.who.kind == caller_kind::nobody || by.who.kind == caller_kind::control) // what they may never changes
    return [person = person_of(by)] { return std::optional{person}; };
  http_request again; // no more of it than tells who it is
  again.method = "GET";
  again.path = request.path;
  again.peer = request.peer;
  again.encrypted = request.encrypted;
  for (const auto& header : request.headers)
    if (header.first == "cookie" || header.first == "authorization" || header.first == "host"
        || header.first == "forwarded" || header.first.starts_with("x-forwarded-"))
      again.headers.push_back(header);
  return [door = std::move(door), again = std::move(again), kind = by.who.kind,
          subject = by.who.subject]() -> std::optional<live_person> {
    const auto now = door->look(again);
    if (now.who.kind != kind || now.who.subject != subject)
      return std::nullopt;
    return person_of(now);
  };
}

std::shared_ptr<websocket_user> make_live_socket(live_actor feed, live_person person, live_question what,
                                                 live_look look) {
  return std::make_shared<live_socket>(std::move(feed), std::move(person), std::move(what), std::move(look));
}

body_source make_live_stream(live_actor feed, live_person person, live_question what, live_look look) {
  auto stream = std::make_shared<live_stream>(std::move(feed), std::move(look));
  stream->join(std::move(person), std::move(what));
  // Copies of the source share this; when the last one goes the client has gone.
  auto held = std::shared_ptr<live_stream>(stream.get(), [stream](live_stream* it) { it->leave(); });
  return [held = std::move(held)](live_stream::taker give) { held->take(std::move(give)); };
}

} // namespace keyportal::gateway
