// Codes of an authenticator app: RFC 6238 with SHA-1, six digits, 30 seconds, which is what all apps can do. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "messages/timestamp.hpp"

namespace keyportal {

/// 160 bits from the system's random source. A secret: sealed at rest.
using totp_key = std::array<std::uint8_t, 20>;

/// Number of the 30 seconds that moment lies in, counted from 1970.
std::int64_t totp_step(moment at);

/// The six digits of that step.
std::string totp_code(std::string_view key, std::int64_t step);

/// The step whose code this is, if it is right: that of `now`, the one before or the one after (clocks differ), and later
/// than `last_step`, the one accepted before (-1: none yet). Keep what is returned as the next `last_step`, in the same
/// write as the sign-in: so no code is good twice. Blanks in the code are passed over. Takes as long for wrong codes as for
/// right ones.
std::optional<std::int64_t> accept_totp(std::string_view key, std::string_view code, moment now,
                                        std::int64_t last_step);

/// `otpauth://totp/…` for the QR code an app scans. Issuer and account may hold any text. Holds the key: a secret.
std::string totp_uri(std::string_view issuer, std::string_view account, const totp_key& key);
/// The key in groups of four, to be typed where no code can be scanned.
std::string totp_key_text(const totp_key& key);

} // namespace keyportal
