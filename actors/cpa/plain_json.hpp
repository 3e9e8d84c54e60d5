// JSON text in exactly one spelling, so that equal values are equal bytes. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace keyportal::cpa {

/// A string with its quotation marks: '"' and '\' behind a backslash, control characters as \u00xx, the rest as it is.
/// `text` must be UTF-8.
void append_plain_text(std::string& out, std::string_view text);
void append_plain_number(std::string& out, std::int64_t number);
void append_plain_number(std::string& out, std::uint64_t number);
/// Whole numbers as integers: 1000, 1000.0 and 1e3 are one. Others with as few digits as tell them apart.
void append_plain_number(std::string& out, double number);

/// The first `most` bytes of a text, fewer where a character would be cut in two.
std::string_view first_bytes(std::string_view text, std::size_t most);

/// Whether a name fits a pattern in lower case, in which one `*` at either end stands for any text. Upper and lower case
/// of the name are the same. A pattern is never empty.
bool fits(std::string_view name, std::string_view pattern);

} // namespace keyportal::cpa
