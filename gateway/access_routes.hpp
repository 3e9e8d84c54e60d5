// Who gets in: sessions, passwords, second factors, tokens, invitations, other places to sign in.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

/// Answers what `is_about_access`.
void about_access(const visit& here);

} // namespace keyportal::gateway
