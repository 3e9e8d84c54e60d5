// Who is told what: notices, channels, reminders, and how one wants to be told.
#pragma once

#include "gateway/visit.hpp"

namespace keyportal::gateway {

void about_notices(const visit& here);

} // namespace keyportal::gateway
