// What attempts cost. The ledger asks this once for each new record and keeps the answer with it.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "messages/records.hpp"

namespace keyportal {

/// What a price may depend on.
struct priced_attempt {
  std::string_view model;        ///< as the upstream calls it
  std::string_view alias;        ///< as the client asked for it; empty where unknown
  std::string_view provider;     ///< likewise
  std::string_view service_tier; ///< likewise
  std::int64_t at_ns = 0;        ///< Unix time
  token_parts parts;
  bool failed = false;
};

/// A fixed set of prices; another set is another object. Any thread.
class pricing {
public:
  virtual ~pricing() = default;
  /// In billionths of a US dollar; not set when there is no price for it, which is something else than 0.
  [[nodiscard]] virtual std::optional<std::int64_t> cost_of(const priced_attempt& what) const = 0;
};

} // namespace keyportal
