#include "actors/authenticator/access_book.hpp"

#include <algorithm>

namespace keyportal {

namespace {

constexpr std::chrono::hours token_shown_after_end{30 * 24};

bool is_active_admin(user_role role, user_state state) {
  return role == user_role::admin && state == user_state::active;
}

template <class T>
void add_once(std::vector<T>& list, const T& what) {
  if (std::find(list.begin(), list.end(), what) == list.end())
    list.push_back(what);
}

} // namespace

// --- the fold --------------------------------------------------------------------------------------------------------

access_news access_book::load(const registry_image& image) {
  people_.clear();
  emails_.clear();
  identities_.clear();
  tokens_.clear();
  invitations_.clear();
  codes_.clear();
  sessions_.clear();
  active_admins_ = 0;
  unreadable_ = 0;
  position_ = image.position;
  access_news all;
  for (const auto& one : image.users)
    take_user(one, all);
  for (const auto& one : image.access)
    take_record(one, all);
  all.changed.clear();
  // Somebody lost a role, or a key its force, and the process ended before the sessions did.
  std::unordered_set<std::string> views;
  for (const auto& one : all.begun)
    if (one.kind == session_kind::key_view)
      views.insert(one.subject);
  if (!views.empty())
    for (const auto& key : image.keys)
      if (!works(key.state) && views.contains(key.id))
        all.keys_ended.push_back(key.id);
  std::erase_if(all.begun, [this](const session& s) {
    if (s.kind == session_kind::key_view)
      return false;
    const auto* who = find(s.subject);
    return who == nullptr || who->state != user_state::active || who->role != s.role;
  });
  return all;
}

namespace {

/// What is to be told of a change to somebody who waits, or did until now.
std::optional<notice> notice_of(const change_of<user>& change) {
  const auto& now = *change.after;
  if (!change.before)
    return now.state == user_state::pending
             ? std::optional(notice{notice::kind::registration_waits, {}, now.email, now.name, now.label})
             : std::nullopt;
  const auto& before = *change.before;
  if (before.state != user_state::pending || now.state == user_state::pending || now.state == user_state::suspended)
    return std::nullopt;
  const auto kind =
    now.state == user_state::active ? notice::kind::registration_approved : notice::kind::registration_refused;
  return notice{kind, {before.email}, before.email, before.name, now.label == before.label ? std::string{} : now.label};
}

} // namespace

std::vector<std::string> access_book::addresses_of_admins() const {
  std::vector<std::string> out;
  for (const auto& [id, one] : people_)
    if (is_active_admin(one.role, one.state))
      out.push_back(one.email);
  return out;
}

access_news access_book::apply(const registry_entry& entry) {
  access_news news;
  if (entry.position != position_ + 1)
    return news;
  position_ = entry.position;
  for (const auto& one : entry.users)
    if (one.after) {
      take_user(*one.after, news);
      if (auto told = notice_of(one))
        news.notices.push_back(std::move(*told));
    }
  for (const auto& one : entry.keys)
    if (!one.after || !works(one.after->state))
      news.keys_ended.push_back(one.after ? one.after->id : one.before->id);
  for (const auto& one : entry.access) {
    if (one.after)
      take_record(*one.after, news);
    else if (one.before)
      drop_record(*one.before, news);
  }
  return news;
}

void access_book::take_user(const user& after, access_news& news) {
  auto& mine = people_[after.id];
  const bool known = !mine.id.empty();
  const bool other = known && (mine.role != after.role || mine.state != after.state);
  if (known && is_active_admin(mine.role, mine.state))
    --active_admins_;
  if (is_active_admin(after.role, after.state))
    ++active_admins_;
  if (known && mine.email != after.email) {
    const auto old = emails_.find(mine.email);
    if (old != emails_.end() && old->second == after.id)
      emails_.erase(old);
  }
  mine.id = after.id;
  mine.email = after.email;
  mine.name = after.name;
  mine.role = after.role;
  mine.state = after.state;
  if (!after.email.empty())
    emails_[after.email] = after.id;
  if (other)
    news.changed.push_back({after.id, after.role, after.state});
}

template <class T>
bool access_book::read(const access_record& what, T& out) {
  const auto text = seal_.open(what.sealed, what.id);
  if (text && read_record(text->reveal(), out))
    return true;
  ++unreadable_;
  return false;
}

person_file* access_book::owner_of(const access_record& what) {
  const auto found = people_.find(what.owner);
  return found == people_.end() ? nullptr : &found->second;
}

void access_book::take_record(const access_record& what, access_news& news) {
  const auto kind = kind_of_record(what.id);
  const auto hash = hash_of_record(what.id);
  auto* owner = owner_of(what);
  // What is new stands in the place of what was there, so a record that cannot be read takes the old one away.
  if (kind == record_kind::password && owner != nullptr) {
    password_record fresh;
    owner->password.reset();
    owner->password_id = what.id;
    if (read(what, fresh))
      owner->password = std::move(fresh);
  } else if (kind == record_kind::totp && owner != nullptr) {
    totp_record fresh;
    if (!read(what, fresh))
      fresh = {};
    owner->totp = std::move(fresh);
  } else if (kind == record_kind::recovery && owner != nullptr) {
    recovery_record fresh;
    owner->recovery.reset();
    if (read(what, fresh))
      owner->recovery = std::move(fresh);
  } else if (kind == record_kind::identity && hash && owner != nullptr) {
    identity_found fresh{what.owner, {}};
    if (const auto old = identities_.find(*hash); old != identities_.end())
      if (const auto before = people_.find(old->second.owner); before != people_.end())
        std::erase(before->second.identities, *hash);
    identities_.erase(*hash);
    if (read(what, fresh.what) && identity_hash(fresh.what.issuer, fresh.what.subject) == *hash) {
      add_once(owner->identities, *hash);
      identities_.emplace(*hash, std::move(fresh));
    }
  } else if (kind == record_kind::token && hash && owner != nullptr) {
    api_token fresh;
    if (read(what, fresh) && fresh.hash == *hash && fresh.owner == what.owner) {
      add_once(owner->tokens, *hash);
      news.tokens.push_back({fresh, owner->role, owner->state});
      tokens_[*hash] = std::move(fresh);
    } else {
      tokens_.erase(*hash);
      news.tokens_ended.push_back(*hash);
    }
  } else if (kind == record_kind::session && hash) {
    session fresh;
    sessions_.insert(*hash);
    const bool whole =
      read(what, fresh) && fresh.id == *hash && (fresh.kind == session_kind::key_view || fresh.subject == what.owner);
    if (whole)
      news.begun.push_back(std::move(fresh));
    else
      news.ended.push_back(*hash);
  } else if (kind == record_kind::invitation && hash) {
    invitation_record fresh;
    if (read(what, fresh) && fresh.what.hash == *hash)
      invitations_[*hash] = std::move(fresh);
    else
      invitations_.erase(*hash);
  } else if (kind == record_kind::code) {
    mailed_code fresh;
    if (read(what, fresh))
      codes_[what.id] = fresh;
    else
      codes_.erase(what.id);
  } else {
    ++unreadable_;
  }
}

void access_book::drop_record(const access_record& what, access_news& news) {
  const auto kind = kind_of_record(what.id);
  const auto hash = hash_of_record(what.id);
  auto* owner = owner_of(what);
  if (kind == record_kind::password && owner != nullptr) {
    if (owner->password_id == what.id) { // else a new one stands in its place
      owner->password.reset();
      owner->password_id.clear();
    }
  } else if (kind == record_kind::totp && owner != nullptr) {
    owner->totp.reset();
  } else if (kind == record_kind::recovery && owner != nullptr) {
    owner->recovery.reset();
  } else if (kind == record_kind::identity && hash) {
    identities_.erase(*hash);
    if (owner != nullptr)
      std::erase(owner->identities, *hash);
  } else if (kind == record_kind::token && hash) {
    tokens_.erase(*hash);
    if (owner != nullptr)
      std::erase(owner->tokens, *hash);
    news.tokens_ended.push_back(*hash);
  } else if (kind == record_kind::session && hash) {
    sessions_.erase(*hash);
    news.ended.push_back(*hash);
  } else if (kind == record_kind::invitation && hash) {
    invitations_.erase(*hash);
  } else if (kind == record_kind::code) {
    codes_.erase(what.id);
  }
}

// --- looking ---------------------------------------------------------------------------------------------------------

const person_file* access_book::find(const user_id& id) const {
  const auto found = people_.find(id);
  return found == people_.end() ? nullptr : &found->second;
}
const person_file* access_book::find_email(std::string_view email) const {
  const auto found = emails_.find(std::string(email));
  return found == emails_.end() ? nullptr : find(found->second);
}
digest access_book::identity_hash(std::string_view issuer, std::string_view subject) const {
  return keyed_hash(key_, {"identity", issuer, subject});
}
const access_book::identity_found* access_book::find_identity(const digest& hash) const {
  const auto found = identities_.find(hash);
  return found == identities_.end() ? nullptr : &found->second;
}
const access_book::identity_found* access_book::find_identity(std::string_view issuer, std::string_view subject) const {
  return find_identity(identity_hash(issuer, subject));
}
const api_token* access_book::find_token(const digest& hash) const {
  const auto found = tokens_.find(hash);
  return found == tokens_.end() ? nullptr : &found->second;
}
const invitation_record* access_book::find_invitation(std::string_view text) const {
  const auto found = invitations_.find(token_hash(key_, token_kind::invitation, text));
  return found == invitations_.end() ? nullptr : &found->second;
}
std::string access_book::code_id(code_purpose purpose, std::string_view subject) const {
  // The subject may be an address of somebody who is nobody here: it stands in no id.
  return access_id(record_kind::code,
                   std::to_string(static_cast<int>(purpose)) + "/" + to_base32(keyed_hash(key_, {"code of", subject})));
}
const mailed_code* access_book::find_code(code_purpose purpose, std::string_view subject) const {
  const auto found = codes_.find(code_id(purpose, subject));
  return found == codes_.end() ? nullptr : &found->second;
}

// --- changes ---------------------------------------------------------------------------------------------------------

caf::error access_book::put_session(put_access& change, const session& what) const {
  return put(change, session_id(what.id), what.kind == session_kind::person ? what.subject : user_id{}, what);
}

caf::error access_book::put_password(put_access& change, const user_id& owner, std::string phc, moment now) const {
  // Somebody who is made by this has no id yet: his first password's record is named by its own hash, which holds a salt.
  auto id = owner.empty() ? access_id(record_kind::password, sha256(phc)) : access_id(record_kind::password, owner);
  if (const auto* who = find(owner); who != nullptr && !who->password_id.empty() && who->password_id != id)
    change.drop.push_back(who->password_id);
  return put(change, std::move(id), owner, password_record{std::move(phc), now});
}

caf::error access_book::put_identity(put_access& change, const user_id& owner, const identity_record& what) const {
  return put(change, access_id(record_kind::identity, identity_hash(what.issuer, what.subject)), owner, what);
}

caf::error access_book::put_code(put_access& change, code_purpose purpose, std::string_view subject,
                                 const user_id& owner, const mailed_code& what) const {
  return put(change, code_id(purpose, subject), owner, what);
}

void access_book::drop_code(put_access& change, code_purpose purpose, std::string_view subject) const {
  change.drop.push_back(code_id(purpose, subject));
}

void access_book::drop_all_of(put_access& change, const person_file& who) const {
  if (!who.password_id.empty())
    change.drop.push_back(who.password_id);
  if (who.totp)
    change.drop.push_back(access_id(record_kind::totp, who.id));
  if (who.recovery)
    change.drop.push_back(access_id(record_kind::recovery, who.id));
  for (const auto& hash : who.identities)
    change.drop.push_back(access_id(record_kind::identity, hash));
  for (const auto& hash : who.tokens)
    change.drop.push_back(access_id(record_kind::token, hash));
  drop_code(change, code_purpose::new_password, who.id);
}

put_access access_book::drop_old(moment now, std::size_t most) const {
  put_access out;
  out.what = "access.expire";
  const auto add = [&](std::string id) {
    if (out.drop.size() < most)
      out.drop.push_back(std::move(id));
  };
  for (const auto& [hash, one] : tokens_)
    if (one.until + token_shown_after_end < now)
      add(access_id(record_kind::token, hash));
  for (const auto& [hash, one] : invitations_)
    if (one.what.until <= now || one.what.uses_left == 0)
      add(access_id(record_kind::invitation, hash));
  for (const auto& [id, one] : codes_)
    if (one.until <= now)
      add(id);
  for (const auto& [id, who] : people_)
    if (who.state == user_state::deleted && out.drop.size() + 8 < most
        && (!who.password_id.empty() || who.totp || who.recovery || !who.identities.empty() || !who.tokens.empty()))
      drop_all_of(out, who);
  return out;
}

} // namespace keyportal
