#include "actors/analyst/usage_pieces.hpp"

#include <algorithm>

#include "messages/errors.hpp"

namespace keyportal {

using storage::granularity;

namespace {

/// Groups that a question may have: 75 MB of sums.
constexpr std::size_t most_groups = 500'000;
constexpr std::int32_t days_together = 8;
constexpr std::int32_t hours_together = 24;
constexpr std::size_t most_shapes = 64;
/// Pieces that are read in one go, and bytes that these come to.
constexpr std::size_t first_together = 16, most_together = 512;
constexpr std::size_t bytes_together = std::size_t{24} << 20;

usage_sums usage_of(const storage::added_sums& all) {
  const auto s = all.sums();
  return {s.requests,  all.failed(), s.tokens,    s.parts,   s.latency_ms,
          s.timed_first, s.ttft_ms,    s.cost_nano, s.unpriced};
}

std::int32_t next_multiple(std::int32_t after, std::int32_t of) { return after - (after % of + of) % of + of; }

/// Which place the cells of a row have among those of some pieces.
template <class Place>
class places_of_pieces : public storage::cell_places {
public:
  /// `place_of(piece, group)`; the pieces are of rows of one width, ascending.
  places_of_pieces(usage_shape& shape, std::span<const usage_piece> pieces, Place place_of)
    : shape_(&shape), by_(pieces.front().rows.by), first_(pieces.front().rows.first), end_(pieces.back().rows.end),
      place_of_(std::move(place_of)) {
    piece_of_.assign(static_cast<std::size_t>(std::int64_t{end_} - first_), -1);
    for (std::size_t i = 0; i < pieces.size(); ++i)
      for (auto start = pieces[i].rows.first; start < pieces[i].rows.end; ++start)
        piece_of_[static_cast<std::size_t>(start - first_)] = static_cast<std::int32_t>(i);
  }

  void go_to(const node_name& node) {
    node_ = &node;
    fresh_ = true;
  }
  /// False: the row is of no piece.
  bool go_to_row(std::int32_t start, storage::cell_view stored) {
    stored_ = stored;
    day_begins_ = start;
    if (stored == storage::cell_view::key_hours)
      return true;
    return go_to(start);
  }
  void begin_row(std::span<const storage::cell_id> kinds) override { shape_->take_kinds(kinds); }
  std::int32_t place_of(storage::name_number lead, storage::name_number second, std::uint32_t kind) override {
    storage::name_number client_key = 0, account = 0;
    if (stored_ == storage::cell_view::key_hours) {
      if (!go_to(day_begins_ + static_cast<std::int32_t>(second)))
        return -1;
      client_key = lead;
    } else {
      client_key = storage::has_keys(stored_) ? lead : 0;
      account = stored_ == storage::cell_view::all ? second : storage::has_accounts(stored_) ? lead : 0;
    }
    const auto group = shape_->group_of(client_key, account, kind);
    return group < 0 ? -1 : place_of_(static_cast<std::size_t>(piece_), static_cast<std::uint32_t>(group));
  }

private:
  bool go_to(std::int32_t start) {
    if (start < first_ || start >= end_)
      return false;
    piece_ = piece_of_[static_cast<std::size_t>(start - first_)];
    if (piece_ < 0)
      return false;
    if (fresh_ || (start != start_ && shape_->is_of_time()))
      shape_->begin_row(*node_, by_, start);
    fresh_ = false;
    start_ = start;
    return true;
  }

