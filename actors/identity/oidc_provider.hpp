// OpenID Connect: code flow with PKCE, state and nonce; identities proven by signed tokens.
#pragma once

#include <chrono>
#include <deque>
#include <optional>

#include "actors/identity/discovery.hpp"
#include "actors/identity/provider.hpp"
#include "actors/identity/signing_keys.hpp"

namespace keyportal::identity {

class oidc_provider : public provider {
public:
  explicit oidc_provider(provider_settings settings) : provider(std::move(settings)) {}

  std::unique_ptr<conversation<std::string>> authorize(const login_attempt& attempt, std::string redirect_uri) override;
  std::unique_ptr<conversation<external_identity>> identify(login_attempt attempt, callback back,
                                                            std::string redirect_uri) override;

  // For its conversations: what was learned, shared by them. Kept for an hour.
  [[nodiscard]] const discovery* known(moment now) const;
  /// Reads and keeps. Errors of `read_discovery`.
  caf::error learn(const caf::expected<http_answer>& answer, moment now);
  [[nodiscard]] const signing_keys* keys(moment now) const;
  /// Errors: provider_answer_wrong, provider_failed, what the caller said.
  caf::error learn_keys(const caf::expected<http_answer>& answer, moment now);
  /// Whether keys may be fetched again for a token with an unknown one: five times a minute. Counts it.
  bool may_fetch_keys_again(moment now);

private:
  template <typename T>
  struct learned {
    T what;
    moment at;
  };
  std::optional<learned<discovery>> discovery_;
  std::optional<learned<signing_keys>> keys_;
  std::deque<moment> fetched_again_;
};

} // namespace keyportal::identity
