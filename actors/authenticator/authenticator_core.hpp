// The inside of the authenticator, shared by its files: sign_in.cpp, registration.cpp, account.cpp, factors.cpp,
// tokens.cpp, external.cpp; authenticator.cpp is the actor, with changes and the following of the log.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>

#include "actors/access/access_events.hpp"
#include "actors/access/password_workers.hpp"
#include "actors/access/rate_book.hpp"
#include "actors/access/totp.hpp"
#include "actors/authenticator/authenticator.hpp"
#include "actors/authenticator/first_admin.hpp"
#include "actors/identity/attempt_book.hpp"
#include "actors/identity/http_caller.hpp"

namespace keyportal {

using access_promise = caf::typed_response_promise<access_done>;

/// A question on its way to its answer. Copies are the same question.
struct asked {
  access_origin from;
  std::string who;
  access_promise answer;
  void refuse(caf::error why) {
    if (answer.pending())
      answer.deliver(std::move(why));
  }
  void refuse(errc why) { refuse(make_error(why)); }
  void done(access_done what) {
    if (answer.pending())
      answer.deliver(std::move(what));
  }
};

/// What the core needs of its actor.
struct actor_port {
  /// Runs it later in the actor, from any thread; not at all once the actor is gone.
  std::function<void(std::function<void()>)> post;
  using decided = std::function<void(caf::expected<command_done>)>;
  std::function<void(registry_command, decided)> ask_registry;
  std::function<void(secret key, std::function<void(caf::expected<client_key>)>)> find_key;
  std::function<void(read_entries, std::function<void(caf::expected<std::vector<registry_entry>>)>)> read;
  std::function<access_promise()> promise;
};

class authenticator_core {
public:
  authenticator_core(authenticator_settings settings, authenticator_start start, actor_port port);

  void work(const access_command& m, asked q);
  void tick();
  void follow(log_position at_least);
  void drain(std::function<void()> drained);

private:
  // authenticator.cpp: one change at a time, each decided upon all before it
  struct pending_change {
    std::string who, from;
    std::function<caf::expected<put_access>()> decide; ///< nothing to put or drop: done at once
    std::function<void(caf::expected<command_done>)> then;
  };
  void enter(pending_change what);
  void next_change();
  void learn(const access_news& news);
  void offer_first_admin();
  void upkeep();

  // helpers
  void note(access_event what, const asked& q, std::string_view actor, std::string_view result,
            std::string_view about = {}) const;
  [[nodiscard]] random_bits bits() const;
  /// Whether the person may have a password to sign in with.
  [[nodiscard]] bool may_use_password(const person_file& who) const;
  [[nodiscard]] static caf::error in_seconds(errc why, std::chrono::seconds wait);
  /// Counts one of each, or answers too_many_requests.
  [[nodiscard]] bool may_ask(asked& q, std::initializer_list<rate_claim> claims);
  /// Counts a try, or answers slow_down.
  [[nodiscard]] bool may_try(asked& q, const std::string& account);
  void tried_wrong(const asked& q, const std::string& account, std::string_view about);
  /// Asks the workers; `then` runs in the actor, with whether it was right. Of somebody without a password: never.
  void check_password(asked q, const std::string& phc, const secret& given,
                      std::function<void(password_workers::verdict)> then);
  /// The password of somebody who is signed in, before something grave. Who has none needs none.
  void with_password(asked q, const user_id& user, const secret& given, std::function<void()> then);
  void hash(asked q, const secret& fresh, std::function<void(std::string phc)> then);
  /// A session that is not in any book yet; its text goes into `done`.
  [[nodiscard]] session fresh_session(session_kind kind, std::string subject, user_role role, second_factor factor,
                                      const access_origin& from, access_done& done) const;
  /// Puts it, and takes the oldest away where there are too many.
  caf::error begin_session(put_access& change, const session& what) const;
  void end_stored(put_access& change, const std::vector<session>& all) const;

