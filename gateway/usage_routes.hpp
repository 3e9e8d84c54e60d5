// Questions about usage: the analyst is asked.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

void about_usage(const visit& here);
void about_ledger_check(const visit& here);

} // namespace keyportal::gateway
