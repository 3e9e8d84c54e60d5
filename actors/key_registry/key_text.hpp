// How a key that we make is written: <prefix>-<version><43 characters of 256 random bits><6 characters of CRC-32>.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "messages/secret.hpp"

namespace keyportal {

using key_bits = std::array<std::uint8_t, 32>;

/// The bits must come from the system's random source. `prefix`: 2 to 16 of [A-Za-z0-9-].
secret write_key(std::string_view prefix, const key_bits& bits);

enum class key_writing : std::uint8_t {
  ours,     ///< as `write_key` writes it
  mistyped, ///< begins like one of ours, but its check digits are wrong: a letter was lost or changed
  foreign   ///< anything else
};
key_writing judge_key(std::string_view prefix, std::string_view text);

/// Whether CLIProxyAPI can be given this text as a key at all: 8 to 512 printable ASCII characters without blanks, and
/// none of the examples of its template, which make it refuse everybody.
bool can_be_key(std::string_view text);

/// Whether a text that somebody else made may have less than 112 bits of chance in it (ASVS 6.5.2), by what its
/// characters could have been at most: words, counters and dates in it count for nothing.
bool is_guessable(std::string_view text);

/// How people tell keys apart without knowing them: the first characters and the last four.
std::string shown_key(std::string_view prefix, std::string_view text);

} // namespace keyportal
