// Roll-ups as rows: for each bucket of time and each value of what is told apart, all amounts.
#include <algorithm>
#include <unordered_map>

#include "actors/analyst/usage_fold.hpp"
#include "actors/exporter/export_source.hpp"
#include "messages/errors.hpp"

namespace keyportal {
namespace {

using storage::granularity;

/// Rows of one bucket: 100 MB at most.
constexpr std::size_t most_rows_of_bucket = 300'000;
/// Buckets that are looked into for a piece that holds little.
constexpr int buckets_at_once = 2'000;

bool is_of_owner(usage_by by) { return by == usage_by::user || by == usage_by::group; }
bool is_of_clock(usage_by by) { return by == usage_by::weekday || by == usage_by::hour; }

std::vector<std::string> columns(const std::vector<usage_by>& dimensions) {
  std::vector<std::string> out{"from", "to"};
  for (const auto by : dimensions) {
    const std::string name{name_of(by)};
    if (by == usage_by::key || by == usage_by::user)
      out.push_back(name + "_id");
    out.push_back(name);
  }
  for (const auto* amount :
       {"requests", "ok", "failed", "input_tokens", "output_tokens", "reasoning_tokens", "cached_tokens",
        "total_tokens", "part_uncached_input", "part_cache_read", "part_cache_write", "part_output", "part_reasoning",
        "part_unclassified", "latency_ms_sum", "timed_first", "ttft_ms_sum", "cost_usd", "unpriced"})
    out.emplace_back(amount);
  return out;
}

usage_sums usage_of(const storage::cell_id& id, const storage::cell_sums& s) {
  return {
    s.requests, id.failed ? s.requests : 0, s.tokens, s.parts, s.latency_ms, s.timed_first, s.ttft_ms, s.cost_nano,
    s.unpriced};
}

std::int64_t floor_to(std::int64_t ns, std::int64_t width) {
  const auto rest = ns % width;
  return ns - (rest < 0 ? rest + width : rest);
}

struct places_hash {
  std::size_t operator()(const std::vector<int>& places) const {
    std::size_t h = 0;
    for (const auto one : places)
      h = (h ^ static_cast<std::size_t>(one)) * 0x9e3779b97f4a7c15u;
    return h ^ (h >> 29U);
  }
};

class rollup_rows final : public export_source {
public:
  rollup_rows(const export_plan& plan, std::shared_ptr<const export_view> view)
    : view_(view), plan_(plan), rows_(plan.asked.format, columns(plan.asked.by)), zone_(plan.zone),
      names_([books = view->books.get()](storage::name_kind kind, storage::name_number number) {
        return books->text(kind, number);
      }) {}

  caf::error prepare() {
    if (auto wrong = check(plan_.asked.where))
      return wrong;
    const auto& by = plan_.asked.by;
    for (std::size_t i = 0; i < by.size(); ++i)
      if (std::find(by.begin(), by.begin() + static_cast<std::ptrdiff_t>(i), by[i])
          != by.begin() + static_cast<std::ptrdiff_t>(i))
        return make_error(errc::bad_request, "by names something twice");
    bool keys = false, accounts = false;
    const auto look = [&](usage_by one) {
      keys = keys || one == usage_by::key || is_of_owner(one);
      accounts = accounts || one == usage_by::account;
      by_hour_ = by_hour_ || is_of_owner(one) || is_of_clock(one);
    };
    for (const auto one : by) {
      look(one);
      by_.emplace_back(one, nullptr, names_, view_->people->owners);
    }
    for (const auto& [one, wanted] : plan_.asked.where) {
      look(one);
      where_.emplace_back(one, &wanted, names_, view_->people->owners);
    }
    kind_ = storage::view_with(keys, accounts, true);
    const auto days = view_->books->starts(granularity::day);
    if (!days)
      return days.error();
    const auto day = storage::ns_of(granularity::day);
    if (*days) { // whole buckets where the range has no end of its own
      const auto step = plan_.asked.step;
      first_ns_ = std::max(plan_.first_ns, unix_ns(plan_.zone.start_of(step, moment_of((*days)->first * day))));
      end_ns_ = std::min(plan_.end_ns,
                         unix_ns(plan_.zone.next(step, moment_of(((*days)->second + std::int64_t{1}) * day - 1))));
    }
    return {};
  }

  // Places: `at_ns` lies in the bucket, `number` of its rows are written.
  caf::expected<bool> write(export_place& at, std::string& out, std::size_t bytes) override {
    const auto began = out.size();
    if (!at.begun) {
      at.begun = true;
      out += rows_.head(plan_.asked.byte_order_mark);
      at.at_ns = first_ns_;
    }
    for (int looked = 0; at.at_ns < end_ns_; ++looked) {
      if (looked == buckets_at_once)
        return true;
      if (auto failed = fill(at.at_ns))
        return failed;
      for (; at.number < found_.size(); ++at.number) {
        if (out.size() - began >= bytes)
          return true;
        row(out, found_[at.number]);
      }
      at.number = 0;
      at.at_ns = bucket_end_;
    }
    return false;
  }

private:
  using group = std::pair<std::vector<int>, usage_sums>;

