// What is good once: recovery codes, codes sent by mail, invitations and the first admin's token. Only hashes are kept.
// Pure: time, random bits and the installation's key for hashing are given in.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "actors/access/secret_bytes.hpp"
#include "actors/access/token_text.hpp"
#include "messages/errors.hpp"
#include "messages/secret.hpp"
#include "messages/timestamp.hpp"

namespace keyportal {

// --- recovery codes: in place of a lost authenticator ------------------------------

inline constexpr std::size_t recovery_code_count = 10;
/// 120 bits each: nobody guesses one, so a keyed hash is enough.
using recovery_bits = std::array<std::array<std::uint8_t, 15>, recovery_code_count>;
struct recovery_codes {
  std::vector<secret> shown; ///< once: "7k3m-…", six groups of four
  std::vector<digest> kept;
};
recovery_codes make_recovery_codes(const random_bits& key, std::string_view user, const recovery_bits& bits);
/// The place in `kept` of the code that was typed, to be taken out in the same write as the sign-in. Takes as long
/// for a wrong one. Hyphens, blanks and upper case do not matter.
std::optional<std::size_t> find_recovery_code(const random_bits& key, std::string_view user,
                                              const std::vector<digest>& kept, std::string_view typed);

// --- codes by mail -------------------------------------------------------------------

/// What a code is for; one for a new password does not confirm an address. Numbers are stored.
enum class code_purpose : std::uint8_t { confirm_address = 0, new_password = 1, link_identity = 2 };

struct mailed_code {
  digest hash{};
  moment until{};
  std::uint8_t tries_left = 0; ///< 0: over
  bool operator==(const mailed_code&) const = default;
};
struct fresh_code {
  secret shown; ///< eight digits (26 bits): "1234 5678"
  mailed_code kept;
};
/// Good for ten minutes and five tries. `subject`: the address it is sent to, or the user. Whoever asks for many codes
/// gets five tries with each, so asking is to be limited by `rate_book`.
fresh_code make_mailed_code(const random_bits& key, code_purpose purpose, std::string_view subject,
                            const random_bits& bits, moment now);
/// No error: it is right, and over now. code_wrong: one try less. code_over: too late, used, or no try left, whatever
/// was typed. Store `kept` before answering, whatever the outcome.
caf::error try_mailed_code(mailed_code& kept, const random_bits& key, code_purpose purpose, std::string_view subject,
                           std::string_view typed, moment now);

// --- invitations, and the first admin ------------------------------------------------

struct invitation {
  digest hash{};
  moment until{};
  std::string email;           ///< only for this address (lower case); empty: for anybody who has it
  std::uint32_t uses_left = 1; ///< 0: used, or taken back
  bool operator==(const invitation&) const = default;
};
struct fresh_invitation {
  secret shown;
  invitation kept;
};
/// `kind`: invitation or bootstrap. The first admin's token is an invitation for one use.
fresh_invitation make_invitation(const random_bits& key, token_kind kind, const random_bits& bits, moment now,
                                 std::chrono::seconds lifetime, std::string email = {}, std::uint32_t uses = 1);
/// No error: it is good for that address now; take one off `uses_left` in the write that makes the person.
/// token_mistyped; invitation_refused for all else, without telling why.
caf::error check_invitation(const invitation& kept, const random_bits& key, token_kind kind, std::string_view text,
                            std::string_view email, moment now);

} // namespace keyportal
