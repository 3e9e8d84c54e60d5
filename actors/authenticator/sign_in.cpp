// Signing in with a password or a client key, the second step, and sessions.
#include "actors/authenticator/authenticator_core.hpp"
#include "actors/key_registry/registry_text.hpp"

namespace keyportal {

void authenticator_core::work(const access_command& m, asked q) {
  if (draining_)
    return q.refuse(errc::shutting_down);
  std::visit([&](const auto& what) { answer(what, std::move(q)); }, m.what);
}

void authenticator_core::answer(const sign_in_with_password& m, asked q) {
  auto email = tidy_email(m.email);
  if (!email || m.password.empty())
    return q.refuse(errc::sign_in_refused);
  if (!may_try(q, *email))
    return;
  // Of somebody who is not there, or has no password, a hash that no password has is checked: it takes as long.
  const auto* who = book_.find_email(*email);
  const auto phc = who != nullptr && who->password ? who->password->phc : std::string{};
  const auto failed = workers_->verify(
    wiped_text{m.password.reveal()}, phc,
    [this, q, post = port_.post, email = *email, given = m.password](caf::expected<password_workers::verdict> v) {
      post([this, q, v = std::move(v), email, given]() mutable {
        if (v)
          return password_judged(email, given, *v, q);
        throttle_.undone(email, q.from.address, settings_.now());
        q.refuse(std::move(v.error()));
      });
    });
  if (failed) {
    throttle_.undone(*email, q.from.address, settings_.now());
    q.refuse(failed);
  }
}

void authenticator_core::password_judged(const std::string& email, const secret& given,
                                         password_workers::verdict verdict, asked q) {
  const auto* who = book_.find_email(email);
  if (!verdict.right || who == nullptr || !who->password || !may_use_password(*who)) {
    tried_wrong(q, email, who != nullptr ? who->id : std::string{});
    return q.refuse(errc::sign_in_refused);
  }
  throttle_.succeeded(email, q.from.address, settings_.now());
  if (auto refused = may_sign_in(who->state)) {
    note(access_event::sign_in_wrong, q, who->id, "not_active");
    return q.refuse(std::move(refused));
  }
  if (verdict.rehash) // costs have changed: in its own time, and if that fails, at the next sign-in
    hash({q.from, who->id, {}}, given, [this, q, user = who->id, old = *who->password](std::string phc) {
      enter({user, q.from.address,
             [this, user, old, phc]() -> caf::expected<put_access> {
               put_access change;
               change.what = "password.rehash";
               if (const auto* now = book_.find(user); now != nullptr && now->password == old)
                 if (auto failed = book_.put_password(change, user, phc, old.set_at))
                   return failed;
               return change;
             },
             [](const caf::expected<command_done>&) {}});
    });
  sign_in(who->id, who->totp ? second_factor::pending : second_factor::not_asked, {}, std::move(q));
}

void authenticator_core::sign_in(const user_id& user, second_factor factor, std::string return_to, asked q) {
  auto done = std::make_shared<access_done>();
  done->return_to = std::move(return_to);
  enter({user, q.from.address,
         [this, user, factor, done, q]() -> caf::expected<put_access> {
           const auto* who = book_.find(user);
           if (who == nullptr)
             return make_error(errc::sign_in_refused);
           if (auto refused = may_sign_in(who->state)) // it may have changed meanwhile
             return refused;
           put_access change;
           change.what = "session.begin";
           const auto fresh = fresh_session(session_kind::person, user, who->role, factor, q.from, *done);
           if (auto failed = begin_session(change, fresh))
             return failed;
           return change;
         },
         [this, user, factor, done, q](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           if (factor != second_factor::pending)
             note(access_event::sign_in_right, q, user, "done");
           note(access_event::session_created, q, user, "done", done->begun->name);
           q.done(std::move(*done));
         }});
}

void authenticator_core::answer(const confirm_second_factor& m, asked q) {
  const auto held = directory_->find(m.session);
  if (!held || held->kind != session_kind::person)
    return q.refuse(errc::session_ended);
  if (held->factor != second_factor::pending)
    return q.refuse(make_error(errc::bad_request, "nothing is asked of this session"));
  const auto account = "code:" + held->subject;
  if (!may_try(q, account))
    return;
  auto done = std::make_shared<access_done>();
  enter({held->subject, q.from.address,
         [this, m, done, q]() -> caf::expected<put_access> {
           // Decided when it is its turn: no code is good twice, however many come at once.
           const auto now = settings_.now();
           const auto pending = directory_->find(m.session);
           const auto* who = pending ? book_.find(pending->subject) : nullptr;
           if (who == nullptr || who->state != user_state::active)
             return make_error(errc::session_ended);
           put_access change;
           change.what = "session.confirm";
           if (!who->totp) { // taken away by an admin meanwhile: begin anew
             return make_error(errc::session_ended);
           }
           if (const auto step = accept_totp(who->totp->key, m.code, now, who->totp->last_step);
               step && !who->totp->key.empty()) {
             auto used = *who->totp;
             used.last_step = *step;
             if (auto failed = book_.put(change, access_id(record_kind::totp, who->id), who->id, used))
               return failed;
           } else if (const auto place = who->recovery
                                           ? find_recovery_code(book_.key(), who->id, who->recovery->left, m.code)
                                           : std::nullopt) {
             auto rest = *who->recovery;
             rest.left.erase(rest.left.begin() + static_cast<std::ptrdiff_t>(*place));
             change.what = "session.confirm.recovery";
             if (auto failed = book_.put(change, access_id(record_kind::recovery, who->id), who->id, rest))
               return failed;
           } else {
             return make_error(errc::code_wrong);
           }
           auto from = q.from;
           from.agent = pending->agent; // of the browser that began it
           const auto fresh = fresh_session(session_kind::person, who->id, who->role, second_factor::done, from, *done);
           change.drop.push_back(access_book::session_id(pending->id));
           if (auto failed = begin_session(change, fresh))
             return failed;
           return change;
         },
         [this, done, q, account, user = held->subject](caf::expected<command_done> over) mutable {
           if (over) {
             throttle_.succeeded(account, q.from.address, settings_.now());
             note(access_event::sign_in_right, q, user, "done");
             note(access_event::session_renewed, q, user, "done", done->begun->name);
             return q.done(std::move(*done));
           }
           if (code_of(over.error()) == errc::code_wrong)
             tried_wrong(q, account, user);
           else
             throttle_.undone(account, q.from.address, settings_.now());
           q.refuse(std::move(over.error()));
         }});
}

void authenticator_core::answer(const sign_in_with_key& m, asked q) {
  // Nobody guesses a key of ours; who tries many from one address waits, and nobody else.
  const auto account = "key from " + network_of(q.from.address);
  if (!may_try(q, account))
    return;
  port_.find_key(m.key, [this, q, account](caf::expected<client_key> key) mutable {
    if (!key || !works(key->state)) {
      const auto why = key ? errc::key_wrong_state : code_of(key.error());
      if (why != errc::key_wrong_state && why != errc::key_unknown && why != errc::key_mistyped) {
        throttle_.undone(account, q.from.address, settings_.now());
        return q.refuse(std::move(key.error()));
      }
      tried_wrong(q, account, {});
      return q.refuse(errc::sign_in_refused);
    }
    throttle_.undone(account, q.from.address, settings_.now());
    auto done = std::make_shared<access_done>();
    enter({key->owner.empty() ? key->id : key->owner, q.from.address,
           [this, id = key->id, done, q]() -> caf::expected<put_access> {
             put_access change;
             change.what = "session.begin.key";
             const auto fresh =
               fresh_session(session_kind::key_view, id, user_role::user, second_factor::not_asked, q.from, *done);
             if (auto failed = begin_session(change, fresh))
               return failed;
             return change;
           },
           [this, id = key->id, done, q](caf::expected<command_done> over) mutable {
             if (!over)
               return q.refuse(std::move(over.error()));
             note(access_event::session_created, q, id, "done", done->begun->name);
             q.done(std::move(*done));
           }});
  });
}

// --- sessions --------------------------------------------------------------------------------------------------------

void authenticator_core::answer(const sign_out& m, asked q) {
  // At once, whatever becomes of the write: who signs out is out.
  const auto gone = directory_->end(m.session);
  if (!gone && !book_.sessions().contains(m.session))
    return q.done({});
  if (gone)
    note(access_event::session_ended, q, gone->subject, "done", gone->name);
  enter({q.who, q.from.address,
         [this, id = m.session]() -> caf::expected<put_access> {
           put_access change;
           change.what = "session.end";
           if (book_.sessions().contains(id))
             change.drop.push_back(access_book::session_id(id));
           return change;
         },
         [q, count = gone ? 1u : 0u](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           access_done done;
           done.count = count;
           q.done(std::move(done));
         }});
}

void authenticator_core::answer(const list_sessions& m, asked q) {
  access_done done;
  done.sessions = directory_->of_subject(m.subject);
  q.done(std::move(done));
}

void authenticator_core::answer(const end_sessions& m, asked q) {
  std::vector<session> gone;
  for (const auto& one : directory_->of_subject(m.subject)) {
    if (m.name.empty() ? m.but && one.id == *m.but : one.name != m.name)
      continue;
    if (auto ended = directory_->end(one.id))
      gone.push_back(std::move(*ended));
  }
  if (gone.empty() && !m.name.empty())
    return q.refuse(errc::not_found);
  for (const auto& one : gone)
    note(access_event::session_ended, q, one.subject, "done", one.name);
  enter({q.who, q.from.address,
         [this, gone]() -> caf::expected<put_access> {
           put_access change;
           change.what = "session.end";
           end_stored(change, gone);
           return change;
         },
         [q, count = gone.size()](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           access_done done;
           done.count = count;
           q.done(std::move(done));
         }});
}

} // namespace keyportal
