#include "actors/analyst/calendar.hpp"

#include <charconv>

#include <date/tz.h>

#include "messages/errors.hpp"

namespace keyportal {

namespace {

using std::chrono::seconds;

date::sys_seconds second_of(moment t) { return date::floor<seconds>(t); }
moment moment_at(date::sys_seconds t) { return moment{t.time_since_epoch()}; }

seconds width_of(usage_step step) {
  switch (step) {
    case usage_step::minute: return seconds{60};
    case usage_step::ten_minutes: return seconds{600};
    case usage_step::quarter: return seconds{900};
    default: return seconds{3600};
  }
}

/// How long the bucket of fixed width has lasted at `t`.
seconds since_begin(usage_step step, date::sys_seconds t, seconds offset) {
  const auto rest = (t.time_since_epoch() + offset) % width_of(step);
  return rest < seconds{0} ? rest + width_of(step) : rest;
}

date::local_days first_day(usage_step step, date::local_days day, bool sunday_first) {
  if (step == usage_step::week) {
    const date::weekday which{day};
    return day - date::days{sunday_first ? which.c_encoding() : which.iso_encoding() - 1};
  }
  if (step == usage_step::month) {
    const date::year_month_day ymd{day};
    return date::local_days{ymd.year() / ymd.month() / 1};
  }
  return day;
}

date::local_days day_after(usage_step step, date::local_days first) {
  if (step == usage_step::week)
    return first + date::days{7};
  if (step == usage_step::month) {
    const date::year_month_day ymd{first};
    return date::local_days{ymd.year() / ymd.month() / 1 + date::months{1}};
  }
  return first + date::days{1};
}

bool whole_number(std::string_view text, int& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc{} && end == text.data() + text.size() && !text.empty() && text[0] != '-';
}

/// When that day begins: at midnight, or when clocks have jumped past it.
moment begin_of(const date::time_zone& zone, date::local_days day) {
  return moment_at(zone.to_sys(date::local_seconds{day}, date::choose::earliest));
}

} // namespace

caf::expected<calendar> calendar::of(const std::string& zone, bool weeks_begin_on_sunday) {
  try {
    if (zone.size() <= 64)
      return calendar{date::locate_zone(zone), weeks_begin_on_sunday};
  } catch (const std::exception&) { // there is none of that name
  }
  return make_error(errc::bad_request, "the time zone is not known");
}

std::string calendar::zone_of_this_machine() {
  try {
    return date::current_zone()->name();
  } catch (const std::exception&) {
    return "UTC";
  }
}

moment calendar::start_of(usage_step step, moment t) const {
  const auto at = second_of(t);
  const auto here = zone_->get_info(at);
  if (step <= usage_step::hour) {
    return moment_at(std::max(at - since_begin(step, at, here.offset), here.begin));
  }
  const date::local_seconds local{at.time_since_epoch() + here.offset};
  return begin_of(*zone_, first_day(step, date::floor<date::days>(local), sunday_first_));
}

moment calendar::next(usage_step step, moment t) const {
  const auto at = second_of(t);
  const auto here = zone_->get_info(at);
  if (step <= usage_step::hour) {
    return moment_at(std::min(at - since_begin(step, at, here.offset) + width_of(step), here.end));
  }
  const date::local_seconds local{at.time_since_epoch() + here.offset};
  return begin_of(*zone_, day_after(step, first_day(step, date::floor<date::days>(local), sunday_first_)));
}

calendar::local_hour calendar::hour_at(moment t) const {
  const auto at = second_of(t);
  const date::local_seconds local{at.time_since_epoch() + zone_->get_info(at).offset};
  const auto day = date::floor<date::days>(local);
  return {static_cast<int>(date::weekday{day}.iso_encoding()),
          static_cast<int>(std::chrono::duration_cast<std::chrono::hours>(local - day).count())};
}

calendar::clock_span calendar::clock_at(std::int64_t unix_ns) const {
  const auto info = zone_->get_info(second_of(moment_of(unix_ns)));
  // The first and the last span of a zone have no end that 64 bits could hold.
  const auto edge = [](date::sys_seconds t) {
    const auto s = t.time_since_epoch().count();
    return s <= INT64_MIN / 1'000'000'000   ? INT64_MIN
           : s >= INT64_MAX / 1'000'000'000 ? INT64_MAX
                                            : std::int64_t{s} * 1'000'000'000;
  };
  return {edge(info.begin), edge(info.end), static_cast<std::int32_t>(info.offset.count())};
}

std::optional<moment> calendar::read(std::string_view words, moment now, moment end) const {
  const auto inside = [](moment t) {
    return unix_ns(t) >= earliest_ns && unix_ns(t) <= latest_ns ? std::optional(t) : std::nullopt;
  };
  if (words == "now")
    return now;
  if (words == "today")
    return start_of(usage_step::day, now);
  if (words == "week")
    return start_of(usage_step::week, now);
  if (words == "month")
    return start_of(usage_step::month, now);
  if (words == "year") {
    auto first = start_of(usage_step::month, now);
    const auto year_of = [&](moment t) {
      const auto at = second_of(t);
      const date::local_seconds local{at.time_since_epoch() + zone_->get_info(at).offset};
      return date::year_month_day{date::floor<date::days>(local)}.year();
    };
    return begin_of(*zone_, date::local_days{year_of(first) / 1 / 1});
  }
  if (const auto exactly = parse_rfc3339(words))
    return inside(moment_of(exactly->unix_ns));
  int number = 0;
  if (words.size() == 10 && words[4] == '-' && words[7] == '-') {
    int month = 0, day = 0;
    if (!whole_number(words.substr(0, 4), number) || !whole_number(words.substr(5, 2), month)
        || !whole_number(words.substr(8, 2), day) || number < 1700 || number > 2199)
      return std::nullopt;
    const date::year_month_day ymd{date::year{number}, date::month{static_cast<unsigned>(month)},
                                   date::day{static_cast<unsigned>(day)}};
    return ymd.ok() ? std::optional(begin_of(*zone_, date::local_days{ymd})) : std::nullopt;
  }
  if (words.size() >= 2 && words.size() <= 7 && whole_number(words.substr(0, words.size() - 1), number)) {
    const auto unit = words.back();
    const auto minutes = unit == 'm' ? 1 : unit == 'h' ? 60 : unit == 'd' ? 1440 : unit == 'w' ? 10'080 : 0;
    constexpr std::int64_t most = 250LL * 366 * 1440; // more is not before any moment there is
    if (minutes != 0 && std::int64_t{number} * minutes <= most)
      return inside(end - std::chrono::minutes{std::int64_t{number} * minutes});
  }
  return std::nullopt;
}

} // namespace keyportal
