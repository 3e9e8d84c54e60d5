// How cells lie in a row: column by column, so that a question reads few bytes and adds them up without looking at each.
#include <algorithm>
#include <array>
#include <bit>
#include <tuple>

#include "storage/bits.hpp"
#include "storage/cell_rows.hpp"
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

constexpr char row_version = 2;

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
  std::vector<kind_of_cell> kinds; ///< none in views that tell outcomes only
  std::vector<lead_cells> leads;
  std::vector<std::uint64_t> kind_of;    ///< of each cell; without kinds: whether it failed
  std::vector<std::uint64_t> account_of; ///< of each cell, in the view `all`
  [[nodiscard]] std::size_t cells() const { return kind_of.size(); }
};

void put_column(std::string& out, const std::vector<std::uint64_t>& numbers) {
  std::uint64_t all = 0;
  for (const auto one : numbers)
    all |= one;
  const auto width = packed_width(all);
  out.push_back(static_cast<char>(width));
  put_packed(out, numbers.data(), numbers.size(), width);
}

bool get_column(std::string_view& in, std::vector<std::uint64_t>& numbers, std::size_t count) {
  if (in.empty())
    return false;
  const auto width = static_cast<unsigned char>(in[0]);
  in.remove_prefix(1);
  numbers.resize(count);
  return get_packed(in, numbers.data(), count, width);
}

bool get_head(std::string_view& in, cell_view view, bool with_bytes, row_head& out) {
  if (in.empty() || in[0] != row_version)
    return false;
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
      || (view == cell_view::all && !get_column(in, out.account_of, cells)))
    return false;
  const auto kinds = has_kinds(view) ? out.kinds.size() : 2;
  return std::all_of(out.kind_of.begin(), out.kind_of.end(), [&](auto kind) { return kind < kinds; });
}

template <class Row>
std::string put_head(const Row& row, cell_view view, const std::vector<std::uint32_t>* bytes) {
  std::string out(1, row_version);
  std::vector<kind_of_cell> kinds;
  std::vector<std::uint64_t> kind_column, accounts;
  kind_column.reserve(row.size());
  if (has_kinds(view)) {
    kinds.reserve(row.size());
    for (const auto& [id, what] : row)
      kinds.emplace_back(id);
    std::sort(kinds.begin(), kinds.end());
    kinds.erase(std::unique(kinds.begin(), kinds.end()), kinds.end());
    put_varint(out, kinds.size());
    for (const auto& kind : kinds)
      put(out, kind);
  }
  std::vector<std::pair<name_number, std::uint32_t>> leads;
  for (const auto& [id, what] : row) {
    const auto lead = lead_of(id, view);
    if (leads.empty() || leads.back().first != lead)
      leads.emplace_back(lead, 0);
    ++leads.back().second;
    kind_column.push_back(has_kinds(view) ? static_cast<std::uint64_t>(
                            std::lower_bound(kinds.begin(), kinds.end(), kind_of_cell{id}) - kinds.begin())
                                          : (id.failed ? 1U : 0U));
    if (view == cell_view::all)
      accounts.push_back(id.account);
  }
  put_varint(out, leads.size());
  name_number before = 0;
  std::size_t cell = 0;
  for (const auto& [lead, many] : leads) {
    put_varint(out, lead - before);
    put_varint(out, many);
    if (bytes != nullptr) {
      std::uint64_t size = 0;
      for (std::uint32_t i = 0; i < many; ++i)
        size += (*bytes)[cell + i];
      put_varint(out, size);
    }
    before = lead;
    cell += many;
  }
  put_column(out, kind_column);
  if (view == cell_view::all)
    put_column(out, accounts);
  return out;
}

/// Which of the leads a question wants.
void choose(row_head& head, const lead_filter* wanted) {
  if (wanted != nullptr)
    for (auto& one : head.leads)
      one.wanted = (*wanted)(one.lead);
}

void name_cell(cell_id& id, const row_head& head, cell_view view, std::size_t cell) {
  if (has_kinds(view))
    head.kinds[head.kind_of[cell]].into(id);
  else
    id.failed = head.kind_of[cell] != 0;
  if (view == cell_view::all)
    id.account = static_cast<name_number>(head.account_of[cell]);
}

// --- blocks of sums ---------------------------------------------------------------------------

using sums_block = std::array<amount_array, block_cells>;

// Which columns there are, the width of each, and then each.
void put_block(std::string& out, const sums_block& cells, std::size_t count) {
  std::uint32_t there = 0;
  std::string widths, columns;
  std::array<std::uint64_t, block_cells> column;
  for (std::size_t c = 0; c < amounts; ++c) {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < count; ++i)
      all |= column[i] = zigzag(cells[i][c]);
    if (all == 0)
      continue;
    there |= 1U << c;
    const auto width = packed_width(all);
    widths.push_back(static_cast<char>(width));
    put_packed(columns, column.data(), count, width);
  }
  put_varint(out, there);
  out += widths;
  out += columns;
}

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

