// An OpenID Connect issuer in the test's own process: makes keys and tokens by OpenSSL, and answers the calls of conversations
// as they are, or in any wrong way.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include "actors/identity/oidc_provider.hpp"
#include "messages/errors.hpp"

namespace keyportal::identity::test {

using nlohmann::json;

inline const moment noon = moment{} + std::chrono::seconds{1'800'000'000};
inline std::int64_t seconds_of(moment at) { return unix_ns(at) / 1'000'000'000; }

/// A key pair and its public half as JWK.
class signer {
public:
  /// "RS256", "PS256", "ES256", "ES384" or "EdDSA". RSA keys of the same size and number are the same, for they take
  /// their time; others are new.
  signer(std::string algorithm, std::string name, unsigned bits = 2048, int number = 0);
  [[nodiscard]] json jwk() const;
  [[nodiscard]] std::string sign(std::string_view text) const; ///< as a token has it, not yet in base64url
  [[nodiscard]] std::string pem() const;                       ///< of the public key
  const std::string algorithm, name;

private:
  std::shared_ptr<EVP_PKEY> key_;
};

/// head.claims.signature
std::string token_of(const json& head, const json& claims, const std::function<std::string(std::string_view)>& sign);
std::string hmac_sha256(std::string_view key, std::string_view text);

class issuer {
public:
  issuer();

  [[nodiscard]] static provider_settings settings();
  static constexpr auto redirect_uri = "https://keys.example.com/sign-in/company/callback";

  /// What it answers; each can be changed before or between calls.
  json discovery;
  std::vector<json> published;                                    ///< signing keys
  std::shared_ptr<signer> key;                                    ///< that it signs with
  json head, claims;                                              ///< of the next token; the nonce is filled in
  std::function<std::string()> token;                             ///< in place of the one of head and claims
  json person;                                                    ///< of user_info
  std::function<void(std::string_view path, http_answer&)> spoil; ///< the last word on each answer

  /// Answers as it is asked. Paths are noted in `asked`.
  http_answer answer(const http_call& call);
  std::vector<std::string> asked;
  http_call last_token_call;
  std::string nonce; ///< that the browser brought along
};

/// The end of a conversation, with calls answered by `who`.
template <typename Result, typename Who>
caf::expected<Result> outcome_of(conversation<Result>& with, Who& who, moment now = noon) {
  auto step = with.begin(now);
  for (int calls = 0; calls < 10; ++calls) {
    if (!step)
      return step.error();
    if (auto* result = std::get_if<Result>(&*step))
      return std::move(*result);
    step = with.answered(who.answer(std::get<http_call>(*step)), now);
  }
  return make_error(errc::internal, "it never ends");
}

/// The value of a parameter of a query or form, decoded; empty where there is none.
std::string parameter(const std::string& text, const std::string& name);

/// 96 bytes, each other than with another `fill`.
inline std::array<std::uint8_t, 96> bytes(std::uint8_t fill) {
  std::array<std::uint8_t, 96> out{};
  for (std::size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::uint8_t>(fill + i * 7);
  return out;
}
inline const std::string cookie(40, 'c');

/// A whole sign-in, there and back, with one provider and one book.
struct browser {
  explicit browser(provider& p) : at(p) {}

  /// Begins; the address it is sent to is in `sent_to`.
  template <typename Who>
  caf::error go(Who& who, moment now = noon) {
    const auto attempt = book.begin({at.settings().name, "/keys", {}, "192.0.2.1", secret{cookie}}, bytes(fill++), now);
    if (!attempt)
      return attempt.error();
    const auto url = outcome_of(*at.authorize(*attempt, issuer::redirect_uri), who, now);
    if (!url)
      return url.error();
    sent_to = *url;
    back = {"the-code", attempt->state.reveal(), {}, {}};
    return {};
  }
  /// Comes back as `back` says.
  template <typename Who>
  caf::expected<external_identity> come_back(Who& who, moment now = noon) {
    auto attempt = book.take(at.settings().name, back.state, cookie, now);
    if (!attempt)
      return attempt.error();
    return outcome_of(*at.identify(std::move(*attempt), back, issuer::redirect_uri), who, now);
  }

  provider& at;
  attempt_book book;
  std::string sent_to;
  callback back;
  std::uint8_t fill = 1;
};

} // namespace keyportal::identity::test
