// Signing in at another place, as conversations: what to ask next, until it is known where to send the browser, or who is
// there. No actor, no clock, no I/O; whoever holds a conversation makes its calls.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include <caf/expected.hpp>

#include "actors/identity/attempt_book.hpp"
#include "actors/identity/http_call.hpp"
#include "config/provider_settings.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::identity {

/// Who somebody is, according to a provider.
struct external_identity {
  std::string provider; ///< its configured name
  std::string issuer;   ///< this and `subject` say who it is, for ever: nothing else does
  std::string subject;
  std::string name;            ///< for people; may be empty
  std::string email;           ///< for display and for rules about domains; never says who somebody is; may be empty
  bool email_verified = false; ///< by the issuer
  std::string tenant;          ///< of Feishu and Lark: the organisation
};

/// What a browser comes back with.
struct callback {
  std::string code;
  std::string state;
  std::string error;  ///< empty: none
  std::string issuer; ///< `iss`; empty: not sent
};

/// Of the query of a callback, decoded. bad_request when one of these parameters is there twice, is too long, or the state
/// is missing.
caf::expected<callback> read_callback(const std::vector<std::pair<std::string, std::string>>& query);

/// A call to make, or the end.
template <typename Result>
using next_step = caf::expected<std::variant<http_call, Result>>;

/// Asked `begin` once, then `answered` for each call with what it came to (an error of the caller's included), until there is
/// a result or an error. One thread.
template <typename Result>
class conversation {
public:
  conversation() = default;
  conversation(const conversation&) = delete;
  conversation& operator=(const conversation&) = delete;
  virtual ~conversation() = default;

  virtual next_step<Result> begin(moment now) = 0;
  virtual next_step<Result> answered(caf::expected<http_answer> answer, moment now) = 0;
};

/// One configured place, with what was learned of it. One thread; must outlive its conversations.
class provider {
public:
  explicit provider(provider_settings settings) : settings_(std::move(settings)) {}
  provider(const provider&) = delete;
  provider& operator=(const provider&) = delete;
  virtual ~provider() = default;

  [[nodiscard]] const provider_settings& settings() const { return settings_; }

  /// Comes to the address that the browser is sent to. `redirect_uri` is where it comes back to: of this provider alone, as
  /// registered there, and the same for both conversations.
  /// Errors: provider_unreachable, provider_failed, provider_answer_wrong, provider_issuer_wrong.
  virtual std::unique_ptr<conversation<std::string>> authorize(const login_attempt& attempt,
                                                               std::string redirect_uri) = 0;
  /// Comes to who is there. The attempt is the one that the book has given out for the callback's state.
  /// Errors: those of `authorize`, and sign_in_declined, sign_in_code_refused, provider_refuses_us, id_token_refused,
  /// provider_key_unknown, identity_not_allowed.
  virtual std::unique_ptr<conversation<external_identity>> identify(login_attempt attempt, callback back,
                                                                    std::string redirect_uri) = 0;

private:
  provider_settings settings_;
};

/// Of settings that `check` found nothing wrong with.
std::unique_ptr<provider> make_provider(provider_settings settings);

} // namespace keyportal::identity
