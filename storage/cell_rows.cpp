// How cells lie in a row: column by column, so that a question reads few bytes and adds them up without looking at each.
#include <algorithm>
#include <array>
#include <bit>
#include <tuple>

#include "storage/bins.hpp"
#include "storage/bits.hpp"
#include "storage/cell_fold.hpp"
#include "storage/cell_sums.hpp"
#include "storage/encoding.hpp"

namespace keyportal::storage {

void kind_of_cell::into(cell_id& id) const {
  std::tie(id.model, id.alias, id.provider, id.endpoint) = std::tie(model, alias, provider, endpoint);
  id.status = status;
  id.failed = failed;
}

void put(std::string& out, const kind_of_cell& kind) {
  put_varint(out, kind.model);
  put_varint(out, kind.alias);
  put_varint(out, kind.provider);
  put_varint(out, kind.endpoint);
  put_varint(out, (static_cast<std::uint64_t>(static_cast<std::uint32_t>(kind.status)) << 1) | (kind.failed ? 1U : 0U));
}

bool get(std::string_view& in, kind_of_cell& kind) {
  std::uint64_t outcome = 0;
  if (!get_varint(in, kind.model) || !get_varint(in, kind.alias) || !get_varint(in, kind.provider)
      || !get_varint(in, kind.endpoint) || !get_varint(in, outcome) || outcome >> 33 != 0)
    return false;
  kind.status = static_cast<std::int32_t>(static_cast<std::uint32_t>(outcome >> 1));
  kind.failed = (outcome & 1U) != 0;
  return true;
}

namespace {

// Version 2 had distributions in pairs only.
constexpr char row_version = 3, first_version = 2;

// --- the sums of a cell as numbers ----------------------------------------------------------

constexpr std::size_t amounts = sizeof(cell_sums) / sizeof(std::int64_t);
using amount_array = std::array<std::int64_t, amounts>;

// Where they are in it.
enum : std::size_t {
  requests,
  input,
  output,
  reasoning,
  cached,
  total,
  uncached,
  read,
  write,
  out_part,
  reason_part,
  unclassified,
  latency,
  timed_first
};

std::int64_t sum_of(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

// Some amounts mostly follow from others: what is left of them is mostly 0, and a column of these takes no byte. Sums
// of what is left are what is left of the sums.
template <int sign>
void take_what_follows(amount_array& s) {
  const auto change = [&](std::size_t which, std::int64_t by) {
    s[which] =
      sum_of(s[which], static_cast<std::int64_t>(static_cast<std::uint64_t>(by) * static_cast<std::uint64_t>(sign)));
  };
  const auto in = sum_of(s[uncached], sum_of(s[read], s[write])), out = sum_of(s[out_part], s[reason_part]);
  change(input, in);
  change(output, out);
  change(reasoning, s[reason_part]);
  change(cached, s[read]);
  change(total, sum_of(sum_of(in, out), s[unclassified]));
  change(timed_first, s[requests]);
}

constexpr std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}
constexpr std::int64_t unzigzag(std::uint64_t bits) {
  return static_cast<std::int64_t>((bits >> 1) ^ (~(bits & 1) + 1));
}

// --- what every row begins with -------------------------------------------------------------

struct lead_cells {
  name_number lead = 0;
  std::uint32_t end = 0;   ///< the first cell behind those of the lead
  std::uint32_t bytes = 0; ///< in rows of distributions: of its cells
  bool wanted = true;
};

struct row_head {
  bool pairs_only = false;         ///< of distributions
  std::vector<kind_of_cell> kinds; ///< none in views that tell outcomes only
  std::vector<lead_cells> leads;
  std::vector<std::uint64_t> kind_of;     ///< of each cell; without kinds: whether it failed
  std::vector<std::uint64_t> account_of;  ///< of each cell, where the view has it
  std::vector<unsigned char> kind_wanted; ///< of each kind; none: all are
  [[nodiscard]] bool wants(std::size_t cell) const { return kind_wanted.empty() || kind_wanted[kind_of[cell]] != 0; }
  [[nodiscard]] std::size_t cells() const { return kind_of.size(); }
};

bool get_column(std::string_view& in, std::vector<std::uint64_t>& numbers, std::size_t count) {
  if (in.empty())
    return false;
  const auto width = static_cast<unsigned char>(in[0]);
  in.remove_prefix(1);
  numbers.resize(count);
  return get_packed(in, numbers.data(), count, width);
}

bool get_head(std::string_view& in, cell_view view, bool with_bytes, row_head& out) {
  if (in.empty() || in[0] < first_version || in[0] > row_version)
    return false;
  out.pairs_only = in[0] == first_version;
  in.remove_prefix(1);
  std::uint64_t count = 0;
  if (has_kinds(view)) {
    if (!get_varint(in, count) || count > in.size())
      return false;
    out.kinds.resize(count);
    for (auto& kind : out.kinds)
      if (!get(in, kind))
        return false;
  }
  if (!get_varint(in, count) || count > in.size())
    return false;
  out.leads.resize(count);
  std::uint64_t lead = 0, cells = 0;
  for (auto& one : out.leads) {
    std::uint32_t step = 0, many = 0;
    if (!get_varint(in, step) || !get_varint(in, many) || (with_bytes && !get_varint(in, one.bytes)) || many == 0
        || (lead += step) > UINT32_MAX || (cells += many) > UINT32_MAX)
      return false;
    one.lead = static_cast<name_number>(lead);
    one.end = static_cast<std::uint32_t>(cells);
  }
  // Each block, or each cell, takes at least a byte: damage does not make a row large.
  if (cells > in.size() * block_cells || !get_column(in, out.kind_of, cells)
      || (has_second(view) && !get_column(in, out.account_of, cells)))
    return false;
  const auto kinds = has_kinds(view) ? out.kinds.size() : 2;
  return std::all_of(out.kind_of.begin(), out.kind_of.end(), [&](auto kind) { return kind < kinds; });
}

/// Which of the leads and kinds a question wants.
void choose(row_head& head, cell_view view, const lead_filter* leads, const kind_filter* kinds) {
  if (leads != nullptr)
    for (auto& one : head.leads)
      one.wanted = (*leads)(one.lead);
  if (kinds == nullptr)
    return;
  const auto all = has_kinds(view) ? head.kinds.size() : outcomes().size();
  for (std::size_t i = 0; i < all; ++i) {
    cell_id id;
    (has_kinds(view) ? head.kinds[i] : outcomes()[i]).into(id);
    head.kind_wanted.push_back((*kinds)(id) ? 1 : 0);
  }
}

// --- blocks of sums ---------------------------------------------------------------------------

using sums_block = std::array<amount_array, block_cells>;

// Which columns there are, the width of each, and then each.
void put_block(std::string& out, const sums_block& cells, std::size_t count) {
  std::uint32_t there = 0;
  std::array<std::uint64_t, amounts> all{};
  std::array<std::uint64_t, block_cells> column;
  for (std::size_t c = 0; c < amounts; ++c) {
    for (std::size_t i = 0; i < count; ++i)
      all[c] |= zigzag(cells[i][c]);
    there |= all[c] != 0 ? 1U << c : 0;
  }
  put_varint(out, there);
  for (const auto one : all)
    if (one != 0)
      out.push_back(static_cast<char>(packed_width(one)));
  for (std::size_t c = 0; c < amounts; ++c) {
    if (all[c] == 0)
      continue;
    for (std::size_t i = 0; i < count; ++i)
      column[i] = zigzag(cells[i][c]);
    put_packed(out, column.data(), count, packed_width(all[c]));
  }
}

/// The columns of a block, to read single cells of it.
class block_columns {
public:
  [[nodiscard]] bool open(std::string_view in, std::size_t count) {
    const auto* const end = in.data() + in.size();
    std::uint32_t there = 0;
    if (!get_varint(in, there) || there >> amounts != 0)
      return false;
    const auto columns = static_cast<std::size_t>(std::popcount(there));
    if (in.size() < columns)
      return false;
    const auto widths = in.substr(0, columns);
    in.remove_prefix(columns);
    columns_ = columns;
    for (std::size_t n = 0; n < columns; ++n, there &= there - 1) {
      const auto width = static_cast<unsigned char>(widths[n]);
      const auto bytes = packed_bytes(count, width);
      if (bytes > in.size() || (width > 56 && width != 64))
        return false;
      all_[n] = {static_cast<std::size_t>(std::countr_zero(there)), width, in.data()};
      in.remove_prefix(bytes);
    }
    end_ = end;
    return in.empty();
  }
  [[nodiscard]] amount_array at(std::size_t cell) const {
    amount_array out{};
    for (std::size_t n = 0; n < columns_; ++n) {
      const auto& one = all_[n];
      out[one.which] = unzigzag(packed_at(one.data, static_cast<std::size_t>(end_ - one.data), cell, one.width));
    }
    take_what_follows<1>(out);
    return out;
  }

private:
  struct column {
    std::size_t which;
    unsigned width;
    const char* data;
  };
  std::array<column, amounts> all_;
  std::size_t columns_ = 0;
  const char* end_ = nullptr;
};

bool get_block(std::string_view in, sums_block& cells, std::size_t count) {
  std::uint32_t there = 0;
  if (!get_varint(in, there) || there >> amounts != 0)
    return false;
  const auto columns = static_cast<std::size_t>(std::popcount(there));
  if (in.size() < columns)
    return false;
  const auto widths = in.substr(0, columns);
  in.remove_prefix(columns);
  std::array<std::uint64_t, block_cells> column;
  for (std::size_t i = 0; i < count; ++i)
    cells[i] = {};
  for (std::size_t n = 0; there != 0; there &= there - 1, ++n) {
    const auto which = static_cast<std::size_t>(std::countr_zero(there));
    if (!get_packed(in, column.data(), count, static_cast<unsigned char>(widths[n])))
      return false;
    for (std::size_t i = 0; i < count; ++i)
      cells[i][which] = unzigzag(column[i]);
  }
  for (std::size_t i = 0; i < count; ++i)
    take_what_follows<1>(cells[i]);
  return in.empty();
}

// --- distributions ------------------------------------------------------------------------------

/// Adds them to `bins`.
bool get(std::string_view& in, const row_head& head, bin_counts& bins) {
  const auto first = bins.size();
  const auto add = [&](std::uint64_t bin, std::int64_t count) {
    if (bins.size() > first && bins.back().first == bin)
      bins.back().second += count;
    else
      bins.emplace_back(static_cast<std::uint16_t>(bin), count);
  };
  if (head.pairs_only)
    return get_pairs(in, add);
  return get_bins(in, add, [&](std::uint64_t bin, const auto& counts) {
    for (const auto count : counts) {
      if (count != 0)
        add(bin, static_cast<std::int64_t>(count));
      ++bin;
    }
  });
}

bool skip(std::string_view& in, const row_head& head) {
  return head.pairs_only ? get_pairs(in, [](auto, auto) {}) : skip_bins(in);
}

/// Calls `visit(head, lead, cell, amounts)` for each cell that is wanted, `begin(head)` before.
template <class Begin, class Visit>
bool visit_sums(std::string_view in, cell_view view, const lead_filter* leads, const kind_filter* kinds, Begin begin,
                Visit visit) {
  row_head head;
  if (!get_head(in, view, false, head))
    return false;
  choose(head, view, leads, kinds);
  begin(head);
  const auto cells = head.cells();
  std::vector<std::uint32_t> sizes((cells + block_cells - 1) / block_cells);
  for (auto& size : sizes)
    if (!get_varint(in, size))
      return false;
  sums_block block;
  block_columns columns;
  std::array<std::uint32_t, block_cells> chosen;
  std::size_t lead = 0;
  for (std::size_t b = 0, first = 0; b < sizes.size(); ++b, first += block_cells) {
    if (sizes[b] > in.size())
      return false;
    const auto bytes = in.substr(0, sizes[b]);
    in.remove_prefix(sizes[b]);
    const auto end = std::min(first + block_cells, cells);
    while (head.leads[lead].end <= first)
      ++lead;
    std::size_t count = 0;
    auto l = lead;
    for (auto cell = first; cell < end; ++cell) {
      while (head.leads[l].end <= cell)
        ++l;
      if (head.leads[l].wanted && head.wants(cell))
        chosen[count++] = static_cast<std::uint32_t>(cell - first);
    }
    if (count == 0)
      continue;
    // Of few cells the numbers are picked out of the columns.
    const bool few = count * 8 < end - first;
    if (few ? !columns.open(bytes, end - first) : !get_block(bytes, block, end - first))
      return false;
    for (std::size_t i = 0; i < count; ++i) {
      const auto cell = first + chosen[i];
      while (head.leads[lead].end <= cell)
        ++lead;
      visit(head, head.leads[lead].lead, cell,
            std::bit_cast<cell_sums>(few ? columns.at(chosen[i]) : block[chosen[i]]));
    }
  }
  return in.empty();
}

/// Likewise with `visit(head, lead, cell, bytes)`, which takes the cell's distributions off `bytes`; false: they are
/// damaged.
template <class Begin, class Visit>
bool visit_distributions(std::string_view in, cell_view view, const lead_filter* leads, const kind_filter* kinds,
                         Begin begin, Visit visit) {
  row_head head;
  if (!get_head(in, view, true, head))
    return false;
  choose(head, view, leads, kinds);
  begin(head);
  std::size_t cell = 0;
  for (const auto& one : head.leads) {
    if (one.bytes > in.size())
      return false;
    auto bytes = in.substr(0, one.bytes);
    in.remove_prefix(one.bytes);
    if (!one.wanted) {
      cell = one.end;
      continue;
    }
    for (; cell < one.end; ++cell)
      if (head.wants(cell) ? !visit(head, one.lead, cell, bytes) : !skip(bytes, head) || !skip(bytes, head))
        return false;
    if (!bytes.empty())
      return false;
  }
  return in.empty();
}

cell_id id_of(const row_head& head, name_number lead, std::size_t cell, cell_view view) {
  cell_id id;
  if (has_keys(view))
    id.client_key = lead;
  else if (has_accounts(view))
    id.account = lead;
  if (has_kinds(view))
    head.kinds[head.kind_of[cell]].into(id);
  else
    id.failed = head.kind_of[cell] != 0;
  if (has_second(view))
    id.account = static_cast<name_number>(head.account_of[cell]);
  return id;
}

/// Kinds of a row by the numbers that they have elsewhere.
std::vector<std::uint32_t> numbers_of(const row_head& head, cell_view view, kind_numbers& kinds) {
  std::vector<std::uint32_t> out;
  if (!has_kinds(view))
    return {0, 1};
  out.reserve(head.kinds.size());
  for (const auto& kind : head.kinds)
    out.push_back(kinds.number_of(kind));
  return out;
}

flat_cells::cell cell_of(const row_head& head, name_number lead, std::size_t cell, cell_view view, std::uint32_t place,
                         const std::vector<std::uint32_t>& numbers) {
  flat_cells::cell out;
  out.place = place;
  if (has_keys(view))
    out.client_key = lead;
  else if (has_accounts(view))
    out.account = lead;
  if (has_second(view))
    out.account = static_cast<name_number>(head.account_of[cell]);
  out.kind = numbers[head.kind_of[cell]];
  return out;
}

constexpr auto nothing = [](const row_head&) {};

} // namespace

// --- reading --------------------------------------------------------------------------------------

bool each_cell(std::string_view in, cell_view view, const lead_filter* leads,
               const std::function<void(const cell_id&, const cell_sums&)>& visit, const kind_filter* kinds) {
  return visit_sums(
    in, view, leads, kinds, nothing,
    [&](const auto& head, auto lead, auto cell, const cell_sums& sums) { visit(id_of(head, lead, cell, view), sums); });
}

bool each_cell(std::string_view in, cell_view view, const lead_filter* leads,
               const std::function<void(const cell_id&, cell_distributions&&)>& visit, const kind_filter* kinds) {
  cell_distributions what;
  return visit_distributions(in, view, leads, kinds, nothing, [&](const auto& head, auto lead, auto cell, auto& bytes) {
    what.latency.clear();
    what.ttft.clear();
    if (!get(bytes, head, what.latency) || !get(bytes, head, what.ttft))
      return false;
    visit(id_of(head, lead, cell, view), std::move(what));
    return true;
  });
}

bool append_sums(std::string_view bytes, cell_view view, std::uint32_t place, kind_numbers& kinds, flat_cells& to) {
  std::vector<std::uint32_t> numbers;
  return visit_sums(
    bytes, view, nullptr, nullptr, [&](const auto& head) { numbers = numbers_of(head, view, kinds); },
    [&](const auto& head, auto lead, auto cell, const cell_sums& sums) {
      auto one = cell_of(head, lead, cell, view, place, numbers);
      one.latency = one.ttft = one.end = static_cast<std::uint32_t>(to.bins.size());
      to.cells.push_back(one);
      to.sums.push_back(sums);
    });
}

bool append_distributions(std::string_view bytes, cell_view view, std::uint32_t place, kind_numbers& kinds,
                          flat_cells& to) {
  std::vector<std::uint32_t> numbers;
  return visit_distributions(
    bytes, view, nullptr, nullptr, [&](const auto& head) { numbers = numbers_of(head, view, kinds); },
    [&](const auto& head, auto lead, auto cell, auto& rest) {
      auto one = cell_of(head, lead, cell, view, place, numbers);
      one.latency = static_cast<std::uint32_t>(to.bins.size());
      if (!get(rest, head, to.bins))
        return false;
      one.ttft = static_cast<std::uint32_t>(to.bins.size());
      if (!get(rest, head, to.bins))
        return false;
      one.end = static_cast<std::uint32_t>(to.bins.size());
      to.cells.push_back(one);
      return true;
    });
}

// --- adding up ------------------------------------------------------------------------------------

cell_sums added_sums::sums() const {
  amount_array out;
  std::copy_n(amounts_.begin(), out.size(), out.begin());
  take_what_follows<1>(out);
  return std::bit_cast<cell_sums>(out);
}

bin_counts counts_of(const std::vector<std::int64_t>& bins) {
  bin_counts out;
  for (std::size_t i = 0; i < bins.size(); ++i)
    if (bins[i] != 0)
      out.emplace_back(static_cast<std::uint16_t>(i), bins[i]);
  return out;
}

struct row_adder::memory {
  row_head head;
  std::vector<cell_id> kinds;
  std::vector<std::uint32_t> sizes;
  std::array<std::array<std::uint64_t, block_cells>, amounts> columns;

