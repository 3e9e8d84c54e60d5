// What is asked about accounts with providers: contributing them, and how they are. For gateway.cpp.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

/// Of a route for which `is_about_accounts` is true.
void about_accounts(const visit& here);

/// Begins a login for whoever asks; also as the original portal had it.
void begin_login(const visit& here, begin_account_login what, std::function<void(const account_login&)> then);

} // namespace keyportal::gateway
