// Roll-ups: what was used, added up in cells. A row holds all cells of one node and one minute, hour or day. What one
// commit adds is a merge of that row, so nothing is read to write it, and what a query reads depends on how many rows
// it asks for, not on how many records there were.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <unordered_map>
#include <utility>
#include <vector>

#include <caf/expected.hpp>

#include "storage/keys.hpp"
#include "storage/values.hpp"

namespace rocksdb {
class MergeOperator;
class WriteBatch;
} // namespace rocksdb

namespace keyportal::storage {

class database;
class kind_numbers;
struct kinds_in_order;

/// Widths of rows; borders are those of UTC. On disk.
enum class granularity : std::uint8_t { minute = 0, hour = 1, day = 2, eight_hours = 3, eight_days = 4 };
/// Every attempt is in one cell of each view. What makes cells many is the client key and the account, and then the kind
/// (model, alias, provider, endpoint, status): a question reads rows without what it does not ask for. The last
/// three of the first seven tell nothing but the outcome apart, besides the key or the account. `key_hours` is `keys` with
/// the hours of a day in one row: in the place of the account a cell has its hour, 0 to 23. On disk; see is_kept.
enum class cell_view : std::uint8_t {
  kinds = 0,
  keys = 1,
  accounts = 2,
  all = 3,
  total = 4,
  key_totals = 5,
  account_totals = 6,
  key_hours = 9
};
constexpr bool has_keys(cell_view v) { return (static_cast<unsigned>(v) & 1U) != 0; }
constexpr bool has_accounts(cell_view v) { return (static_cast<unsigned>(v) & 2U) != 0; }
constexpr bool has_kinds(cell_view v) { return (static_cast<unsigned>(v) & 4U) == 0; }
/// The smallest one that has these.
constexpr cell_view view_with(bool keys, bool accounts, bool kinds) {
  return static_cast<cell_view>((keys ? 1 : 0) | (accounts ? 2 : 0) | (kinds || (keys && accounts) ? 0 : 4));
}
/// Whether its rows have an account for each cell beside the lead, or what stands in its place.
constexpr bool has_second(cell_view v) { return v == cell_view::all || v == cell_view::key_hours; }
/// The sums and the distributions of a cell are in rows of their own: most questions need no distributions. On disk.
enum class cell_part : std::uint8_t { sums = 0, distributions = 1 };
/// Whether there are rows of that width in that view. What is not kept is read from finer rows, or from those of a view
/// that tells more apart.
constexpr bool is_kept(granularity by, cell_view view, cell_part part = cell_part::sums) {
  switch (by) {
    case granularity::minute:
      return view == cell_view::kinds || view == cell_view::all || view == cell_view::total;
    case granularity::hour: return view != cell_view::keys && view != cell_view::key_hours;
    case granularity::day: return view != cell_view::all;
    case granularity::eight_hours:
      return view == cell_view::kinds || view == cell_view::accounts || view == cell_view::key_totals
             || view == cell_view::account_totals;
    case granularity::eight_days: return view == cell_view::keys && part == cell_part::sums;
  }
  return false;
}

/// What the attempts of a cell have in common; 0 where the view does not tell them apart.
struct cell_id {
  name_number client_key = 0;
  name_number account = 0; ///< auth index
  name_number model = 0;
  name_number alias = 0;
  name_number provider = 0;
  name_number endpoint = 0;
  std::int32_t status = 0; ///< HTTP; 0 where the node did not say it
  bool failed = false;
  [[nodiscard]] auto order() const {
    return std::tie(client_key, account, model, alias, provider, endpoint, status, failed);
  }
  bool operator==(const cell_id&) const = default;
  bool operator<(const cell_id& other) const { return order() < other.order(); }
  /// The same in a view that tells less.
  [[nodiscard]] cell_id in(cell_view view) const;
};
struct cell_id_hash {
  std::size_t operator()(const cell_id& id) const;
};

/// In a row the cells lie together by this one: what a question leaves out is skipped unread.
constexpr name_number lead_of(const cell_id& id, cell_view view) {
  return has_keys(view) ? id.client_key : has_accounts(view) ? id.account : 0;
}

/// Sums over the attempts of a cell. Amounts may be negative in what is added: corrections are.
struct cell_sums {
  std::int64_t requests = 0;
  token_counts tokens;
  token_parts parts;
  std::int64_t latency_ms = 0;
  std::int64_t timed_first = 0; ///< attempts of which the time to the first token is known
  std::int64_t ttft_ms = 0;
  std::int64_t cost_nano = 0; ///< of those with a price, in billionths of a US dollar
  std::int64_t unpriced = 0;  ///< attempts without a price
  void add(const cell_sums& other);
  [[nodiscard]] bool empty() const { return *this == cell_sums{}; }
  bool operator==(const cell_sums&) const = default;
};

/// How many attempts took how long: numbers of bins (see bin_of), ascending, each with a count that is not 0.
using bin_counts = std::vector<std::pair<std::uint16_t, std::int64_t>>;
struct cell_distributions {
  bin_counts latency;
  bin_counts ttft;
  void add(const cell_distributions& other);
  [[nodiscard]] bool empty() const { return latency.empty() && ttft.empty(); }
  bool operator==(const cell_distributions&) const = default;
};
void add(bin_counts& to, const bin_counts& other);
void add(bin_counts& to, std::uint16_t bin, std::int64_t count);

/// Bins grow by 4 %: what a bin gives for its times is at most 2 % off. 0 for 0 and less; the last one for all above
/// 24 days.
std::uint16_t bin_of(std::int64_t ms);
/// The time that stands for all of a bin.
double ms_of_bin(std::uint16_t bin);
/// The time below which that share of all attempts lies, 0 < share < 1, at most 2 % off; 0 when there are none.
double percentile(const bin_counts& bins, double share);

// --- rows --------------------------------------------------------------------------------------

struct cells_key {
  static constexpr tag of = tag::cells;
  std::uint8_t by = 0;   ///< granularity
  std::uint8_t view = 0; ///< cell_view
  std::uint8_t part = 0; ///< cell_part
  std::uint32_t node = 0;
  std::uint32_t chunk = 0; ///< of leads, see chunk_of
  std::int32_t start = 0;  ///< since 1970, UTC, in units of `by`
  auto fields() { return std::tie(by, view, part, node, chunk, start); }
  bool operator==(const cells_key&) const = default;
};

/// Neighbouring leads share a row, others do not: one key's year is a few rows side by side.
/// Of `keys` it is a few more: who asks for few keys, or for one model, finds less to read in `key_hours`.
constexpr std::uint32_t leads_in_chunk(cell_view view) { return has_kinds(view) && view != cell_view::keys ? 16 : 64; }
/// Where models share a row likewise only with some others, so that one model of all keys is little to read.
constexpr bool has_tiles(cell_view view) { return view == cell_view::key_hours; }
inline constexpr std::uint32_t tiles = 16;
constexpr std::uint32_t tile_of(name_number model) { return model % tiles; }
constexpr std::uint32_t chunk_of(granularity by, cell_view view, name_number lead, name_number model) {
  if (by == granularity::minute)
    return 0;
  return has_tiles(view) ? lead / leads_in_chunk(view) * tiles + tile_of(model) : lead / leads_in_chunk(view);
}

/// Full periods since 1970 in UTC; before it negative.
std::int32_t start_of(granularity by, std::int64_t unix_ns);
std::int32_t day_of_hour(std::int32_t hour);
/// The period of that width which one of a width that divides it lies in.
std::int32_t coarser(granularity by, std::int32_t start, granularity to);
std::int64_t ns_of(granularity by);

/// Which leads, or models, a question wants. Remembers of chunks and tiles whether any of theirs is among them. One thread.
class lead_filter {
public:
  lead_filter() = default;
  template <class Wants>
  requires std::is_invocable_r_v<bool, Wants, name_number> lead_filter(Wants wants)
    : wants_(std::move(wants)) {} // NOLINT: any rule is a filter
  bool operator()(name_number lead) const { return wants_(lead); }
  /// `chunk`: of leads, without tiles. `is_lead`: whether there is such a lead; there are none above `last_name`.
  template <class IsLead>
  bool wants_chunk(cell_view view, std::uint32_t chunk, name_number last_name, IsLead is_lead) const {
    forget_before(last_name);
    auto& known = chunks_[leads_in_chunk(view) == 16 ? 0 : 1];
    if (chunk >= known.size())
      known.resize(chunk + std::size_t{1}, -1);
    if (known[chunk] < 0) {
      known[chunk] = 0;
      const auto many = leads_in_chunk(view);
      for (auto lead = std::uint64_t{chunk} * many; lead < (std::uint64_t{chunk} + 1) * many; ++lead)
        if (is_lead(static_cast<name_number>(lead)) && wants_(static_cast<name_number>(lead))) {
          known[chunk] = 1;
          break;
        }
    }
    return known[chunk] == 1;
  }
  /// Of each tile a bit: whether it may have a model that is wanted. `is_model`: likewise.
  template <class IsModel>
  std::uint32_t wanted_tiles(name_number last_name, IsModel is_model) const {
    forget_before(last_name);
    for (; tiles_up_to_ <= last_name; ++tiles_up_to_) {
      const auto model = static_cast<name_number>(tiles_up_to_);
      if ((tiles_ >> tile_of(model) & 1U) == 0 && is_model(model) && wants_(model))
        tiles_ |= 1U << tile_of(model);
    }
    return tiles_;
  }

private:
  /// Names that came since may be wanted.
  void forget_before(name_number last_name) const {
    if (last_name == last_name_)
      return;
    last_name_ = last_name;
    chunks_ = {};
  }