  usage_shape* shape_;
  storage::granularity by_;
  std::int32_t first_, end_;
  Place place_of_;
  std::vector<std::int32_t> piece_of_; ///< by start; -1: none
  const node_name* node_ = nullptr;
  bool fresh_ = true;
  std::int32_t start_ = 0, day_begins_ = 0, piece_ = -1;
  storage::cell_view stored_ = storage::cell_view::kinds;
};

std::size_t bytes_of(const piece_sums& what) { return what.size() * sizeof what.front(); }
std::size_t bytes_of(const piece_bins& what) {
  auto out = what.size() * sizeof what.front();
  for (const auto& [row, one] : what)
    out += (one.latency.size() + one.ttft.size()) * sizeof one.latency.front();
  return out;
}

} // namespace

std::vector<usage_piece> pieces_of(const usage_plan& plan, usage_step step) {
  std::vector<usage_piece> out;
  const auto cut = [&](const row_run& run, bool earlier) {
    const auto width = storage::ns_of(run.by);
    const bool long_buckets = earlier || step == usage_step::none || step > usage_step::day;
    std::uint32_t bucket = 0;
    if (!earlier && !plan.starts.empty()) {
      const auto after = std::upper_bound(plan.starts.begin(), plan.starts.end(), moment_of(run.first * width));
      bucket = static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(after - plan.starts.begin() - 1, 0));
    }
    for (auto first = run.first; first < run.end;) {
      auto end = run.end;
      if (!earlier && bucket + std::size_t{1} < plan.starts.size())
        end = std::min<std::int32_t>(end, storage::start_of(run.by, unix_ns(plan.starts[bucket + 1])));
      if (run.by == granularity::day)
        end = std::min(end, next_multiple(first, days_together));
      else if (run.by == granularity::eight_days)
        end = first + 1;
      else if (run.by == granularity::hour && long_buckets)
        end = std::min(end, next_multiple(first, hours_together));
      else if (run.by == granularity::eight_hours && long_buckets)
        end = std::min(end, next_multiple(first, hours_together / 8));
      out.push_back({{run.by, first, end}, bucket, earlier});
      first = end;
      while (!earlier && bucket + std::size_t{1} < plan.starts.size()
             && unix_ns(plan.starts[bucket + 1]) <= first * width)
        ++bucket;
    }
  };
  for (const auto& run : plan.rows)
    cut(run, false);
  for (const auto& run : plan.before)
    cut(run, true);
  return out;
}

// --- adding up -------------------------------------------------------------------------------

template <class Place, class Add>
caf::error usage_pieces::each_row(const storage::ledger::reading& books, storage::cell_view view, some_pieces pieces,
                                  storage::cell_part part, Place place_of, Add add) {
  places_of_pieces places{shape_, pieces, std::move(place_of)};
  storage::ledger::cell_question what;
  what.by = pieces.front().rows.by;
  what.view = view;
  what.first = pieces.front().rows.first;
  what.end = pieces.back().rows.end;
  what.leads = shape_.leads(view);
  what.kinds = shape_.kinds();
  what.models = shape_.models();
  for (const auto& node : nodes_) {
    places.go_to(node);
    auto failed = books.rows(node, what, part, [&](std::int32_t start, storage::cell_view stored, std::string_view row) {
      // Leads of another kind than the row's are left out cell by cell.
      const auto* const leads = storage::has_keys(stored) == storage::has_keys(view) ? what.leads : nullptr;
      return !places.go_to_row(start, stored) || add(row, stored, leads, what.kinds, places);
    });
    if (!failed)
      failed = shape_.failed();
    if (!failed && shape_.groups() > most_groups)
      failed = make_error(errc::bad_request, "too many rows; choose a filter");
    if (failed)
      return failed;
  }
  return {};
}

