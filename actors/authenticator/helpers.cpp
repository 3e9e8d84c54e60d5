// What the authenticator's parts share: throttling, passwords, sessions, events.
#include "actors/authenticator/authenticator_core.hpp"
#include "actors/telemetry/log.hpp"

namespace keyportal {

void authenticator_core::note(access_event what, const asked& q, std::string_view actor, std::string_view result,
                              std::string_view about) const {
  const auto line = line_of({what, settings_.now(), actor, q.from.address, q.from.request, result, about});
  const auto& row = row_of(what);
  // The log has its own time and level; fields begin behind the event's name.
  const auto fields = line.find(" actor=");
  const auto text = std::string_view{line}.substr(fields == line.npos ? 0 : fields + 1);
  if (row.level == event_level::info)
    log::info("access", row.name, "{}", text);
  else
    log::warn("access", row.name, "{}", text);
}

random_bits authenticator_core::bits() const {
  random_bits out;
  settings_.draw(out);
  return out;
}

bool authenticator_core::may_use_password(const person_file& who) const {
  return settings_.passwords || who.role == user_role::admin;
}

caf::error authenticator_core::in_seconds(errc why, std::chrono::seconds wait) {
  return make_error(why, std::to_string(wait.count()));
}

bool authenticator_core::may_ask(asked& q, std::initializer_list<rate_claim> claims) {
  const auto answer = take_all(claims, settings_.now());
  if (answer.allowed)
    return true;
  note(access_event::rate_exceeded, q, q.who, "too_many_requests");
  q.refuse(in_seconds(errc::too_many_requests, answer.retry_after));
  return false;
}

bool authenticator_core::may_try(asked& q, const std::string& account) {
  const auto wait = throttle_.begin(account, q.from.address, settings_.now());
  if (wait.count() == 0)
    return true;
  note(access_event::sign_in_wrong, q, q.who, "slow_down");
  q.refuse(in_seconds(errc::slow_down, wait));
  return false;
}

void authenticator_core::tried_wrong(const asked& q, const std::string& account, std::string_view about) {
  note(access_event::sign_in_wrong, q, q.who, "refused", about);
  if (throttle_.wait(account, q.from.address, settings_.now()).count() > 0)
    note(access_event::sign_in_slowed, q, q.who, "slow_down", about);
}

void authenticator_core::check_password(asked q, const std::string& phc, const secret& given,
                                        std::function<void(password_workers::verdict)> then) {
  const auto failed =
    workers_->verify(wiped_text{given.reveal()}, phc,
                     [q, post = port_.post, then = std::move(then)](caf::expected<password_workers::verdict> v) {
                       post([q, v = std::move(v), then]() mutable {
                         if (v)
                           then(*v);
                         else
                           q.refuse(std::move(v.error()));
                       });
                     });
  if (failed)
    q.refuse(failed);
}

void authenticator_core::with_password(asked q, const user_id& user, const secret& given, std::function<void()> then) {
  const auto* who = book_.find(user);
  if (who == nullptr || who->state != user_state::active)
    return q.refuse(errc::user_unknown);
  if (!who->password)
    return then();
  if (!may_try(q, who->email))
    return;
  check_password(q, who->password->phc, given,
                 [this, q, email = who->email, then = std::move(then), user](password_workers::verdict v) mutable {
                   if (!v.right) {
                     tried_wrong(q, email, user);
                     return q.refuse(errc::sign_in_refused);
                   }
                   throttle_.succeeded(email, q.from.address, settings_.now());
                   then();
                 });
}

void authenticator_core::hash(asked q, const secret& fresh, std::function<void(std::string phc)> then) {
  password_salt salt;
  settings_.draw(salt);
  const auto failed = workers_->hash(wiped_text{fresh.reveal()}, salt,
                                     [q, post = port_.post, then = std::move(then)](caf::expected<std::string> phc) {
                                       post([q, phc = std::move(phc), then]() mutable {
                                         if (phc)
                                           then(std::move(*phc));
                                         else
                                           q.refuse(std::move(phc.error()));
                                       });
                                     });
  if (failed)
    q.refuse(failed);
}

session authenticator_core::fresh_session(session_kind kind, std::string subject, user_role role, second_factor factor,
                                          const access_origin& from, access_done& done) const {
  session_book alone{settings_.sessions}; // which holds this one only: it is somebody's when the log has it
  auto opened = alone.open({kind, std::move(subject), role, factor, from.address, from.agent}, bits(), settings_.now());
  done.session_text = std::move(opened.id_text);
  done.begun = opened.what;
  done.user = opened.what.kind == session_kind::person ? opened.what.subject : std::string{};
  return opened.what;
}

caf::error authenticator_core::begin_session(put_access& change, const session& what) const {
  if (directory_->size() >= settings_.sessions.in_all)
    return make_error(errc::sign_in_busy);
  auto mine = directory_->of_subject(what.subject); // the newest first
  while (!mine.empty() && mine.size() >= std::max<std::size_t>(settings_.sessions.of_subject, 1)) {
    change.drop.push_back(access_book::session_id(mine.back().id));
    mine.pop_back();
  }
  return book_.put_session(change, what);
}

void authenticator_core::end_stored(put_access& change, const std::vector<session>& all) const {
  for (const auto& one : all)
    change.drop.push_back(access_book::session_id(one.id));
}

} // namespace keyportal
