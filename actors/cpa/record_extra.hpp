// What is kept of a usage record besides the fields that the ledger counts by. Pure.
#pragma once

#include <string>
#include <string_view>

#include "actors/cpa/spelling.hpp"

namespace keyportal::cpa {

/// Names of upstream headers worth keeping, in lower case: quotas, limits, and ids by which a provider finds a request.
/// `*` stands for any text. Cookies and credentials are none of them.
inline constexpr std::string_view kept_headers[] = {
  "anthropic-ratelimit-*", "x-ratelimit-*", "x-rate-limit-*", "ratelimit*", "x-codex-*", "x-quota-*",
  "retry-after*",          "request-id",    "*-request-id"};

/// Everything but the core fields, as one compact object; see queue_record::extra.
std::string extra_of(const spelt& record);

} // namespace keyportal::cpa