  std::function<bool(name_number lead)> wants_;
  mutable std::array<std::vector<signed char>, 2> chunks_; ///< -1: nobody has asked
  mutable name_number last_name_ = 0;
  mutable std::uint64_t tiles_up_to_ = 0; ///< names below it were looked at
  mutable std::uint32_t tiles_ = 0;
};

/// Which kinds a question wants: told by an id without key and account; in views without kinds it has the outcome only.
/// Asked once of each kind in a row.
using kind_filter = std::function<bool(const cell_id& kind)>;

/// Cells of one row in the order of lead and id, none of them empty.
using sums_row = std::vector<std::pair<cell_id, cell_sums>>;
using distributions_row = std::vector<std::pair<cell_id, cell_distributions>>;
std::string encode(const sums_row& row, cell_view view);
std::string encode(const distributions_row& row, cell_view view);
/// Calls `visit` for each cell whose lead and kind are wanted (null: all are). False: the bytes are damaged.
[[nodiscard]] bool each_cell(std::string_view bytes, cell_view view, const lead_filter* leads,
                             const std::function<void(const cell_id&, const cell_sums&)>& visit,
                             const kind_filter* kinds = nullptr);
[[nodiscard]] bool each_cell(std::string_view bytes, cell_view view, const lead_filter* leads,
                             const std::function<void(const cell_id&, cell_distributions&&)>& visit,
                             const kind_filter* kinds = nullptr);

// --- the sieve ---------------------------------------------------------------------------------

/// Where in an hour of a node the attempts of which kind lie: a page of records with a rare property is found without
/// reading those without it.
struct sieve_key {
  static constexpr tag of = tag::sieve;
  std::uint32_t node = 0;
  std::int32_t hour = 0;
  auto fields() { return std::tie(node, hour); }
  bool operator==(const sieve_key&) const = default;
};
struct sieve_kind {
  cell_id id;
  name_number source = 0;
  name_number error = 0;
  [[nodiscard]] auto order() const { return std::tie(id, source, error); }
  bool operator==(const sieve_kind&) const = default;
  bool operator<(const sieve_kind& other) const { return order() < other.order(); }
};
/// Milliseconds since the hour began, and which kind.
struct sieve_entry {
  std::uint32_t ms = 0;
  std::uint32_t kind = 0;
  auto operator<=>(const sieve_entry&) const = default;
};
/// Entries ascend; records taken out are counted with a minus elsewhere, so entries only grow until the hour is dropped.
struct sieve_row {
  std::vector<sieve_kind> kinds;
  std::vector<sieve_entry> entries;
};
/// Entries ascend.
std::string encode(const sieve_row& row);
[[nodiscard]] bool decode(std::string_view bytes, sieve_row& row);
/// Leaves out entries whose kind `wanted` (not set: all) does not let pass; asks it once for each kind.
[[nodiscard]] bool decode(std::string_view bytes, sieve_row& row, const std::function<bool(const sieve_kind&)>& wanted);

// --- changing ------------------------------------------------------------------------------------

/// One attempt, or the correction of one.
struct cell_change {
  name_number node = 0;
  std::int64_t at_ns = 0;
  cell_id id; ///< in the view `all`
  cell_sums sums;
  std::int32_t latency_bin = -1; ///< none: no distribution changes
  std::int32_t ttft_bin = -1;
};

/// What a record adds to the cells it is in.
cell_change change_by(const record_key& key, const record_value& value, const token_parts& parts);
sieve_kind kind_of(const record_value& value);
/// Roll-ups by minute are kept for two days and given up hour by hour: the first minute that has them at `now`.
std::int32_t first_minute_at(const position_value& position, moment now);
/// Removes the rows of minutes before `first`.
void drop_minutes_before(std::int32_t first, name_number node, rocksdb::WriteBatch& batch, const database& db);

/// The newest hour (since 1970, UTC) of each node, which is in rows by minute only; hours before it have rows of their
/// own, and so have the longer periods before its own. So a cell is written by hour and by day once, when the hour or the day is
/// over, and not with each commit. What comes late is merged into the rows that are there.
using open_hours = std::map<name_number, std::int32_t>;
constexpr std::int32_t no_hour = INT32_MIN;

/// What one commit adds to roll-ups. One thread.
class cell_changes {
public:
  /// Rows of minutes before this one, the first of an hour, are gone and stay so.
  explicit cell_changes(std::int32_t first_minute);
  ~cell_changes();
  cell_changes(cell_changes&&) noexcept;
  cell_changes& operator=(cell_changes&&) noexcept;
  void add(const cell_change& change);
  /// Nothing of the node will come from before that hour (since 1970, UTC).
  void over_before(name_number node, std::int32_t hour) { over_before_[node] = hour; }
  void add_to_sieve(name_number node, std::int64_t at_ns, const sieve_kind& kind);
  /// The rows that come of it, keys and values, each key once; as they are in the end if nothing else is added to them.
  /// Of nodes that are not in `open` everything is over.
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> rows(const open_hours& open) const;
  /// The nodes and days (since 1970, UTC) that they belong to, each once.
  [[nodiscard]] std::vector<std::pair<name_number, std::int32_t>> days() const;
  /// Merges the rows into those that are there. `open`: all nodes as they are; then as they are with this. What is over
  /// by that is read from the rows by minute and by hour.
  [[nodiscard]] caf::error write_to(rocksdb::WriteBatch& batch, const database& db, open_hours& open) const;
  /// The rows of hours and longer periods but those of eight days, made of the rows of hours in the view `all`. False:
  /// these are damaged.
  [[nodiscard]] static bool remake(const std::vector<std::pair<std::string, std::string>>& hours, const open_hours& open,
                                   std::vector<std::pair<std::string, std::string>>& out);
  void clear();
  [[nodiscard]] bool empty() const;

private:
  struct gathered;
  struct carried;
  [[nodiscard]] caf::error carry(const database& db, name_number node, std::int32_t before, std::int32_t after,
                                 kind_numbers& kinds, carried& out) const;
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> rows(const open_hours& open, carried& before,
                                                                      const kinds_in_order& kinds) const;

