#include "actors/analyst/usage_plan.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "messages/errors.hpp"

namespace keyportal {

using storage::granularity;

namespace {

constexpr std::int64_t minute_ns = 60'000'000'000;
constexpr std::size_t most_wanted = 1000; ///< texts of one filter
constexpr std::size_t longest_text = 1024;
/// Days that a question about weekdays may have: more than a century.
constexpr std::size_t most_pieces = 40'000;

/// Minutes since 1970: what all borders are counted in here.
using minutes = std::int64_t;

minutes floor_to(minutes value, minutes width) { return value - (value % width + width) % width; }
minutes ceil_to(minutes value, minutes width) { return -floor_to(-value, width); }
minutes minute_of(moment t) { return floor_to(unix_ns(t), minute_ns) / minute_ns; }
moment moment_at(minutes t) { return moment_of(t * minute_ns); }

caf::error refused(std::string about) { return make_error(errc::bad_request, std::move(about)); }

bool asks(const usage_question& question, usage_by by) {
  return std::find(question.by.begin(), question.by.end(), by) != question.by.end() || question.where.contains(by);
}

/// Makes runs of rows out of spans of time.
class cover {
public:
  /// `days`: an hour need not be told from the others of its day. The view and the part: what rows there are.
  cover(const plan_limits& limits, bool days, storage::cell_view view, storage::cell_part part)
    : limits_(&limits), days_(days), eight_hours_(days && storage::is_kept(granularity::eight_hours, view, part)),
      eight_days_(days && storage::is_kept(granularity::eight_days, view, part)) {}

  /// Behind all that was added before. Both are of full minutes; of full hours where there are no rows by minute.
  void add(minutes from, minutes to) {
    const auto first_hour = ceil_to(from, 60), last_hour = floor_to(to, 60);
    if (first_hour >= last_hour) {
      // Not an hour whole: by the minute, unless both are borders of the same one.
      add_run(granularity::minute, from, to, 1);
      return;
    }
    add_run(granularity::minute, from, first_hour, 1);
    const auto first_day = ceil_to(first_hour, 1440), last_day = floor_to(last_hour, 1440);
    if (!days_ || first_day >= last_day) {
      add_hours(first_hour, last_hour);
    } else {
      add_hours(first_hour, first_day);
      add_days(first_day, last_day);
      add_hours(last_day, last_hour);
    }
    add_run(granularity::minute, last_hour, to, 1);
  }

  std::vector<row_run> take() { return std::move(runs_); }

private:
  void add_hours(minutes from, minutes to) {
    const auto first = ceil_to(from, 480), last = floor_to(to, 480);
    const auto is_divided = [&](minutes at) {
      return std::binary_search(limits_->days_to_divide.begin(), limits_->days_to_divide.end(),
                                static_cast<std::int32_t>(floor_to(at, 1440) / 1440));
    };
    if (!eight_hours_ || first >= last) {
      add_run(granularity::hour, from, to, 60);
      return;
    }
    add_run(granularity::hour, from, first, 60);
    for (auto at = first; at < last; at += 480)
      add_run(is_divided(at) ? granularity::hour : granularity::eight_hours, at, at + 480, is_divided(at) ? 60 : 480);
    add_run(granularity::hour, last, to, 60);
  }
  void add_days(minutes from, minutes to) {
    const auto& divided = limits_->days_to_divide;
    for (auto at = std::lower_bound(divided.begin(), divided.end(), static_cast<std::int32_t>(from / 1440));
         at != divided.end() && *at < to / 1440; ++at) {
      const auto day = minutes{*at} * 1440;
      if (day < from) // named twice
        continue;
      add_whole_days(from, day);
      add_run(granularity::hour, day, day + 1440, 60);
      from = day + 1440;
    }
    add_whole_days(from, to);
  }
  void add_whole_days(minutes from, minutes to) {
    constexpr minutes eight = 8 * 1440;
    const auto first = ceil_to(from, eight), last = floor_to(to, eight);
    if (!eight_days_ || first >= last) {
      add_run(granularity::day, from, to, 1440);
      return;
    }
    add_run(granularity::day, from, first, 1440);
    add_run(granularity::eight_days, first, last, eight);
    add_run(granularity::day, last, to, 1440);
  }
  void add_run(granularity by, minutes from, minutes to, minutes width) {
    if (from >= to)
      return;
    const row_run run{by, static_cast<std::int32_t>(from / width), static_cast<std::int32_t>(to / width)};
    if (!runs_.empty() && runs_.back().by == by && runs_.back().end == run.first)
      runs_.back().end = run.end;
    else
      runs_.push_back(run);
  }

  const plan_limits* limits_;
  bool days_, eight_hours_, eight_days_;
  std::vector<row_run> runs_;
};

/// Moves borders to where rows end.
struct rounding {
  minutes first_minute;
  bool exact = true;

