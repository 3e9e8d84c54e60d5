// Reads what people paste after they signed in at a provider: the whole address out of the browser, only what stands
// behind its question mark, or the code that a page shows. Pure.
#pragma once

#include <string>
#include <string_view>

#include <caf/expected.hpp>

namespace keyportal {

struct callback {
  std::string state;
  std::string code;     ///< empty where the provider refused
  std::string refused;  ///< what it said then: one of its words
  std::string provider; ///< as the address tells by its port and path; empty: it does not
};

/// callback_unreadable, callback_incomplete.
caf::expected<callback> read_callback(std::string_view pasted);

} // namespace keyportal
