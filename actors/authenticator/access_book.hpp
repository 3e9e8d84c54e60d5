// What people get in by, as the registry's log says: the fold of people and credentials, and the changes to them. No
// actor, clock, socket or randomness; what it decides counts once the log has it and `apply` was told.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "actors/access/registration_rules.hpp"
#include "actors/authenticator/access_records.hpp"
#include "messages/mail.hpp"
#include "messages/registry.hpp"

namespace keyportal {

/// Somebody, and what he has.
struct person_file {
  user_id id;
  std::string email, name;
  user_role role = user_role::user;
  user_state state = user_state::pending;
  std::string password_id; ///< of its record
  std::optional<password_record> password;
  std::optional<totp_record> totp;
  std::optional<recovery_record> recovery;
  std::vector<digest> identities;
  std::vector<digest> tokens; ///< in the order of making
};
/// An API token with its owner as he is now.
struct held_token {
  api_token what;
  user_role role = user_role::user;
  user_state state = user_state::active;
};
/// What an entry means for those who are in: for the directory.
struct access_news {
  struct person {
    user_id id;
    user_role role = user_role::user;
    user_state state = user_state::active;
  };
  std::vector<session> begun; ///< or seen later than before
  std::vector<digest> ended;
  std::vector<held_token> tokens;
  std::vector<digest> tokens_ended;
  std::vector<person> changed;    ///< of another role or state than before: their sessions end
  std::vector<key_id> keys_ended; ///< work no more: so do views of them
  std::vector<notice> notices;    ///< of registrations; those to admins without addresses
};

/// One thread. Everything is found by hash, in O(1) or O(log n).
class access_book {
public:
  /// `key`: the installation's, for hashing tokens and codes.
  access_book(record_seal seal, const random_bits& key) : seal_(std::move(seal)), key_(key) {}

  /// Replaces everything. What cannot be read is left out and counted; a second factor that cannot be read stays, and no
  /// code is right for it: nobody gets in with less because something is damaged.
  access_news load(const registry_image& image);
  /// The entry behind the last one; others are passed over.
  access_news apply(const registry_entry& entry);
  [[nodiscard]] log_position position() const { return position_; }
  [[nodiscard]] std::uint64_t unreadable() const { return unreadable_; }
  [[nodiscard]] const random_bits& key() const { return key_; }

  [[nodiscard]] const person_file* find(const user_id& id) const;
  [[nodiscard]] const person_file* find_email(std::string_view email) const;
  [[nodiscard]] std::size_t active_admins() const { return active_admins_; }
  [[nodiscard]] std::vector<std::string> addresses_of_admins() const; ///< of active ones; O(people)
  struct identity_found {
    user_id owner;
    identity_record what;
  };
  [[nodiscard]] const identity_found* find_identity(std::string_view issuer, std::string_view subject) const;
  [[nodiscard]] const identity_found* find_identity(const digest& hash) const;
  [[nodiscard]] const api_token* find_token(const digest& hash) const;
  [[nodiscard]] const std::map<digest, api_token>& tokens() const { return tokens_; }
  [[nodiscard]] const std::map<digest, invitation_record>& invitations() const { return invitations_; }
  /// The invitation that this text is, whether or not it is still good.
  [[nodiscard]] const invitation_record* find_invitation(std::string_view text) const;
  [[nodiscard]] const mailed_code* find_code(code_purpose purpose, std::string_view subject) const;
  /// Sessions that are in the log; that they are is all that is known of them here.
  [[nodiscard]] const std::unordered_set<digest, digest_hash>& sessions() const { return sessions_; }
  [[nodiscard]] digest identity_hash(std::string_view issuer, std::string_view subject) const;

  // --- changes, to be given to the registry; an error when sealing fails -------------------------------------------

  /// Puts a record of `owner` into `change`.
  template <class T>
  caf::error put(put_access& change, std::string id, const user_id& owner, const T& what) const {
    auto sealed = seal_.seal(write_record(what), id);
    if (!sealed)
      return sealed.error();
    change.put.push_back({std::move(id), owner, std::move(*sealed)});
    return {};
  }
  caf::error put_session(put_access& change, const session& what) const;
  caf::error put_password(put_access& change, const user_id& owner, std::string phc, moment now) const;
  caf::error put_identity(put_access& change, const user_id& owner, const identity_record& what) const;
  caf::error put_code(put_access& change, code_purpose purpose, std::string_view subject, const user_id& owner,
                      const mailed_code& what) const;
  void drop_code(put_access& change, code_purpose purpose, std::string_view subject) const;
  /// Everything that somebody has, but sessions: he is gone.
  void drop_all_of(put_access& change, const person_file& who) const;
  /// What is over by time: tokens a month after their end, codes and invitations at once. `most` of them.
  [[nodiscard]] put_access drop_old(moment now, std::size_t most = 1000) const;
  [[nodiscard]] static std::string session_id(const digest& id) { return access_id(record_kind::session, id); }

private:
  [[nodiscard]] std::string code_id(code_purpose purpose, std::string_view subject) const;
  void take_user(const user& after, access_news& news);
  void take_record(const access_record& what, access_news& news);
  void drop_record(const access_record& what, access_news& news);
  template <class T>
  bool read(const access_record& what, T& out);
  person_file* owner_of(const access_record& what);

  record_seal seal_;
  random_bits key_;
  log_position position_ = 0;
  std::uint64_t unreadable_ = 0;
  std::size_t active_admins_ = 0;
  std::unordered_map<user_id, person_file> people_;
  std::unordered_map<std::string, user_id> emails_;
  std::unordered_map<digest, identity_found, digest_hash> identities_;
  std::map<digest, api_token> tokens_;
  std::map<digest, invitation_record> invitations_;
  std::unordered_map<std::string, mailed_code> codes_; ///< by record id
  std::unordered_set<digest, digest_hash> sessions_;
};

} // namespace keyportal