  bool open(std::string_view& in, cell_view view, bool with_bytes, const lead_filter* leads, const kind_filter* wanted,
            cell_places& places) {
    head.kinds.clear();
    head.leads.clear();
    head.kind_wanted.clear();
    head.account_of.clear();
    if (!get_head(in, view, with_bytes, head))
      return false;
    choose(head, view, leads, wanted);
    const auto all = has_kinds(view) ? std::span<const kind_of_cell>{head.kinds} : outcomes();
    kinds.resize(all.size());
    for (std::size_t i = 0; i < all.size(); ++i)
      all[i].into(kinds[i]);
    places.begin_row(kinds);
    return true;
  }
  [[nodiscard]] std::int32_t place_of(cell_places& places, name_number lead, std::size_t cell) const {
    if (!head.wants(cell))
      return -1;
    return places.place_of(lead, head.account_of.empty() ? 0 : static_cast<name_number>(head.account_of[cell]),
                           static_cast<std::uint32_t>(head.kind_of[cell]));
  }
};

row_adder::row_adder() : memory_(std::make_unique<memory>()) {}
row_adder::~row_adder() = default;

bool row_adder::add_sums(std::string_view in, cell_view view, const lead_filter* leads, const kind_filter* kinds,
                         cell_places& places, std::vector<added_sums>& to) {
  auto& m = *memory_;
  if (!m.open(in, view, false, leads, kinds, places))
    return false;
  const auto cells = m.head.cells();
  m.sizes.resize((cells + block_cells - 1) / block_cells);
  for (auto& size : m.sizes)
    if (!get_varint(in, size))
      return false;
  struct chosen_cell {
    std::uint32_t cell, place;
  };
  std::array<chosen_cell, block_cells> chosen;
  std::size_t lead = 0;
  for (std::size_t b = 0, first = 0; b < m.sizes.size(); ++b, first += block_cells) {
    if (m.sizes[b] > in.size())
      return false;
    auto bytes = in.substr(0, m.sizes[b]);
    in.remove_prefix(m.sizes[b]);
    const auto end = std::min(first + block_cells, cells);
    std::size_t count = 0;
    std::uint32_t top = 0;
    for (auto cell = first; cell < end;) {
      while (m.head.leads[lead].end <= cell)
        ++lead;
      const auto& one = m.head.leads[lead];
      const auto stop = std::min<std::size_t>(one.end, end);
      if (one.wanted)
        for (; cell < stop; ++cell)
          if (const auto place = m.place_of(places, one.lead, cell); place >= 0) {
            chosen[count++] = {static_cast<std::uint32_t>(cell - first), static_cast<std::uint32_t>(place)};
            top = std::max(top, static_cast<std::uint32_t>(place));
          }
      cell = stop;
    }
    if (count == 0)
      continue;
    if (to.size() <= top)
      to.resize(std::max<std::size_t>(top + std::size_t{1}, std::min(2 * to.size(), to.size() + 4096)));
    // Which columns there are; of few cells the numbers are picked out of them.
    const auto all = end - first;
    std::uint32_t there = 0;
    if (!get_varint(bytes, there) || there >> amounts != 0)
      return false;
    const auto columns = static_cast<std::size_t>(std::popcount(there));
    if (bytes.size() < columns)
      return false;
    const auto widths = bytes.substr(0, columns);
    bytes.remove_prefix(columns);
    const bool few = count * 4 < all;
    std::array<std::uint32_t, amounts> which;
    for (std::size_t n = 0; n < columns; ++n, there &= there - 1) {
      which[n] = static_cast<std::uint32_t>(std::countr_zero(there));
      const auto width = static_cast<unsigned char>(widths[n]);
      auto& column = m.columns[n];
      if (!few) {
        if (!get_packed(bytes, column.data(), all, width))
          return false;
        continue;
      }
      const auto size = packed_bytes(all, width);
      if (size > bytes.size() || (width > 56 && width != 64))
        return false;
      for (std::size_t i = 0; i < count; ++i)
        column[chosen[i].cell] = packed_at(bytes.data(), bytes.size(), chosen[i].cell, width);
      bytes.remove_prefix(size);
    }
    if (!bytes.empty())
      return false;
    const bool with_requests = columns > 0 && which[0] == requests;
    for (std::size_t i = 0; i < count; ++i) {
      const auto cell = chosen[i].cell;
      auto& sums = to[chosen[i].place].amounts_;
      for (std::size_t n = 0; n < columns; ++n)
        sums[which[n]] = sum_of(sums[which[n]], unzigzag(m.columns[n][cell]));
      if (with_requests && m.kinds[m.head.kind_of[first + cell]].failed)
        sums[added_sums::failed_at] = sum_of(sums[added_sums::failed_at], unzigzag(m.columns[0][cell]));
    }
  }
  return in.empty();
}

bool row_adder::add_bins(std::string_view in, cell_view view, const lead_filter* leads, const kind_filter* kinds,
                         cell_places& places, std::vector<added_bins>& to) {
  auto& m = *memory_;
  if (!m.open(in, view, true, leads, kinds, places))
    return false;
  const auto add = [&](std::string_view& bytes, std::vector<std::int64_t>& counts) {
    const auto room_for = [&](std::uint64_t end) {
      if (counts.size() < end)
        counts.resize(end + 16);
    };
    const auto one = [&](std::uint64_t bin, std::int64_t count) {
      room_for(bin + 1);
      counts[bin] = sum_of(counts[bin], count);
    };
    if (m.head.pairs_only)
      return get_pairs(bytes, one);
    return get_bins(bytes, one, [&](std::uint64_t bin, const auto& many) {
      room_for(bin + many.size());
      auto* const at = counts.data() + bin;
      for (std::size_t i = 0; i < many.size(); ++i)
        at[i] = sum_of(at[i], static_cast<std::int64_t>(many[i]));
    });
  };
  std::size_t cell = 0;
  for (const auto& one : m.head.leads) {
    if (one.bytes > in.size())
      return false;
    auto bytes = in.substr(0, one.bytes);
    in.remove_prefix(one.bytes);
    if (!one.wanted) {
      cell = one.end;
      continue;
    }
    for (; cell < one.end; ++cell) {
      const auto place = m.place_of(places, one.lead, cell);
      if (place < 0) {
        if (!skip(bytes, m.head) || !skip(bytes, m.head))
          return false;
        continue;
      }
      if (to.size() <= static_cast<std::size_t>(place))
        to.resize(static_cast<std::size_t>(place) + 1);
      auto& sums = to[static_cast<std::size_t>(place)];
      if (!add(bytes, sums.latency) || !add(bytes, sums.ttft))
        return false;
    }
    if (!bytes.empty())
      return false;
  }
  return in.empty();
}

// --- writing --------------------------------------------------------------------------------------

void row_writer::put_head(std::string& out, bool with_bytes) {
  const auto put_column = [&] {
    std::uint64_t all = 0;
    for (const auto one : column_)
      all |= one;
    const auto width = packed_width(all);
    out.push_back(static_cast<char>(width));
    put_packed(out, column_.data(), column_.size(), width);
  };
  out.push_back(row_version);
  if (has_kinds(view_)) { // those that are in the row, in their order
    place_of_.resize(kinds_.size(), nowhere);
    used_.clear();
    for (const auto* cell : written_)
      if (auto& place = place_of_[cell->kind]; place == nowhere) {
        place = 0;
        used_.push_back(cell->kind);
      }
    std::sort(used_.begin(), used_.end());
    put_varint(out, used_.size());
    for (std::uint32_t i = 0; i < used_.size(); ++i) {
      place_of_[used_[i]] = i;
      put(out, kinds_[used_[i]]);
    }
  }
  const auto lead_at = [&](std::size_t i) {
    return has_keys(view_) ? written_[i]->client_key : has_accounts(view_) ? written_[i]->account : 0;
  };
  const auto count = written_.size();
  std::uint64_t leads = 0;
  for (std::size_t i = 0; i < count; ++i)
    leads += i == 0 || lead_at(i) != lead_at(i - 1) ? 1 : 0;
  put_varint(out, leads);
  name_number before = 0;
  for (std::size_t first = 0, end = 0; first < count; first = end) {
    const auto lead = lead_at(first);
    std::uint64_t bytes = 0;
    for (end = first; end < count && lead_at(end) == lead; ++end)
      bytes += with_bytes ? bytes_[end] : 0;
    put_varint(out, lead - before);
    put_varint(out, end - first);
    if (with_bytes)
      put_varint(out, bytes);
    before = lead;
  }
  column_.clear();
  for (const auto* cell : written_)
    column_.push_back(has_kinds(view_) ? place_of_[cell->kind] : kinds_[cell->kind].failed ? 1U : 0U);
  put_column();
  if (has_second(view_)) {
    column_.clear();
    for (const auto* cell : written_)
      column_.push_back(cell->account);
    put_column();
  }
  for (const auto kind : used_)
    place_of_[kind] = nowhere;
  used_.clear();
}

std::string row_writer::sums(std::span<const flat_cells::cell> cells, std::span<const cell_sums> sums) {
  written_.clear();
  amounts_.clear();
  for (std::size_t i = 0; i < cells.size(); ++i)
    if (!sums[i].empty()) {
      written_.push_back(&cells[i]);
      amounts_.push_back(&sums[i]);
    }
  std::string out;
  put_head(out, false);
  blocks_.clear();
  sums_block block;
  for (std::size_t first = 0; first < amounts_.size(); first += block_cells) {
    const auto count = std::min(block_cells, amounts_.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      block[i] = std::bit_cast<amount_array>(*amounts_[first + i]);
      take_what_follows<-1>(block[i]);
    }
    const auto before = blocks_.size();
    put_block(blocks_, block, count);
    put_varint(out, blocks_.size() - before);
  }
  out += blocks_;
  return out;
}

std::string row_writer::distributions(std::span<const flat_cells::cell> cells, const std::vector<bin_count>& bins) {
  written_.clear();
  bytes_.clear();
  blocks_.clear();
  const std::span<const bin_count> all{bins};
  for (const auto& cell : cells)
    if (cell.latency != cell.end) {
      const auto before = blocks_.size();
      put_bins(blocks_, all.subspan(cell.latency, cell.ttft - cell.latency));
      put_bins(blocks_, all.subspan(cell.ttft, cell.end - cell.ttft));
      written_.push_back(&cell);
      bytes_.push_back(static_cast<std::uint32_t>(blocks_.size() - before));
    }
  std::string out;
  put_head(out, true);
  out += blocks_;
  return out;
}

namespace {

template <class Row>
kinds_in_order kinds_in(const Row& row, cell_view view, flat_cells& to) {
  kind_numbers numbers;
  for (const auto& [id, what] : row) {
    flat_cells::cell cell;
    cell.client_key = has_keys(view) ? id.client_key : 0;
    cell.account = has_accounts(view) || has_second(view) ? id.account : 0;
    cell.kind = has_kinds(view) ? numbers.number_of(kind_of_cell{id}) : id.failed ? 1U : 0U;
    to.cells.push_back(cell);
  }
  auto out = numbers.ranked();
  if (has_kinds(view))
    for (auto& cell : to.cells)
      cell.kind = out.rank_of[cell.kind];
  else
    out.kinds.assign(outcomes().begin(), outcomes().end());
  return out;
}

} // namespace

std::string encode(const sums_row& row, cell_view view) {
  flat_cells all;
  const auto kinds = kinds_in(row, view, all);
  for (const auto& [id, sums] : row)
    all.sums.push_back(sums);
  return row_writer{view, kinds.kinds}.sums(all.cells, all.sums);
}

std::string encode(const distributions_row& row, cell_view view) {
  flat_cells all;
  const auto kinds = kinds_in(row, view, all);
  for (std::size_t i = 0; i < row.size(); ++i) {
    const auto& what = row[i].second;
    auto& cell = all.cells[i];
    cell.latency = static_cast<std::uint32_t>(all.bins.size());
    all.bins.insert(all.bins.end(), what.latency.begin(), what.latency.end());
    cell.ttft = static_cast<std::uint32_t>(all.bins.size());
    all.bins.insert(all.bins.end(), what.ttft.begin(), what.ttft.end());
    cell.end = static_cast<std::uint32_t>(all.bins.size());
  }
  return row_writer{view, kinds.kinds}.distributions(all.cells, all.bins);
}

} // namespace keyportal::storage
