// The target of a request line, split and decoded. Pure.
#pragma once

#include <string_view>

#include "messages/http.hpp"

namespace keyportal::gateway {

/// Fills `path` and `query` of `into` from a target such as "/a%20b?x=1&y". False, with `into` undefined, for anything
/// that is not plain: no leading '/', a broken escape, an escaped '/', '\', control characters in the path, more than
/// 64 parameters. Dots are not special: a path is looked up in a table, never in a file system.
bool read_target(std::string_view target, http_request& into);

} // namespace keyportal::gateway
