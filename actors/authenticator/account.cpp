// What somebody has: his password, and identities elsewhere.
#include "actors/authenticator/authenticator_core.hpp"
#include "actors/key_registry/registry_text.hpp"

namespace keyportal {

void authenticator_core::answer(const change_password& m, asked q) {
  const auto* who = book_.find(m.user);
  if (who == nullptr || who->state != user_state::active)
    return q.refuse(errc::user_unknown);
  if (!may_use_password(*who))
    return q.refuse(errc::right_missing);
  const std::string_view personal[] = {who->email, who->name};
  if (auto wrong = check_new_password(m.fresh.reveal(), personal))
    return q.refuse(std::move(wrong));
  with_password(q, m.user, m.old, [this, m, q] {
    hash(q, m.fresh, [this, m, q](std::string phc) {
      auto gone = std::make_shared<std::vector<session>>();
      enter({m.user, q.from.address,
             [this, m, phc = std::move(phc), gone]() -> caf::expected<put_access> {
               put_access change;
               change.what = "password.set";
               if (auto failed = book_.put_password(change, m.user, phc, settings_.now()))
                 return failed;
               for (auto& one : directory_->of_subject(m.user))
                 if (one.id != m.session)
                   gone->push_back(std::move(one));
               end_stored(change, *gone);
               return change;
             },
             [this, q, gone, user = m.user](caf::expected<command_done> over) mutable {
               if (!over) {
                 note(access_event::password_change_failed, q, user, row_of(code_of(over.error())).name);
                 return q.refuse(std::move(over.error()));
               }
               note(access_event::password_changed, q, user, "done");
               access_done done;
               done.count = gone->size();
               q.done(std::move(done));
             }});
    });
  });
}

void authenticator_core::answer(const ask_new_password& m, asked q) {
  auto email = tidy_email(m.email);
  if (!email)
    return m.by_admin ? q.refuse(errc::user_unknown) : q.done({});
  if (!m.by_admin && !settings_.mail)
    return q.refuse(errc::mail_off);
  if (!may_ask(q, {{code_address_, m.by_admin ? "admin " + q.who : network_of(q.from.address)},
                   {code_person_, "password of " + *email}}))
    return;
  const auto* who = book_.find_email(*email);
  const bool there = who != nullptr && who->state != user_state::deleted && may_use_password(*who);
  if (m.by_admin && !there)
    return q.refuse(errc::user_unknown);
  auto later = q;
  if (!m.by_admin) { // the answer tells nothing, not even by how long it takes
    q.done({});
    later.answer = {};
  }
  if (!there)
    return;
  auto code = std::make_shared<fresh_code>(
    make_mailed_code(book_.key(), code_purpose::new_password, who->id, bits(), settings_.now()));
  enter({q.who, q.from.address,
         [this, code, user = who->id]() -> caf::expected<put_access> {
           put_access change;
           change.what = "code.make";
           if (auto failed = book_.put_code(change, code_purpose::new_password, user, user, code->kept))
             return failed;
           return change;
         },
         [this, code, later, email = *email, user = who->id,
          by_admin = m.by_admin](caf::expected<command_done> over) mutable {
           if (!over)
             return later.refuse(std::move(over.error()));
           if (!by_admin)
             return settings_.mail({send_code::purpose::new_password, email, code->shown});
           note(access_event::admin_acted, later, later.who, "done", user);
           access_done done;
           done.user = user;
           done.shown = code->shown;
           later.done(std::move(done));
         }});
}

void authenticator_core::answer(const set_new_password& m, asked q) {
  auto email = tidy_email(m.email);
  if (!email)
    return q.refuse(errc::code_wrong);
  const auto* there = book_.find_email(*email);
  const std::string_view personal[] = {*email, there != nullptr ? std::string_view{there->name} : std::string_view{}};
  if (auto wrong = check_new_password(m.fresh.reveal(), personal))
    return q.refuse(std::move(wrong));
  const auto account = "new password of " + *email;
  if (!may_try(q, account))
    return;
  // Hashed before the code is looked at: it takes as long for people who are not there.
  hash(q, m.fresh, [this, m, q, account, email = *email](std::string phc) {
    struct outcome {
      caf::error wrong;
      std::vector<session> gone;
      user_id user;
    };
    auto out = std::make_shared<outcome>();
    enter({q.who, q.from.address,
           [this, m, email, phc = std::move(phc), out]() -> caf::expected<put_access> {
             put_access change;
             change.what = "code.try";
             out->wrong = make_error(errc::code_wrong);
             const auto* who = book_.find_email(email);
             const auto* kept = who != nullptr ? book_.find_code(code_purpose::new_password, who->id) : nullptr;
             if (kept == nullptr || kept->tries_left == 0)
               return change;
             auto tried = *kept;
             if (try_mailed_code(tried, book_.key(), code_purpose::new_password, who->id, m.code, settings_.now())) {
               if (auto failed = book_.put_code(change, code_purpose::new_password, who->id, who->id, tried))
                 return failed;
               return change; // one try less, whoever it was
             }
             out->wrong = {};
             out->user = who->id;
             change.what = "password.set";
             if (auto failed = book_.put_password(change, who->id, phc, settings_.now()))
               return failed;
             book_.drop_code(change, code_purpose::new_password, who->id);
             out->gone = directory_->of_subject(who->id);
             end_stored(change, out->gone);
             return change;
           },
           [this, q, out, account, email](caf::expected<command_done> over) mutable {
             if (!over) {
               throttle_.undone(account, q.from.address, settings_.now());
               return q.refuse(std::move(over.error()));
             }
             if (out->wrong) {
               tried_wrong(q, account, {});
               return q.refuse(std::move(out->wrong));
             }
             throttle_.clear(account);
             throttle_.clear(email); // he proved to be it in another way
             note(access_event::password_changed, q, out->user, "done");
             access_done done;
             done.user = out->user;
             done.count = out->gone.size();
             q.done(std::move(done));
           }});
  });
}

void authenticator_core::answer(const read_account& m, asked q) {
  const auto* who = book_.find(m.user);
  if (who == nullptr)
    return q.refuse(errc::user_unknown);
  access_done done;
  done.user = who->id;
  auto& account = done.account.emplace();
  account.has_password = who->password.has_value();
  account.has_totp = who->totp.has_value();
  account.recovery_codes = who->recovery ? static_cast<std::uint32_t>(who->recovery->left.size()) : 0;
  for (const auto& hash : who->identities)
    if (const auto* one = book_.find_identity(hash))
      account.identities.push_back({one->what.provider, to_base32(hash), one->what.shown, one->what.linked_at});
  q.done(std::move(done));
}

void authenticator_core::answer(const drop_identity& m, asked q) {
  enter({q.who, q.from.address,
         [this, m]() -> caf::expected<put_access> {
           const auto* who = book_.find(m.user);
           if (who == nullptr)
             return make_error(errc::user_unknown);
           put_access change;
           change.what = "identity.unlink";
           for (const auto& hash : who->identities) {
             const auto* one = book_.find_identity(hash);
             if (one == nullptr || one->what.provider != m.provider || to_base32(hash) != m.subject_name)
               continue;
             if (who->identities.size() == 1 && !(who->password && may_use_password(*who)))
               return make_error(errc::last_way_in);
             change.drop.push_back(access_id(record_kind::identity, hash));
             return change;
           }
           return make_error(errc::not_found);
         },
         [this, q, user = m.user](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           note(access_event::factor_removed, q, user, "done", "identity");
           access_done done;
           done.count = 1;
           q.done(std::move(done));
         }});
}

} // namespace keyportal