void put(std::string& out, const bin_counts& bins) {
  put_varint(out, bins.size());
  std::uint16_t before = 0;
  for (const auto& [bin, count] : bins) {
    put_varint(out, static_cast<std::uint64_t>(bin - before));
    put_zigzag(out, count);
    before = bin;
  }
}

bool get(std::string_view& in, bin_counts& bins) {
  std::uint64_t count = 0;
  if (!get_varint(in, count) || count > in.size())
    return false;
  bins.clear();
  bins.reserve(count);
  std::uint64_t bin = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    std::uint64_t step = 0;
    std::int64_t many = 0;
    if (!get_varint(in, step) || !get_zigzag(in, many) || (bin += step) > UINT16_MAX)
      return false;
    bins.emplace_back(static_cast<std::uint16_t>(bin), many);
  }
  return true;
}

} // namespace

// --- sums ---------------------------------------------------------------------------------------

std::string encode(const sums_row& row, cell_view view) {
  auto out = put_head(row, view, nullptr);
  sums_block cells;
  std::string sizes, blocks;
  for (std::size_t first = 0; first < row.size(); first += block_cells) {
    const auto count = std::min(block_cells, row.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      cells[i] = std::bit_cast<amount_array>(row[first + i].second);
      take_what_follows<-1>(cells[i]);
    }
    const auto before = blocks.size();
    put_block(blocks, cells, count);
    put_varint(sizes, blocks.size() - before);
  }
  return out + sizes + blocks;
}

bool each_cell(std::string_view in, cell_view view, const lead_filter* wanted,
               const std::function<void(const cell_id&, const cell_sums&)>& visit) {
  row_head head;
  if (!get_head(in, view, false, head))
    return false;
  choose(head, wanted);
  const auto cells = head.cells();
  std::vector<std::uint32_t> sizes((cells + block_cells - 1) / block_cells);
  for (auto& size : sizes)
    if (!get_varint(in, size))
      return false;
  sums_block block;
  std::size_t lead = 0;
  for (std::size_t b = 0, first = 0; b < sizes.size(); ++b, first += block_cells) {
    if (sizes[b] > in.size())
      return false;
    const auto bytes = in.substr(0, sizes[b]);
    in.remove_prefix(sizes[b]);
    const auto end = std::min(first + block_cells, cells);
    while (head.leads[lead].end <= first)
      ++lead;
    bool any = false;
    for (auto l = lead; !any && l < head.leads.size() && (l == lead || head.leads[l - 1].end < end); ++l)
      any = head.leads[l].wanted;
    if (!any)
      continue;
    if (!get_block(bytes, block, end - first))
      return false;
    cell_id id;
    for (auto cell = first; cell < end; ++cell) {
      while (head.leads[lead].end <= cell)
        ++lead;
      if (!head.leads[lead].wanted)
        continue;
      if (has_keys(view))
        id.client_key = head.leads[lead].lead;
      else if (has_accounts(view))
        id.account = head.leads[lead].lead;
      name_cell(id, head, view, cell);
      visit(id, std::bit_cast<cell_sums>(block[cell - first]));
    }
  }
  return in.empty();
}

// --- distributions --------------------------------------------------------------------------------

std::string encode(const distributions_row& row, cell_view view) {
  std::string cells;
  std::vector<std::uint32_t> bytes;
  bytes.reserve(row.size());
  for (const auto& [id, what] : row) {
    const auto before = cells.size();
    put(cells, what.latency);
    put(cells, what.ttft);
    bytes.push_back(static_cast<std::uint32_t>(cells.size() - before));
  }
  return put_head(row, view, &bytes) + cells;
}

bool each_cell(std::string_view in, cell_view view, const lead_filter* wanted,
               const std::function<void(const cell_id&, cell_distributions&&)>& visit) {
  row_head head;
  if (!get_head(in, view, true, head))
    return false;
  choose(head, wanted);
  cell_distributions what;
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
    cell_id id;
    if (has_keys(view))
      id.client_key = one.lead;
    else if (has_accounts(view))
      id.account = one.lead;
    for (; cell < one.end; ++cell) {
      if (!get(bytes, what.latency) || !get(bytes, what.ttft))
        return false;
      name_cell(id, head, view, cell);
      visit(id, std::move(what));
    }
    if (!bytes.empty())
      return false;
  }
  return in.empty();
}

} // namespace keyportal::storage
