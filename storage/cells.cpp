#include "storage/cells.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <type_traits>

#include <rocksdb/merge_operator.h>
#include <rocksdb/write_batch.h>

#include "storage/cell_rows.hpp"
#include "storage/database.hpp"
#include "storage/encoding.hpp"

namespace keyportal::storage {
namespace {

constexpr std::array views{cell_view::kinds, cell_view::keys,       cell_view::accounts,      cell_view::all,
                           cell_view::total, cell_view::key_totals, cell_view::account_totals};

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
  out.account = has_accounts(view) ? account : 0;
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

std::int64_t ns_of(granularity by) {
  constexpr std::int64_t minute = 60'000'000'000;
  return by == granularity::minute ? minute : by == granularity::hour ? 60 * minute : 1440 * minute;
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
  row.kinds.clear();
  row.entries.clear();
  std::uint64_t count = 0;
  if (in.empty() || in[0] != row_version)
    return false;
  in.remove_prefix(1);
  if (!get_varint(in, count) || count > in.size())
    return false;
  row.kinds.resize(count);
  for (auto& kind : row.kinds) {
    kind_of_cell of;
    if (!get_varint(in, kind.id.client_key) || !get_varint(in, kind.id.account) || !get(in, of)
        || !get_varint(in, kind.source) || !get_varint(in, kind.error))
      return false;
    of.into(kind.id);
  }
  std::vector<bool> is_wanted(count, true);
  bool any = !wanted;
  for (std::size_t i = 0; wanted && i < count; ++i)
    any |= (is_wanted[i] = wanted(row.kinds[i]));
  if (!any)
    return true;
  std::uint64_t ms = 0;
  while (!in.empty()) {
    std::uint32_t step = 0;
    sieve_entry entry;
    if (!get_varint(in, step) || !get_varint(in, entry.kind) || entry.kind >= count || (ms += step) > UINT32_MAX)
      return false;
    entry.ms = static_cast<std::uint32_t>(ms);
    if (is_wanted[entry.kind])
      row.entries.push_back(entry);
  }
  return true;
}

// --- merging ---------------------------------------------------------------------------------------

namespace {

template <class Amounts>
auto taker(std::vector<std::pair<cell_id, Amounts>>& to) {
  if constexpr (std::is_same_v<Amounts, cell_sums>)
    return std::function<void(const cell_id&, const cell_sums&)>(
      [&to](const cell_id& id, const cell_sums& what) { to.emplace_back(id, what); });
  else
    return std::function<void(const cell_id&, cell_distributions&&)>(
      [&to](const cell_id& id, cell_distributions&& what) { to.emplace_back(id, std::move(what)); });
}

template <class Amounts>
bool merge_cells(const std::vector<std::string_view>& pieces, cell_view view, std::string& out) {
  std::vector<std::pair<cell_id, Amounts>> all;
  for (const auto piece : pieces)
    if (!each_cell(piece, view, nullptr, taker<Amounts>(all)))
      return false;
  std::vector<std::uint32_t> order(all.size());
  for (std::uint32_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::sort(order.begin(), order.end(), [&](auto a, auto b) { return all[a].first < all[b].first; });
  std::vector<std::pair<cell_id, Amounts>> merged;
  merged.reserve(all.size());
  for (const auto i : order) {
    if (!merged.empty() && merged.back().first == all[i].first) {
      merged.back().second.add(all[i].second);
      continue;
    }
    if (!merged.empty() && merged.back().second.empty())
      merged.pop_back();
    merged.push_back(std::move(all[i]));
  }
  if (!merged.empty() && merged.back().second.empty())
    merged.pop_back();
  out = encode(merged, view);
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
  sieve_key sieve;
  if (decode_key(key, sieve))
    return merge_sieves(pieces, out);
  cells_key cells;
  if (!decode_key(key, cells) || cells.view > static_cast<std::uint8_t>(views.back()))
    return false;
  const auto view = static_cast<cell_view>(cells.view);
  return cells.part == static_cast<std::uint8_t>(cell_part::sums) ? merge_cells<cell_sums>(pieces, view, out)
                                                                  : merge_cells<cell_distributions>(pieces, view, out);
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

void cell_changes::add(const cell_change& change) {
  const minute where{change.node, start_of(granularity::minute, change.at_ns)};
  if (last_cells_ == nullptr || !(where == last_)) {
    last_cells_ = &places_[where];
    last_ = where;
  }
  auto& cell = (*last_cells_)[change.id];
  cell.sums.add(change.sums);
  if (change.latency_bin >= 0)
    storage::add(cell.distributions.latency, static_cast<std::uint16_t>(change.latency_bin), 1);
  if (change.ttft_bin >= 0)
    storage::add(cell.distributions.ttft, static_cast<std::uint16_t>(change.ttft_bin), 1);
}

void cell_changes::add_to_sieve(name_number node, std::int64_t at_ns, const sieve_kind& kind) {
  const auto hour = start_of(granularity::hour, at_ns);
  auto& [numbers, row] = sieves_[{node, hour}];
  const auto [at, fresh] = numbers.emplace(kind, static_cast<std::uint32_t>(row.kinds.size()));
  if (fresh)
    row.kinds.push_back(kind);
  const auto into = at_ns - std::int64_t{hour} * ns_of(granularity::hour);
  row.entries.push_back({static_cast<std::uint32_t>(into / 1'000'000), at->second});
}

void cell_changes::clear() {
  places_.clear();
  sieves_.clear();
  last_cells_ = nullptr;
}

std::vector<std::pair<std::string, std::string>> cell_changes::rows(const open_hours& open) const {
  return rows(open, {});
}

std::vector<std::pair<std::string, std::string>> cell_changes::rows(const open_hours& open,
                                                                    const carried& before) const {
  using together = cells;
  std::vector<std::pair<std::string, std::string>> out;
  const auto write = [&](granularity by, cell_view view, name_number node, std::int32_t start, const together& those) {
    sums_row sums;
    distributions_row distributions;
    sums.reserve(those.size());
    distributions.reserve(those.size());
    for (const auto& [id, what] : those) {
      if (!what.sums.empty())
        sums.emplace_back(id, what.sums);
      if (!what.distributions.empty())
        distributions.emplace_back(id, what.distributions);
    }
    const auto by_id = [](const auto& a, const auto& b) { return a.first < b.first; };
    std::sort(sums.begin(), sums.end(), by_id);
    std::sort(distributions.begin(), distributions.end(), by_id);
    // In the order of ids leads ascend, so what is of one chunk lies together.
    const auto put = [&](auto& all, cell_part part) {
      for (auto at = all.begin(); at != all.end();) {
        const auto chunk = chunk_of(by, view, lead_of(at->first, view));
        auto end = at;
        while (end != all.end() && chunk_of(by, view, lead_of(end->first, view)) == chunk)
          ++end;
        const cells_key key{static_cast<std::uint8_t>(by),
                            static_cast<std::uint8_t>(view),
                            static_cast<std::uint8_t>(part),
                            node,
                            chunk,
                            start};
        out.emplace_back(encode_key(key), encode(std::remove_reference_t<decltype(all)>(at, end), view));
        at = end;
      }
    };
    put(sums, cell_part::sums);
    put(distributions, cell_part::distributions);
  };
  const auto add_to = [](together& to, const together& from, cell_view view) {
    for (const auto& [id, what] : from) {
      auto& there = to[id.in(view)];
      there.sums.add(what.sums);
      there.distributions.add(what.distributions);
    }
  };
  const auto open_hour = [&open](name_number node) {
    const auto at = open.find(node);
    return at == open.end() ? INT32_MAX : at->second;
  };
  // From the finest to the coarsest: each period is made of those below it, which are fewer than the records.
  for (const auto view : views) {
    std::map<minute, together> hours;
    for (const auto& [where, cells_there] : before.hours)
      add_to(hours[where], cells_there, view);
    for (const auto& [where, found_there] : places_) {
      const minute hour{where.node, static_cast<std::int32_t>(floor_div(where.start, 60))};
      if (is_kept(granularity::minute, view) && where.start >= first_minute_) {
        if (view == cell_view::all) {
          write(granularity::minute, view, where.node, where.start, found_there);
        } else {
          together of_minute;
          add_to(of_minute, found_there, view);
          write(granularity::minute, view, where.node, where.start, of_minute);
        }
      }
      if (hour.start < open_hour(hour.node))
        add_to(hours[hour], found_there, view);
    }
    std::map<minute, together> days;
    for (const auto& [where, cells_there] : before.days)
      add_to(days[where], cells_there, view);
    for (const auto& [where, of_hour] : hours) {
      write(granularity::hour, view, where.node, where.start, of_hour);
      const auto day = day_of_hour(where.start);
      if (day < day_of_hour(open_hour(where.node)))
        add_to(days[{where.node, day}], of_hour, view);
    }
    for (const auto& [where, of_day] : days)
      write(granularity::day, view, where.node, where.start, of_day);
  }
  for (const auto& [where, sieve] : sieves_) {
    out.emplace_back(encode_key(sieve_key{where.first, where.second}), encode(in_order({sieve.second})));
  }
  return out;
}

caf::error cell_changes::carry(const database& db, name_number node, std::int32_t before, std::int32_t after,
                               carried& out) const {
  const auto add_rows = [&](granularity by, std::int32_t first, std::int32_t end, cells& to) -> caf::error {
    for (const auto part : {cell_part::sums, cell_part::distributions}) {
      cells_key at{static_cast<std::uint8_t>(by),
                   static_cast<std::uint8_t>(cell_view::all),
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
        const bool read =
          part == cell_part::sums
            ? each_cell(bytes, cell_view::all, nullptr,
                        [&to](const cell_id& id, const cell_sums& sums) { to[id].sums.add(sums); })
            : each_cell(bytes, cell_view::all, nullptr,
                        [&to](const cell_id& id, cell_distributions&& them) { to[id].distributions.add(them); });
        if (!read)
          return damaged("roll-up");
        row->Next();
      }
      if (auto failed = to_error(row->status()))
        return failed;
    }
    return {};
  };
  if (auto failed = add_rows(granularity::minute, before * 60, (before + 1) * 60, out.hours[{node, before}]))
    return failed;
  const auto day = day_of_hour(before);
  if (day == day_of_hour(after))
    return {};
  return add_rows(granularity::hour, day * 24, before, out.days[{node, day}]);
}

caf::error cell_changes::write_to(rocksdb::WriteBatch& batch, const database& db, open_hours& open) const {
  // Rows by minute go: by then their hours must be over.
  auto now = open;
  for (auto& [node, hour] : now)
    hour = std::max(hour, static_cast<std::int32_t>(floor_div(first_minute_, 60)));
  for (const auto& [where, cells_there] : places_) {
    const auto hour = static_cast<std::int32_t>(floor_div(where.start, 60));
    const auto [at, fresh] = now.emplace(where.node, hour);
    at->second = std::max({at->second, hour, static_cast<std::int32_t>(floor_div(first_minute_, 60))});
  }
  for (const auto& [node, hour] : over_before_)
    if (const auto at = now.find(node); at != now.end())
      at->second = std::max(at->second, hour);
  carried before;
  for (const auto& [node, hour] : now)
    if (const auto was = open.find(node); was != open.end() && was->second != no_hour && was->second < hour)
      if (auto failed = carry(db, node, was->second, hour, before))
        return failed;
  for (const auto& [key, value] : rows(now, before))
    batch.Merge(db.handle(family::rollups), key, value);
  open = std::move(now);
  return {};
}

std::vector<std::pair<name_number, std::int32_t>> cell_changes::days() const {
  std::vector<std::pair<name_number, std::int32_t>> out;
  for (const auto& [where, ignored] : places_)
    out.emplace_back(where.node, static_cast<std::int32_t>(floor_div(where.start, 1440)));
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

// --- proving and mending -----------------------------------------------------------------------

std::vector<row_kind> rows_of_day(std::int32_t day) {
  std::vector<row_kind> out;
  const auto add = [&](granularity by, std::int32_t first, std::int32_t end) {
    for (const auto view : views)
      for (const auto part : {cell_part::sums, cell_part::distributions})
        if (is_kept(by, view))
          out.push_back({by, view, part, first, end});
  };
  add(granularity::minute, day * 1440, (day + 1) * 1440);
  add(granularity::hour, day * 24, (day + 1) * 24);
  add(granularity::day, day, day + 1);
  return out;
}

} // namespace keyportal::storage
