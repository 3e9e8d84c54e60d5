// Which texts people may give for themselves and their things. Pure.
#pragma once

#include <string>
#include <string_view>

#include <caf/expected.hpp>

namespace keyportal {

/// Without blanks around. name_refused for what is empty where it must not be, longer than 200 bytes, no UTF-8, or has
/// control characters, characters that turn the direction of writing, '<' or '>'; or begins as a formula does (= + - @).
caf::expected<std::string> tidy_name(std::string_view what, std::string_view text, bool may_be_empty);
/// In lower case. name_refused unless it is local@domain with a dot in the domain, ASCII, at most 254 bytes.
caf::expected<std::string> tidy_email(std::string_view text);
/// 1 to 32 of [a-z0-9-].
caf::expected<std::string> tidy_group(std::string_view text);

} // namespace keyportal
