// The live channel: who listens to what, and what he is told. The feed keeps the book; the gateway's sockets are the
// listeners.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>
#include <nlohmann/json_fwd.hpp>

#include "messages/ids.hpp"
#include "messages/records.hpp"
#include "messages/registry.hpp"

namespace keyportal {

enum class live_topic : std::uint8_t {
  own,   ///< one's own keys and what they use
  all,   ///< everything of the other two, and people, keys and policies
  nodes, ///< condition and totals of nodes, restarts, gaps, snapshots, incompletes
  jobs   ///< how far long work has come, and what is kept of the store
};
inline constexpr std::size_t live_topic_count = 4;
std::string_view name_of(live_topic topic);
std::optional<live_topic> live_topic_of(std::string_view name);

/// Plain value.
class topic_set {
public:
  constexpr topic_set() = default;
  constexpr topic_set(std::initializer_list<live_topic> topics) {
    for (const auto one : topics)
      add(one);
  }
  constexpr void add(live_topic one) { bits_ |= bit(one); }
  [[nodiscard]] constexpr bool has(live_topic one) const { return (bits_ & bit(one)) != 0; }
  [[nodiscard]] constexpr bool empty() const { return bits_ == 0; }
  constexpr topic_set operator&(topic_set other) const { return of(bits_ & other.bits_); }
  constexpr topic_set operator|(topic_set other) const { return of(bits_ | other.bits_); }
  bool operator==(const topic_set&) const = default;

private:
  static constexpr std::uint8_t bit(live_topic one) { return std::uint8_t(1u << static_cast<unsigned>(one)); }
  static constexpr topic_set of(unsigned bits) {
    topic_set out;
    out.bits_ = static_cast<std::uint8_t>(bits);
    return out;
  }
  std::uint8_t bits_ = 0;
};
/// The names, in a fixed order.
nlohmann::json to_json(topic_set topics);

/// One text for all who get it; never changed once it is made.
struct live_frame {
  std::string text;       ///< a JSON object, without a line's end in it
  std::string event_text; ///< the same as Server-Sent Events have it
  sequence position =
    0;                  ///< with it the listener has been told all of his events up to here; 0: says nothing about that
  std::string replaces; ///< goes in the place of an older one of that name that still waits; empty: of none
};
using live_frame_ptr = std::shared_ptr<const live_frame>;
live_frame_ptr make_frame(const nlohmann::json& content, sequence position = 0, std::string replaces = {});

/// Who listens, and what he may. Plain value.
struct live_person {
  user_id user; ///< whose keys are his own; empty: nobody's
  key_id key;   ///< of whoever sees one key's usage only; then `user` is empty
  topic_set may;
  bool own_keys = false; ///< may see his keys, not only what they use
  std::string tag;       ///< of the session, by which it ends; may be empty
  [[nodiscard]] const std::string& subject() const { return key.empty() ? user : key; }
};

enum class live_end_reason : std::uint8_t { signed_out, stopping };

/// A socket, as the book sees it. All from any thread; never blocks on a client.
class live_listener {
public:
  virtual ~live_listener() = default;
  virtual void give(const live_frame_ptr& frame) = 0;
  /// Tell the feed (live_room) when most of what was given is on its way. Called after giving something.
  virtual void ask_for_room() = 0;
  /// Some time went by: whoever needs a sign of life sends one.
  virtual void beat() = 0;
  /// What he may now; nothing when he is not who he was any more. Empty: he is to go.
  [[nodiscard]] virtual std::optional<live_person> look_again() = 0;
  virtual void end(live_end_reason why) = 0;
};
using live_listener_ptr = std::shared_ptr<live_listener>;

struct live_join {
  live_listener_ptr who;
  live_person person;
  std::vector<std::string> topics; ///< names as given; none: all that he may
  bool asked = false;              ///< topics or a position were given: so he is told what came of it
  std::optional<sequence> after;   ///< goes on behind there
};
/// From now on these topics, which he had joined before.
struct live_subscribe {
  live_listener_ptr who;
  std::vector<std::string> topics;
  std::optional<sequence> after;
};
/// More can be given.
struct live_room {
  live_listener_ptr who;
};
struct live_leave {
  live_listener_ptr who;
};
/// The session with that tag is over.
struct live_end {
  std::string tag;
};
/// What a person may has changed, or may have.
struct live_look_again {
  std::string subject;
};

// clang-format off
using live_actor = caf::typed_actor<
  caf::reacts_to<live_join>,
  caf::reacts_to<live_subscribe>,
  caf::reacts_to<live_room>,
  caf::reacts_to<live_leave>,
  caf::reacts_to<live_end>,
  caf::reacts_to<live_look_again>>;
// clang-format on

} // namespace keyportal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::live_join)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::live_subscribe)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::live_room)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::live_leave)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::live_end)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::live_look_again)