  /// Adds up the bucket that holds that moment.
  caf::error fill(std::int64_t at_ns) {
    if (filled_ && at_ns >= bucket_begin_ && at_ns < bucket_end_)
      return {};
    filled_ = false;
    const auto step = plan_.asked.step;
    bucket_begin_ = unix_ns(plan_.zone.start_of(step, moment_of(at_ns)));
    bucket_end_ = std::max(unix_ns(plan_.zone.next(step, moment_of(at_ns))), at_ns + 1);
    bucket_begin_ = std::max(bucket_begin_, first_ns_);
    bucket_end_ = std::min(bucket_end_, end_ns_);
    // Of an hour only the whole is kept: where a border lies within one, the hour is part of where it begins; at the
    // range's end all of it is.
    const auto hour = storage::ns_of(granularity::hour), day = storage::ns_of(granularity::day);
    const auto first = floor_to(bucket_begin_, hour);
    const auto end = bucket_end_ == end_ns_ ? floor_to(bucket_end_ + hour - 1, hour) : floor_to(bucket_end_, hour);
    const bool whole_days = !by_hour_ && first % day == 0 && end % day == 0;
    const auto width = whole_days ? granularity::day : granularity::hour;
    const auto number = [&](std::int64_t ns) { return static_cast<std::int32_t>(ns / storage::ns_of(width)); };

    std::unordered_map<std::vector<int>, usage_sums, places_hash> groups;
    std::vector<int> places(by_.size());
    bool too_many = false;
    for (const auto& node : view_->books->nodes()) {
      std::int32_t row = 0;
      bool fresh = true;
      auto failed =
        view_->books->sums(node, {width, kind_, number(first), number(end), nullptr},
                           [&](std::int32_t start, const storage::cell_id& id, const storage::cell_sums& sums) {
                             if (fresh || start != row) {
                               fresh = false;
                               row = start;
                               const auto begins = start * storage::ns_of(width);
                               const auto clock =
                                 by_hour_ ? plan_.zone.hour_at(moment_of(begins)) : calendar::local_hour{};
                               for (auto* all : {&by_, &where_})
                                 for (auto& one : *all)
                                   one.go_to(node, begins + storage::ns_of(width), clock);
                             }
                             for (auto& one : where_)
                               if (one.place_of(id) < 0)
                                 return;
                             for (std::size_t i = 0; i < by_.size(); ++i)
                               places[i] = by_[i].place_of(id);
                             if (groups.size() >= most_rows_of_bucket && !groups.contains(places)) {
                               too_many = true;
                               return;
                             }
                             groups[places].add(usage_of(id, sums));
                           });
      if (failed)
        return failed;
    }
    for (const auto* all : {&by_, &where_})
      for (const auto& one : *all)
        if (one.failed())
          return one.failed();
    if (too_many)
      return make_error(errc::bad_request, "too much is told apart at once; take fewer of `by`, or a shorter step");
    found_.assign(groups.begin(), groups.end());
    std::sort(found_.begin(), found_.end(), [&](const group& a, const group& b) {
      for (std::size_t i = 0; i < by_.size(); ++i)
        if (const auto order = text(i, a).compare(text(i, b)); order != 0)
          return order < 0;
      return false;
    });
    filled_ = true;
    return {};
  }

  [[nodiscard]] const std::string& text(std::size_t dimension, const group& of) const {
    return by_[dimension].text_of(of.first[dimension]);
  }

  void row(std::string& out, const group& of) {
    rows_.at(out, zone_, bucket_begin_);
    rows_.at(out, zone_, bucket_end_);
    for (std::size_t i = 0; i < by_.size(); ++i) {
      const auto& value = text(i, of);
      rows_.text(out, value);
      if (by_[i].by() == usage_by::key) {
        const auto key = view_->people->keys.find(value);
        rows_.text(out, key == view_->people->keys.end() ? std::string_view{} : key->second.shown);
      } else if (by_[i].by() == usage_by::user) {
        rows_.text(out, view_->people->email_of(value));
      }
    }
    const auto& s = of.second;
    for (const auto amount :
         {s.requests, s.requests - s.failed, s.failed, s.tokens.input, s.tokens.output, s.tokens.reasoning,
          s.tokens.cached, s.tokens.total, s.parts.uncached_input, s.parts.cache_read, s.parts.cache_write,
          s.parts.output, s.parts.reasoning, s.parts.unclassified, s.latency_ms, s.timed_first, s.ttft_ms})
      rows_.number(out, amount);
    rows_.dollars(out, s.cost_nano);
    rows_.number(out, s.unpriced);
    rows_.end_row(out);
  }

  std::shared_ptr<const export_view> view_;
  export_plan plan_;
  row_writer rows_;
  moment_text zone_;
  name_reader names_;
  std::vector<usage_dimension> by_, where_;
  storage::cell_view kind_ = storage::cell_view::kinds;
  bool by_hour_ = false; ///< something is told apart that rows of days do not tell
  std::int64_t first_ns_ = 0, end_ns_ = 0;
  // The bucket that was added up last.
  bool filled_ = false;
  std::int64_t bucket_begin_ = 0, bucket_end_ = 0;
  std::vector<group> found_;
};

} // namespace

caf::expected<std::unique_ptr<export_source>> make_rollup_rows(const export_plan& plan,
                                                               std::shared_ptr<const export_view> view) {
  auto out = std::make_unique<rollup_rows>(plan, std::move(view));
  if (auto wrong = out->prepare())
    return wrong;
  return std::unique_ptr<export_source>{std::move(out)};
}

} // namespace keyportal
