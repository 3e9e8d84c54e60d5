// What differs between two texts, line by line. Pure.
#pragma once

#include <string>
#include <string_view>

namespace keyportal::cli {

/// Lines that went, with "- ", and that came, with "+ ", three lines around each with "  ", and "…" where lines are left
/// out; empty when the texts are equal. Where very much differs, it is shown as one replacement.
std::string line_diff(std::string_view before, std::string_view after);

} // namespace keyportal::cli
