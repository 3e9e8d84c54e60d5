#include "actors/feed/topic_book.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "messages/errors.hpp"
#include "messages/json.hpp"
#include "messages/subjects.hpp"

namespace keyportal {

using nlohmann::json;

namespace {

/// Read at once for one listener; the queue of a client takes more than that.
constexpr std::uint32_t piece = 64;
/// So many events are at hand without reading: whoever was away for a moment, with everybody else, costs nothing.
constexpr std::size_t most_recent = 1024;

topic_set topics_of(event_kind kind) {
  if (is_of_store(kind))
    return {live_topic::jobs, live_topic::all};
  if (is_of_account(kind) || is_of_key(kind) || is_of_user(kind) || is_of_policy(kind))
    return {live_topic::all};
  return {live_topic::nodes, live_topic::all};
}

live_frame_ptr refusal(const std::string& topic, errc why) {
  const auto& row = row_of(why);
  return make_frame({{"type", "refused"}, {"topic", topic}, {"code", row.name}, {"title", row.sentence}});
}

} // namespace

topic_book::topic_book(sequence position, events_reader stored, std::function<live_frame_ptr()> greeting)
  : position_(position), stored_(std::move(stored)), greeting_(std::move(greeting)), recent_from_(position) {}

topic_book::~topic_book() {
  for (const auto& [key, c] : clients_)
    c.who->end(live_end_reason::stopping);
}

topic_book::client* topic_book::find(const live_listener_ptr& who) {
  const auto found = clients_.find(who.get());
  return found == clients_.end() ? nullptr : &found->second;
}

// --- who listens ------------------------------------------------------------------------

void topic_book::count(const client& c, bool more) {
  for (std::size_t i = 0; i < live_topic_count; ++i)
    if (c.topics.has(static_cast<live_topic>(i)))
      counts_[i] += more ? 1 : std::size_t(-1);
  if (!c.topics.has(live_topic::own) || c.person.subject().empty())
    return;
  auto& of = owners_[c.person.subject()];
  of += more ? 1 : std::size_t(-1);
  const bool edge = of == (more ? 1u : 0u);
  if (of == 0)
    owners_.erase(c.person.subject());
  if (edge && on_owner)
    on_owner(c.person, more);
}

void topic_book::set_topics(client& c, topic_set topics) {
  count(c, false);
  c.topics = topics;
  count(c, true);
}

void topic_book::set_person(client& c, live_person person) {
  count(c, false);
  c.person = std::move(person);
  c.topics = c.topics & c.person.may;
  count(c, true);
}

void topic_book::choose(client& c, const std::vector<std::string>& names) {
  topic_set chosen;
  for (const auto& name : names) {
    const auto topic = live_topic_of(name);
    if (!topic)
      c.who->give(refusal(name.substr(0, 40), errc::bad_request));
    else if (!c.person.may.has(*topic))
      c.who->give(refusal(name, errc::right_missing));
    else
      chosen.add(*topic);
  }
  set_topics(c, chosen);
}

bool topic_book::join(const live_join& m) {
  auto& c = clients_[m.who.get()];
  if (c.who) // twice: not by our own sockets
    return false;
  c.who = m.who;
  c.person = m.person;
  c.cursor = position_;
  if (m.topics.empty())
    set_topics(c, c.person.may);
  else
    choose(c, m.topics);
  if (m.asked || !c.topics.has(live_topic::nodes))
    return begin(c, m.after);
  give_state(c);
  return false;
}

bool topic_book::subscribe(const live_subscribe& m) {
  auto* c = find(m.who);
  if (c == nullptr)
    return false;
  choose(*c, m.topics);
  return begin(*c, m.after);
}

bool topic_book::begin(client& c, std::optional<sequence> after) {
  if (after)
    c.cursor = *after;
  c.who->give(make_frame({{"type", "subscribed"}, {"topics", to_json(c.topics)}, {"position", c.cursor}}));
  if (c.behind && !after)
    return false; // on his way already
  c.behind = true;
  return catch_up(c);
}

void topic_book::leave(const live_listener_ptr& who) {
  const auto found = clients_.find(who.get());
  if (found == clients_.end())
    return;
  count(found->second, false);
  clients_.erase(found);
}

void topic_book::end(std::string_view tag) {
  std::vector<live_listener_ptr> gone;
  for (const auto& [key, c] : clients_)
    if (!tag.empty() && c.person.tag == tag)
      gone.push_back(c.who);
  for (const auto& who : gone) {
    leave(who);
    who->end(live_end_reason::signed_out);
  }
}

void topic_book::look_again(std::string_view subject) {
  std::vector<live_listener_ptr> gone;
  for (auto& [key, c] : clients_) {
    if (!subject.empty() && c.person.subject() != subject)
      continue;
    auto now = c.who->look_again();
    if (!now || now->may.empty()) {
      gone.push_back(c.who);
      continue;
    }
    const auto before = c.topics;
    set_person(c, std::move(*now));
    if (c.topics == before)
      continue;
    for (std::size_t i = 0; i < live_topic_count; ++i) {
      const auto topic = static_cast<live_topic>(i);
      if (before.has(topic) && !c.topics.has(topic))
        c.who->give(refusal(std::string(name_of(topic)), errc::right_missing));
    }
  }
  for (const auto& who : gone) {
    leave(who);
    who->end(live_end_reason::signed_out);
  }
}

void topic_book::beat(bool with_position) {
  const auto frame =
    with_position ? make_frame({{"type", "position"}, {"position", position_}}, position_, "position") : nullptr;
  for (auto& [key, c] : clients_) {
    if (frame && !c.behind)
      c.who->give(frame);
    else
      c.who->beat();
  }
}

// --- what was missed ----------------------------------------------------------------------

void topic_book::gap(client& c, sequence to, std::string_view why) {
  c.who->give(make_frame({{"type", "gap"}, {"from", c.cursor}, {"to", to}, {"why", why}}, to));
  c.cursor = to;
}

bool topic_book::room(const live_listener_ptr& who) {
  auto* c = find(who);
  return c != nullptr && c->behind && catch_up(*c);
}

bool topic_book::catch_up(client& c) {
  std::size_t given = 0;
  const auto give = [&](const told& what) {
    if (is_for(c, what)) {
      c.who->give(what.frame);
      ++given;
    }
    c.cursor = what.seq;
  };
  // Before anything is given: asked afterwards, all of it might be on its way already, and nobody would say so again.
  c.who->ask_for_room();
  bool all = true;
  if (c.cursor >= recent_from_ && c.cursor <= position_) {
    auto at = std::upper_bound(recent_.begin(), recent_.end(), c.cursor,
                               [](sequence after, const told& one) { return after < one.seq; });
    for (; at != recent_.end() && given < piece; ++at)
      give(*at);
    all = at == recent_.end();
    if (all)
      c.cursor = position_;
  } else {
    const auto page = stored_(c.cursor, piece);
    if (!page) {
      gap(c, std::max(position_, c.cursor), "unreadable");
    } else {
      if (c.cursor > page->last && c.cursor > position_)
        gap(c, std::max(page->last, position_), "unknown");
      else if (c.cursor < page->horizon)
        gap(c, page->horizon, "not_kept");
      for (const auto& event : page->events)
        if (event.seq > c.cursor)
          give(telling(event));
      all = page->events.size() < piece;
      if (all) // and what is told meanwhile has a higher one: the page is one state of the ledger
        c.cursor = std::max(c.cursor, page->last);
    }
  }
  if (all) {
    c.behind = false;
    give_state(c);
    return false;
  }
  return given == 0;
}

void topic_book::give_state(client& c) {
  if (c.topics.has(live_topic::nodes) || c.topics.has(live_topic::all))
    c.who->give(greeting_());
  else
    c.who->give(make_frame({{"type", "position"}, {"position", c.cursor}}, c.cursor, "position"));
}

// --- what comes -----------------------------------------------------------------------------

topic_book::told topic_book::telling(const node_event& e) {
  told out;
  out.seq = e.seq;
  out.topics = topics_of(e.kind);
  auto data = json::parse(e.data, nullptr, false);
  if (is_of_user(e.kind))
    out.owner = e.about;
  else if ((is_of_key(e.kind) || is_of_account(e.kind)) && data.is_object())
    if (const auto owner = data.find("owner"); owner != data.end() && owner->is_string())
      out.owner = owner->get<std::string>();
  out.frame = make_frame({{"type", "event"},
                          {"seq", e.seq},
                          {"position", e.seq},
                          {"kind", subjects::name_of(e.kind)},
                          {"subject", subjects::of(e)},
                          {"node", e.node},
                          {"at", to_rfc3339_ms(e.at)},
                          {"data", data.is_discarded() ? json(nullptr) : std::move(data)}},
                         e.seq);
  return out;
}

bool topic_book::is_for(const client& c, const told& what) {
  if (!(c.topics & what.topics).empty())
    return true;
  return c.topics.has(live_topic::own) && c.person.own_keys && !what.owner.empty() && what.owner == c.person.user;
}

void topic_book::remember(told what) {
  recent_.push_back(std::move(what));
  if (recent_.size() <= most_recent)
    return;
  recent_from_ = recent_.front().seq;
  recent_.pop_front();
}

void topic_book::tell(const std::vector<node_event>& events, sequence last) {
  for (const auto& event : events) {
    if (event.kind == event_kind::totals || event.kind == event_kind::usage || event.seq <= position_)
      continue; // told by usage_update
    auto what = telling(event);
    position_ = event.seq;
    for (auto& [key, c] : clients_)
      if (!c.behind && event.seq > c.cursor) {
        if (is_for(c, what))
          c.who->give(what.frame);
        c.cursor = event.seq;
      }
    remember(std::move(what));
  }
  position_ = std::max(position_, last);
}

void topic_book::tell(live_topic topic, const live_frame_ptr& frame) {
  for (auto& [key, c] : clients_)
    if (!c.behind && (c.topics.has(topic) || c.topics.has(live_topic::all)))
      c.who->give(frame);
}

void topic_book::tell_own(std::string_view subject, const live_frame_ptr& frame) {
  for (auto& [key, c] : clients_)
    if (!c.behind && c.topics.has(live_topic::own) && c.person.subject() == subject)
      c.who->give(frame);
}

} // namespace keyportal
