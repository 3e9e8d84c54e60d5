#include "storage/cells.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <optional>
#include <type_traits>

#include <rocksdb/merge_operator.h>
#include <rocksdb/write_batch.h>

#include "storage/cell_fold.hpp"
#include "storage/database.hpp"
#include "storage/encoding.hpp"

namespace keyportal::storage {
namespace {

constexpr std::array views{cell_view::kinds, cell_view::keys,       cell_view::accounts,       cell_view::all,
                           cell_view::total, cell_view::key_totals, cell_view::account_totals, cell_view::key_hours};

bool is_view(std::uint8_t number) {
  return std::any_of(views.begin(), views.end(),
                     [number](cell_view one) { return static_cast<std::uint8_t>(one) == number; });
}

std::int64_t floor_div(std::int64_t value, std::int64_t by) { return value / by - (value % by < 0 ? 1 : 0); }

// Wraps round: so the order in which amounts are added never matters, however absurd they are.
std::int64_t sum_of(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

} // namespace

// --- what is in a cell -------------------------------------------------------------------

cell_id cell_id::in(cell_view view) const {
  cell_id out;
  if (has_kinds(view))
    out = *this;
  out.client_key = has_keys(view) ? client_key : 0;
  out.account = has_accounts(view) || has_second(view) ? account : 0;
  out.failed = failed;
  return out;
}

std::size_t cell_id_hash::operator()(const cell_id& id) const {
  const auto mix = [](std::uint64_t h, std::uint64_t v) {
    h ^= v + 0x9e3779b97f4a7c15u + (h << 6) + (h >> 2);
    return (h ^ (h >> 31)) * 0xbf58476d1ce4e5b9u;
  };
  auto h = mix(0, (std::uint64_t{id.client_key} << 32) | id.account);
  h = mix(h, (std::uint64_t{id.model} << 32) | id.alias);
  h = mix(h, (std::uint64_t{id.provider} << 32) | id.endpoint);
  return mix(h, (static_cast<std::uint64_t>(static_cast<std::uint32_t>(id.status)) << 1) | (id.failed ? 1U : 0U));
}

void cell_sums::add(const cell_sums& other) {
  // Nothing but amounts is in it: added side by side.
  using amounts = std::array<std::int64_t, sizeof(cell_sums) / sizeof(std::int64_t)>;
  auto to = std::bit_cast<amounts>(*this);
  const auto what = std::bit_cast<amounts>(other);
  for (std::size_t i = 0; i < to.size(); ++i)
    to[i] = sum_of(to[i], what[i]);
  *this = std::bit_cast<cell_sums>(to);
}

void add(bin_counts& to, std::uint16_t bin, std::int64_t count) {
  const auto at = std::lower_bound(to.begin(), to.end(), bin, [](const auto& one, auto b) { return one.first < b; });
  if (at == to.end() || at->first != bin)
    to.insert(at, {bin, count});
  else if ((at->second += count) == 0)
    to.erase(at);
}

void add(bin_counts& to, const bin_counts& other) {
  if (to.empty()) {
    to = other;
    return;
  }
  if (other.size() < 4) {
    for (const auto& [bin, count] : other)
      add(to, bin, count);
    return;
  }
  bin_counts out;
  out.reserve(to.size() + other.size());
  auto a = to.begin();
  auto b = other.begin();
  while (a != to.end() || b != other.end()) {
    if (b == other.end() || (a != to.end() && a->first < b->first))
      out.push_back(*a++);
    else if (a == to.end() || b->first < a->first)
      out.push_back(*b++);
    else {
      if (a->second + b->second != 0)
        out.emplace_back(a->first, a->second + b->second);
      ++a;
      ++b;
    }
  }
  to = std::move(out);
}

void cell_distributions::add(const cell_distributions& other) {
  storage::add(latency, other.latency);
  storage::add(ttft, other.ttft);
}

namespace {

// bin 0: nothing. Of bin i > 0 the upper end is edges[i]: each 4 % above the one before, and at least 1 ms.
const std::vector<std::int64_t>& edges() {
  static const std::vector<std::int64_t> all = [] {
    std::vector<std::int64_t> out{0};
    double edge = 1;
    for (std::int64_t last = 0; last < std::int64_t{1} << 31;) {
      last = std::max(last + 1, static_cast<std::int64_t>(edge));
      out.push_back(last);
      edge = std::max(edge * 1.04, edge);
      while (static_cast<std::int64_t>(edge) <= last)
        edge *= 1.04;
    }
    return out;
  }();
  return all;
}

} // namespace

std::uint16_t bin_of(std::int64_t ms) {
  if (ms <= 0)
    return 0;
  const auto& all = edges();
  const auto at = std::lower_bound(all.begin(), all.end(), ms);
  return static_cast<std::uint16_t>(
    std::min<std::ptrdiff_t>(at - all.begin(), static_cast<std::ptrdiff_t>(all.size()) - 1));
}

double ms_of_bin(std::uint16_t bin) {
  const auto& all = edges();
  if (bin == 0 || bin >= all.size())
    return bin == 0 ? 0 : static_cast<double>(all.back());
  const auto low = all[bin - 1] + 1;
  return (static_cast<double>(low) + static_cast<double>(all[bin])) / 2;
}

double percentile(const bin_counts& bins, double share) {
  std::int64_t all = 0;
  for (const auto& [bin, count] : bins)
    all += std::max<std::int64_t>(count, 0);
  if (all == 0)
    return 0;
  const auto rank = static_cast<std::int64_t>(std::ceil(share * static_cast<double>(all)));
  std::int64_t seen = 0;
  for (const auto& [bin, count] : bins)
    if ((seen += std::max<std::int64_t>(count, 0)) >= rank)
      return ms_of_bin(bin);
  return ms_of_bin(bins.back().first);
}

// --- rows ------------------------------------------------------------------------------------

namespace {

constexpr std::int64_t minutes_of(granularity by) {
  switch (by) {
    case granularity::minute: return 1;
    case granularity::hour: return 60;
    case granularity::eight_hours: return 480;
    case granularity::day: return 1440;
    case granularity::eight_days: break;
  }
  return 11'520;
}

} // namespace

std::int64_t ns_of(granularity by) { return minutes_of(by) * 60'000'000'000; }

std::int32_t coarser(granularity by, std::int32_t start, granularity to) {
  return static_cast<std::int32_t>(floor_div(start * minutes_of(by), minutes_of(to)));
}

std::int32_t day_of_hour(std::int32_t hour) { return static_cast<std::int32_t>(floor_div(hour, 24)); }

std::int32_t start_of(granularity by, std::int64_t unix_ns) {
  return static_cast<std::int32_t>(floor_div(unix_ns, ns_of(by)));
}

namespace {
constexpr char row_version = 1; // of sieves
} // namespace

// --- the sieve ---------------------------------------------------------------------------------

std::string encode(const sieve_row& row) {
  std::string out(1, row_version);
  put_varint(out, row.kinds.size());
  for (const auto& kind : row.kinds) {
    put_varint(out, kind.id.client_key);
    put_varint(out, kind.id.account);
    put(out, kind_of_cell{kind.id});
    put_varint(out, kind.source);
    put_varint(out, kind.error);
  }
  std::uint32_t before = 0;
  for (const auto& entry : row.entries) {
    put_varint(out, entry.ms - before);
    put_varint(out, entry.kind);
    before = entry.ms;
  }
  return out;
}

bool decode(std::string_view in, sieve_row& row) { return decode(in, row, nullptr); }

bool decode(std::string_view in, sieve_row& row, const std::function<bool(const sieve_kind&)>& wanted) {
  return decode_wanted(in, nullptr, wanted, row);
}

namespace {

/// Takes so many varints off `in` unread.
bool skip_varints(std::string_view& in, int count) {
  const char* at = in.data();
  const char* const end = at + in.size();
  for (; count > 0 && at != end; ++at)
    count -= (static_cast<unsigned char>(*at) & 0x80U) == 0 ? 1 : 0;
  in.remove_prefix(static_cast<std::size_t>(at - in.data()));
  return count == 0;
}

/// As get_varint; most have one byte or two.
bool get_short(std::string_view& in, std::uint32_t& out) {
  const auto byte = [&](std::size_t n) { return std::uint32_t{static_cast<unsigned char>(in[n])}; };
  if (!in.empty() && byte(0) < 0x80) {
    out = byte(0);
    in.remove_prefix(1);
    return true;
  }
  if (in.size() > 1 && byte(1) < 0x80) {
    out = (byte(0) & 0x7FU) | byte(1) << 7;
    in.remove_prefix(2);
    return true;
  }
  return get_varint(in, out);
}

} // namespace

bool decode_wanted(std::string_view in, const std::function<bool(name_number, name_number)>& lead,
                   const std::function<bool(const sieve_kind&)>& wanted, sieve_row& row) {
  row.kinds.clear();
  row.entries.clear();
  std::uint64_t count = 0;
  if (in.empty() || in[0] != row_version)
    return false;
  in.remove_prefix(1);
  if (!get_varint(in, count) || count > in.size())
    return false;
  std::vector<std::uint32_t> place_of(count, nowhere); // among those that are wanted
  sieve_kind kind;
  std::optional<std::pair<name_number, name_number>> last; // kinds with the same lie together
  bool lead_passes = true;
  for (auto& place : place_of) {
    if (!get_short(in, kind.id.client_key) || !get_short(in, kind.id.account))
      return false;
    const std::pair its{kind.id.client_key, kind.id.account};
    if (lead && last != its)
      lead_passes = lead(its.first, its.second);
    last = its;
    if (!lead_passes) {
      if (!skip_varints(in, 7))
        return false;
      continue;
    }
    kind_of_cell of;
    if (!get(in, of) || !get_varint(in, kind.source) || !get_varint(in, kind.error))
      return false;
    of.into(kind.id);
    if (wanted && !wanted(kind))
      continue;
    place = static_cast<std::uint32_t>(row.kinds.size());
    row.kinds.push_back(kind);
  }
  if (row.kinds.empty() && count != 0)
    return true;
  std::uint64_t ms = 0;
  while (!in.empty()) {
    std::uint32_t step = 0;
    sieve_entry entry;
    if (!get_short(in, step) || !get_short(in, entry.kind) || entry.kind >= count || (ms += step) > UINT32_MAX)
      return false;
    entry.ms = static_cast<std::uint32_t>(ms);
    entry.kind = place_of[entry.kind];
    if (entry.kind != nowhere)
      row.entries.push_back(entry);
  }
  return true;
}

// --- merging ---------------------------------------------------------------------------------------

namespace {

bool fold_rows(const std::vector<std::string_view>& pieces, cell_part part, cell_view view, std::string& out) {
  flat_cells all;
  kind_numbers numbers;
  for (const auto piece : pieces)
    if (!(part == cell_part::sums ? append_sums(piece, view, 0, numbers, all)
                                  : append_distributions(piece, view, 0, numbers, all)))
      return false;
  const auto kinds = numbers.ranked();
  const auto merged = fold(all, {view, nullptr, has_kinds(view) ? &kinds.rank_of : nullptr});
  row_writer writer{view, has_kinds(view) ? std::span{kinds.kinds} : outcomes()};
  out =
    part == cell_part::sums ? writer.sums(merged.cells, merged.sums) : writer.distributions(merged.cells, merged.bins);
  return true;
}

// The same entries are always the same bytes: kinds in their order, each once, and entries in theirs.
sieve_row in_order(const std::vector<sieve_row>& rows) {
  sieve_row out;
  std::size_t entries = 0;
  for (const auto& row : rows) {
    entries += row.entries.size();
    out.kinds.insert(out.kinds.end(), row.kinds.begin(), row.kinds.end());
  }
  std::sort(out.kinds.begin(), out.kinds.end());
  out.kinds.erase(std::unique(out.kinds.begin(), out.kinds.end()), out.kinds.end());
  out.entries.reserve(entries);
  std::vector<std::uint32_t> renamed;
  for (const auto& row : rows) {
    renamed.clear();
    for (const auto& kind : row.kinds)
      renamed.push_back(
        static_cast<std::uint32_t>(std::lower_bound(out.kinds.begin(), out.kinds.end(), kind) - out.kinds.begin()));
    for (const auto& entry : row.entries)
      out.entries.push_back({entry.ms, renamed[entry.kind]});
  }
  std::sort(out.entries.begin(), out.entries.end());
  return out;
}

bool merge_sieves(const std::vector<std::string_view>& pieces, std::string& out) {
  std::vector<sieve_row> rows(pieces.size());
  for (std::size_t i = 0; i < pieces.size(); ++i)
    if (!decode(pieces[i], rows[i]))
      return false;
  out = encode(in_order(rows));
  return true;
}

bool merge_row(std::string_view key, const std::vector<std::string_view>& pieces, std::string& out) {
  if (pieces.size() == 1) { // written once: most rows of hours and days, and each is read as often as asked for
    out = pieces[0];
    return true;
  }
  sieve_key sieve;
  if (decode_key(key, sieve))
    return merge_sieves(pieces, out);
  cells_key cells;
  if (!decode_key(key, cells) || !is_view(cells.view))
    return false;
  return fold_rows(pieces, static_cast<cell_part>(cells.part), static_cast<cell_view>(cells.view), out);
}

class cell_merger : public rocksdb::MergeOperator {
public:
  bool FullMergeV2(const MergeOperationInput& in, MergeOperationOutput* out) const override {
    std::vector<std::string_view> pieces;
    pieces.reserve(in.operand_list.size() + 1);
    if (in.existing_value != nullptr)
      pieces.push_back(in.existing_value->ToStringView());
    for (const auto& operand : in.operand_list)
      pieces.push_back(operand.ToStringView());
    return merge_row(in.key.ToStringView(), pieces, out->new_value);
  }
  bool PartialMergeMulti(const rocksdb::Slice& key, const std::deque<rocksdb::Slice>& operands, std::string* out,
                         rocksdb::Logger*) const override {
    std::vector<std::string_view> pieces;
    pieces.reserve(operands.size());
    for (const auto& operand : operands)
      pieces.push_back(operand.ToStringView());
    return merge_row(key.ToStringView(), pieces, *out);
  }
  const char* Name() const override { return "keyportal.cells"; } // on disk: never changed
};

} // namespace

std::shared_ptr<rocksdb::MergeOperator> make_cell_merger() { return std::make_shared<cell_merger>(); }

bool rewrite_cells(std::string_view key, std::string_view row, std::string& out) {
  cells_key cells;
  return decode_key(key, cells) && is_view(cells.view)
         && fold_rows({row}, static_cast<cell_part>(cells.part), static_cast<cell_view>(cells.view), out);
}

// --- changing ------------------------------------------------------------------------------------

sieve_kind kind_of(const record_value& value) {
  sieve_kind out;
  out.id.client_key = value.client_key;
  out.id.account = value.auth_index;
  out.id.model = value.model;
  out.id.failed = value.failed;
  out.source = value.source;
  if (value.facts) {
    out.id.alias = value.facts->alias;
    out.id.provider = value.facts->provider;
    out.id.endpoint = value.facts->endpoint;
    out.id.status = std::clamp<std::int32_t>(value.facts->status_code, 0, 999);
    out.error = value.facts->error;
  }
  return out;
}

cell_change change_by(const record_key& key, const record_value& value, const token_parts& parts) {
  cell_change out;
  out.node = key.node;
  out.at_ns = key.at_ns;
  out.id = kind_of(value).id;
  out.sums.requests = 1;
  out.sums.tokens = value.tokens;
  out.sums.parts = parts;
  out.sums.latency_ms = value.latency_ms;
  out.latency_bin = bin_of(value.latency_ms);
  if (value.facts && value.facts->ttft_ms > 0) {
    out.sums.timed_first = 1;
    out.sums.ttft_ms = value.facts->ttft_ms;
    out.ttft_bin = bin_of(value.facts->ttft_ms);
  }
  out.sums.cost_nano = value.cost_nano.value_or(0);
  out.sums.unpriced = value.cost_nano ? 0 : 1;
  return out;
}

std::int32_t first_minute_at(const position_value& position, moment now) {
  constexpr std::int32_t kept_hours = 48;
  return std::max(position.first_minute, 60 * (start_of(granularity::hour, unix_ns(now)) - kept_hours));
}

void drop_minutes_before(std::int32_t first, name_number node, rocksdb::WriteBatch& batch, const database& db) {
  for (const auto view : views)
    for (const auto part : {cell_part::sums, cell_part::distributions})
      if (is_kept(granularity::minute, view)) {
        const auto by = static_cast<std::uint8_t>(granularity::minute);
        const auto end =
          encode_key(cells_key{by, static_cast<std::uint8_t>(view), static_cast<std::uint8_t>(part), node, 0, first});
        batch.DeleteRange(db.handle(family::rollups), end.substr(0, end.size() - sizeof first), end);
      }
}

namespace {

/// The start of a period at a node.
struct node_time {
  name_number node = 0;
  std::int32_t start = 0;
  bool operator<(const node_time& other) const { return std::tie(node, start) < std::tie(other.node, other.start); }
  bool operator==(const node_time&) const = default;
};

/// Periods by number, in the order of their first appearance.
struct place_numbers {
  std::map<node_time, std::uint32_t> numbers;
  std::vector<node_time> places;
  std::uint32_t last = nowhere; ///< records come together

  std::uint32_t number_of(const node_time& place) {
    if (last != nowhere && places[last] == place)
      return last;
    const auto [at, fresh] = numbers.emplace(place, static_cast<std::uint32_t>(places.size()));
    if (fresh)
      places.push_back(place);
    return last = at->second;
  }
};

struct sieve_kind_hash {
  std::size_t operator()(const sieve_kind& kind) const {
    return cell_id_hash{}(kind.id) * 31 + (std::size_t{kind.source} << 20) + kind.error;
  }
};

struct sieve_rows {
  std::unordered_map<sieve_kind, std::uint32_t, sieve_kind_hash> numbers;
  sieve_row row;
};

std::int32_t hour_of_minute(std::int32_t minute) { return static_cast<std::int32_t>(floor_div(minute, 60)); }

} // namespace

struct cell_changes::gathered {
  place_numbers minutes;
  kind_numbers kinds;
  flat_cells cells; ///< of minutes, in no order
  std::size_t most_cells = smallest_most;
  std::map<node_time, sieve_rows> sieves; ///< of hours
  node_time last_hour;
  sieve_rows* last_sieve = nullptr;

  /// What is the same is added up when there are so many cells, so that they are as many as there are different ones,
  /// and not as there are records.
  static constexpr std::size_t smallest_most = 1 << 16;
};

/// Cells of before that periods which are over now are made of as well.
struct cell_changes::carried {
  place_numbers hours, days;
  flat_cells of_hours;                        ///< of the hours that were open
  flat_cells earlier;                         ///< of hours that were over, in longer periods that were open
  flat_cells of_days;                         ///< of days that were over, in eight that were open; without accounts
  std::map<name_number, std::int32_t> before; ///< the open hours, where there were any
};

cell_changes::cell_changes(std::int32_t first_minute)
  : first_minute_(first_minute), all_(std::make_unique<gathered>()) {}
cell_changes::~cell_changes() = default;
cell_changes::cell_changes(cell_changes&&) noexcept = default;
cell_changes& cell_changes::operator=(cell_changes&&) noexcept = default;

bool cell_changes::empty() const { return all_->cells.cells.empty() && all_->sieves.empty(); }

void cell_changes::add(const cell_change& change) {
  auto& to = all_->cells;
  flat_cells::cell cell;
  cell.place = all_->minutes.number_of({change.node, start_of(granularity::minute, change.at_ns)});
  cell.client_key = change.id.client_key;
  cell.account = change.id.account;
  cell.kind = all_->kinds.number_of(kind_of_cell{change.id});
  cell.latency = static_cast<std::uint32_t>(to.bins.size());
  if (change.latency_bin >= 0)
    to.bins.emplace_back(static_cast<std::uint16_t>(change.latency_bin), 1);
  cell.ttft = static_cast<std::uint32_t>(to.bins.size());
  if (change.ttft_bin >= 0)
    to.bins.emplace_back(static_cast<std::uint16_t>(change.ttft_bin), 1);
  cell.end = static_cast<std::uint32_t>(to.bins.size());
  to.cells.push_back(cell);
  to.sums.push_back(change.sums);
  if (to.cells.size() >= all_->most_cells) {
    to = fold(to, {});
    all_->most_cells = std::max(gathered::smallest_most, 2 * to.cells.size());
  }
}

void cell_changes::add_to_sieve(name_number node, std::int64_t at_ns, const sieve_kind& kind) {
  const node_time hour{node, start_of(granularity::hour, at_ns)};
  if (all_->last_sieve == nullptr || !(all_->last_hour == hour)) {
    all_->last_sieve = &all_->sieves[hour];
    all_->last_hour = hour;
  }
  auto& [numbers, row] = *all_->last_sieve;
  const auto [at, fresh] = numbers.emplace(kind, static_cast<std::uint32_t>(row.kinds.size()));
  if (fresh)
    row.kinds.push_back(kind);
  const auto full = ns_of(granularity::hour);
  const auto into = (at_ns % full + full) % full; // the begin of the first hour there is does not fit 64 bits
  row.entries.push_back({static_cast<std::uint32_t>(into / 1'000'000), at->second});
}

void cell_changes::clear() { all_ = std::make_unique<gathered>(); }

std::vector<std::pair<std::string, std::string>> cell_changes::rows(const open_hours& open) const {
  carried nothing;
  return rows(open, nothing, all_->kinds.ranked());
}

namespace {

using written_rows = std::vector<std::pair<std::string, std::string>>;

using written_rows = std::vector<std::pair<std::string, std::string>>;

/// A part of some cells, to be written as one row.
struct row_cells {
  std::vector<flat_cells::cell> cells;
  std::vector<cell_sums> sums;
  void clear() {
    cells.clear();
    sums.clear();
  }
};

/// The rows of one view: of each place and chunk one of sums and one of distributions.
void write_rows(granularity by, cell_view view, const flat_cells& cells, const std::vector<node_time>& places,
                std::span<const kind_of_cell> kinds, std::int32_t first, written_rows& out) {
  const std::span<const flat_cells::cell> all{cells.cells};
  const std::span<const cell_sums> sums{cells.sums};
  row_writer writer{view, has_kinds(view) ? kinds : outcomes()};
  const bool tiled = has_tiles(view) && by != granularity::minute;
  const auto chunk_at = [&](const flat_cells::cell& cell) {
    return chunk_of(by, view, has_keys(view) ? cell.client_key : has_accounts(view) ? cell.account : 0, 0);
  };
  const auto write = [&](cells_key key, std::span<const flat_cells::cell> those, std::span<const cell_sums> amounts) {
    for (const auto part : {cell_part::sums, cell_part::distributions}) {
      if (!is_kept(by, view, part))
        continue;
      key.part = static_cast<std::uint8_t>(part);
      auto row = part == cell_part::sums ? writer.sums(those, amounts) : writer.distributions(those, cells.bins);
      if (writer.any())
        out.emplace_back(encode_key(key), std::move(row));
    }
  };
  std::array<row_cells, tiles> by_tile;
  for (std::size_t begin = 0, end = 0; begin < all.size(); begin = end) {
    const auto place = all[begin].place;
    const auto chunk = chunk_at(all[begin]);
    for (end = begin; end < all.size() && all[end].place == place && chunk_at(all[end]) == chunk; ++end) {}
    const auto& [node, start] = places[place];
    if (start < first)
      continue;
    cells_key key{static_cast<std::uint8_t>(by), static_cast<std::uint8_t>(view), 0, node, chunk, start};
    if (!tiled) {
      write(key, all.subspan(begin, end - begin), sums.subspan(begin, end - begin));
      continue;
    }
    for (auto& one : by_tile)
      one.clear();
    for (auto i = begin; i < end; ++i) {
      auto& to = by_tile[tile_of(kinds[all[i].kind].model)];
      to.cells.push_back(all[i]);
      to.sums.push_back(sums[i]);
    }
    for (std::uint32_t tile = 0; tile < tiles; ++tile)
      if (const auto& one = by_tile[tile]; !one.cells.empty()) {
        key.chunk = chunk + tile;
        write(key, one.cells, one.sums);
      }
  }
}

/// All views that are kept of what is told apart in the view `all`: each is made of the smallest one that it is part of.
void write_views(granularity by, const flat_cells& all, const std::vector<node_time>& places,
                 std::span<const kind_of_cell> kinds, std::int32_t first, written_rows& out) {
  if (all.cells.empty())
    return;
  std::vector<std::uint32_t> outcome_of;
  outcome_of.reserve(kinds.size());
  for (const auto& kind : kinds)
    outcome_of.push_back(kind.failed ? 1 : 0);
  const auto write = [&](cell_view view, const flat_cells& cells) {
    if (is_kept(by, view))
      write_rows(by, view, cells, places, kinds, first, out);
  };
  write(cell_view::all, all);
  if (is_kept(by, cell_view::keys)) {
    const auto of_keys = fold(all, {cell_view::keys});
    write(cell_view::keys, of_keys);
    write(cell_view::key_totals, fold(of_keys, {cell_view::key_totals, nullptr, &outcome_of}));
  } else if (is_kept(by, cell_view::key_totals)) {
    write(cell_view::key_totals, fold(all, {cell_view::key_totals, nullptr, &outcome_of}));
  }
  flat_cells of_kinds;
  if (is_kept(by, cell_view::accounts)) {
    const auto of_accounts = fold(all, {cell_view::accounts});
    write(cell_view::accounts, of_accounts);
    write(cell_view::account_totals, fold(of_accounts, {cell_view::account_totals, nullptr, &outcome_of}));
    of_kinds = fold(of_accounts, {cell_view::kinds});
  } else {
    of_kinds = fold(all, {cell_view::kinds});
  }
  write(cell_view::kinds, of_kinds);
  if (is_kept(by, cell_view::total))
    write(cell_view::total, fold(of_kinds, {cell_view::total, nullptr, &outcome_of}));
}

/// The cells of hours as the view `key_hours` has them: of days, of which `day_of` tells for each hour's place.
flat_cells hours_in_days(const flat_cells& hours, const std::vector<node_time>& places,
                         const std::vector<std::uint32_t>& day_of) {
  std::vector<std::uint32_t> same;
  for (std::uint32_t i = 0; i < day_of.size(); ++i)
    same.push_back(day_of[i] == nowhere ? nowhere : i);
  auto out = fold(hours, {cell_view::keys, &same});
  for (auto& cell : out.cells) {
    const auto hour = places[cell.place].start;
    cell.account = static_cast<name_number>(hour - day_of_hour(hour) * 24);
    cell.place = day_of[cell.place];
  }
  return fold(out, {cell_view::key_hours});
}

} // namespace

// From the finest to the coarsest: each period is made of those below it, which are fewer than the records.
std::vector<std::pair<std::string, std::string>> cell_changes::rows(const open_hours& open, carried& before,
                                                                    const kinds_in_order& kinds) const {
  written_rows out;
  const auto is_over = [&open](const node_time& place, granularity by) {
    const auto at = open.find(place.node);
    return at == open.end() || place.start < coarser(granularity::hour, at->second, by);
  };
  // Of each place the longer period that it is part of, where that is over.
  const auto part_of = [&](const std::vector<node_time>& from, granularity by, place_numbers& to, granularity width) {
    std::vector<std::uint32_t> numbers;
    numbers.reserve(from.size());
    for (const auto& one : from) {
      const node_time place{one.node, coarser(by, one.start, width)};
      numbers.push_back(is_over(place, width) ? to.number_of(place) : nowhere);
    }
    return numbers;
  };
  const auto ranked = [&](const flat_cells& cells) { return fold(cells, {cell_view::all, nullptr, &kinds.rank_of}); };
  const auto add = [](flat_cells& to, const flat_cells& more) {
    if (more.cells.empty())
      return;
    append(to, more);
    to = fold(to, {});
  };
  const auto& places = all_->minutes.places;
  const auto minutes = ranked(all_->cells);
  write_views(granularity::minute, minutes, places, kinds.kinds, first_minute_, out);

  const auto hour_of = part_of(places, granularity::minute, before.hours, granularity::hour);
  auto hours = fold(minutes, {cell_view::all, &hour_of});
  add(hours, ranked(before.of_hours));
  write_views(granularity::hour, hours, before.hours.places, kinds.kinds, INT32_MIN, out);

  // Hours that were over before are part of a longer period only if that was not.
  const auto earlier = ranked(before.earlier);
  const auto& of_hours = before.hours.places;
  const auto longer = [&](granularity by, place_numbers& to, std::vector<std::uint32_t>& of, flat_cells& mine,
                          flat_cells& others) {
    of = part_of(of_hours, granularity::hour, to, by);
    auto of_earlier = of;
    for (std::size_t i = 0; i < of_hours.size(); ++i) {
      const auto was = before.before.find(of_hours[i].node);
      if (was == before.before.end() || of_hours[i].start >= was->second
          || coarser(granularity::hour, of_hours[i].start, by) != coarser(granularity::hour, was->second, by))
        of_earlier[i] = nowhere;
    }
    const auto only = [](const flat_cells& from, const std::vector<std::uint32_t>& which) {
      std::vector<std::uint32_t> same;
      for (std::uint32_t i = 0; i < which.size(); ++i)
        same.push_back(which[i] == nowhere ? nowhere : i);
      return fold(from, {cell_view::all, &same});
    };
    mine = only(hours, of);
    others = only(earlier, of_earlier);
  };
  const auto write_longer = [&](granularity by, place_numbers& to, flat_cells& made) {
    std::vector<std::uint32_t> of;
    flat_cells mine, others;
    longer(by, to, of, mine, others);
    add(mine, others);
    made = fold(mine, {cell_view::all, &of});
    write_views(by, made, to.places, kinds.kinds, INT32_MIN, out);
    if (by == granularity::day)
      write_rows(by, cell_view::key_hours, hours_in_days(mine, of_hours, of), to.places, kinds.kinds, INT32_MIN, out);
  };
  flat_cells made;
  place_numbers eight_hours, eight_days;
  write_longer(granularity::eight_hours, eight_hours, made);
  write_longer(granularity::day, before.days, made);

  const auto eight_of = part_of(before.days.places, granularity::day, eight_days, granularity::eight_days);
  auto eights = fold(made, {cell_view::keys, &eight_of});
  add(eights, fold(before.of_days, {cell_view::keys, &eight_of, &kinds.rank_of}));
  write_rows(granularity::eight_days, cell_view::keys, eights, eight_days.places, kinds.kinds, INT32_MIN, out);

  for (const auto& [where, sieve] : all_->sieves)
    out.emplace_back(encode_key(sieve_key{where.node, where.start}), encode(in_order({sieve.row})));
  return out;
}

bool cell_changes::remake(const written_rows& hours, const open_hours& open, written_rows& out) {
  carried from;
  kind_numbers kinds;
  for (const auto& [key, row] : hours) {
    cells_key of;
    if (!decode_key(key, of) || of.by != static_cast<std::uint8_t>(granularity::hour)
        || of.view != static_cast<std::uint8_t>(cell_view::all))
      return false;
    const auto place = from.hours.number_of({of.node, of.start});
    const bool sums = of.part == static_cast<std::uint8_t>(cell_part::sums);
    if (!(sums ? append_sums(row, cell_view::all, place, kinds, from.of_hours)
               : append_distributions(row, cell_view::all, place, kinds, from.of_hours)))
      return false;
    from.of_hours.sums.resize(from.of_hours.cells.size());
  }
  for (auto& [key, row] : cell_changes{INT32_MIN}.rows(open, from, kinds.ranked())) {
    cells_key of;
    if (decode_key(key, of) && of.by != static_cast<std::uint8_t>(granularity::eight_days))
      out.emplace_back(std::move(key), std::move(row));
  }
  return true;
}

caf::error cell_changes::carry(const database& db, name_number node, std::int32_t before, std::int32_t after,
                               kind_numbers& kinds, carried& out) const {
  const auto add_rows = [&](granularity by, cell_view view, std::int32_t first, std::int32_t end, const auto& place_of,
                            flat_cells& to) -> caf::error {
    for (const auto part : {cell_part::sums, cell_part::distributions}) {
      if (view == cell_view::keys && part == cell_part::distributions)
        continue; // which rows of eight days have none of
      cells_key at{static_cast<std::uint8_t>(by),
                   static_cast<std::uint8_t>(view),
                   static_cast<std::uint8_t>(part),
                   node,
                   0,
                   first};
      auto behind = at;
      behind.chunk = UINT32_MAX;
      behind.start = INT32_MAX;
      const auto upper = encode_key(behind);
      const rocksdb::Slice upper_slice{upper};
      rocksdb::ReadOptions options;
      options.iterate_upper_bound = &upper_slice;
      const std::unique_ptr<rocksdb::Iterator> row{db.raw().NewIterator(options, db.handle(family::rollups))};
      for (row->Seek(encode_key(at)); row->Valid();) {
        cells_key of;
        if (!decode_key(row->key().ToStringView(), of))
          return damaged("roll-up");
        if (of.start < first || of.start >= end) { // of another time: on to the next chunk that may have some of it
          at.chunk = of.start < first ? of.chunk : of.chunk + 1;
          if (at.chunk == 0 && of.start >= end)
            break;
          row->Seek(encode_key(at));
          continue;
        }
        const auto bytes = row->value().ToStringView();
        bool read = false;
        if (part == cell_part::sums) {
          read = append_sums(bytes, view, place_of(of.start), kinds, to);
        } else {
          read = append_distributions(bytes, view, place_of(of.start), kinds, to);
          to.sums.resize(to.cells.size()); // which are in the other row
        }
        if (!read)
          return damaged("roll-up");
        row->Next();
      }
      if (auto failed = to_error(row->status()))
        return failed;
    }
    return {};
  };
  out.before[node] = before;
  const auto hour_place = [&](std::int32_t hour) { return out.hours.number_of({node, hour}); };
  if (auto failed = add_rows(
        granularity::minute, cell_view::all, before * 60, (before + 1) * 60,
        [&](std::int32_t) { return hour_place(before); }, out.of_hours))
    return failed;
  const auto ends = [&](granularity by) {
    return coarser(granularity::hour, before, by) != coarser(granularity::hour, after, by);
  };
  const auto day = day_of_hour(before);
  if (ends(granularity::eight_hours)) {
    const auto first =
      ends(granularity::day) ? day * 24 : coarser(granularity::hour, before, granularity::eight_hours) * 8;
    if (auto failed = add_rows(granularity::hour, cell_view::all, first, before, hour_place, out.earlier))
      return failed;
  }
  if (!ends(granularity::eight_days))
    return {};
  const auto day_place = [&](std::int32_t one) { return out.days.number_of({node, one}); };
  return add_rows(granularity::day, cell_view::keys, coarser(granularity::hour, before, granularity::eight_days) * 8,
                  day, day_place, out.of_days);
}

caf::error cell_changes::write_to(rocksdb::WriteBatch& batch, const database& db, open_hours& open) const {
  // Rows by minute go: by then their hours must be over.
  auto now = open;
  for (auto& [node, hour] : now)
    hour = std::max(hour, hour_of_minute(first_minute_));
  for (const auto& where : all_->minutes.places) {
    const auto hour = hour_of_minute(where.start);
    const auto [at, fresh] = now.emplace(where.node, hour);
    at->second = std::max({at->second, hour, hour_of_minute(first_minute_)});
  }
  for (const auto& [node, hour] : over_before_)
    if (const auto at = now.find(node); at != now.end())
      at->second = std::max(at->second, hour);
  carried before;
  auto kinds = all_->kinds;
  for (const auto& [node, hour] : now)
    if (const auto was = open.find(node); was != open.end() && was->second != no_hour && was->second < hour)
      if (auto failed = carry(db, node, was->second, hour, kinds, before))
        return failed;
  for (const auto& [key, value] : rows(now, before, kinds.ranked()))
    batch.Merge(db.handle(family::rollups), key, value);
  open = std::move(now);
  return {};
}

std::vector<std::pair<name_number, std::int32_t>> cell_changes::days() const {
  std::vector<std::pair<name_number, std::int32_t>> out;
  for (const auto& where : all_->minutes.places)
    out.emplace_back(where.node, static_cast<std::int32_t>(floor_div(where.start, 1440)));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// --- proving and mending -----------------------------------------------------------------------

std::vector<row_kind> rows_of_day(std::int32_t day) {
  std::vector<row_kind> out;
  for (const auto by : {granularity::minute, granularity::hour, granularity::eight_hours, granularity::day})
    for (const auto view : views)
      for (const auto part : {cell_part::sums, cell_part::distributions})
        if (is_kept(by, view, part)) {
          const auto many = static_cast<std::int32_t>(ns_of(granularity::day) / ns_of(by));
          out.push_back({by, view, part, day * many, (day + 1) * many});
        }
  return out;
}

std::vector<row_kind> rows_of_eight_days(std::int32_t begin) {
  const auto start = coarser(granularity::day, begin, granularity::eight_days);
  return {{granularity::eight_days, cell_view::keys, cell_part::sums, start, start + 1}};
}

bool make_eight_days(const written_rows& days, written_rows& out) {
  place_numbers places;
  kind_numbers numbers;
  flat_cells all;
  for (const auto& [key, row] : days) {
    cells_key of;
    if (!decode_key(key, of) || of.by != static_cast<std::uint8_t>(granularity::day)
        || of.view != static_cast<std::uint8_t>(cell_view::keys)
        || of.part != static_cast<std::uint8_t>(cell_part::sums)
        || !append_sums(row, cell_view::keys,
                        places.number_of({of.node, coarser(granularity::day, of.start, granularity::eight_days)}),
                        numbers, all))
      return false;
  }
  const auto kinds = numbers.ranked();
  write_rows(granularity::eight_days, cell_view::keys, fold(all, {cell_view::keys, nullptr, &kinds.rank_of}),
             places.places, kinds.kinds, INT32_MIN, out);
  std::sort(out.begin(), out.end());
  return true;
}

} // namespace keyportal::storage
