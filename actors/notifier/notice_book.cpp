#include "actors/notifier/notice_book.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "actors/access/secret_bytes.hpp"
#include "actors/notifier/notice_text.hpp"
#include "messages/json.hpp"

namespace keyportal {

namespace {

using namespace std::chrono_literals;

void text32(std::uint64_t value, int characters, std::string& out) {
  constexpr char digits[] = "0123456789abcdefghijklmnopqrstuv"; // in the order of ASCII, so that ids sort like time
  for (int i = characters - 1; i >= 0; --i)
    out += digits[value >> (5 * i) & 31];
}

} // namespace

notice_id make_notice_id(moment at, sequence event, std::string_view kind, std::string_view about,
                         std::string_view recipient, std::string_view channel, std::string_view salt) {
  const auto hash =
    sha256(fmt::format("{}\n{}\n{}\n{}\n{}\n{}\n{}", unix_ns(at), event, kind, about, recipient, channel, salt));
  std::string out = "n";
  text32(static_cast<std::uint64_t>(std::max<std::int64_t>(0, unix_ns(at) / 1'000'000)), 10, out);
  for (std::size_t i = 0; i < 10; i += 5) {
    std::uint64_t bits = 0;
    for (std::size_t j = 0; j < 5; ++j)
      bits = bits << 8 | hash[i + j];
    text32(bits, 8, out);
  }
  return out;
}

bool covers(const std::string& pattern, std::string_view kind) {
  return pattern == kind
         || (pattern.ends_with('*') && kind.starts_with(std::string_view(pattern).substr(0, pattern.size() - 1)));
}

notice_book::notice_book(rules by) : by_(std::move(by)) {
  for (const auto& one : by_.settings.channels) {
    auto& state = channels_[one.name];
    auto limits = published_limits(one.kind);
    if (one.per_second > 0)
      limits.per_second = one.per_second;
    if (one.per_minute > 0)
      limits.per_minute = one.per_minute;
    state.set = &one;
    state.pace = pace_book{limits};
  }
}

// --- who ---------------------------------------------------------------------------------------------------

const channel_settings* notice_book::channel(std::string_view name) const {
  for (const auto& one : by_.settings.channels)
    if (one.name == name)
      return &one;
  return nullptr;
}

std::vector<std::string> notice_book::personal_channels() const {
  std::vector<std::string> out;
  for (const auto& one : by_.settings.channels)
    if (is_for_people(one.kind))
      out.push_back(one.name);
  return out;
}

const channel_settings* notice_book::mail_channel() const {
  for (const auto& one : by_.settings.channels)
    if (one.kind == "mail")
      return &one;
  return nullptr;
}

std::vector<notice_book::target> notice_book::targets_of(const notice_news& news) const {
  std::vector<std::string> to;
  std::vector<std::string> only;
  bool ruled = false;
  for (const auto& rule : by_.settings.rules)
    if (std::any_of(rule.kinds.begin(), rule.kinds.end(), [&](const auto& p) { return covers(p, news.kind->name); })) {
      to = rule.to;
      only = rule.channels;
      ruled = true;
      break;
    }
  if (!ruled) {
    const auto audience = news.kind->audience;
    if (audience == notice_audience::owner || audience == notice_audience::owner_and_admins)
      to.emplace_back("owner");
    if (audience == notice_audience::admins || audience == notice_audience::owner_and_admins)
      to.emplace_back("admins");
  }
  std::vector<target> out;
  const auto add = [&](const std::string& why, const user_id& id) {
    if (!id.empty() && std::none_of(out.begin(), out.end(), [&](const auto& t) { return t.person == id; }))
      out.push_back({why, id, {}, only});
  };
  for (const auto& one : to) {
    const std::string_view text = one;
    if (text == "owner")
      add(one, news.owner);
    else if (text == "admins")
      for (const auto& id : people.admins())
        add(one, id);
    else if (text.starts_with("group:"))
      for (const auto& id : people.members(text.substr(6)))
        add(one, id);
    else if (text.starts_with("person:")) {
      if (const auto* who = people.find_email(text.substr(7)))
        add(one, who->id);
    } else if (text.starts_with("channel:"))
      out.push_back({one, {}, std::string(text.substr(8)), {}});
  }
  return out;
}

// --- deciding ----------------------------------------------------------------------------------------------

bool notice_book::is_quiet(const notice_news& news, moment now, notice_changes& out) {
  const auto name = [&](std::string_view kind) { return fmt::format("{}/{}", kind, news.about); };
  if (!news.kind->over.empty()) {
    const auto told = marks_.find(name(news.kind->over));
    if (told == marks_.end())
      return true; // nobody was told that it began
    out.cleared.push_back(told->first);
    std::erase_if(out.marks, [&](const auto& m) { return m.first == told->first; });
    marks_.erase(told);
    return false;
  }
  const bool begins =
    std::any_of(notice_kinds().begin(), notice_kinds().end(), [&](const auto& k) { return k.over == news.kind->name; });
  if (news.kind->quiet.count() == 0 && !begins)
    return false;
  const auto mark = name(news.kind->name);
  const auto [there, fresh] = marks_.try_emplace(mark, now);
  if (!fresh && now - there->second < news.kind->quiet)
    return true;
  there->second = now;
  std::erase(out.cleared, mark);
  out.marks.emplace_back(mark, now);
  return false;
}

std::vector<notice_id> notice_book::make(const notice_news& news, sequence event, moment at, const std::string& salt,
                                         const std::vector<target>& targets, moment now, notice_changes& out,
                                         bool only_ids) {
  std::vector<notice_id> ids;
  const auto& set = by_.settings;
  const auto make_one = [&](const target& to, const channel_settings& by, const std::string& address,
                            const notice_preferences& wishes, const nlohmann::json& facts) {
    notice_record one;
    one.id = make_notice_id(at, event, news.kind->name, news.about, to.person + address, by.name, salt);
    ids.push_back(one.id);
    if (only_ids || open_.contains(one.id))
      return;
    one.kind = news.kind->name;
    one.event = event;
    one.about = news.about;
    one.at = at;
    one.weight = news.kind->weight;
    one.why = to.why;
    one.recipient = to.person;
    one.address = address;
    one.channel = by.name;
    one.language = !wishes.language.empty() ? wishes.language : !by.language.empty() ? by.language : set.language;
    one.facts = dump(facts);
    one.due_at = time_to_tell(wishes, one.weight, now, by_.zone);
    one.until = one.due_at + set.give_up;
    out.put.push_back(one);
    enter(std::move(one));
  };
  for (const auto& to : targets) {
    static const notice_preferences nothing;
    if (!to.channel.empty()) {
      if (const auto* by = channel(to.channel)) {
        auto facts = news.facts;
        if (const auto* about = people.find(news.owner)) {
          facts["person"] = about->name.empty() ? about->email : about->name;
          facts["email"] = about->email;
        }
        make_one(to, *by, {}, nothing, facts);
      }
      continue;
    }
    const auto* who = people.find(to.person);
    if (who == nullptr)
      continue;
    // Somebody who may not come in hears only whether he may.
    const bool about_entry = news.kind->name.starts_with("registration.") && to.why == "owner";
    if (who->state != user_state::active && !about_entry)
      continue;
    const auto& wishes = people.wishes(to.person);
    if (news.kind->weight != notice_weight::alarm
        && std::find(wishes.muted.begin(), wishes.muted.end(), news.kind->name) != wishes.muted.end())
      continue;
    auto names = !to.only.empty() ? to.only : wishes.channels.value_or(set.personal);
    if (names.empty() && !wishes.channels && to.only.empty())
      if (auto all = personal_channels(); !all.empty())
        names = {all.front()};
    const auto* about = people.find(news.owner);
    auto facts = news.facts;
    if (about == nullptr)
      about = who;
    facts["person"] = about->name.empty() ? about->email : about->name;
    facts["email"] = about->email;
    for (const auto& name : names) {
      const auto* by = channel(name);
      if (by == nullptr || !is_for_people(by->kind))
        continue;
      const bool chat = by->kind != "mail";
      const auto address = chat && !wishes.open_id.empty()    ? "open_id:" + wishes.open_id
                           : chat && by->find_by == "mobile"  ? (wishes.mobile.empty() ? "" : "mobile:" + wishes.mobile)
                           : chat && by->find_by == "open_id" ? std::string{}
                           : who->email.empty()               ? std::string{}
                           : chat                             ? "email:" + who->email
                                                              : who->email;
      if (!address.empty())
        make_one(to, *by, address, wishes, facts);
    }
  }
  return ids;
}

void notice_book::decide(const node_event& event, const key_names& keys, moment now, notice_changes& out) {
  for (const auto& news : news_of(event, keys))
    if (!is_quiet(news, now, out))
      make(news, event.seq, event.at, {}, targets_of(news), now, out);
}

void notice_book::tell(const notice_news& news, moment at, std::uint64_t number, moment now, notice_changes& out) {
  if (!is_quiet(news, now, out))
    make(news, 0, at, std::to_string(number), targets_of(news), now, out);
}

std::vector<notice_id> notice_book::remind(const notice_kind& kind, const std::vector<user_id>& to,
                                           const nlohmann::json& facts, const std::string& command, moment now,
                                           notice_changes& out) {
  std::vector<notice_id> ids;
  // The same command again is the same notices, which are there.
  const auto [mark, fresh] = marks_.try_emplace("command/" + command, now);
  if (command.empty())
    mark->second = now;
  else if (fresh)
    out.marks.emplace_back(mark->first, now);
  for (const auto& id : to) {
    const notice_news news{&kind, facts, "by hand", id};
    auto made = make(news, 0, mark->second, command, {{"hand", id, {}, {}}}, now, out, !fresh && !command.empty());
    ids.insert(ids.end(), made.begin(), made.end());
  }
  return ids;
}

caf::expected<notice_record> notice_book::send_to(const notice_kind& kind, const std::string& name,
                                                  const std::string& address, const user_id& who,
                                                  const nlohmann::json& facts, std::uint64_t number, moment now) {
  const auto* by = channel(name);
  if (by == nullptr)
    return make_error(errc::bad_request, "there is no channel named " + name.substr(0, 40));
  notice_record one;
  const auto* person = people.find(who);
  if (is_for_people(by->kind))
    one.address = !address.empty()
                    ? (by->kind == "mail" || address.find(':') != std::string::npos ? address : "email:" + address)
                  : person == nullptr  ? std::string{}
                  : by->kind == "mail" ? person->email
                                       : "email:" + person->email;
  if (is_for_people(by->kind) && one.address.empty() && by->to.empty())
    return make_error(errc::bad_request, "say to which address it shall go");
  one.id = make_notice_id(now, 0, kind.name, who, one.address, name, std::to_string(number));
  one.kind = kind.name;
  one.about = "by hand";
  one.at = now;
  one.weight = kind.weight;
  one.why = "hand";
  one.recipient = who;
  one.channel = name;
  one.language = !people.wishes(who).language.empty() ? people.wishes(who).language
                 : !by->language.empty()              ? by->language
                                                      : by_.settings.language;
  one.facts = dump(facts);
  one.due_at = now;
  one.until = now + 15min; // a test or a code that comes later helps nobody
  return one;
}

void notice_book::add(notice_record what, notice_changes& out) {
  out.put.push_back(what);
  enter(std::move(what));
}

void notice_book::resend(notice_record what, moment now, notice_changes& out) {
  if (const auto there = open_.find(what.id); there != open_.end())
    leave(there->second);
  what.state = notice_state::waiting;
  what.due_at = now;
  what.until = now + by_.settings.give_up;
  what.attempts.push_back({now, 0, "resent", ""});
  if (auto* at = state_of(what.channel))
    at->resting_until = now;
  out.put.push_back(what);
  enter(std::move(what));
}

// --- the open ones ------------------------------------------------------------------------------------------

notice_book::channel_state* notice_book::state_of(const std::string& name) {
  const auto found = channels_.find(name);
  return found == channels_.end() ? nullptr : &found->second;
}

void notice_book::forget_marks(moment before, notice_changes& out) {
  for (auto it = marks_.begin(); it != marks_.end();)
    if (it->second < before) {
      out.cleared.push_back(it->first);
      it = marks_.erase(it);
    } else {
      ++it;
    }
}

const notice_record* notice_book::find(const notice_id& id) const {
  const auto found = open_.find(id);
  return found == open_.end() ? nullptr : &found->second;
}

void notice_book::enter(notice_record what) {
  if (auto* at = state_of(what.channel)) {
    at->due.emplace(what.due_at, what.id);
    waiting_for_[notice_book::place_of(what)].insert(what.id);
  }
  auto id = what.id;
  open_[id] = std::move(what);
}

void notice_book::leave(const notice_record& what) {
  if (auto* at = state_of(what.channel)) {
    at->due.erase({what.due_at, what.id});
    at->outstanding.erase(what.id);
  }
  const auto place = waiting_for_.find(notice_book::place_of(what));
  if (place != waiting_for_.end() && place->second.erase(what.id) > 0 && place->second.empty())
    waiting_for_.erase(place);
  open_.erase(notice_id{what.id}); // `what` may be in it
}

void notice_book::wait_until(notice_record& what, moment when) {
  if (auto* at = state_of(what.channel)) {
    at->due.erase({what.due_at, what.id});
    at->outstanding.erase(what.id);
    at->due.emplace(when, what.id);
  }
  what.due_at = when;
  what.state = notice_state::waiting;
}

void notice_book::restore(std::vector<notice_record> open, std::vector<std::pair<std::string, moment>> marks,
                          moment now, notice_changes& out) {
  for (auto& [name, at] : marks)
    marks_[name] = at;
  for (auto& one : open) {
    const bool was_sending = one.state == notice_state::sending;
    const auto id = one.id;
    enter(std::move(one));
    if (was_sending)
      ended(id, {delivery_result::kind::unknown, std::string{ended_while_sent}, {}, {}, false}, now, out);
  }
}

} // namespace keyportal
