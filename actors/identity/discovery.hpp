// What an OpenID Connect issuer says about itself. Pure.
#pragma once

#include <string>

#include <caf/expected.hpp>

#include "actors/identity/http_call.hpp"
#include "config/provider_settings.hpp"

namespace keyportal::identity {

struct discovery {
  std::string authorize_url;
  std::string token_url;
  std::string keys_url;
  std::string user_info_url;   ///< empty: it has none
  bool secret_in_body = false; ///< client_secret_post, for an issuer that does not take client_secret_basic
  bool names_itself = false;   ///< callbacks carry `iss`; one without it is refused
};

http_call discovery_call(const provider_settings& of);

/// Configured addresses take the place of the issuer's. provider_issuer_wrong unless the answer's `issuer` is the configured
/// one, byte for byte; provider_answer_wrong for anything else that is missing or not safe to ask: no https, or an address
/// on this machine when the issuer is not.
caf::expected<discovery> read_discovery(const http_answer& answer, const provider_settings& of);

} // namespace keyportal::identity
