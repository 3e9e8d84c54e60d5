// What is to reach people outside of Key Portal. Whoever sends it is one actor; without one nobody is told.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "messages/secret.hpp"

namespace keyportal {

/// A code by which somebody proves to be who reads mail at that address. It is in no event and no log.
struct send_code {
  enum class purpose : std::uint8_t { new_password, confirm_address } what_for = purpose::new_password;
  std::string to;
  secret code;
};
/// A piece of news; whoever sends it finds the words.
struct notice {
  enum class kind : std::uint8_t {
    registration_waits,    ///< to the admins: somebody asks to be let in
    registration_approved, ///< to whoever waited
    registration_refused
  } what = kind::registration_waits;
  std::vector<std::string> to; ///< addresses
  std::string email, name;     ///< of whom it is about
  std::string reason;          ///< why he wants in, or what the admin said; may be empty
};

/// It keeps what it was given until it is sent.
using mailer_actor = caf::typed_actor<caf::reacts_to<send_code>, caf::reacts_to<notice>>;

} // namespace keyportal

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::send_code)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(keyportal::notice)
