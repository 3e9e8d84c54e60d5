// How accounts are named to people who need not know all of them.
#pragma once

#include <string>
#include <string_view>

namespace keyportal {

/// "a***@example.com": enough to know one's own by. Empty for no address.
std::string shown_address(std::string_view address);

} // namespace keyportal
