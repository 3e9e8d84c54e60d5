#include "actors/analyst/usage_fold.hpp"

#include <algorithm>
#include <numeric>
#include <tuple>

#include "messages/errors.hpp"

namespace keyportal {

using storage::cell_id;
using storage::cell_sums;
using storage::name_kind;
using storage::name_number;

namespace {

/// Sums held at a time: 75 MB.
constexpr std::size_t most_sums = 500'000;
/// Distributions held at a time: some 8 kB each.
constexpr std::size_t most_distributions = 5'000;
constexpr name_number most_names = 10'000'000; ///< numbers above it are damage

usage_sums usage_of(const cell_id& id, const cell_sums& s) {
  return {s.requests,    id.failed ? s.requests : 0, s.tokens,    s.parts,   s.latency_ms,
          s.timed_first, s.ttft_ms,                  s.cost_nano, s.unpriced};
}

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

// --- dimensions --------------------------------------------------------------------------

usage_dimension::usage_dimension(usage_by by, const std::vector<std::string>* wanted, const name_reader& names,
                                 const ownership& owners)
  : by_(by), wanted_(wanted), names_(&names), owners_(&owners) {}

int usage_dimension::place_of_text(const std::string& text) {
  if (wanted_ != nullptr && std::find(wanted_->begin(), wanted_->end(), text) == wanted_->end())
    return out;
  const auto [at, fresh] = places_.emplace(text, static_cast<int>(texts_.size()));
  if (fresh)
    texts_.push_back(text);
  return at->second;
}

usage_dimension::known& usage_dimension::at(name_number number) {
  if (number >= known_.size())
    known_.resize(std::max<std::size_t>(number + std::size_t{1}, known_.size() * 2));
  return known_[number];
}

int usage_dimension::place_of_name(name_kind kind, name_number number) {
  if (number > most_names) {
    failed_ = make_error(errc::storage_corrupt, "roll-up");
    return out;
  }
  auto& one = at(number);
  if (one.place == unknown) {
    const auto text = (*names_)(kind, number);
    if (!text && !failed_)
      failed_ = text.error();
    one.place = text ? place_of_text(*text) : out;
  }
  return one.place;
}

const usage_dimension::known& usage_dimension::key_at(name_number client_key) {
  static const known nothing{out, out, INT64_MIN};
  if (client_key > most_names) {
    failed_ = make_error(errc::storage_corrupt, "roll-up");
    return nothing;
  }
  auto& one = at(client_key);
  if (one.place != unknown)
    return one;
  const auto id = (*names_)(name_kind::client_key, client_key);
  if (!id) {
    if (!failed_)
      failed_ = id.error();
    one.place = out;
    return one;
  }
  const auto* owner = owners_->owner_of(*id);
  const auto name = [&](const user_id& user) { return by_ == usage_by::group ? owners_->group_of(user) : user; };
  one.earlier = place_of_text("");
  one.place = owner != nullptr ? place_of_text(name(owner->user)) : one.earlier;
  one.since_ns = owner != nullptr ? unix_ns(owner->since) : INT64_MIN;
  return one;
}

int usage_dimension::place_of_number(std::uint32_t number) {
  auto& one = at(number);
  if (one.place == unknown)
    one.place = place_of_text(std::to_string(number));
  return one.place;
}

void usage_dimension::go_to(const node_name& node, std::int64_t ends_ns, const calendar::local_hour& hour) {
  ends_ns_ = ends_ns;
  if (by_ == usage_by::node)
    here_ = place_of_text(node);
  else if (by_ == usage_by::weekday)
    here_ = place_of_number(static_cast<std::uint32_t>(hour.weekday));
  else if (by_ == usage_by::hour)
    here_ = place_of_number(static_cast<std::uint32_t>(hour.hour));
}

int usage_dimension::place_of(const cell_id& id) {
  switch (by_) {
    case usage_by::node:
    case usage_by::weekday:
    case usage_by::hour: return here_;
    case usage_by::key: return place_of_name(name_kind::client_key, id.client_key);
    case usage_by::user:
    case usage_by::group: {
      const auto& one = key_at(id.client_key);
      return one.since_ns < ends_ns_ ? one.place : one.earlier;
    }
    case usage_by::model: return place_of_name(name_kind::model, id.model);
    case usage_by::alias: return place_of_name(name_kind::alias, id.alias);
    case usage_by::provider: return place_of_name(name_kind::provider, id.provider);
    case usage_by::account: return place_of_name(name_kind::auth_index, id.account);
    case usage_by::endpoint: return place_of_name(name_kind::endpoint, id.endpoint);
    case usage_by::outcome: {
      auto& one = at(id.failed ? 1 : 0);
      if (one.place == unknown)
        one.place = place_of_text(id.failed ? "failed" : "ok");
      return one.place;
    }
    case usage_by::status: return place_of_number(static_cast<std::uint32_t>(std::clamp(id.status, 0, 999)));
  }
  return out;
}

bool usage_dimension::leaves_out_key(name_number client_key) {
  if (by_ == usage_by::key)
    return place_of_name(name_kind::client_key, client_key) == out;
  if (by_ != usage_by::user && by_ != usage_by::group)
    return false;
  const auto& one = key_at(client_key);
  return one.place == out && one.earlier == out;
}

bool usage_dimension::leaves_out_account(name_number account) {
  return by_ == usage_by::account && place_of_name(name_kind::auth_index, account) == out;
}

// --- adding up -------------------------------------------------------------------------------

usage_fold::usage_fold(const usage_question& question, const usage_plan& plan, const calendar& zone,
                       const name_reader& names, const ownership& owners)
  : question_(&question), plan_(&plan), zone_(&zone) {
  for (const auto by : question.by)
    by_.emplace_back(by, nullptr, names, owners);
  for (const auto& [by, wanted] : question.where)
    where_.emplace_back(by, &wanted, names, owners);
  const auto lead_by = [this](std::vector<signed char>& known, bool (usage_dimension::*leaves_out)(name_number)) {
    return [this, &known, leaves_out](name_number lead) {
      if (lead >= known.size())
        known.resize(std::max<std::size_t>(std::min(lead, most_names) + std::size_t{1}, known.size() * 2), -1);
      auto& one = known[std::min(lead, most_names)];
      if (one < 0)
        one = std::none_of(where_.begin(), where_.end(),
                           [&](usage_dimension& d) { return (d.*leaves_out)(lead); })
                ? 1
                : 0;
      return one == 1;
    };
  };
  key_filter_ = lead_by(key_known_, &usage_dimension::leaves_out_key);
  account_filter_ = lead_by(account_known_, &usage_dimension::leaves_out_account);
}

bool usage_fold::wants_node(const node_name& node) const {
  const auto wanted = question_->where.find(usage_by::node);
  return wanted == question_->where.end()
         || std::find(wanted->second.begin(), wanted->second.end(), node) != wanted->second.end();
}

const storage::lead_filter* usage_fold::leads(storage::cell_view view) {
  const auto has = [&](usage_by by) { return question_->where.contains(by); };
  if (has_keys(view))
    return has(usage_by::key) || has(usage_by::user) || has(usage_by::group) ? &key_filter_ : nullptr;
  return has_accounts(view) && has(usage_by::account) ? &account_filter_ : nullptr;
}

void usage_fold::begin_row(const node_name& node, storage::granularity by, std::int32_t start, bool earlier) {
  const auto begins = start * storage::ns_of(by);
  const auto hour = zone_->hour_at(moment_of(begins));
  for (auto& one : by_)
    one.go_to(node, begins + storage::ns_of(by), hour);
  for (auto& one : where_)
    one.go_to(node, begins + storage::ns_of(by), hour);
  earlier_ = earlier;
  const auto& starts = plan_->starts;
  const auto after = std::upper_bound(starts.begin(), starts.end(), moment_of(begins));
  bucket_ = static_cast<std::uint32_t>(std::max<std::ptrdiff_t>(after - starts.begin() - 1, 0));
}

bool usage_fold::passes(const cell_id& id) {
  return std::all_of(where_.begin(), where_.end(), [&](usage_dimension& one) { return one.place_of(id) >= 0; });
}

usage_fold::group* usage_fold::group_of(const cell_id& id) {
  const int first = by_.empty() ? 0 : by_[0].place_of(id), second = by_.size() < 2 ? 0 : by_[1].place_of(id);
  if (first < 0 || second < 0)
    return nullptr; // a text could not be read, which the dimension remembers
  if (table_.size() <= static_cast<std::size_t>(first))
    table_.resize(static_cast<std::size_t>(first) + 1);
  auto& row = table_[static_cast<std::size_t>(first)];
  if (row.size() <= static_cast<std::size_t>(second))
    row.resize(static_cast<std::size_t>(second) + 1, -1);
  auto& index = row[static_cast<std::size_t>(second)];
  if (index < 0) {
    index = static_cast<std::int32_t>(groups_.size());
    groups_.emplace_back();
    groups_.back().first = first;
    groups_.back().second = second;
  }
  return &groups_[static_cast<std::size_t>(index)];
}

void usage_fold::add(const cell_id& id, const cell_sums& sums) {
  if (!passes(id) || too_much_)
    return;
  auto* to = group_of(id);
  if (to == nullptr)
    return;
  const auto usage = usage_of(id, sums);
  if (earlier_) {
    to->before.add(usage);
    return;
  }
  if (to->buckets.empty() || to->buckets.back().first != bucket_) {
    too_much_ = ++kept_ > most_sums;
    to->buckets.emplace_back(bucket_, usage_sums{});
  }
  to->buckets.back().second.add(usage);
}

// --- ranking -----------------------------------------------------------------------------------

caf::error usage_fold::rank() {
  for (const auto& one : by_)
    if (one.failed())
      return one.failed();
  for (const auto& one : where_)
    if (one.failed())
      return one.failed();
  if (too_much_)
    return make_error(errc::bad_request, "too many rows and buckets together; choose wider buckets or a filter");
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < groups_.size(); ++i) {
    auto& one = groups_[i];
    // Rows of several nodes and widths come one after the other: bring each bucket together.
    std::stable_sort(one.buckets.begin(), one.buckets.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    std::size_t left = 0;
    for (std::size_t j = 0; j < one.buckets.size(); ++j) {
      one.all.add(one.buckets[j].second);
      if (left > 0 && one.buckets[left - 1].first == one.buckets[j].first)
        one.buckets[left - 1].second.add(one.buckets[j].second);
      else
        one.buckets[left++] = one.buckets[j];
    }
    one.buckets.resize(left);
    total_.all.add(one.all);
    total_.before.add(one.before);
    if (one.all != usage_sums{})
      order.push_back(i);
  }
  if (by_.empty())
    order.clear();
  const auto text = [&](const group& g, std::size_t d) -> const std::string& {
    return by_[d].text_of(d == 0 ? g.first : g.second);
  };
  const bool by_time = !by_.empty() && std::all_of(by_.begin(), by_.end(), [](const auto& d) {
    return is_of_time(d.by());
  });
  const auto number = [](const std::string& t) { return std::stoi(t); };
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
    const auto &left = groups_[a], &right = groups_[b];
    if (by_time) // hours have an order of their own
      return std::tuple(number(text(left, 0)), by_.size() > 1 ? number(text(left, 1)) : 0)
             < std::tuple(number(text(right, 0)), by_.size() > 1 ? number(text(right, 1)) : 0);
    const auto x = *amount_of(left.all, question_->order), y = *amount_of(right.all, question_->order);
    if (x != y)
      return x > y;
    if (const auto by_first = text(left, 0).compare(text(right, 0)); by_first != 0 || by_.size() < 2)
      return by_first < 0;
    return text(left, 1) < text(right, 1);
  });
  const auto most = by_time ? order.size() : std::size_t{question_->top};
  others_ = static_cast<std::uint32_t>(order.size() - std::min(order.size(), most));
  order.resize(std::min(order.size(), most));
  for (std::size_t i = 0; i < order.size(); ++i)
    groups_[order[i]].rank = static_cast<int>(i);
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

void usage_fold::add(const cell_id& id, const storage::cell_distributions& distributions) {
  if (earlier_ || distributions_.empty() || !passes(id))
    return;
  const bool buckets = !plan_->starts.empty();
  const auto add_to_row = [&](std::size_t row) {
    bins_of(row, 0).add(distributions);
    if (buckets)
      bins_of(row, 1 + bucket_).add(distributions);
  };
  add_to_row(ranked_.size());
  if (by_.empty())
    return;
  if (const auto* to = group_of(id); to != nullptr && to->rank >= 0)
    add_to_row(static_cast<std::size_t>(to->rank));
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
  for (const auto& one : groups_)
    if (one.all.requests != 0)
      out.push_back(by_[0].text_of(one.first));
  return out;
}

caf::expected<usage_report> usage_fold::report() {
  usage_report out;
  out.from = plan_->from;
  out.to = plan_->to;
  out.before_from = plan_->before_from;
  out.zone = question_->zone;
  out.step = question_->step;
  out.by = question_->by;
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
    told.of.push_back(by_[0].text_of(one.first));
    if (by_.size() > 1)
      told.of.push_back(by_[1].text_of(one.second));
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
