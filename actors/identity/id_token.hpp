// The proof of identity that an OpenID Connect issuer gives: read, and checked in every point. Pure.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include <caf/expected.hpp>

#include "actors/identity/signing_keys.hpp"
#include "messages/timestamp.hpp"

namespace keyportal::identity {

/// How far the issuer's clock may be from ours.
inline constexpr std::chrono::seconds clock_skew{60};

struct token_terms {
  std::string issuer; ///< to the letter
  std::string client_id;
  std::string nonce; ///< of this sign-in
  moment now{};
};

/// What is known of a person from checked claims.
struct person_claims {
  std::string subject; ///< 1 to 255 printable characters; with the issuer it is who somebody is, for ever
  std::string name;    ///< for people; empty where there is none that could be shown
  std::string email;   ///< in lower case; empty unless the issuer has verified it
};

/// Errors, which say what is wrong and nothing of the token's text:
/// id_token_refused for a token that is malformed, signed by nobody or with an algorithm that is not allowed, forged, from
/// another issuer, for another client, of another sign-in, expired or of the future;
/// provider_key_unknown when it says that it is signed with a key that is not among `keys`.
caf::expected<person_claims> read_id_token(std::string_view token, const signing_keys& keys, const token_terms& terms);

/// The claims about a person out of a JSON object, as text; id_token_refused without a proper subject.
caf::expected<person_claims> read_person(std::string_view json);

} // namespace keyportal::identity
