// What can be done with a data folder while no service runs in it.
#pragma once

#include <functional>

#include <caf/expected.hpp>

#include "config/settings.hpp"
#include "messages/ledger_check.hpp"

namespace keyportal {

/// Compares roll-ups with the records and, with `mends`, puts right what is wrong. Errors are those of storage; one is
/// that a service has the folder. Calls `progress` after each day.
caf::expected<ledger_check>
check_stopped_ledger(const settings& values, bool mends,
                     const std::function<void(std::uint64_t done, std::uint64_t days)>& progress);

} // namespace keyportal