caf::error usage_pieces::add_up(const storage::ledger::reading& books, storage::cell_view view, some_pieces pieces,
                                std::vector<piece_sums>& to) {
  std::vector<std::vector<std::int32_t>> index(pieces.size()); // of groups among all places; -1 for those that have none
  std::vector<std::pair<std::uint32_t, std::uint32_t>> places;  // piece and group
  std::vector<storage::added_sums> all;
  const auto place_of = [&](std::size_t piece, std::uint32_t group) {
    auto& known = index[piece];
    if (known.size() <= group)
      known.resize(std::max<std::size_t>(2 * known.size(), group + std::size_t{64}), -1);
    if (known[group] < 0) {
      known[group] = static_cast<std::int32_t>(places.size());
      places.emplace_back(static_cast<std::uint32_t>(piece), group);
    }
    return known[group];
  };
  auto failed = each_row(books, view, pieces, storage::cell_part::sums, place_of,
                         [&](std::string_view row, storage::cell_view stored, const auto* leads, const auto* kinds,
                             auto& where) { return adder_.add_sums(row, stored, leads, kinds, where, all); });
  if (failed)
    return failed;
  to.assign(pieces.size(), {});
  all.resize(places.size());
  for (std::size_t i = 0; i < places.size(); ++i)
    to[places[i].first].emplace_back(places[i].second, usage_of(all[i]));
  return {};
}

caf::error usage_pieces::add_up(const storage::ledger::reading& books, storage::cell_view view, some_pieces pieces,
                                const std::vector<std::uint32_t>& ranked, std::vector<piece_bins>& to) {
  const auto rows = ranked.size() + 1;
  std::vector<std::uint32_t> row_of(shape_.groups(), static_cast<std::uint32_t>(ranked.size()));
  for (std::uint32_t i = 0; i < ranked.size(); ++i)
    row_of[ranked[i]] = i;
  std::vector<storage::added_bins> all;
  const auto place_of = [&](std::size_t piece, std::uint32_t group) {
    return static_cast<std::int32_t>(piece * rows + (group < row_of.size() ? row_of[group] : ranked.size()));
  };
  auto failed = each_row(books, view, pieces, storage::cell_part::distributions, place_of,
                         [&](std::string_view row, storage::cell_view stored, const auto* leads, const auto* kinds,
                             auto& where) { return adder_.add_bins(row, stored, leads, kinds, where, all); });
  if (failed)
    return failed;
  to.assign(pieces.size(), {});
  for (std::size_t i = 0; i < all.size(); ++i)
    if (storage::cell_distributions one{storage::counts_of(all[i].latency), storage::counts_of(all[i].ttft)};
        !one.empty())
      to[i / rows].emplace_back(static_cast<std::uint32_t>(i % rows), std::move(one));
  return {};
}

// --- keeping -----------------------------------------------------------------------------------

bool usage_pieces::still_right(const storage::ledger::reading& books, std::uint64_t stamp, const row_run& rows) const {
  const auto day = [&](std::int32_t row) { return storage::start_of(granularity::day, row * storage::ns_of(rows.by)); };
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const node_name& node) {
    return books.same_as(stamp, node, day(rows.first), day(rows.end - 1) + 1);
  });
}

template <class What, class Make, class Visit>
caf::error usage_pieces::find_or_make(std::map<place, kept<What>>& all, const storage::ledger::reading& books,
                                      const std::vector<usage_piece>& pieces, const Make& make, const Visit& visit) {
  const auto found = [&](const usage_piece& piece) -> const What* {
    const auto& rows = piece.rows;
    if (rows.by == granularity::minute) // these are about now: never twice the same
      return nullptr;
    const auto at = all.find(place{rows.by, rows.first, rows.end});
    return at != all.end() && still_right(books, at->second.stamp, rows) ? &at->second.what : nullptr;
  };
  auto together = first_together;
  std::vector<What> fresh;
  for (std::size_t i = 0; i < pieces.size();) {
    if (const auto* const what = found(pieces[i])) {
      if (auto failed = visit(pieces[i++], *what))
        return failed;
      continue;
    }
    auto end = i + 1;
    for (; end < pieces.size() && end - i < together; ++end)
      if (pieces[end].rows.by != pieces[i].rows.by || pieces[end].rows.first < pieces[end - 1].rows.end
          || found(pieces[end]) != nullptr)
        break;
    const auto stamp = books.stamp();
    if (auto failed = make(some_pieces{pieces}.subspan(i, end - i), fresh))
      return failed;
    std::size_t bytes = 0;
    for (std::size_t n = 0; n < fresh.size(); ++n, ++i) {
      const auto& rows = pieces[i].rows;
      const auto its = bytes_of(fresh[n]);
      bytes += its;
      if (auto failed = visit(pieces[i], fresh[n]))
        return failed;
      if (rows.by == granularity::minute)
        continue;
      const place where{rows.by, rows.first, rows.end};
      const auto old = all.find(where);
      if (old == all.end() && bytes_ + its > most_bytes_)
        continue;
      auto& to = old != all.end() ? old->second : all[where];
      bytes_ += its - bytes_of(to.what);
      to = {stamp, std::move(fresh[n])};
    }
    together = std::clamp<std::size_t>(bytes_together / (bytes / fresh.size() + 1), 1, most_together);
  }
  return {};
}

