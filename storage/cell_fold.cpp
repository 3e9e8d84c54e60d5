#include "storage/cell_fold.hpp"

#include <algorithm>
#include <array>

namespace keyportal::storage {

std::size_t kind_numbers::hash::operator()(const kind_of_cell& kind) const {
  cell_id id;
  kind.into(id);
  return cell_id_hash{}(id);
}

std::uint32_t kind_numbers::number_of(const kind_of_cell& kind) {
  const auto [at, fresh] = numbers_.emplace(kind, static_cast<std::uint32_t>(kinds_.size()));
  if (fresh)
    kinds_.push_back(kind);
  return at->second;
}

kinds_in_order kind_numbers::ranked() const {
  kinds_in_order out;
  std::vector<std::uint32_t> order(kinds_.size());
  for (std::uint32_t i = 0; i < order.size(); ++i)
    order[i] = i;
  std::sort(order.begin(), order.end(), [this](auto a, auto b) { return kinds_[a] < kinds_[b]; });
  out.kinds.reserve(order.size());
  out.rank_of.resize(order.size());
  for (const auto i : order) {
    out.rank_of[i] = static_cast<std::uint32_t>(out.kinds.size());
    out.kinds.push_back(kinds_[i]);
  }
  return out;
}

void kind_numbers::clear() {
  numbers_.clear();
  kinds_.clear();
}

std::span<const kind_of_cell> outcomes() {
  static const auto both = [] {
    std::array<kind_of_cell, 2> out;
    out[1].failed = true;
    return out;
  }();
  return both;
}

void flat_cells::clear() {
  cells.clear();
  sums.clear();
  bins.clear();
}

namespace {

/// The bins of some cells together, `which` says from and to where they lie.
template <class Which>
void add_bins(flat_cells& to, const flat_cells& from, std::span<const std::uint32_t> cells, Which which) {
  const auto begin = static_cast<std::ptrdiff_t>(to.bins.size());
  for (const auto i : cells) {
    const auto [first, end] = which(from.cells[i]);
    to.bins.insert(to.bins.end(), from.bins.begin() + first, from.bins.begin() + end);
  }
  if (cells.size() == 1)
    return;
  std::sort(to.bins.begin() + begin, to.bins.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  auto kept = to.bins.begin() + begin;
  for (auto at = kept; at != to.bins.end();) {
    auto sum = *at;
    for (++at; at != to.bins.end() && at->first == sum.first; ++at)
      sum.second += at->second;
    if (sum.second != 0)
      *kept++ = sum;
  }
  to.bins.erase(kept, to.bins.end());
}

} // namespace

flat_cells fold(const flat_cells& from, const projection& how) {
  struct entry {
    std::uint64_t high, low;
    std::uint32_t cell;
    bool operator<(const entry& other) const { return high != other.high ? high < other.high : low < other.low; }
    bool operator==(const entry& other) const { return high == other.high && low == other.low; }
  };
  const bool keys = has_keys(how.view), accounts = has_accounts(how.view) || has_second(how.view);
  std::vector<entry> order;
  order.reserve(from.cells.size());
  for (std::uint32_t i = 0; i < from.cells.size(); ++i) {
    const auto& cell = from.cells[i];
    const auto place = how.places != nullptr ? (*how.places)[cell.place] : cell.place;
    if (place == nowhere)
      continue;
    const auto kind = how.kinds != nullptr ? (*how.kinds)[cell.kind] : cell.kind;
    order.push_back({(std::uint64_t{place} << 32) | (keys ? cell.client_key : 0),
                     (std::uint64_t{accounts ? cell.account : 0} << 32) | kind, i});
  }
  if (!std::is_sorted(order.begin(), order.end()))
    std::sort(order.begin(), order.end());
  flat_cells out;
  out.cells.reserve(order.size());
  out.sums.reserve(from.sums.empty() ? 0 : order.size());
  out.bins.reserve(from.bins.size());
  std::vector<std::uint32_t> same;
  for (auto at = order.begin(); at != order.end();) {
    flat_cells::cell cell;
    cell.place = static_cast<std::uint32_t>(at->high >> 32);
    cell.client_key = static_cast<name_number>(at->high);
    cell.account = static_cast<name_number>(at->low >> 32);
    cell.kind = static_cast<std::uint32_t>(at->low);
    same.clear();
    for (const auto first = *at; at != order.end() && *at == first; ++at)
      same.push_back(at->cell);
    if (!from.sums.empty()) {
      auto sum = from.sums[same[0]];
      for (std::size_t i = 1; i < same.size(); ++i)
        sum.add(from.sums[same[i]]);
      out.sums.push_back(sum);
    }
    cell.latency = static_cast<std::uint32_t>(out.bins.size());
    add_bins(out, from, same, [](const auto& one) { return std::pair{one.latency, one.ttft}; });
    cell.ttft = static_cast<std::uint32_t>(out.bins.size());
    add_bins(out, from, same, [](const auto& one) { return std::pair{one.ttft, one.end}; });
    cell.end = static_cast<std::uint32_t>(out.bins.size());
    out.cells.push_back(cell);
  }
  return out;
}

void append(flat_cells& to, const flat_cells& more) {
  const auto bins = static_cast<std::uint32_t>(to.bins.size());
  to.cells.reserve(to.cells.size() + more.cells.size());
  for (auto cell : more.cells) {
    cell.latency += bins;
    cell.ttft += bins;
    cell.end += bins;
    to.cells.push_back(cell);
  }
  to.sums.insert(to.sums.end(), more.sums.begin(), more.sums.end());
  to.bins.insert(to.bins.end(), more.bins.begin(), more.bins.end());
}

} // namespace keyportal::storage
