// Who may register: open, by e-mail domain, by invitation, by approval, or nobody. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "messages/errors.hpp"

namespace keyportal {

/// Numbers are stored.
enum class registration_mode : std::uint8_t { closed = 0, open = 1, domain = 2, invitation = 3, approval = 4 };
std::string_view to_text(registration_mode mode);
std::optional<registration_mode> registration_mode_of(std::string_view text);

struct registration_rules {
  registration_mode mode = registration_mode::closed;
  /// Lower case: "example.com", or "*.example.com" for everything below it. For the mode `domain`; in other modes, when
  /// not empty, these and no others as well.
  std::vector<std::string> domains;
  bool prove_address = true; ///< an address is confirmed by a code first. In the mode `domain` always.
};

struct registration_ask {
  std::string email;           ///< as `tidy_email` leaves it
  bool address_proven = false; ///< by a code, or by a sign-in service that says so
  bool invited = false;        ///< an invitation was given, and `check_invitation` had nothing against it
  std::string reason;          ///< for the admin who approves
};

enum class registration_outcome : std::uint8_t {
  admit,         ///< becomes an active person
  prove_address, ///< send a code to the address, then ask again; nothing is made before
  wait           ///< becomes a person who waits for an admin
};
/// registration_closed, registration_domain, invitation_refused, reason_needed (approval wants 3 to 500 bytes),
/// name_refused for what is no address. An invitation that holds opens every mode but `closed`; its address is to be
/// proven all the same.
caf::expected<registration_outcome> judge_registration(const registration_rules& rules, const registration_ask& ask);

/// Whether an address is of a domain of the list. False for what has not exactly one @.
bool is_of_domains(std::string_view email, const std::vector<std::string>& domains);

} // namespace keyportal
