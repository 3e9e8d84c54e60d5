// What providers say of an account's quota, as windows. What they say newly is passed over, or shown as it is called. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <caf/expected.hpp>

#include "messages/accounts.hpp"

namespace keyportal {

struct quota_reading {
  std::vector<quota_window> windows; ///< without forecasts; at most 32
  std::string plan;                  ///< empty: not told
};

/// `body` is of the answer to the question of the provider's row. quota_unknown where nothing in it is understood, with
/// a sentence that quotes nothing of it.
caf::expected<quota_reading> read_quota(std::string_view provider, std::string_view body, moment now);

} // namespace keyportal
