// Feishu and Lark: OAuth 2 with addresses, errors and a user_info of their own; no signed token, no discovery.
#pragma once

#include <cstdint>

#include "actors/identity/provider.hpp"
#include "messages/errors.hpp"

namespace keyportal::identity {

class feishu_provider : public provider {
public:
  explicit feishu_provider(provider_settings settings) : provider(std::move(settings)) {}

  std::unique_ptr<conversation<std::string>> authorize(const login_attempt& attempt, std::string redirect_uri) override;
  std::unique_ptr<conversation<external_identity>> identify(login_attempt attempt, callback back,
                                                            std::string redirect_uri) override;
};

/// Where to ask, by the kind and what is configured.
struct feishu_addresses {
  std::string authorize_url;
  std::string token_url;
  std::string user_info_url;
  bool token_as_json = false; ///< v2; else v3, a form
};
feishu_addresses addresses_of(const provider_settings& s);

/// What a code of Feishu or Lark means to us.
errc feishu_meaning(std::int64_t code);

} // namespace keyportal::identity
