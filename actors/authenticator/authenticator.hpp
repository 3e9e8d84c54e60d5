// AUTHENTICATOR: signs people in, keeps what they get in by, and tells the directory of callers who is in.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <caf/actor_system.hpp>

#include "actors/access/password.hpp"
#include "actors/access/registration_rules.hpp"
#include "actors/access/throttle_book.hpp"
#include "actors/authenticator/access_book.hpp"
#include "actors/authenticator/session_directory.hpp"
#include "actors/identity/provider.hpp"
#include "messages/access.hpp"
#include "messages/mail.hpp"

namespace keyportal {

struct authenticator_settings {
  session_limits sessions;
  throttle_limits throttle;
  registration_rules registration; ///< `prove_address` is set by whether there is `mail`
  bool passwords = true;           ///< else only admins have one
  password_cost cost;
  std::size_t hash_threads = 1;
  std::size_t hash_waiting = 512; ///< who may stand in line for them
  std::uint32_t requests_per_minute = 0, anonymous_requests_per_minute = 0;
  std::string issuer = "Key Portal"; ///< shown by authenticator apps
  std::vector<provider_settings> providers;
  std::filesystem::path first_admin_file;
  bool shared = false; ///< other processes sign people in to the same log: what one of them gives out is good at all
  random_bits key{};   ///< the installation's: hashes tokens and codes
  record_seal seal;
  std::function<void(std::span<std::uint8_t>)> draw; ///< from the system's random source; any thread
  std::function<moment()> now;                       ///< any thread
  /// Sends a code; may not block. Unset: there is no mail, so codes are shown to admins only.
  std::function<void(send_code)> mail;
  /// Tells people what became of a registration; may not block. Unset: nobody is told.
  std::function<void(notice)> tell;
  /// Makes a call to a place to sign in at; `done` comes once, from any thread. Unset: by libcurl.
  std::function<void(identity::http_call, std::function<void(caf::expected<identity::http_answer>)>)> ask_elsewhere;
};

/// What it begins with: read from the registry's image before that is given to the registry.
struct authenticator_start {
  access_book book;
  std::shared_ptr<session_directory> directory;
};
authenticator_start authenticator_start_of(const authenticator_settings& settings, const registry_image& image);

/// Is to be a listener of the ledger.
authenticator_actor spawn_authenticator(caf::actor_system& system, bool own_thread, authenticator_settings settings,
                                        authenticator_start start, key_registry_actor registry, ledger_actor ledger);

} // namespace keyportal
