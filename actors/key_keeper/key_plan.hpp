// What to do at one node so that its keys become and stay what they should be, and what may be believed of them. Pure:
// time is an argument, answers are told, calls are only named.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "messages/actors.hpp"

namespace keyportal {

/// CPA answers a write with 200 and may lose it, saves badly and enforces nothing, or enforces what it did not save. So
/// nothing counts as done until the key itself was tried, and what is not done is done again for as long as it takes. One
/// call at a time: `next` names it, and its answer is told by `listed`, `tried`, `written`, `config_kept` or `failed`.
///
/// Few changes are made key by key; many as one list that keeps every key that is not ours. The sentinel is in every list
/// that is written, so none is ever empty.
class key_plan {
public:
  using time = std::chrono::steady_clock::time_point;

  struct call {
    enum class kind : std::uint8_t {
      nothing,
      list,   ///< fetch the node's keys
      config, ///< fetch its config.yaml and keep it
      trial,  ///< try `key`; not set: a request without any
      swap,   ///< put `to` in the place of `from`
      put     ///< write `keys`
    } is = kind::nothing;
    std::optional<secret> key = {};
    secret from = {}, to = {};
    std::vector<secret> keys = {};
  };

  explicit key_plan(std::chrono::milliseconds reconcile_interval) : reconcile_interval_(reconcile_interval) {}
  key_plan(key_plan&&) = default;

  /// What should be at the node. Nothing is done before a whole set of orders came.
  void ordered(const key_orders& orders, time now);
  /// The node may be another process: look at once, also where the next try was not due.
  void node_may_be_new(time now);
  /// The keys for an earlier config.yaml that had these: what should be at the node, whatever was there at the time.
  [[nodiscard]] std::vector<secret> keys_of_now(const std::vector<secret>& then) const {
    return merged(have_list_ && !lost_ ? list_ : then);
  }
  /// An earlier config.yaml was written: what is missing now was not taken away by anybody.
  void config_restored(time now);

  /// The call to make now; none while one is under way or nothing is due.
  call next(time now);
  void listed(const std::vector<secret>& keys, time now);
  void tried(key_trial outcome, time now);
  void written(time now);
  void config_kept(time now);
  /// `ban`: for node_banned, how long it lasts.
  void failed(errc why, time now, std::chrono::seconds ban = {});
  /// When `next` may say something else without anything happening.
  [[nodiscard]] std::optional<time> wake_at(time now) const;

  /// What the registry has not heard yet; not set: nothing. The node's name is left to the caller.
  [[nodiscard]] std::optional<key_sighting> untold() const;
  /// It has heard this.
  void told(const key_sighting& what);

  struct change {
    bool works = false; ///< began to; else stopped
    std::chrono::milliseconds took{};
  };
  /// Changes that were seen since the last call, and how long each took from its order.
  std::vector<change> take_changes() { return std::exchange(changes_, {}); }

  /// The node whose list we wrote lets in anybody.
  [[nodiscard]] bool alarm() const { return anybody_ && ours_; }
  [[nodiscard]] bool open() const { return anybody_; }
  /// The node is not as it should be for another reason than a change that is on its way.
  [[nodiscard]] bool drift(time now) const;
  /// All that should be there is, and was seen.
  [[nodiscard]] bool in_step() const;
  [[nodiscard]] bool call_under_way() const { return under_way_.is != call::kind::nothing; }
  [[nodiscard]] bool write_under_way() const {
    return under_way_.is == call::kind::swap || under_way_.is == call::kind::put;
  }
  [[nodiscard]] const secret& sentinel() const { return sentinel_; }
  [[nodiscard]] std::uint64_t wanted() const { return wanted_; }
  [[nodiscard]] std::uint64_t changing() const;
  [[nodiscard]] std::uint64_t external() const { return foreign_.size(); }
  [[nodiscard]] std::uint64_t taken_away() const { return count(state::taken); }
  /// A sentence about the node's keys; empty when nothing is wrong with them.
  [[nodiscard]] std::string problem() const;

private:
  enum class state : std::uint8_t {
    presumed,   ///< in force as the registry knows; not looked for yet
    fresh,      ///< not looked for yet
    to_write,   ///< the list is wrong, or right without effect
    to_try,     ///< the list is right
    in_round,   ///< written or being tried, see `round`
    done,       ///< seen as it should be
    suspect,    ///< was in force and is gone from the list
    taken,      ///< somebody removed it: the registry decides
    unwritable, ///< cannot be a key
    count_
  };
  struct entry {
    key_id id;
    secret text;
    bool should_work = false;
    state is = state::fresh;
    bool at_node = false;  ///< in the list as far as is known
    bool plain = true;     ///< there once, and without blanks around it
    bool doubtful = false; ///< a write of it went wrong: only its own trial counts, and only together with the list
    bool rewrite = false;  ///< in the list without effect: it is written although it is there
    std::optional<bool> told;
    std::optional<time> ordered_at; ///< while the change is measured
    std::uint64_t number = 0;       ///< of the order: the oldest first
    std::uint32_t failures = 0;     ///< in a row
    time not_before{};
    time suspect_since{};
  };
  struct probe {
    std::optional<secret> key;
    key_trial expected = key_trial::refused;
    key_id id;
  };
  /// Trials that show whether a write, or what was found, is in force.
  struct round {
    time began{};
    bool of_write = false;
    bool read_back = false; ///< the list decides for those that are not tried
    bool passed = false;    ///< and only that is still missing
    std::vector<probe> sample;
    std::size_t at = 0;
    std::size_t gap = 0;
    time probe_at{};
    std::vector<std::pair<key_id, bool>> keys; ///< and what they should do
  };