  minutes down(moment t) {
    const auto minute = minute_of(t);
    if (minute >= first_minute || minute % 60 == 0)
      return minute;
    exact = false;
    return floor_to(minute, 60);
  }
  minutes up(moment t) {
    const auto minute = minute_of(t) + (unix_ns(t) % minute_ns != 0 ? 1 : 0);
    if (minute > first_minute || minute % 60 == 0)
      return minute;
    exact = false;
    return ceil_to(minute, 60);
  }
};

caf::error check(const usage_question& question) {
  if (question.from > question.to)
    return refused("the range ends before it begins");
  if (unix_ns(question.from) < earliest_ns || unix_ns(question.to) > latest_ns)
    return refused("the range is out of what the calendar knows, the years 1700 to 2200");
  if (question.by.size() > 2)
    return refused("usage is told apart by two things at most");
  if (question.by.size() == 2 && question.by[0] == question.by[1])
    return refused("usage is told apart by two different things");
  if (question.top < 1 || question.top > most_rows)
    return refused(fmt::format("top is a number from 1 to {}", most_rows));
  if (!amount_of(usage_sums{}, question.order))
    return refused("order is none of the amounts");
  const bool of_keys = question.by == std::vector{usage_by::key};
  if (question.with_unused && !of_keys && question.by != std::vector{usage_by::user})
    return refused("what is unused is told by key or by user");
  return check(question.where);
}

/// The begins of buckets in [from, to), the first one `from` itself.
caf::expected<std::vector<moment>> divide(moment from, moment to, usage_step step, const calendar& zone,
                                          std::size_t most) {
  std::vector<moment> out;
  for (auto at = from; at < to; at = zone.next(step, at)) {
    if (out.size() == most)
      return refused(fmt::format("more than {} buckets; choose wider ones or a shorter range", most));
    out.push_back(at);
  }
  return out;
}

} // namespace

caf::error check(const usage_filter& where) {
  for (const auto& [by, texts] : where) {
    if (texts.empty() || texts.size() > most_wanted)
      return refused(fmt::format("of {} there are 1 to {} texts to choose", name_of(by), most_wanted));
    for (const auto& text : texts)
      if (text.size() > longest_text)
        return refused(fmt::format("a text for {} is too long", name_of(by)));
  }
  return {};
}

storage::cell_view usage_plan::view_of(granularity by) const {
  if (by == granularity::minute && with_kinds && (with_keys || with_accounts)) // which has no smaller one
    return storage::cell_view::all;
  return storage::view_with(with_keys, with_accounts, with_kinds);
}

caf::expected<usage_plan> plan_usage(const usage_question& question, const calendar& zone, const plan_limits& limits) {
  if (auto wrong = check(question))
    return wrong;
  usage_plan out;
  out.with_keys = asks(question, usage_by::key) || asks(question, usage_by::user) || asks(question, usage_by::group);
  out.with_accounts = asks(question, usage_by::account);
  for (const auto by : {usage_by::model, usage_by::alias, usage_by::provider, usage_by::endpoint, usage_by::status})
    out.with_kinds = out.with_kinds || asks(question, by);
  rounding round{limits.first_minute};
  const auto from = round.down(question.from), to = std::max(from, round.up(question.to));
  if (from < limits.first_minute && question.step != usage_step::none && question.step < usage_step::hour && from < to)
    return refused(fmt::format("usage by {} is kept of the last two days, since {}", name_of(question.step),
                               to_rfc3339_ms(moment_at(limits.first_minute))));
  out.from = moment_at(from);
  out.to = moment_at(to);

  const auto view = storage::view_with(out.with_keys, out.with_accounts, out.with_kinds);
  // Some keys, or some models of keys: rows with the hours of a day hold little else.
  const bool few = view == storage::cell_view::keys
                   && (question.where.contains(usage_by::key) || question.where.contains(usage_by::user)
                       || question.where.contains(usage_by::group) || question.where.contains(usage_by::model));
  const bool by_hour = asks(question, usage_by::hour), by_day = asks(question, usage_by::weekday);
  const auto rows_of = [&](minutes begin, minutes end, usage_step piece) -> caf::expected<std::vector<row_run>> {
    cover rows{limits, !by_hour && !few, view,
               question.with_percentiles ? storage::cell_part::distributions : storage::cell_part::sums};
    if (piece == usage_step::none) {
      rows.add(begin, end);
      return rows.take();
    }
    const auto pieces = divide(moment_at(begin), moment_at(end), piece, zone, most_pieces);
    if (!pieces)
      return pieces.error();
    for (std::size_t i = 0; i < pieces->size(); ++i)
      rows.add(round.down((*pieces)[i]), i + 1 < pieces->size() ? round.down((*pieces)[i + 1]) : end);
    return rows.take();
  };
  // Weekdays are read in pieces of a day, as if days were buckets.
  const bool in_days = by_day && (question.step == usage_step::none || question.step > usage_step::day);
  auto rows = rows_of(from, to, in_days ? usage_step::day : question.step);
  if (!rows)
    return rows.error();
  out.rows = std::move(*rows);
  if (question.step != usage_step::none) {
    const auto buckets = divide(out.from, out.to, question.step, zone, most_buckets);
    if (!buckets)
      return buckets.error();
    for (const auto begin : *buckets)
      if (const auto moved = moment_at(round.down(begin)); out.starts.empty() || out.starts.back() != moved)
        out.starts.push_back(moved);
  }
  out.exact = round.exact;
  if (!question.compare)
    return out;
  const auto earlier = from - (to - from);
  if (earlier < earliest_ns / minute_ns)
    return refused("the range before is out of what the calendar knows");
  const auto before_from = round.down(moment_at(earlier));
  out.before_from = moment_at(before_from);
  auto before = rows_of(before_from, from, by_day ? usage_step::day : usage_step::none);
  if (!before)
    return before.error();
  out.before = std::move(*before);
  return out;
}

} // namespace keyportal
