#include "actors/analyst/usage_fold.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "messages/errors.hpp"

namespace keyportal {

namespace {

/// Sums held at a time: 75 MB.
constexpr std::size_t most_sums = 500'000;
/// Distributions held at a time: some 8 kB each.
constexpr std::size_t most_distributions = 5'000;

usage_sums difference(const usage_sums& from, const usage_sums& what) {
  const auto minus = [](std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
  };
  usage_sums out;
  out.requests = minus(from.requests, what.requests);
  out.failed = minus(from.failed, what.failed);
  out.tokens = {minus(from.tokens.input, what.tokens.input), minus(from.tokens.output, what.tokens.output),
                minus(from.tokens.reasoning, what.tokens.reasoning), minus(from.tokens.cached, what.tokens.cached),
                minus(from.tokens.total, what.tokens.total)};
  out.parts = {minus(from.parts.uncached_input, what.parts.uncached_input),
               minus(from.parts.cache_read, what.parts.cache_read),
               minus(from.parts.cache_write, what.parts.cache_write),
               minus(from.parts.output, what.parts.output),
               minus(from.parts.reasoning, what.parts.reasoning),
               minus(from.parts.unclassified, what.parts.unclassified)};
  out.latency_ms = minus(from.latency_ms, what.latency_ms);
  out.timed_first = minus(from.timed_first, what.timed_first);
  out.ttft_ms = minus(from.ttft_ms, what.ttft_ms);
  out.cost_nano = minus(from.cost_nano, what.cost_nano);
  out.unpriced = minus(from.unpriced, what.unpriced);
  return out;
}

bool is_of_time(usage_by by) { return by == usage_by::weekday || by == usage_by::hour; }

std::optional<usage_percentiles> percentiles(const std::vector<std::int64_t>& counts) {
  storage::bin_counts bins;
  for (std::size_t i = 0; i < counts.size(); ++i)
    if (counts[i] != 0)
      bins.emplace_back(static_cast<std::uint16_t>(i), counts[i]);
  if (bins.empty())
    return std::nullopt;
  return usage_percentiles{storage::percentile(bins, 0.5), storage::percentile(bins, 0.9),
                           storage::percentile(bins, 0.95), storage::percentile(bins, 0.99)};
}

void add_to(std::vector<std::int64_t>& to, const storage::bin_counts& bins) {
  if (!bins.empty() && to.size() <= bins.back().first)
    to.resize(bins.back().first + std::size_t{1});
  for (const auto& [bin, count] : bins)
    to[bin] += count;
}

} // namespace

// --- adding up -------------------------------------------------------------------------------

usage_fold::usage_fold(const usage_question& question, const usage_plan& plan, const usage_shape& shape)
  : question_(&question), plan_(&plan), shape_(&shape) {}

caf::error usage_fold::add(const usage_piece& piece, const piece_sums& sums) {
  if (groups_.size() < shape_->groups())
    groups_.resize(shape_->groups());
  for (const auto& [number, what] : sums) {
    auto& to = groups_[number];
    if (piece.earlier) {
      to.before.add(what);
    } else if (plan_->starts.empty()) {
      to.all.add(what);
    } else {
      // Buckets ascend, but a longer one is of several pieces.
      if (to.buckets.empty() || to.buckets.back().first != piece.bucket) {
        if (++kept_ > most_sums)
          return make_error(errc::bad_request, "too many rows and buckets together; choose wider buckets or a filter");
        to.buckets.emplace_back(piece.bucket, usage_sums{});
      }
      to.buckets.back().second.add(what);
    }
  }
  return {};
}

// --- ranking -----------------------------------------------------------------------------------

caf::error usage_fold::rank() {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < groups_.size(); ++i) {
    auto& one = groups_[i];
    for (const auto& [bucket, sums] : one.buckets)
      one.all.add(sums);
    total_.all.add(one.all);
    total_.before.add(one.before);
    if (one.all != usage_sums{})
      order.push_back(i);
  }
  const auto& by = question_->by;
  if (by.empty())
    order.clear();
  const auto text = [&](std::uint32_t g, std::size_t d) -> const std::string& { return shape_->text_of(g, d); };
  const bool by_time = !by.empty() && std::all_of(by.begin(), by.end(), is_of_time);
  const auto number = [](const std::string& t) { return std::stoi(t); };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const auto &left = groups_[a], &right = groups_[b];
    if (by_time) // hours have an order of their own
      return std::tuple(number(text(a, 0)), by.size() > 1 ? number(text(a, 1)) : 0)
             < std::tuple(number(text(b, 0)), by.size() > 1 ? number(text(b, 1)) : 0);
    const auto x = *amount_of(left.all, question_->order), y = *amount_of(right.all, question_->order);
    if (x != y)
      return x > y;
    if (const auto by_first = text(a, 0).compare(text(b, 0)); by_first != 0 || by.size() < 2)
      return by_first < 0;
    return text(a, 1) < text(b, 1);
  });
  const auto most = by_time ? order.size() : std::size_t{question_->top};
  others_ = static_cast<std::uint32_t>(order.size() - std::min(order.size(), most));
  order.resize(std::min(order.size(), most));
  ranked_ = std::move(order);
  if (question_->with_percentiles) {
    const auto wanted = (ranked_.size() + 1) * (plan_->starts.size() + 1);
    if (wanted > most_distributions)
      return make_error(errc::bad_request, "percentiles of too many rows and buckets; ask for fewer");
    distributions_.resize(wanted);
  }
  return {};
}

