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

usage_sums usage_of(const storage::cell_id& id, const storage::cell_sums& s) {
  return {
    s.requests, id.failed ? s.requests : 0, s.tokens, s.parts, s.latency_ms, s.timed_first, s.ttft_ms, s.cost_nano,
    s.unpriced};
}

std::int32_t next_multiple(std::int32_t after, std::int32_t of) { return after - (after % of + of) % of + of; }

/// Dense, since a bin is met again and again.
struct dense_bins {
  std::vector<std::int64_t> counts;
  void add(const storage::bin_counts& bins) {
    if (!bins.empty() && counts.size() <= bins.back().first)
      counts.resize(bins.back().first + std::size_t{1});
    for (const auto& [bin, count] : bins)
      counts[bin] =
        static_cast<std::int64_t>(static_cast<std::uint64_t>(counts[bin]) + static_cast<std::uint64_t>(count));
  }
  [[nodiscard]] storage::bin_counts take() const {
    storage::bin_counts out;
    for (std::size_t i = 0; i < counts.size(); ++i)
      if (counts[i] != 0)
        out.emplace_back(static_cast<std::uint16_t>(i), counts[i]);
    return out;
  }
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
      else if (run.by == granularity::hour && long_buckets)
        end = std::min(end, next_multiple(first, hours_together));
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

caf::error usage_pieces::add_up(const storage::ledger::reading& books, storage::cell_view view, const row_run& rows,
                                piece_sums& to) {
  to.clear();
  for (const auto& node : nodes_) {
    std::int32_t row = 0;
    bool fresh = true;
    auto failed = books.sums(node, {rows.by, view, rows.first, rows.end, shape_.leads(view), shape_.kinds()},
                             [&](std::int32_t start, const auto& id, const auto& sums) {
                               if (fresh || start != row)
                                 shape_.begin_row(node, rows.by, start);
                               row = start;
                               fresh = false;
                               const auto group = shape_.group_of(id);
                               if (group < 0)
                                 return;
                               if (index_.size() <= static_cast<std::size_t>(group))
                                 index_.resize(std::max<std::size_t>(2 * index_.size(), group + std::size_t{64}), -1);
                               auto& index = index_[static_cast<std::size_t>(group)];
                               if (index < 0) {
                                 index = static_cast<std::int32_t>(to.size());
                                 to.emplace_back(static_cast<std::uint32_t>(group), usage_sums{});
                               }
                               to[static_cast<std::size_t>(index)].second.add(usage_of(id, sums));
                             });
    if (!failed)
      failed = shape_.failed();
    if (!failed && shape_.groups() > most_groups)
      failed = make_error(errc::bad_request, "too many rows; choose a filter");
    if (failed) {
      index_.clear();
      return failed;
    }
  }
  for (const auto& [group, sums] : to)
    index_[group] = -1;
  return {};
}

caf::error usage_pieces::add_up(const storage::ledger::reading& books, storage::cell_view view, const row_run& rows,
                                const std::vector<std::uint32_t>& ranked, piece_bins& to) {
  struct both {
    dense_bins latency, ttft;
  };
  std::vector<both> all(ranked.size() + 1);
  std::vector<std::uint32_t> row_of(shape_.groups(), static_cast<std::uint32_t>(ranked.size()));
  for (std::uint32_t i = 0; i < ranked.size(); ++i)
    row_of[ranked[i]] = i;
  for (const auto& node : nodes_) {
    std::int32_t row = 0;
    bool fresh = true;
    auto failed = books.distributions(node, {rows.by, view, rows.first, rows.end, shape_.leads(view), shape_.kinds()},
                                      [&](std::int32_t start, const auto& id, auto&& what) {
                                        if (fresh || start != row)
                                          shape_.begin_row(node, rows.by, start);
                                        row = start;
                                        fresh = false;
                                        const auto group = shape_.group_of(id);
                                        if (group < 0)
                                          return;
                                        const auto at = static_cast<std::size_t>(group) < row_of.size()
                                                          ? row_of[static_cast<std::size_t>(group)]
                                                          : ranked.size();
                                        all[at].latency.add(what.latency);
                                        all[at].ttft.add(what.ttft);
                                      });
    if (!failed)
      failed = shape_.failed();
    if (failed)
      return failed;
  }
  to.clear();
  for (std::uint32_t i = 0; i < all.size(); ++i)
    if (storage::cell_distributions one{all[i].latency.take(), all[i].ttft.take()}; !one.empty())
      to.emplace_back(i, std::move(one));
  return {};
}

// --- keeping -----------------------------------------------------------------------------------

bool usage_pieces::still_right(const storage::ledger::reading& books, std::uint64_t stamp, const row_run& rows) const {
  const auto day = [&](std::int32_t row) { return storage::start_of(granularity::day, row * storage::ns_of(rows.by)); };
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const node_name& node) {
    return books.same_as(stamp, node, day(rows.first), day(rows.end - 1) + 1);
  });
}

template <class What, class Make>
caf::expected<const What*> usage_pieces::find_or_make(std::map<place, kept<What>>& all, What& instead,
                                                      const storage::ledger::reading& books, const row_run& rows,
                                                      Make make) {
  const place where{rows.by, rows.first, rows.end};
  const auto found = all.find(where);
  if (found != all.end() && still_right(books, found->second.stamp, rows))
    return &found->second.what;
  kept<What> fresh{books.stamp(), {}};
  if (auto failed = make(fresh.what))
    return failed;
  if (found == all.end() && bytes_ + bytes_of(fresh.what) > most_bytes_) {
    instead = std::move(fresh.what);
    return &instead;
  }
  auto& to = all[where];
  bytes_ += bytes_of(fresh.what) - bytes_of(to.what);
  to = std::move(fresh);
  return &to.what;
}

caf::expected<const piece_sums*> usage_pieces::sums(const storage::ledger::reading& books, storage::cell_view view,
                                                    const row_run& rows) {
  if (rows.by != granularity::minute) // these are about now: never twice the same
    return find_or_make(sums_, last_sums_, books, rows, [&](piece_sums& to) { return add_up(books, view, rows, to); });
  if (auto failed = add_up(books, view, rows, last_sums_))
    return failed;
  return &last_sums_;
}

caf::expected<const piece_bins*> usage_pieces::bins(const storage::ledger::reading& books, storage::cell_view view,
                                                    const row_run& rows, const std::vector<std::uint32_t>& ranked) {
  if (ranked != ranked_) {
    for (const auto& [where, one] : bins_)
      bytes_ -= bytes_of(one.what);
    bins_.clear();
    ranked_ = ranked;
  }
  if (rows.by != granularity::minute)
    return find_or_make(bins_, last_bins_, books, rows,
                        [&](piece_bins& to) { return add_up(books, view, rows, ranked, to); });
  if (auto failed = add_up(books, view, rows, ranked, last_bins_))
    return failed;
  return &last_bins_;
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