  void enter(entry& e, state s);
  [[nodiscard]] std::uint64_t count(state s) const { return by_state_[static_cast<std::size_t>(s)].size(); }
  [[nodiscard]] const std::map<std::uint64_t, entry*>& all(state s) const {
    return by_state_[static_cast<std::size_t>(s)];
  }
  std::vector<entry*> copy_of(state s) const;
  void order(const key_orders::one& o, bool whole, time now);
  void forget(const key_id& id);
  void set_right(entry& e, time now);
  void judge(entry& e, bool lost, bool ours_lately, time now);
  [[nodiscard]] bool full_write_wanted(time now) const;
  [[nodiscard]] std::size_t due(time now) const;
  [[nodiscard]] entry* first_due(time now) const;
  [[nodiscard]] std::vector<secret> merged(const std::vector<secret>& list) const;
  void begin_round(bool of_write, bool read_back, std::vector<std::pair<key_id, bool>> keys, std::vector<probe> sample,
                   time now);
  [[nodiscard]] std::vector<probe> sample_of(std::vector<entry*> from, std::size_t most) const;
  void pass_round(time now);
  void give_up_round(bool unclear, time now);
  call begin(call c);

  const std::chrono::milliseconds reconcile_interval_;
  secret sentinel_;
  bool ordered_ = false; ///< whole orders came
  std::unordered_map<key_id, entry> entries_;
  std::unordered_map<std::string_view, entry*> by_text_;
  std::array<std::map<std::uint64_t, entry*>, static_cast<std::size_t>(state::count_)> by_state_;
  std::uint64_t numbers_ = 0;
  std::uint64_t wanted_ = 0;

  std::vector<secret> list_; ///< as last fetched
  bool have_list_ = false;
  bool list_fresh_ = false; ///< nothing was written since
  time list_at_{};
  std::set<std::string> foreign_; ///< at the node and in no order
  bool sentinel_there_ = false;
  bool template_there_ = false;
  bool untidy_ = false;     ///< a key of ours is there more than once
  bool tidy_now_ = false;   ///< and it is a good moment
  bool lost_ = false;       ///< the node lost its list
  bool ours_ = false;       ///< we wrote the list once
  bool anybody_ = false;    ///< a request without a key was let in
  bool strayed_ = false;    ///< something that was right had to be set right again
  bool in_trouble_ = false; ///< a key could not be set right again and again

  call under_way_;
  std::uint64_t under_way_number_ = 0; ///< orders up to this one are in it
  bool under_way_adds_ = false;
  key_id under_way_id_;
  bool trial_of_suspect_ = false;
  std::optional<round> round_;

  time look_at_{};
  time open_check_at_{};
  time manage_at_{}; ///< no call before
  time write_at_{};  ///< no write before
  time try_at_{};    ///< no trial of what is to be tried before
  time wrong_key_at_{};
  bool wrong_key_ = false;
  std::optional<time> config_at_; ///< when it was last kept
  time config_renew_at_{};
  time written_at_{};
  time put_back_until_{}; ///< what is missing until then was lost by a write of ours
  time unsettled_at_{};   ///< when something was last seen to go on, while something is left to do
  std::uint32_t failures_ = 0;
  std::uint32_t rounds_failed_ = 0;

  std::set<key_id> untold_keys_, untold_taken_;
  std::set<std::string> untold_strangers_;
  std::vector<change> changes_;
};

} // namespace keyportal
