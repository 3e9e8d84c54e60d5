// NOTIFIER: who is told what of all that happens, how far each notice has come, and what is asked of it. Plain values.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <caf/allowed_unsafe_message_type.hpp>
#include <caf/expected.hpp>
#include <caf/replies_to.hpp>
#include <caf/typed_actor.hpp>

#include "messages/actors.hpp"
#include "messages/mail.hpp"

namespace keyportal {

/// "n", ten characters of the event's moment and sixteen of a hash over event, recipient and channel: the same decision
/// has the same id whenever it is made, and ids lie in the order of time.
using notice_id = std::string;

/// On disk; numbers are never changed or reused.
enum class notice_state : std::uint8_t {
  waiting = 0,   ///< to be sent at `due_at`, for the first time or again
  sending = 1,   ///< an attempt was begun; found at a start: nobody knows what came of it
  delivered = 2, ///< the channel said yes
  refused = 3,   ///< the channel said no for good
  given_up = 4,  ///< it was too late before it could be delivered
  gathered = 5,  ///< it is told by the digest in `digest`
  unknown = 6    ///< sent twice, and both times nobody knows what came of it
};
constexpr bool is_over(notice_state s) { return s != notice_state::waiting && s != notice_state::sending; }

/// How much it matters. Alarms break through quiet hours and are never kept for a digest.
enum class notice_weight : std::uint8_t { news = 0, warning = 1, alarm = 2 };

struct notice_attempt {
  moment at{};
  std::int64_t took_ms = 0;
  std::string outcome; ///< "begun", "delivered", "again", "refused", "unknown"
  std::string answer;  ///< what was said, shortened; holds no secret
  bool operator==(const notice_attempt&) const = default;
};

/// A piece of news for one recipient by one channel.
struct notice_record {
  notice_id id;
  std::string kind;   ///< of the table of kinds
  sequence event = 0; ///< from which it was decided; 0: by hand, a test, or a code
  std::string about;  ///< a key's id, a node's name, …
  moment at{};        ///< of the event
  notice_weight weight = notice_weight::news;
  std::string why;   ///< "owner", "admins", "group:ops", "channel:ops", "person", "hand"
  user_id recipient; ///< empty: whoever is behind the channel's own target, or an address
  std::string
    address; ///< where it goes: an e-mail address, or what else the channel knows people by; empty: the channel's target
  std::string channel;
  std::string language; ///< "zh" or "en"
  std::string facts;    ///< a JSON object: what the template needs
  std::string sealed;   ///< a code, sealed for this id; empty for everything else
  notice_state state = notice_state::waiting;
  moment due_at{};
  moment until{};                 ///< later it is given up
  notice_id digest;               ///< by which it was told
  std::vector<notice_id> members; ///< of a digest
  std::vector<notice_attempt> attempts;
  std::string message; ///< the channel's own id of what it took; may be empty
  bool operator==(const notice_record&) const = default;
};

/// What a person wants. What is not set is as the configuration says.
struct notice_preferences {
  user_id user;
  std::optional<std::vector<std::string>> channels; ///< names, of those for people; empty: nothing at all
  std::vector<std::string> muted;                   ///< kinds; alarms cannot be muted
  std::string language;                             ///< "zh", "en" or empty
  std::string quiet_from, quiet_to;                 ///< "22:00", "08:00"; both empty: none
  std::string zone;                                 ///< of those; empty: that of the installation
  std::string digest_at;                            ///< "09:00": news are gathered until then; empty: told as they come
  std::string open_id;                              ///< at Feishu or Lark; empty: found by e-mail address
  std::string mobile;                               ///< likewise
  bool operator==(const notice_preferences&) const = default;
};

/// What changes together: on disk as a whole, or not at all.
struct notice_changes {
  std::vector<notice_record> put;                    ///< new, or in the place of those with the same id
  std::optional<sequence> position;                  ///< events up to there are decided
  std::optional<log_position> people;                ///< likewise, of the registry's log
  std::vector<std::pair<std::string, moment>> marks; ///< what was told last, and when
  std::vector<std::string> cleared;                  ///< marks that go
  std::vector<notice_id> dropped;
};

// --- what is asked ------------------------------------------------------------------------------

struct list_notices {
  std::optional<notice_state> state = {};
  std::string kind = {}, channel = {}, about = {};
  user_id recipient = {};
  notice_id before = {}; ///< older than that one
  std::uint32_t limit = 100;
};
struct notice_page {
  std::vector<notice_record> notices; ///< newest first
  bool more = false;
};
struct read_notice {
  notice_id id;
};
/// Sends it once more, whatever came of it.
struct resend_notice {
  notice_id id;
};
/// How a kind would look, with facts that are made up where none are given.
struct preview_notice {
  std::string kind;
  std::string language; ///< empty: the configured one
  std::string facts;    ///< a JSON object; empty: made up
};
struct notice_preview {
  std::string title;
  std::vector<std::string> lines;
  std::string button, link;
  std::vector<std::pair<std::string, std::string>> by_channel; ///< name, and what would be sent there; no secret in it
};
/// Sends a test by that channel, to `address` or the person or the channel's own target.
struct test_channel {
  std::string channel;
  std::string address;
  user_id who;
};
/// By hand, to people: "please contribute an account", "please renew".
struct remind_people {
  std::string kind;           ///< "reminder.account" or "reminder.renew"
  std::vector<user_id> users; ///< or
  group_name group;
  std::string text; ///< a sentence of the admin's own; may be empty
  user_id who;
  std::string command; ///< idempotency key: the same again sends nothing more
};
struct notices_made {
  std::vector<notice_id> ids;
};
struct read_notice_preferences {
  user_id user;
};
struct put_notice_preferences {
  notice_preferences what;
};
struct read_notices_state {};
struct notices_state {
  struct channel {
    std::string name, kind;
    bool personal = false;
    std::uint64_t waiting = 0;
    std::optional<moment> resting_until;                              ///< it failed, and is tried again then
    std::string problem;                                              ///< a sentence; empty while all is well
    std::uint64_t delivered = 0, refused = 0, again = 0, unknown = 0; ///< since the start
  };
  sequence position = 0;
  std::uint64_t waiting = 0;
  std::string queue; ///< "local" or "nats"
  std::string problem;
  std::vector<channel> channels;
  std::vector<std::string> kinds;
};

// --- from its helpers' threads ---------------------------------------------------------------------

struct order_taken {
  std::string id;    ///< of the notice
  std::string lease; ///< by which it is given back
};
/// A process that ends may leave it unsaid.
struct queue_changed {
  bool connected = false;
  std::string problem;
};

// clang-format off
using notifier_actor = caf::typed_actor<
  caf::reacts_to<committed>,
  caf::reacts_to<send_code>,
  caf::reacts_to<notice>,
  caf::replies_to<list_notices>::with<notice_page>,
  caf::replies_to<read_notice>::with<notice_record>,
  caf::replies_to<resend_notice>::with<notice_record>,
  caf::replies_to<preview_notice>::with<notice_preview>,
  caf::replies_to<test_channel>::with<notice_record>,
  caf::replies_to<remind_people>::with<notices_made>,
  caf::replies_to<read_notice_preferences>::with<notice_preferences>,
  caf::replies_to<put_notice_preferences>::with<notice_preferences>,
  caf::replies_to<read_notices_state>::with<notices_state>,
  caf::reacts_to<order_taken>,
  caf::reacts_to<queue_changed>,
  // Begins nothing more; answered when nothing is under way.
  caf::replies_to<drain>::with<drained>>;
// clang-format on

} // namespace keyportal

#define KEYPORTAL_MESSAGE(type) CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::type)
KEYPORTAL_MESSAGE(list_notices)
KEYPORTAL_MESSAGE(notice_page)
KEYPORTAL_MESSAGE(read_notice)
KEYPORTAL_MESSAGE(notice_record)
KEYPORTAL_MESSAGE(resend_notice)
KEYPORTAL_MESSAGE(preview_notice)
KEYPORTAL_MESSAGE(notice_preview)
KEYPORTAL_MESSAGE(test_channel)
KEYPORTAL_MESSAGE(remind_people)
KEYPORTAL_MESSAGE(notices_made)
KEYPORTAL_MESSAGE(read_notice_preferences)
KEYPORTAL_MESSAGE(put_notice_preferences)
KEYPORTAL_MESSAGE(notice_preferences)
KEYPORTAL_MESSAGE(read_notices_state)
KEYPORTAL_MESSAGE(notices_state)
KEYPORTAL_MESSAGE(order_taken)
KEYPORTAL_MESSAGE(queue_changed)
#undef KEYPORTAL_MESSAGE
