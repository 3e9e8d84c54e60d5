// Who is told what, when and by which channel; how far each notice has come. Pure: time, chance and people are given.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "actors/notifier/delivery_queue.hpp"
#include "actors/notifier/notice_facts.hpp"
#include "actors/notifier/notice_people.hpp"
#include "actors/notifier/pace_book.hpp"
#include "config/notice_settings.hpp"

namespace keyportal {

/// What came of an attempt.
struct delivery_result {
  enum class kind : std::uint8_t {
    delivered,
    again,   ///< certainly not delivered; it may be later
    refused, ///< will never be
    broken,  ///< nothing gets through this channel until somebody mends it
    unknown  ///< it may have been delivered
  } is = kind::unknown;
  std::string answer;                            ///< for people, without secrets
  std::string message;                           ///< the channel's own id of it
  std::optional<std::chrono::milliseconds> wait; ///< it said when to come again
  bool channel_wide = false;                     ///< it was not about this notice
};

/// The answer of an attempt that our own end broke off.
constexpr std::string_view ended_while_sent = "the service ended while it was sent";

class notice_book {
public:
  struct rules {
    notice_settings settings;
    std::string zone;               ///< of the installation
    std::function<double()> chance; ///< from 0 to 1
  };
  explicit notice_book(rules by);

  notice_people people;

  /// As it was when the service ended. What was being sent then is of unknown outcome.
  void restore(std::vector<notice_record> open, std::vector<std::pair<std::string, moment>> marks, moment now,
               notice_changes& out);

  // --- deciding: what is new is in `out`, and takes effect here at once ---
  void decide(const node_event& event, const key_names& keys, moment now, notice_changes& out);
  /// Of no event: a reminder, a certificate that ends.
  void tell(const notice_news& news, moment at, std::uint64_t number, moment now, notice_changes& out);
  /// To people by hand. `number` makes ids differ.
  std::vector<notice_id> remind(const notice_kind& kind, const std::vector<user_id>& to, const nlohmann::json& facts,
                                const std::string& command, moment now, notice_changes& out);
  /// By one channel, at once; nothing but `bad_request` for a channel that is not there, or an address that it needs.
  caf::expected<notice_record> send_to(const notice_kind& kind, const std::string& channel, const std::string& address,
                                       const user_id& who, const nlohmann::json& facts, std::uint64_t number,
                                       moment now);
  /// What `send_to` made, with its code sealed.
  void add(notice_record what, notice_changes& out);
  /// Once more, whatever came of it.
  void resend(notice_record what, moment now, notice_changes& out);

  // --- delivering ---
  /// What may go into the queue now, and what it is too late for.
  std::vector<delivery_queue::order> pick(moment now, notice_changes& out);
  struct start {
    const notice_record* begin = nullptr; ///< an attempt begins, and is noted in `out`
    std::optional<moment> later;          ///< ask again then
  };
  /// Neither: the order is done with.
  start taken(const notice_id& id, moment now, notice_changes& out);
  void ended(const notice_id& id, const delivery_result& what, moment now, notice_changes& out);
  /// The queue does not take it now.
  void not_queued(const std::vector<delivery_queue::order>& orders);
  /// When there is something to do again.
  [[nodiscard]] std::optional<moment> wake_at() const;

  /// Marks of what was told so long ago that it does not count any more.
  void forget_marks(moment before, notice_changes& out);

  [[nodiscard]] const notice_record* find(const notice_id& id) const;
  [[nodiscard]] const channel_settings* channel(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> personal_channels() const;
  /// The first one for mail; null: there is none.
  [[nodiscard]] const channel_settings* mail_channel() const;
  [[nodiscard]] std::size_t waiting() const { return open_.size(); }
  void show(notices_state& out) const;
  [[nodiscard]] bool under_way() const;

private:
  struct channel_state {
    const channel_settings* set = nullptr;
    pace_book pace{pace_limits{}};
    std::set<std::pair<moment, notice_id>> due;
    std::map<notice_id, moment> outstanding; ///< in the queue, or being sent: since when
    std::size_t failures = 0;
    moment resting_until{};
    std::string problem;
    std::uint64_t delivered = 0, refused = 0, again = 0, unknown = 0;
  };
  struct target {
    std::string why;
    user_id person;      ///< or
    std::string channel; ///< its own target
    std::vector<std::string> only = {};
  };

  [[nodiscard]] std::vector<target> targets_of(const notice_news& news) const;
  [[nodiscard]] bool is_quiet(const notice_news& news, moment now, notice_changes& out);
  std::vector<notice_id> make(const notice_news& news, sequence event, moment at, const std::string& salt,
                              const std::vector<target>& targets, moment now, notice_changes& out,
                              bool only_ids = false);
  void enter(notice_record what);
  void leave(const notice_record& what);
  void wait_until(notice_record& what, moment at);
  void gather(channel_state& at, notice_record& first, moment now, notice_changes& out);
  channel_state* state_of(const std::string& channel);
  /// Where it goes: by which channel, to whom, at which address.
  static std::string place_of(const notice_record& n) { return n.channel + '\n' + n.recipient + '\n' + n.address; }

  rules by_;
  std::map<std::string, channel_state> channels_;
  std::map<notice_id, notice_record> open_;
  std::map<std::string, std::set<notice_id>> waiting_for_; ///< by channel, person and address
  std::map<std::string, moment> marks_;
};

/// See notice_id. `salt` tells apart what is of no event.
notice_id make_notice_id(moment at, sequence event, std::string_view kind, std::string_view about,
                         std::string_view recipient, std::string_view channel, std::string_view salt);
/// It may have arrived, though nobody said so. Counted since it was first sent, or sent once more by hand.
bool is_in_doubt(const notice_record& n);
/// "key.*" and "*" cover what begins so.
bool covers(const std::string& pattern, std::string_view kind);

} // namespace keyportal
