// Where the NATS server is and how to sign in.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "actors/nats/handles.hpp"
#include "messages/secret.hpp"

namespace keyportal::nats {

struct server_settings {
  secret url;       ///< one or several, separated by commas; user and password may be in it
  std::string user; ///< with `password`
  secret password;
  secret token;
  std::filesystem::path creds_file; ///< user JWT and seed
  std::string nkey;                 ///< public key that belongs to `nkey_seed_file`
  std::filesystem::path nkey_seed_file;
  bool tls = false; ///< implied by any of the files below and by tls://
  std::filesystem::path ca_file;
  std::filesystem::path cert_file; ///< with `key_file`
  std::filesystem::path key_file;
  std::string client_name = "keyportal";
};

/// The client's options for these settings; an error names the setting that is wrong.
caf::expected<client_options> make_options(const server_settings& settings);

/// The URL as it may be shown: what stands before '@' is left out, in every part of a list.
std::string without_credentials(std::string_view url);

} // namespace keyportal::nats
