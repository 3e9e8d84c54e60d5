// People who make an account of their own accord, the first admin, and invitations.
#include "actors/authenticator/authenticator_core.hpp"
#include "actors/key_registry/registry_text.hpp"

namespace keyportal {

namespace {
constexpr std::size_t most_invitations = 1000;
constexpr std::int64_t invitation_life_s = 7 * 24 * 3600, longest_invitation_life_s = 90 * 24 * 3600;
constexpr std::uint32_t most_uses = 1000;
} // namespace

struct authenticator_core::registering {
  register_person what;
  std::string email;
  bool first_admin = false;
  bool address_proven = false;
  std::optional<identity::external_identity> external;
  std::string phc;
  registration_outcome outcome = registration_outcome::wait;
};

void authenticator_core::answer(const register_person& m, asked q) {
  auto r = std::make_shared<registering>();
  r->what = m;
  r->first_admin = kind_of_token(m.invitation.reveal()) == token_kind::bootstrap;
  auto email = tidy_email(m.email);
  if (!email)
    return q.refuse(std::move(email.error()));
  r->email = std::move(*email);
  if (auto name = tidy_name("the name", m.name, true); !name)
    return q.refuse(std::move(name.error()));
  if (auto reason = tidy_name("the reason", m.reason, true); !reason)
    return q.refuse(std::move(reason.error()));
  const auto domain = r->email.substr(r->email.find('@') + 1);
  if (!may_ask(q,
               {{register_address_, network_of(q.from.address)}, {register_domain_, domain}, {register_all_, "all"}}))
    return;
  if (!m.external.empty()) {
    auto external = open_identity(m.external);
    if (!external)
      return q.refuse(std::move(external.error()));
    r->address_proven = external->email_verified && tidy_email(external->email) == r->email;
    r->external = std::move(*external);
  } else if (!r->first_admin && !settings_.passwords) {
    return q.refuse(errc::registration_closed);
  }
  if (m.password.empty() && !r->external)
    return q.refuse(errc::password_length);
  const std::string_view personal[] = {r->email, m.name};
  if (!m.password.empty())
    if (auto wrong = check_new_password(m.password.reveal(), personal))
      return q.refuse(std::move(wrong));
  if (!m.code.empty() && !r->address_proven && !r->first_admin)
    return try_address_code(std::move(r), std::move(q));
  hash_and_make(std::move(r), std::move(q));
}

void authenticator_core::hash_and_make(std::shared_ptr<registering> r, asked q) {
  if (r->what.password.empty())
    return make_person(std::move(r), std::move(q));
  // Refused before a thread is kept busy, where it can be told by now.
  if (auto would = decide_person(*r); !would && code_of(would.error()) != errc::confirmation_needed) {
    note(access_event::registration_refused, q, q.who, row_of(code_of(would.error())).name);
    return q.refuse(std::move(would.error()));
  }
  hash(q, r->what.password, [this, r, q](std::string phc) {
    r->phc = std::move(phc);
    make_person(r, q);
  });
}

/// Counts the try before anything comes of it, so that many at once are not many free ones.
void authenticator_core::try_address_code(std::shared_ptr<registering> r, asked q) {
  enter({q.who, q.from.address,
         [this, r]() -> caf::expected<put_access> {
           put_access change;
           change.what = "code.try";
           const auto* kept = book_.find_code(code_purpose::confirm_address, r->email);
           if (kept == nullptr || kept->tries_left == 0)
             return change;
           auto tried = *kept;
           r->address_proven = !try_mailed_code(tried, book_.key(), code_purpose::confirm_address, r->email,
                                                r->what.code, settings_.now());
           if (auto failed = book_.put_code(change, code_purpose::confirm_address, r->email, {}, tried))
             return failed;
           return change;
         },
         [this, r, q](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           if (r->address_proven)
             return hash_and_make(r, q);
           note(access_event::registration_refused, q, q.who, "code_wrong");
           q.refuse(errc::code_wrong);
         }});
}

caf::expected<put_access> authenticator_core::decide_person(registering& r) {
  const auto now = settings_.now();
  put_access change;
  change.what = r.first_admin ? "user.first_admin" : "user.register";
  change.person = add_user{.email = r.email, .name = r.what.name};
  if (r.external) {
    if (book_.find_identity(r.external->issuer, r.external->subject) != nullptr)
      return make_error(errc::sign_in_expired); // it became somebody's meanwhile
    if (auto failed = book_.put_identity(change, {},
                                         {r.external->provider, r.external->issuer, r.external->subject,
                                          r.external->email.empty() ? r.external->name : r.external->email, now}))
      return failed;
  }
  if (!r.phc.empty())
    if (auto failed = book_.put_password(change, {}, r.phc, now))
      return failed;
  if (r.first_admin) {
    if (book_.active_admins() > 0)
      return make_error(errc::invitation_refused);
    if (auto wrong = first_admin_.check(r.what.invitation.reveal(), now))
      return wrong;
    change.person->role = user_role::admin;
    r.outcome = registration_outcome::admit;
    return change;
  }
  const invitation_record* invited = nullptr;
  if (!r.what.invitation.empty()) {
    const auto& text = r.what.invitation.reveal();
    invited = book_.find_invitation(text);
    // One that is not there is judged like one that is over.
    if (auto wrong = check_invitation(invited != nullptr ? invited->what : invitation{}, book_.key(),
                                      token_kind::invitation, text, r.email, now))
      return wrong;
  }
  auto outcome =
    judge_registration(settings_.registration, {r.email, r.address_proven, invited != nullptr, r.what.reason});
  if (!outcome)
    return outcome.error();
  r.outcome = *outcome;
  if (r.outcome == registration_outcome::prove_address) {
    if (!settings_.mail)
      return make_error(errc::registration_closed);
    return make_error(errc::confirmation_needed);
  }
  if (invited != nullptr) {
    auto used = *invited;
    --used.what.uses_left;
    if (auto failed = book_.put(change, access_id(record_kind::invitation, used.what.hash), {}, used))
      return failed;
  }
  change.person->active = r.outcome == registration_outcome::admit;
  if (!change.person->active)
    change.person->label = r.what.reason; // what the admin reads who decides
  return change;
}

void authenticator_core::make_person(std::shared_ptr<registering> r, asked q) {
  enter({q.who, q.from.address, [this, r, q] { return decide_person(*r); },
         [this, r, q](caf::expected<command_done> over) mutable {
           if (over) {
             access_done done;
             done.user = over->users.empty() ? std::string{} : over->users.front().id;
             done.waits_for_approval = r->outcome == registration_outcome::wait;
             note(access_event::user_created, q, done.user, done.waits_for_approval ? "waits" : "done");
             return q.done(std::move(done));
           }
           if (code_of(over.error()) == errc::confirmation_needed)
             return send_address_code(r, q);
           note(access_event::registration_refused, q, q.who, row_of(code_of(over.error())).name);
           q.refuse(std::move(over.error()));
         }});
}

void authenticator_core::send_address_code(std::shared_ptr<registering> r, asked q) {
  if (!may_ask(q, {{code_address_, network_of(q.from.address)}, {code_person_, r->email}}))
    return;
  auto code = std::make_shared<fresh_code>(
    make_mailed_code(book_.key(), code_purpose::confirm_address, r->email, bits(), settings_.now()));
  enter({q.who, q.from.address,
         [this, r, code]() -> caf::expected<put_access> {
           put_access change;
           change.what = "code.make";
           if (book_.find_email(r->email) == nullptr)
             if (auto failed = book_.put_code(change, code_purpose::confirm_address, r->email, {}, code->kept))
               return failed;
           return change;
         },
         [this, r, code, q](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           if (book_.find_email(r->email) == nullptr)
             settings_.mail({send_code::purpose::confirm_address, r->email, code->shown});
           // Where there is an account already no code goes out, and nobody is told: the one whose address it is knows.
           access_done done;
           done.code_sent = true;
           q.done(std::move(done));
         }});
}

// --- invitations -----------------------------------------------------------------------------------------------------

void authenticator_core::answer(const make_invitation_for& m, asked q) {
  std::string email;
  if (!m.email.empty()) {
    auto tidy = tidy_email(m.email);
    if (!tidy)
      return q.refuse(std::move(tidy.error()));
    email = std::move(*tidy);
  }
  const auto life = m.lifetime_s == 0 ? invitation_life_s : m.lifetime_s;
  if (m.uses == 0 || m.uses > most_uses || life < 60 || life > longest_invitation_life_s)
    return q.refuse(make_error(errc::bad_request, "an invitation is for 1 to 1000 uses and for 90 days at most"));
  const auto now = settings_.now();
  auto fresh = std::make_shared<fresh_invitation>(
    make_invitation(book_.key(), token_kind::invitation, bits(), now, std::chrono::seconds{life}, email, m.uses));
  enter({q.who, q.from.address,
         [this, fresh, now]() -> caf::expected<put_access> {
           if (book_.invitations().size() >= most_invitations)
             return make_error(errc::bad_request, "too many invitations are open");
           put_access change;
           change.what = "invitation.make";
           if (auto failed = book_.put(change, access_id(record_kind::invitation, fresh->kept.hash), {},
                                       invitation_record{fresh->kept, now}))
             return failed;
           return change;
         },
         [this, fresh, now, q](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           note(access_event::admin_acted, q, q.who, "done", "invitation.make");
           access_done done;
           done.shown = fresh->shown;
           done.invitations.push_back(
             {to_base32(fresh->kept.hash), fresh->kept.email, fresh->kept.uses_left, now, fresh->kept.until});
           q.done(std::move(done));
         }});
}

void authenticator_core::answer(const list_invitations&, asked q) {
  access_done done;
  const auto now = settings_.now();
  for (const auto& [hash, one] : book_.invitations())
    if (one.what.uses_left > 0 && now < one.what.until)
      done.invitations.push_back({to_base32(hash), one.what.email, one.what.uses_left, one.made_at, one.what.until});
  q.done(std::move(done));
}

void authenticator_core::answer(const end_invitation& m, asked q) {
  const auto hash = hash_of_record(access_id(record_kind::invitation, m.name));
  if (!hash || !book_.invitations().contains(*hash))
    return q.refuse(errc::not_found);
  enter({q.who, q.from.address,
         [this, id = *hash]() -> caf::expected<put_access> {
           put_access change;
           change.what = "invitation.end";
           if (book_.invitations().contains(id))
             change.drop.push_back(access_id(record_kind::invitation, id));
           return change;
         },
         [q](caf::expected<command_done> over) mutable {
           if (!over)
             return q.refuse(std::move(over.error()));
           access_done done;
           done.count = 1;
           q.done(std::move(done));
         }});
}

} // namespace keyportal