  void answer(const catch_up& m, asked q);

  // sign_in.cpp
  void answer(const sign_in_with_password& m, asked q);
  void password_judged(const std::string& email, const secret& given, password_workers::verdict verdict, asked q);
  void answer(const confirm_second_factor& m, asked q);
  void answer(const sign_in_with_key& m, asked q);
  void answer(const sign_out& m, asked q);
  void answer(const list_sessions& m, asked q);
  void answer(const end_sessions& m, asked q);
  /// For somebody who proved to be it. Without pending factor.
  void sign_in(const user_id& user, second_factor factor, std::string return_to, asked q);
  // registration.cpp
  void answer(const register_person& m, asked q);
  struct registering;
  void send_address_code(std::shared_ptr<registering> r, asked q);
  void make_person(std::shared_ptr<registering> r, asked q);
  void hash_and_make(std::shared_ptr<registering> r, asked q);
  void try_address_code(std::shared_ptr<registering> r, asked q);
  /// What makes the person. confirmation_needed: the address is to be proven first.
  caf::expected<put_access> decide_person(registering& r);
  void answer(const make_invitation_for& m, asked q);
  void answer(const list_invitations& m, asked q);
  void answer(const end_invitation& m, asked q);
  // account.cpp
  void answer(const change_password& m, asked q);
  void answer(const ask_new_password& m, asked q);
  void answer(const set_new_password& m, asked q);
  void answer(const read_account& m, asked q);
  void answer(const drop_identity& m, asked q);
  // factors.cpp
  void answer(const begin_totp& m, asked q);
  void answer(const finish_totp& m, asked q);
  void answer(const drop_totp& m, asked q);
  void answer(const new_recovery_codes& m, asked q);
  caf::error put_recovery(put_access& change, const user_id& user, access_done& done) const;
  // tokens.cpp
  void answer(const make_token& m, asked q);
  void answer(const list_tokens& m, asked q);
  void answer(const end_token& m, asked q);
  // external.cpp
  void answer(const begin_external& m, asked q);
  void answer(const finish_external& m, asked q);
  void answer(const list_providers& m, asked q);
  template <class Result>
  void converse(std::shared_ptr<identity::conversation<Result>> with, identity::next_step<Result> step,
                std::function<void(caf::expected<Result>)> then);
  void identified(const identity::external_identity& who, const identity::login_attempt& attempt, asked q);
  [[nodiscard]] caf::expected<secret> seal_identity(const identity::external_identity& who) const;
  [[nodiscard]] caf::expected<identity::external_identity> open_identity(const secret& text) const;
  [[nodiscard]] identity::provider* provider_named(std::string_view name) const;

  authenticator_settings settings_;
  actor_port port_;
  access_book book_;
  std::shared_ptr<session_directory> directory_;
  first_admin_token first_admin_;
  random_bits own_key_;
  throttle_book throttle_;
  rate_book register_address_, register_domain_, register_all_, code_address_, code_person_;
  identity::attempt_book attempts_;
  std::vector<std::unique_ptr<identity::provider>> providers_;
  struct pending_totp {
    totp_key key{};
    moment until{};
  };
  std::map<user_id, pending_totp> pending_totp_; ///< shown, and no code of it came yet

  std::deque<pending_change> changes_;
  bool changing_ = false;
  struct {
    log_position position = 0;
    std::function<void()> then;
  } awaited_; ///< the change under way is on disk, and the book does not have it yet
  std::multimap<log_position, asked> catching_up_;
  bool reading_ = false;
  log_position wanted_ = 0; ///< the log is known to have so much
  bool draining_ = false;
  std::function<void()> drained_;
  moment upkeep_at_{};

  // Last: their threads end before what they answer to goes.
  std::unique_ptr<identity::http_caller> caller_;
  std::unique_ptr<password_workers> workers_;
};

} // namespace keyportal
