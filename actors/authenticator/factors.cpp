// The second factor: an authenticator app, and recovery codes for who loses it.
#include "actors/authenticator/authenticator_core.hpp"

namespace keyportal {

using namespace std::chrono_literals;

caf::error authenticator_core::put_recovery(put_access& change, const user_id& user, access_done& done) const {
  recovery_bits all;
  for (auto& one : all)
    settings_.draw(one);
  auto made = make_recovery_codes(book_.key(), user, all);
  done.codes = std::move(made.shown);
  return book_.put(change, access_id(record_kind::recovery, user), user, recovery_record{std::move(made.kept)});
}

void authenticator_core::answer(const begin_totp& m, asked q) {
  with_password(q, m.user, m.password, [this, q, user = m.user]() mutable {
    const auto* who = book_.find(user);
    if (who == nullptr)
      return q.refuse(errc::user_unknown);
    auto& pending = pending_totp_[user];
    settings_.draw(pending.key);
    pending.until = settings_.now() + 10min;
    access_done done;
    done.user = user;
    done.shown = secret{totp_key_text(pending.key)};
    done.uri = totp_uri(settings_.issuer, who->email, pending.key);
    q.done(std::move(done));
  });
}

void authenticator_core::answer(const finish_totp& m, asked q) {
  const auto pending = pending_totp_.find(m.user);
  if (pending == pending_totp_.end() || settings_.now() >= pending->second.until)
    return q.refuse(errc::code_over);
  const auto account = "code:" + m.user;
  if (!may_try(q, account))
    return;
  const std::string key{pending->second.key.begin(), pending->second.key.end()};
  const auto now = settings_.now();
  const auto step = accept_totp(key, m.code, now, -1);
  if (!step) {
    tried_wrong(q, account, m.user);
    return q.refuse(errc::code_wrong);
  }
  throttle_.succeeded(account, q.from.address, now);
  pending_totp_.erase(pending);
  auto done = std::make_shared<access_done>();
  enter({m.user, q.from.address,
         [this, user = m.user, record = totp_record{key, *step, now}, done]() -> caf::expected<put_access> {
           put_access change;
           change.what = "totp.set";
           if (auto failed = book_.put(change, access_id(record_kind::totp, user), user, record))
             return failed;
           if (auto failed = put_recovery(change, user, *done))
             return failed;
           return change;
         },
         [this, q, done, user = m.user](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           note(access_event::factor_added, q, user, "done", "totp");
           q.done(std::move(*done));
         }});
}

void authenticator_core::answer(const drop_totp& m, asked q) {
  auto drop = [this, m, q]() mutable {
    enter({q.who, q.from.address,
           [this, m]() -> caf::expected<put_access> {
             const auto* who = book_.find(m.user);
             if (who == nullptr)
               return make_error(errc::user_unknown);
             put_access change;
             change.what = m.by_admin ? "totp.reset" : "totp.drop";
             if (who->totp)
               change.drop.push_back(access_id(record_kind::totp, who->id));
             if (who->recovery)
               change.drop.push_back(access_id(record_kind::recovery, who->id));
             if (m.by_admin) // who is in now may not be the one who lost it
               end_stored(change, directory_->of_subject(m.user));
             return change;
           },
           [this, m, q](caf::expected<command_done> over) mutable {
             if (!over)
               return q.refuse(std::move(over.error()));
             throttle_.clear("code:" + m.user);
             note(access_event::factor_removed, q, q.who, "done", m.user);
             access_done done;
             done.user = m.user;
             q.done(std::move(done));
           }});
  };
  if (m.by_admin)
    return drop();
  with_password(q, m.user, m.password, std::move(drop));
}

void authenticator_core::answer(const new_recovery_codes& m, asked q) {
  with_password(q, m.user, m.password, [this, q, user = m.user] {
    auto done = std::make_shared<access_done>();
    enter({user, q.from.address,
           [this, user, done]() -> caf::expected<put_access> {
             const auto* who = book_.find(user);
             if (who == nullptr || !who->totp)
               return make_error(errc::bad_request, "there is no second factor to recover");
             put_access change;
             change.what = "recovery.set";
             if (auto failed = put_recovery(change, user, *done))
               return failed;
             return change;
           },
           [this, q, done, user](caf::expected<command_done> over) mutable {
             if (!over)
               return q.refuse(std::move(over.error()));
             note(access_event::factor_added, q, user, "done", "recovery");
             q.done(std::move(*done));
           }});
  });
}

} // namespace keyportal
