// What the notifier is made of; for its own files only.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include <caf/all.hpp>

#include "actors/notifier/channel.hpp"
#include "actors/notifier/notifier.hpp"
#include "storage/ledger.hpp"
#include "storage/notices.hpp"

namespace keyportal {

/// From the wire's threads.
struct wire_answered {
  notice_id id;
  wire_answer answer;
};
struct wake_up {};
struct hourly {};

} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::wire_answered)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::wake_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::hourly)

namespace keyportal {

using notifier_impl =
  notifier_actor::extend<caf::reacts_to<wire_answered>, caf::reacts_to<wake_up>, caf::reacts_to<hourly>>;

struct notifier_core;
struct notifier_memory {
  notifier_memory() = default;
  static inline const char* name = "notifier";
  std::unique_ptr<notifier_core> core;
};
using notifier_pointer = notifier_impl::stateful_pointer<notifier_memory>;

struct notifier_core {
  notifier_core(notifier_pointer who, notifier_settings with, std::shared_ptr<storage::ledger> from, metrics& counted);

  void start();
  [[nodiscard]] bool may_decide() const { return !settings.may_decide || settings.may_decide(); }
  bool takes_turn();
  void open_queue();
  /// All that can be done now.
  void pump();
  void order(const order_taken& what);
  void answered(const wire_answered& what);
  void code(const send_code& what);
  void connected(const queue_changed& what);
  void look_hourly();

  caf::expected<notice_page> list(const list_notices& what) const { return shelf->list(what); }
  caf::expected<notice_record> read(const notice_id& id) const;
  caf::expected<notice_record> resend(const notice_id& id);
  caf::expected<notice_preview> preview(const preview_notice& what) const;
  caf::expected<notice_record> test(const test_channel& what);
  caf::expected<notices_made> remind(const remind_people& what);
  caf::expected<notice_preferences> wishes(const user_id& who) const;
  caf::expected<notice_preferences> put_wishes(const notice_preferences& what);
  notices_state state() const;
  caf::result<drained> finish();

private:
  struct flight {
    parcel what;
    std::string lease;
  };

  /// As it is on disk.
  caf::error load();
  void learn_people();
  void read_events();
  /// False, and everything is as it is on disk, when the disk refuses.
  bool commit(const notice_changes& what);
  void hand_out();
  void go_on(const notice_id& id, channel_step step);
  void ended(const notice_id& id, const delivery_result& result);
  void tell_of_channel(const std::string& name);
  void wake_when_due();
  void answer_drain();
  [[nodiscard]] std::string shown_key(const key_id& id) const;
  [[nodiscard]] parcel parcel_of(const notice_record& what) const;
  [[nodiscard]] notice_book fresh_book() const;

  notifier_pointer self;
  notifier_settings settings;
  std::shared_ptr<storage::ledger> store;
  std::shared_ptr<storage::notice_shelf> shelf;
  metrics& numbers;
  notice_book book;
  std::map<std::string, std::unique_ptr<notice_channel>> channels;
  std::map<notice_id, flight> flights;
  sequence position = 0;
  log_position people_position = 0;
  std::uint64_t made = 0; ///< of tests and codes: makes their ids differ
  bool ready = false, draining = false, queue_connected = false;
  std::string queue_problem, disk_problem;
  moment woken_at{};
  std::vector<caf::typed_response_promise<drained>> waiting_drains;
  std::unique_ptr<notice_wire> wire;
  std::unique_ptr<delivery_queue> queue; // last: its threads call us
};

} // namespace keyportal