caf::error usage_pieces::each_sums(const storage::ledger::reading& books, const usage_plan& plan,
                                   const std::vector<usage_piece>& pieces, const sums_visitor& visit) {
  return find_or_make(
    sums_, books, pieces,
    [&](some_pieces some, std::vector<piece_sums>& to) {
      return add_up(books, plan.view_of(some.front().rows.by), some, to);
    },
    visit);
}

caf::error usage_pieces::each_bins(const storage::ledger::reading& books, const usage_plan& plan,
                                   const std::vector<usage_piece>& pieces, const std::vector<std::uint32_t>& ranked,
                                   const bins_visitor& visit) {
  if (ranked != ranked_) {
    for (const auto& [where, one] : bins_)
      bytes_ -= bytes_of(one.what);
    bins_.clear();
    ranked_ = ranked;
  }
  return find_or_make(
    bins_, books, pieces,
    [&](some_pieces some, std::vector<piece_bins>& to) {
      return add_up(books, plan.view_of(some.front().rows.by), some, ranked, to);
    },
    visit);
}

void usage_pieces::forget() {
  sums_.clear();
  bins_.clear();
  bytes_ = 0;
}

usage_pieces& kept_usage::of(const usage_question& question, std::vector<node_name> nodes, const calendar& zone,
                             const name_reader& names, const ownership& owners) {
  std::string shape;
  bool of_owners = false, of_time = false;
  const auto add = [&](const std::string& text) {
    shape += std::to_string(text.size());
    shape += ':';
    shape += text;
  };
  const auto add_by = [&](usage_by by) {
    shape += static_cast<char>('a' + static_cast<int>(by));
    of_owners = of_owners || by == usage_by::user || by == usage_by::group;
    of_time = of_time || by == usage_by::weekday || by == usage_by::hour;
  };
  for (const auto& node : nodes)
    add(node);
  shape += '|';
  for (const auto by : question.by)
    add_by(by);
  shape += '|';
  for (const auto& [by, texts] : question.where) {
    add_by(by);
    for (const auto& text : texts)
      add(text);
  }
  if (of_owners)
    add(std::to_string(owners.position()));
  if (of_time)
    add(question.zone);
  auto found = std::find_if(all_.begin(), all_.end(), [&](const auto& one) { return one.first == shape; });
  if (found == all_.end()) {
    all_.emplace_front(std::move(shape), std::make_unique<usage_pieces>(question.by, question.where, std::move(nodes),
                                                                        zone, names, owners, most_bytes_ / 2));
    found = all_.begin();
  }
  all_.splice(all_.begin(), all_, found);
  std::size_t bytes = 0;
  for (const auto& [name, one] : all_)
    bytes += one->bytes();
  while (all_.size() > 1 && (bytes > most_bytes_ || all_.size() > most_shapes)) {
    bytes -= all_.back().second->bytes();
    all_.pop_back();
  }
  if (bytes > most_bytes_)
    all_.front().second->forget();
  return *all_.front().second;
}

void kept_usage::drop_last() {
  if (!all_.empty())
    all_.pop_front();
}

} // namespace keyportal
