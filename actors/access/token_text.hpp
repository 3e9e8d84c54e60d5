// How the tokens that we hand out are written, so that people, scanners for secrets and typing errors are told apart.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "actors/access/secret_bytes.hpp"
#include "messages/errors.hpp"
#include "messages/secret.hpp"

namespace keyportal {

enum class token_kind : std::uint8_t {
  api,        ///< kpt_…: of a script
  invitation, ///< kpi_…: lets somebody register
  bootstrap   ///< kpb_…: makes the first admin
};

/// `kpt_`, 52 base32 characters of 256 bits and 7 of a checksum, all in lower case: [a-z2-7]. The bits must come from the
/// system's random source.
secret write_token(token_kind kind, const random_bits& bits);

/// No error when the text is a whole token of that kind. token_mistyped when it begins and looks like one but its check
/// digits are wrong, token_refused for everything else: no store needs to be asked for those.
caf::error check_token_text(token_kind kind, std::string_view text);

/// The kind that a text begins like, if any.
std::optional<token_kind> kind_of_token(std::string_view text);

/// What is kept of a token, and what it is looked up by. `key` is the installation's.
digest token_hash(const random_bits& key, token_kind kind, std::string_view text);

} // namespace keyportal
