// A place where people sign in, as it is configured, and what may be asked there.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "messages/secret.hpp"

namespace keyportal {

/// One OpenID Connect issuer, or Feishu or Lark.
struct provider_settings {
  std::string name;   ///< unique, 1 to 32 of [a-z0-9-]; stands in addresses and in kept identities
  std::string kind;   ///< "oidc", "feishu" or "lark"
  std::string title;  ///< for people; empty: the name
  std::string issuer; ///< of oidc: https://…, to the letter as the issuer writes it; else empty
  std::string client_id;
  secret client_secret; ///< given as such or read from `client_secret_file`
  std::filesystem::path client_secret_file;
  std::vector<std::string> scopes;  ///< empty: those that the kind needs
  std::vector<std::string> tenants; ///< tenant keys of Feishu and Lark that may sign in; never empty for these
  std::vector<std::string> domains; ///< of oidc: e-mail domains, in lower case, that may sign in; empty: all
  std::string authorize_url;        ///< this and the next three: empty, for what discovery or the kind says
  std::string token_url;
  std::string keys_url; ///< of oidc
  std::string user_info_url;
  std::string token_encoding; ///< of Feishu and Lark: "form" or "json"; empty or "auto": what the kind takes
};

/// Empty when `url` may be asked by Key Portal, else why not: https, or http on this machine; no credentials, no fragment,
/// 2048 printable characters at most. `on_this_machine` says whether its host is a loopback address, by name or number.
std::string check_provider_url(std::string_view url, bool* on_this_machine = nullptr);

} // namespace keyportal