void usage_fold::bins::add(const storage::cell_distributions& what) {
  add_to(latency, what.latency);
  add_to(ttft, what.ttft);
}

usage_fold::bins& usage_fold::bins_of(std::size_t row, std::size_t bucket) {
  return distributions_[row * (plan_->starts.size() + 1) + bucket];
}

void usage_fold::add(const usage_piece& piece, const piece_bins& found) {
  if (piece.earlier || distributions_.empty())
    return;
  const auto add_to_row = [&](std::size_t row, const storage::cell_distributions& what) {
    bins_of(row, 0).add(what);
    if (!plan_->starts.empty())
      bins_of(row, std::size_t{1} + piece.bucket).add(what);
  };
  for (const auto& [row, what] : found) {
    add_to_row(ranked_.size(), what);
    if (row < ranked_.size())
      add_to_row(row, what);
  }
}

// --- telling -------------------------------------------------------------------------------------

usage_amounts usage_fold::amounts(const usage_sums& sums, std::size_t row, std::size_t bucket) const {
  usage_amounts out{sums, std::nullopt, std::nullopt};
  if (distributions_.empty())
    return out;
  const auto& found = distributions_[row * (plan_->starts.size() + 1) + bucket];
  out.latency_ms = percentiles(found.latency);
  out.ttft_ms = percentiles(found.ttft);
  return out;
}

std::vector<std::string> usage_fold::texts_of_first() const {
  std::vector<std::string> out;
  for (std::uint32_t i = 0; i < groups_.size(); ++i)
    if (groups_[i].all.requests != 0)
      out.push_back(shape_->text_of(i, 0));
  return out;
}

usage_report usage_fold::report() {
  usage_report out;
  out.from = plan_->from;
  out.to = plan_->to;
  out.before_from = plan_->before_from;
  out.zone = question_->zone;
  out.step = question_->step;
  out.by = question_->by;
  out.metrics = question_->metrics;
  out.exact = plan_->exact;
  out.starts = plan_->starts;
  const auto buckets = out.starts.size();
  const auto row = [&](const usage_sums& all, const usage_sums& before, std::size_t index,
                       const std::vector<usage_sums>& series) {
    usage_row to;
    to.all = amounts(all, index, 0);
    for (std::size_t i = 0; i < buckets; ++i)
      to.buckets.push_back(amounts(series[i], index, 1 + i));
    if (question_->compare)
      to.before = before;
    return to;
  };
  std::vector<usage_sums> series(buckets), of_total(buckets), of_other(buckets);
  usage_sums other, other_before = total_.before;
  for (const auto& one : groups_)
    for (const auto& [bucket, sums] : one.buckets)
      if (buckets != 0)
        of_total[bucket].add(sums);
  other = total_.all;
  of_other = of_total;
  out.total = row(total_.all, total_.before, ranked_.size(), of_total);
  for (std::size_t rank = 0; rank < ranked_.size(); ++rank) {
    const auto& one = groups_[ranked_[rank]];
    std::fill(series.begin(), series.end(), usage_sums{});
    for (const auto& [bucket, sums] : one.buckets)
      if (buckets != 0)
        series[bucket] = sums;
    auto told = row(one.all, one.before, rank, series);
    for (std::size_t i = 0; i < question_->by.size(); ++i)
      told.of.push_back(shape_->text_of(ranked_[rank], i));
    other = difference(other, one.all);
    other_before = difference(other_before, one.before);
    for (std::size_t i = 0; i < buckets; ++i)
      of_other[i] = difference(of_other[i], series[i]);
    out.rows.push_back(std::move(told));
  }
  out.others = others_;
  if (others_ == 0)
    return out;
  // What is not in the rows above is what remains of the total, distributions included.
  if (!distributions_.empty()) {
    const auto minus = [](std::vector<std::int64_t>& from, const std::vector<std::int64_t>& what) {
      for (std::size_t i = 0; i < what.size(); ++i)
        from[i] -= what[i];
    };
    for (std::size_t bucket = 0; bucket <= buckets; ++bucket)
      for (std::size_t rank = 0; rank < ranked_.size(); ++rank) {
        minus(bins_of(ranked_.size(), bucket).latency, bins_of(rank, bucket).latency);
        minus(bins_of(ranked_.size(), bucket).ttft, bins_of(rank, bucket).ttft);
      }
  }
  out.other = row(other, other_before, ranked_.size(), of_other);
  return out;
}

} // namespace keyportal
