// How bytes and parameters are written in addresses, forms and tokens.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace keyportal::identity {

/// Base64url without padding (RFC 4648, section 5).
std::string base64url(std::span<const std::uint8_t> bytes);
std::string base64url(std::string_view bytes);
/// With padding and the usual alphabet, as HTTP's Basic wants it.
std::string base64(std::string_view bytes);
/// Nothing unless the text is exactly what `base64url` makes of some bytes: no padding, no blanks, no spare bits.
std::optional<std::string> from_base64url(std::string_view text);

/// All but A-Z a-z 0-9 - . _ ~ as %XX.
std::string percent_encoded(std::string_view text);
using parameters = std::initializer_list<std::pair<std::string_view, std::string_view>>;
/// "a=b&c=d", encoded; a parameter with an empty value is left out.
std::string form_of(parameters all);
/// Behind what query the address has already.
std::string with_query(std::string url, parameters all);

/// 32 bytes.
std::string sha256(std::string_view text);
/// Takes as long for a difference at the front as for one at the end; lengths are no secret.
bool same_text(std::string_view a, std::string_view b);

} // namespace keyportal::identity
