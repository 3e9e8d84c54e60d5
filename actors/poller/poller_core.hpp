// What the files of the poller share: its state, and which of them does what.
#pragma once

#include <memory>
#include <optional>

#include <caf/all.hpp>

#include "actors/cpa/usage_document.hpp"
#include "actors/poller/audit_book.hpp"
#include "actors/poller/poller.hpp"

namespace keyportal {
struct poll_tick {
  std::uint64_t number = 0; ///< only the newest one counts: a planned look may have been moved
};
/// What the node had counted has had time to arrive.
struct audit_grace_over {};
} // namespace keyportal
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::poll_tick)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::audit_grace_over)

namespace keyportal {

constexpr auto ledger_patience = std::chrono::seconds{60}; ///< a commit waits for the disk at most this long
/// From a node's counting a record to our having it, unless it is lost.
constexpr auto audit_grace = std::chrono::milliseconds{500};

using poller_impl = poller_actor::extend<caf::reacts_to<poll_tick>, caf::reacts_to<audit_grace_over>>;
struct poller_state;

/// Everything of one poller; the decisions are in poll_plan, usage_book, audit_book and the detector's rules.
struct poller_core {
  using self_ptr = poller_impl::stateful_pointer<poller_state>;

  poller_core(poller_settings s, poller_peers p, metrics& m)
    : settings(std::move(s)), peers(std::move(p)), plan(settings.poll), book(settings.node),
      numbers(m.of_node(settings.node)) {
    condition.node = settings.node;
    condition.url = settings.url;
    condition.since = settings.now();
  }

  poller_settings settings;
  poller_peers peers;
  poll_plan plan;
  cpa::usage_book book;
  node_metrics numbers;

  node_condition condition;
  node_counters before; ///< at the last poll that was made durable
  moment last_seen_at{};
  std::int64_t held = 0; ///< records that the node must hold: ledger_state::at_node
  std::int64_t held_at_fetch = 0;
  std::int64_t shortfall = 0; ///< how many of them the node lacked when the keeper was last told
  std::uint64_t restarts = 0;
  std::uint64_t gaps = 0;
  bool draining = false;
  bool busy = false;
  bool keeper_waits = false; ///< for our next look at the node
  bool looked = false;       ///< the node let us look, at least once
  std::uint64_t newest_tick = 0;
  caf::typed_response_promise<drained> drain_promise;

  // Of a node without `/usage`:
  std::optional<era_answer> era; ///< as last found; not set until the node was reached
  audit_book audits;
  audit_look look; ///< the one under way
  verdict look_says;
  bool first_look = true;         ///< of this life of ours
  std::uint64_t held_at_look = 0; ///< records in the ledger when it was last compared
  bool mended = false;

  // poller.cpp: when what is done, and what is told of it
  void start(self_ptr self);
  void act(self_ptr self);
  void plan_ahead(self_ptr self);
  void do_probe(self_ptr self);
  void do_poll(self_ptr self);
  void failed(self_ptr self, const caf::error& why);
  void ended(self_ptr self);
  void tell(self_ptr self, node_condition::light state, std::string problem);
  void tell_link(self_ptr self);
  void tell_restart(self_ptr self, const restart_record& restart);

  // poller_usage.cpp: a node that has `/usage`
  void judge(self_ptr self, usage_answer answer);
  void commit(self_ptr self, std::shared_ptr<cpa::usage_reading> reading, verdict judged);
  void note_held(const std::vector<std::pair<node_name, std::int64_t>>& at_node);
  void compare_with_ledger(self_ptr self, const cpa::usage_reading& reading);

  // poller_audit.cpp: a node without it
  void recall_audits(self_ptr self);
  void look_for_queue(self_ptr self, const caf::error& why);
  void found_era(self_ptr self, const era_answer& found);
  [[nodiscard]] std::string advice() const;
  void audit(self_ptr self);
  void read_counters(self_ptr self, audit_memory held_before);
  void judge_counters(self_ptr self);
  void compare(self_ptr self);
  void commit_audit(self_ptr self, const verdict& judged, const queue_state& queue);
  journal_entry audit_entry(const verdict& judged, const restart_record& restart, const queue_state& queue,
                            audit_book::finding& found);
  void audited(self_ptr self, std::uint64_t missing, const queue_state& queue);
};

struct poller_state {
  poller_state() = default;
  static inline const char* name = "poller";
  std::unique_ptr<poller_core> core;
};

/// The restart and the gap that comes with it, or a gap alone, with their events. Numbers are given by the ledger (0 asks
/// for the next one) and are the same that the events say.
journal_entry facts_of(const restart_record& restart, std::uint64_t gap_number);
journal_entry facts_of(const gap_record& gap);

} // namespace keyportal
