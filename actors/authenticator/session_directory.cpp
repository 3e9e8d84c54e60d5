#include "actors/authenticator/session_directory.hpp"

#include <algorithm>
#include <set>

#include "actors/access/throttle_book.hpp"

namespace keyportal {

namespace {

constexpr std::size_t rate_entries = 65'536;

template <class T>
void append(std::vector<T>& to, std::vector<T> more) {
  std::move(more.begin(), more.end(), std::back_inserter(to));
}

} // namespace

session_directory::session_directory(directory_settings settings)
  : settings_(std::move(settings)),
    pause_(std::clamp(settings_.limits.idle / 60, std::chrono::seconds{1}, std::chrono::seconds{15})),
    sessions_(settings_.limits),
    known_({settings_.requests_per_minute, std::chrono::seconds{60}}, rate_entries, settings_.own_key),
    unknown_({settings_.anonymous_requests_per_minute, std::chrono::seconds{60}}, rate_entries, settings_.own_key) {}

// --- for requests ----------------------------------------------------------------------------------------------------

std::optional<caller> session_directory::by_session(std::string_view text) {
  const auto now = settings_.now();
  caller out;
  bool due_for_touch = false;
  {
    std::shared_lock guard{mutex_};
    const auto* found = sessions_.find(text, now);
    if (found == nullptr)
      return std::nullopt;
    out.kind = found->kind == session_kind::person ? caller_kind::session : caller_kind::key_view;
    out.subject = found->subject;
    out.rights = rights_of(*found);
    out.held = *found;
    due_for_touch = now - found->last_seen >= pause_;
  }
  if (due_for_touch) { // seldom, so that requests of one session do not wait for each other
    std::unique_lock guard{mutex_};
    sessions_.touch(out.held->id, now);
    active_.insert(out.held->id);
  }
  return out;
}

caf::expected<caller> session_directory::by_token(std::string_view text) {
  if (auto wrong = check_token_text(token_kind::api, text))
    return wrong;
  const auto now = settings_.now();
  const auto hash = token_hash(settings_.token_key, token_kind::api, text);
  caller out;
  bool due_for_touch = false;
  {
    std::shared_lock guard{mutex_};
    const auto found = tokens_.find(hash);
    if (found == tokens_.end())
      return make_error(errc::token_refused);
    const auto& one = found->second;
    auto rights = rights_of_token(one.what, settings_.token_key, text, one.role, one.state, now);
    if (!rights)
      return rights.error();
    out.kind = caller_kind::token;
    out.subject = one.what.owner;
    out.rights = *rights;
    out.token = one.what.id;
    due_for_touch = now >= one.what.last_used + std::chrono::hours{1};
  }
  if (due_for_touch) {
    std::unique_lock guard{mutex_};
    if (const auto found = tokens_.find(hash); found != tokens_.end() && touch_token(found->second.what, now))
      used_.insert(hash);
  }
  return out;
}

std::string session_directory::csrf_of(const session& s) const { return csrf_token(settings_.own_key, s); }
bool session_directory::is_csrf_of(const session& s, std::string_view given) const {
  return check_csrf(settings_.own_key, s, given);
}
std::string session_directory::csrf_before(std::string_view bound_to) const {
  return csrf_token(settings_.own_key, bound_to);
}
bool session_directory::is_csrf_before(std::string_view bound_to, std::string_view given) const {
  return !bound_to.empty() && check_csrf(settings_.own_key, bound_to, given);
}

caller_directory::rate session_directory::take(const caller& who, std::string_view address) {
  const bool nobody = who.kind == caller_kind::nobody;
  const auto most = nobody ? settings_.anonymous_requests_per_minute : settings_.requests_per_minute;
  if (most == 0 || who.kind == caller_kind::control)
    return {};
  const auto now = settings_.now();
  const auto name = nobody                             ? network_of(address)
                    : who.kind == caller_kind::token   ? "t " + who.token
                    : who.kind == caller_kind::session ? "s " + who.subject
                                                       : "k " + who.subject;
  std::lock_guard guard{rate_mutex_};
  const auto answer = (nobody ? unknown_ : known_).take(name, now);
  return {answer.allowed, answer.limit, answer.remaining, answer.allowed ? answer.reset : answer.retry_after};
}

void session_directory::on_end(std::function<void(const session&)> ended) {
  std::lock_guard guard{told_mutex_};
  told_.push_back(std::move(ended));
}

void session_directory::on_change(std::function<void(std::string_view)> changed) {
  std::lock_guard guard{told_mutex_};
  told_changes_.push_back(std::move(changed));
}

void session_directory::tell(const std::vector<session>& ended) {
  if (ended.empty())
    return;
  std::vector<std::function<void(const session&)>> told;
  {
    std::lock_guard guard{told_mutex_};
    told = told_;
  }
  for (const auto& one : ended)
    for (const auto& listener : told)
      listener(one);
}

// --- for the authenticator -------------------------------------------------------------------------------------------

std::vector<session> session_directory::learn(const access_news& news) {
  const auto now = settings_.now();
  std::vector<session> ended;
  std::set<std::string> changed;
  {
    std::unique_lock guard{mutex_};
    // Ends before beginnings: an entry may take a session away and give another in its place.
    for (const auto& who : news.changed) {
      append(ended, sessions_.end_all(who.id));
      for (auto& [hash, one] : tokens_)
        if (one.what.owner == who.id) {
          one.role = who.role;
          one.state = who.state;
          changed.insert(who.id);
        }
    }
    for (const auto& id : news.ended)
      if (auto gone = sessions_.end(id))
        ended.push_back(std::move(*gone));
    for (const auto& hash : news.tokens_ended)
      if (const auto found = tokens_.find(hash); found != tokens_.end()) {
        changed.insert(found->second.what.owner);
        tokens_.erase(found);
      }
    for (const auto& one : news.tokens) {
      const auto [place, fresh] = tokens_.try_emplace(one.what.hash, one);
      if (!fresh) {
        const auto used = std::max(place->second.what.last_used, one.what.last_used);
        place->second = one;
        place->second.what.last_used = used;
      }
    }
    for (const auto& one : news.begun)
      sessions_.restore(one, now); // one that is there already knows better when it was seen
    for (const auto& key : news.keys_ended)
      append(ended, sessions_.end_all(key));
  }
  tell(ended);
  if (changed.empty())
    return ended;
  std::vector<std::function<void(std::string_view)>> told;
  {
    std::lock_guard guard{told_mutex_};
    told = told_changes_;
  }
  for (const auto& subject : changed)
    for (const auto& listener : told)
      listener(subject);
  return ended;
}

std::optional<session> session_directory::end(const digest& id) {
  std::optional<session> gone;
  {
    std::unique_lock guard{mutex_};
    gone = sessions_.end(id);
  }
  if (gone)
    tell({*gone});
  return gone;
}

std::vector<session> session_directory::end_all(std::string_view subject, const digest* but) {
  std::vector<session> gone;
  {
    std::unique_lock guard{mutex_};
    gone = sessions_.end_all(subject, but);
  }
  tell(gone);
  return gone;
}

std::vector<session> session_directory::expire() {
  std::vector<session> gone;
  {
    std::unique_lock guard{mutex_};
    gone = sessions_.expire(settings_.now());
  }
  tell(gone);
  return gone;
}

std::optional<session> session_directory::find(const digest& id) const {
  std::shared_lock guard{mutex_};
  const auto* found = sessions_.find(id, settings_.now());
  return found == nullptr ? std::nullopt : std::optional{*found};
}

std::vector<session> session_directory::of_subject(std::string_view subject) const {
  std::shared_lock guard{mutex_};
  return sessions_.of_subject(subject, settings_.now());
}

std::size_t session_directory::size() const {
  std::shared_lock guard{mutex_};
  return sessions_.size();
}

session_directory::activity session_directory::take_activity() {
  const auto now = settings_.now();
  activity out;
  std::unique_lock guard{mutex_};
  for (const auto& id : std::exchange(active_, {}))
    if (const auto* one = sessions_.find(id, now))
      out.sessions.push_back(*one);
  for (const auto& hash : std::exchange(used_, {}))
    if (const auto found = tokens_.find(hash); found != tokens_.end())
      out.tokens.push_back(found->second.what);
  return out;
}

} // namespace keyportal