  std::int32_t first_minute_;
  open_hours over_before_;
  std::unique_ptr<gathered> all_;
};

/// Rows of roll-ups of each chunk whose start is in [first, end).
struct row_kind {
  granularity by = granularity::day;
  cell_view view = cell_view::kinds;
  cell_part part = cell_part::sums;
  std::int32_t first = 0;
  std::int32_t end = 0;
};
/// All that there are of a day (since 1970, UTC), besides the sieves of its hours.
std::vector<row_kind> rows_of_day(std::int32_t day);
/// Likewise of eight days, of which `begin` (since 1970) is the first: what is made of the rows of days.
std::vector<row_kind> rows_of_eight_days(std::int32_t begin);
/// What rows of those come to, given the rows of their days, keys and values; in order of their keys. False: damaged.
[[nodiscard]] bool make_eight_days(const std::vector<std::pair<std::string, std::string>>& days,
                                   std::vector<std::pair<std::string, std::string>>& out);
/// A row as it is written today. False: the bytes are damaged.
[[nodiscard]] bool rewrite_cells(std::string_view key, std::string_view row, std::string& out);

/// Adds up what was merged into a row; for the family of roll-ups.
std::shared_ptr<rocksdb::MergeOperator> make_cell_merger();

} // namespace keyportal::storage
