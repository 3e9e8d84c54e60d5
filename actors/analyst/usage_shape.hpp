// What questions have in common that tell the same apart and leave out the same: which group a cell belongs to. Pure; asks
// for texts by number.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include <caf/expected.hpp>

#include "actors/analyst/calendar.hpp"
#include "actors/analyst/ownership.hpp"
#include "messages/usage.hpp"
#include "storage/cells.hpp"

namespace keyportal {

/// The text of a name in a cell; for a client key its id.
using name_reader = std::function<caf::expected<std::string>(storage::name_kind, storage::name_number)>;

/// One thing that usage is told apart or filtered by: which of its values a cell has, as a small number.
class usage_dimension {
public:
  /// All arguments outlive it. `wanted` null: every value.
  usage_dimension(usage_by by, const std::vector<std::string>* wanted, const name_reader& names,
                  const ownership& owners);

  /// Where the next cells are: a row of that node and time. `ends_ns`: when the row's time ends.
  void go_to(const node_name& node, std::int64_t ends_ns, const calendar::local_hour& hour);
  /// The number of the cell's value, or -1 where it is filtered out.
  [[nodiscard]] int place_of(const storage::cell_id& id);
  /// The same without looking at what it is not told by: of a row's cells, given those of its kinds.
  [[nodiscard]] int place_of(storage::name_number client_key, storage::name_number account, std::uint32_t kind) {
    switch (told_by_) {
      case told_by::time: return here_;
      case told_by::kind: return of_kinds_[kind];
      case told_by::account: return place_of_name(storage::name_kind::auth_index, account);
      case told_by::key: return place_of_name(storage::name_kind::client_key, client_key);
      case told_by::owner: break;
    }
    const auto& one = key_at(client_key);
    return one.since_ns < ends_ns_ ? one.place : place_before(one);
  }
  void take_kinds(std::span<const storage::cell_id> kinds);
  /// Whether go_to makes a difference within a node.
  [[nodiscard]] bool is_of_time() const {
    return by_ == usage_by::weekday || by_ == usage_by::hour || told_by_ == told_by::owner;
  }
  /// Whether all cells with that client key (account) are filtered out, whatever else they are.
  [[nodiscard]] bool leaves_out_key(storage::name_number client_key);
  [[nodiscard]] bool leaves_out_account(storage::name_number account);

  [[nodiscard]] usage_by by() const { return by_; }
  [[nodiscard]] const std::string& text_of(int place) const { return texts_[static_cast<std::size_t>(place)]; }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }
  /// The first thing that went wrong while texts were read.
  [[nodiscard]] const caf::error& failed() const { return failed_; }

private:
  struct known {
    int place = unknown;
    std::int64_t since_ns = INT64_MIN; ///< of a user or group: since when it has been the key's
    int earlier = out;                 ///< and before that; with `more`: an index of histories_
    bool more = false;                 ///< the owner was in other groups before
  };
  struct stretch {
    std::int64_t since_ns;
    int place;
  };
  [[nodiscard]] int place_before(const known& one) const;
  static constexpr int out = -1, unknown = -2;
  enum class told_by { time, kind, key, owner, account };
  int place_of_text(const std::string& text);
  int place_of_name(storage::name_kind kind, storage::name_number number);
  known& at(storage::name_number number);
  const known& key_at(storage::name_number client_key);
  int place_of_number(std::uint32_t number);

  usage_by by_;
  told_by told_by_;
  std::vector<int> of_kinds_;
  const std::vector<std::string>* wanted_;
  const name_reader* names_;
  const ownership* owners_;
  std::vector<known> known_;                    ///< by number
  std::vector<std::vector<stretch>> histories_; ///< newest first, the last one from the beginning
  std::unordered_map<std::string, int> places_;
  std::vector<std::string> texts_;
  int here_ = out; ///< what all cells of the row have
  std::int64_t ends_ns_ = 0;
  caf::error failed_;
};

/// Groups keep their numbers as long as it lives, so what was added up for one question serves the next. It stays where
/// it is.
class usage_shape {
public:
  /// `names` and `owners` outlive it; `owners` must not change meanwhile where a user or group is asked for.
  usage_shape(std::vector<usage_by> by, usage_filter where, const calendar& zone, const name_reader& names,
              const ownership& owners);
  usage_shape(const usage_shape&) = delete;
  usage_shape& operator=(const usage_shape&) = delete;

  /// Which leads of rows in that view are worth reading. Null: all.
  [[nodiscard]] const storage::lead_filter* leads(storage::cell_view view);
  /// Likewise which kinds, and which models.
  [[nodiscard]] const storage::kind_filter* kinds() const { return has_kinds_ ? &kind_filter_ : nullptr; }
  [[nodiscard]] const storage::lead_filter* models() const {
    return filter_.contains(usage_by::model) ? &model_filter_ : nullptr;
  }
  /// The cells that come next are of that row. Weekday and hour are those at the beginning of its full hour (UTC), and an
  /// owner is who had the key before that hour ended.
  void begin_row(const node_name& node, storage::granularity by, std::int32_t start);
  /// -1 where it is filtered out, or a text cannot be read, which failed() tells.
  [[nodiscard]] std::int32_t group_of(storage::name_number client_key, storage::name_number account,
                                      std::uint32_t kind);
  /// The row's kinds, by number.
  void take_kinds(std::span<const storage::cell_id> kinds);
  /// Whether it matters which row of a node the cells are of.
  [[nodiscard]] bool is_of_time() const { return is_of_time_; }
  [[nodiscard]] std::size_t groups() const { return groups_.size(); }
  /// A group's value of one of `by`.
  [[nodiscard]] const std::string& text_of(std::uint32_t group, std::size_t dimension) const;
  [[nodiscard]] caf::error failed() const;

private:
  usage_filter filter_;
  calendar zone_;
  std::vector<usage_dimension> by_;
  std::vector<usage_dimension> where_;
  storage::lead_filter key_filter_, account_filter_, model_filter_;
  storage::kind_filter kind_filter_;
  bool has_kinds_ = false;
  bool is_of_time_ = false, of_calendar_ = false;
  std::vector<signed char> key_known_, account_known_;
  std::vector<std::vector<std::int32_t>> table_; ///< by places: the group, -1 where none is
  std::vector<std::pair<int, int>> groups_;      ///< places in the dimensions
};

} // namespace keyportal
