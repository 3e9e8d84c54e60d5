// From text to a typed value and back, for every type an option may have.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "messages/secret.hpp"

namespace keyportal {

/// Where an option's value goes; the alternative is the option's type.
using value_place = std::variant<std::string*, std::filesystem::path*, secret*, bool*, int*, std::uint64_t*,
                                 std::chrono::milliseconds*, std::vector<std::string>*>;

/// A value as it was written, before anybody knows what it should have been.
struct written_value {
  enum class form { any /* environment, command line */, text, integer, boolean, list, other } form = form::any;
  std::string text;
  std::vector<std::string> items; ///< of a list
};

/// Bounds and choices in the notation of the value itself; empty: none.
struct value_limits {
  std::string_view least;
  std::string_view most;
  std::string_view choices; ///< "a|b|c"
};

/// Stores the value; empty when that worked, else what was expected (never the value of a secret).
std::string assign(const value_place& place, const written_value& value, const value_limits& limits);

/// The value as TOML ("…" for text, true, 12, ["a"]); a secret that is set shows as "[set]", an unset one as "".
std::string show(const value_place& place);

/// "text", "path", "secret", "true or false", "number", "size", "duration", "list".
std::string_view type_name(const value_place& place);

/// "500ms", "3s", "5min", "2h", "30d"; nothing for anything else. Below 300 years.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);
std::string show_duration(std::chrono::milliseconds duration);
/// "4096", "64KiB", "256MiB", "2GiB"; nothing for anything else.
std::optional<std::uint64_t> parse_size(std::string_view text);
std::string show_size(std::uint64_t bytes);
/// `text` as a TOML string with its quotes.
std::string toml_quoted(std::string_view text);

} // namespace keyportal
