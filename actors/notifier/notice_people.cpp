#include "actors/notifier/notice_people.hpp"

#include <algorithm>

#include "actors/analyst/calendar.hpp"
#include "actors/notifier/notice_kinds.hpp"

namespace keyportal {

namespace {

using namespace std::chrono_literals;

/// Minutes since midnight of "hh:mm".
std::optional<int> minutes_of(std::string_view text) {
  const auto digit = [&](std::size_t i) { return text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : -100; };
  if (text.size() != 5 || text[2] != ':')
    return std::nullopt;
  const int hour = digit(0) * 10 + digit(1), minute = digit(3) * 10 + digit(4);
  return hour >= 0 && hour < 24 && minute >= 0 && minute < 60 ? std::optional(hour * 60 + minute) : std::nullopt;
}

/// The first moment after `now` at which clocks there say so.
moment next_time(const calendar& there, int minutes, moment now) {
  constexpr std::int64_t minute_ns = 60'000'000'000;
  const auto midnight = there.start_of(usage_step::day, now);
  for (auto day : {midnight, there.next(usage_step::day, now)}) {
    auto at = day + std::chrono::minutes{minutes};
    // A day on which clocks are changed is longer or shorter before that time.
    const auto change = there.clock_at(unix_ns(day)).ahead_s - there.clock_at(unix_ns(at)).ahead_s;
    at += std::chrono::seconds{change};
    if (at > now)
      return at;
  }
  return now + std::chrono::nanoseconds{minute_ns * 24 * 60};
}

} // namespace

void notice_people::put(const user& who) {
  if (const auto there = people_.find(who.id); there != people_.end())
    if (const auto mail = by_email_.find(there->second.email); mail != by_email_.end() && mail->second == who.id)
      by_email_.erase(mail);
  people_[who.id] = {who.id, who.email, who.name, who.role, who.state, who.groups};
  if (who.state != user_state::deleted && !who.email.empty())
    by_email_[who.email] = who.id;
}

void notice_people::put(notice_preferences what) {
  auto user = what.user;
  wishes_[user] = std::move(what);
}

const notice_person* notice_people::find(const user_id& id) const {
  const auto found = people_.find(id);
  return found == people_.end() ? nullptr : &found->second;
}

const notice_person* notice_people::find_email(std::string_view email) const {
  const auto found = by_email_.find(email);
  return found == by_email_.end() ? nullptr : find(found->second);
}

std::vector<user_id> notice_people::admins() const {
  std::vector<user_id> out;
  for (const auto& [id, who] : people_)
    if (who.role == user_role::admin && who.state == user_state::active)
      out.push_back(id);
  return out;
}

std::vector<user_id> notice_people::members(std::string_view group) const {
  std::vector<user_id> out;
  for (const auto& [id, who] : people_)
    if (who.state == user_state::active && std::find(who.groups.begin(), who.groups.end(), group) != who.groups.end())
      out.push_back(id);
  return out;
}

const notice_preferences& notice_people::wishes(const user_id& id) const {
  static const notice_preferences none;
  const auto found = wishes_.find(id);
  return found == wishes_.end() ? none : found->second;
}

caf::error check_wishes(const notice_preferences& what, const std::vector<std::string>& personal) {
  for (const auto& name : what.channels.value_or(std::vector<std::string>{}))
    if (std::find(personal.begin(), personal.end(), name) == personal.end())
      return make_error(errc::bad_request, "channels: there is no channel for people named " + name);
  for (const auto& name : what.muted)
    if (find_kind(name) == nullptr)
      return make_error(errc::bad_request, "muted: there is no kind of notice named " + name);
  if (!what.language.empty() && what.language != "zh" && what.language != "en")
    return make_error(errc::bad_request, "language is zh or en, or empty");
  if (what.quiet_from.empty() != what.quiet_to.empty())
    return make_error(errc::bad_request, "quiet_from and quiet_to go together");
  if (!what.quiet_from.empty() && what.quiet_from == what.quiet_to)
    return make_error(errc::bad_request, "quiet_from and quiet_to must differ");
  for (const auto* time : {&what.quiet_from, &what.quiet_to, &what.digest_at})
    if (!time->empty() && !minutes_of(*time))
      return make_error(errc::bad_request, "times look like 22:00");
  if (!what.zone.empty())
    if (const auto zone = calendar::of(what.zone); !zone)
      return make_error(errc::bad_request, "zone: nobody knows that time zone");
  const auto plain = [](const std::string& text) {
    return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '"' && c != '\\'; });
  };
  if (!plain(what.open_id) || !plain(what.mobile))
    return make_error(errc::bad_request, "open_id and mobile have no blanks");
  return {};
}

moment time_to_tell(const notice_preferences& wishes, notice_weight weight, moment now, const std::string& zone) {
  if (weight == notice_weight::alarm || (wishes.quiet_from.empty() && wishes.digest_at.empty()))
    return now;
  const auto& name = wishes.zone.empty() ? zone : wishes.zone;
  const auto there = calendar::of(name.empty() ? "UTC" : name);
  if (!there)
    return now;
  auto at = now;
  if (const auto digest = minutes_of(wishes.digest_at); digest && weight == notice_weight::news)
    at = next_time(*there, *digest, now);
  const auto from = minutes_of(wishes.quiet_from), to = minutes_of(wishes.quiet_to);
  if (!from || !to)
    return at;
  // Quiet if the next end comes before the next begin.
  const auto end = next_time(*there, *to, at);
  return end < next_time(*there, *from, at) ? end : at;
}

} // namespace keyportal
